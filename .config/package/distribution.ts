/** .deb, .rpm and .tar.gz of one architecture: the same files, in the places where distributions look for them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ensureNfpm, ensureNode, OWN_ARCH, run, type Arch } from './tools.js';

const ROOT = join(import.meta.dirname, '../..');

export interface Release {
  version: string;
  /** Seconds since 1970 of the commit: the time of everything that is made. */
  epoch: number;
  /** Compress less, for a test. */
  quick: boolean;
}

/** What a package is called by Debian, by Red Hat and by Node. */
const NAMES: Record<Arch, { deb: string; rpm: string }> = {
  x64: { deb: 'amd64', rpm: 'x86_64' },
  arm64: { deb: 'arm64', rpm: 'aarch64' },
};

/** Where zsh of a distribution looks for completions of packages. */
const ZSH = {
  deb: '/usr/share/zsh/vendor-completions/_patctl',
  rpm: '/usr/share/zsh/site-functions/_patctl',
};

/** Writes the packages of `executable` into `folder`; `staging` is an empty folder. */
export async function makePackages(
  arch: Arch,
  executable: string,
  release: Release,
  staging: string,
  folder: string,
): Promise<void> {
  const root = join(staging, `patctl-${release.version}-linux-${arch}`);
  mkdirSync(staging, { recursive: true });
  await stage(executable, root);
  // nfpm dates some files of a tree by the file itself.
  run('find', [root, '-exec', 'touch', '--no-dereference', `--date=@${release.epoch}`, '{}', '+']);
  makeTarball(root, release, join(folder, `patctl-${release.version}-linux-${arch}.tar.gz`));
  const nfpm = await ensureNfpm();
  for (const kind of ['deb', 'rpm'] as const) {
    const machine = NAMES[arch][kind];
    const settings = join(staging, `${kind}.json`);
    const name =
      kind === 'deb'
        ? `patctl_${release.version}_${machine}.deb`
        : `patctl-${release.version}-1.${machine}.rpm`;
    writeFileSync(settings, JSON.stringify(description(kind, arch, root, release)));
    pack(nfpm, kind, settings, join(folder, name), release);
  }
}

/** `patctl-patronictl`: offers patctl under the name patronictl, where update-alternatives chooses. */
export async function makeAlternative(
  release: Release,
  staging: string,
  folder: string,
): Promise<void> {
  const nfpm = await ensureNfpm();
  for (const kind of ['deb', 'rpm'] as const) {
    const settings = join(staging, `alternative-${kind}.json`);
    const name =
      kind === 'deb'
        ? `patctl-patronictl_${release.version}_all.deb`
        : `patctl-patronictl-${release.version}-1.noarch.rpm`;
    writeFileSync(settings, JSON.stringify(alternative(kind, release, staging)));
    pack(nfpm, kind, settings, join(folder, name), release);
  }
}

function pack(nfpm: string, kind: string, settings: string, file: string, release: Release): void {
  const args = ['package', '--packager', kind, '--config', settings, '--target', file];
  run(nfpm, args, { env: { ...process.env, SOURCE_DATE_EPOCH: String(release.epoch) } });
  if (kind === 'deb') compressDeb(file, release.quick ? '-1' : '-6');
}

const AR_MAGIC = '!<arch>\n';
const AR_HEADER = 60;

/** A .deb is an ar archive whose last member is the tree: xz makes it a third smaller than nfpm does. */
function compressDeb(file: string, level: string): void {
  const deb = readFileSync(file);
  const parts = [Buffer.from(AR_MAGIC)];
  for (let at = AR_MAGIC.length; at < deb.length;) {
    const header = deb.subarray(at, at + AR_HEADER);
    const size = Number(header.toString('latin1', 48, 58));
    let content = deb.subarray(at + AR_HEADER, at + AR_HEADER + size);
    let name = header.toString('latin1', 0, 16);
    if (name.trimEnd().replace(/\/$/, '') === 'data.tar') {
      content = execFileSync('xz', [level, '-T1', '-c'], { input: content, maxBuffer: 2 ** 28 });
      name = 'data.tar.xz'.padEnd(16);
    }
    const sized = `${name}${header.toString('latin1', 16, 48)}${String(content.length).padEnd(10)}`;
    parts.push(Buffer.from(`${sized}\x60\n`), content, Buffer.alloc(content.length % 2, '\n'));
    at += AR_HEADER + size + (size % 2);
  }
  writeFileSync(file, Buffer.concat(parts));
}

/** The tree that the .tar.gz is: an operator unpacks it anywhere. */
async function stage(executable: string, root: string): Promise<void> {
  const folder = (name: string): string => {
    mkdirSync(join(root, name), { recursive: true });
    return join(root, name);
  };
  cpSync(executable, join(folder('bin'), 'patctl'));
  const man = folder('share/man/man1');
  for (const page of readdirSync(join(ROOT, 'docs/man'))) {
    const text = readFileSync(join(ROOT, 'docs/man', page));
    writeFileSync(join(man, `${page}.gz`), gzipSync(text, { level: 9 }));
  }
  const completions = folder('share/patctl/completions');
  const scripts = { bash: 'patctl.bash', zsh: '_patctl', fish: 'patctl.fish' };
  for (const [shell, name] of Object.entries(scripts)) {
    const script = run(process.execPath, [join(ROOT, 'bin/patctl.cjs'), 'completion', shell]);
    writeFileSync(join(completions, name), script);
  }
  const doc = folder('share/doc/patctl');
  for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE', 'docs', 'dist/THIRD-PARTY.txt']) {
    cpSync(join(ROOT, name), join(doc, name.replace('dist/', '')), {
      recursive: true,
      filter: (from) => from !== join(ROOT, 'docs/man'),
    });
  }
  cpSync(join(await ensureNode(OWN_ARCH), 'LICENSE'), join(doc, 'NODE-LICENSE.txt'));
  run('chmod', ['-R', 'u=rwX,go=rX', root]);
  chmodSync(join(root, 'bin/patctl'), 0o755);
}

function makeTarball(root: string, { epoch, quick }: Release, file: string): void {
  const [, name = ''] = /([^/]+)$/.exec(root) ?? [];
  const tar = `${root}.tar`;
  const same = ['--sort=name', '--format=gnu', '--owner=0', '--group=0', '--numeric-owner'];
  run('tar', ['-C', join(root, '..'), ...same, `--mtime=@${epoch}`, '-cf', tar, name]);
  run('gzip', [quick ? '-1' : '-9', '-n', tar]);
  cpSync(`${tar}.gz`, file);
}

interface About {
  description: string;
  license: string;
}

function about({ version }: Release): Record<string, unknown> {
  const { description, license } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as About;
  return {
    version,
    release: '1',
    section: 'database',
    priority: 'optional',
    maintainer: 'patctl <patctl@localhost>',
    description,
    license,
    // The name of the building machine would make the package another one on each.
    rpm: { buildhost: 'localhost', compression: 'zstd' },
    deb: { compression: 'none' },
  };
}

function description(kind: 'deb' | 'rpm', arch: Arch, root: string, release: Release): object {
  const mtime = new Date(release.epoch * 1000).toISOString();
  const file = (src: string, dst: string, mode = 0o644): object => ({
    src: join(root, src),
    dst,
    file_info: { mode, mtime },
  });
  const tree = (src: string, dst: string): object => ({
    src: join(root, src),
    dst,
    type: 'tree',
    file_info: { mtime },
  });
  const licence = kind === 'deb' ? 'copyright' : 'LICENSE';
  return {
    ...about(release),
    name: 'patctl',
    arch: NAMES[arch].deb,
    // What the Node inside is linked with; everything else is in it.
    depends:
      kind === 'deb' ? ['libc6 (>= 2.28)', 'libstdc++6 (>= 8)'] : ['glibc >= 2.28', 'libstdc++'],
    contents: [
      file('bin/patctl', '/usr/bin/patctl', 0o755),
      tree('share/man/man1', '/usr/share/man/man1'),
      file('share/patctl/completions/patctl.bash', '/usr/share/bash-completion/completions/patctl'),
      file('share/patctl/completions/_patctl', ZSH[kind]),
      file(
        'share/patctl/completions/patctl.fish',
        '/usr/share/fish/vendor_completions.d/patctl.fish',
      ),
      tree('share/doc/patctl', '/usr/share/doc/patctl'),
      ...(kind === 'deb'
        ? [file('share/doc/patctl/LICENSE', `/usr/share/doc/patctl/${licence}`)]
        : []),
    ],
  };
}

function alternative(kind: 'deb' | 'rpm', release: Release, staging: string): object {
  const scripts = {
    postinstall: 'update-alternatives --install /usr/bin/patronictl patronictl /usr/bin/patctl 10',
    preremove: 'update-alternatives --remove patronictl /usr/bin/patctl',
  };
  const paths = Object.entries(scripts).map(([name, line]) => {
    const path = join(staging, `${kind}-${name}.sh`);
    writeFileSync(path, `#!/bin/sh\nset -e\n${line}\n`);
    return [name, path];
  });
  return {
    ...about(release),
    name: 'patctl-patronictl',
    arch: 'all',
    description: 'Offers patctl as an alternative for the command patronictl',
    depends: [`patctl`],
    scripts: Object.fromEntries(paths) as object,
  };
}

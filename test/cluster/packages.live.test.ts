/** What `npm run package` made: installed into an empty root, run from there, removed. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MACHINES, noteOf, readElf } from '../../.config/package/elf.js';
import { NOTE } from '../../.config/package/executable.js';
import { runProgram } from '../support/lab/process.js';
import { sharedCluster } from '../support/shared.js';

const ROOT = join(import.meta.dirname, '../..');
const MADE = join(ROOT, 'dist/package');
const files = existsSync(MADE) ? readdirSync(MADE) : [];
const named = (pattern: RegExp): string =>
  join(MADE, files.find((name) => pattern.test(name)) ?? '?');

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', cwd: MADE, stdio: ['ignore', 'pipe', 'pipe'] });

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patctl-packages-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const PLACES = [
  'usr/bin/patctl',
  'usr/share/bash-completion/completions/patctl',
  'usr/share/fish/vendor_completions.d/patctl.fish',
  'usr/share/man/man1/patctl-list.1.gz',
  'usr/share/man/man1/patctl.1.gz',
];

// Only a run on the executable has made packages before.
describe.skipIf(!process.env['PATCTL_PROGRAM'])('the packages', () => {
  test('a .deb is installed by dpkg, runs without Node or a home, and leaves nothing behind', async () => {
    const lab = await sharedCluster({ sync: 'on' });
    for (const name of ['updates', 'info']) {
      mkdirSync(join(folder, 'var/lib/dpkg', name), { recursive: true });
    }
    const before = allFiles(folder);
    const dpkg = (...args: string[]) => run('dpkg', `--root=${folder}`, '--force-depends', ...args);
    dpkg('-i', named(new RegExp(`_${run('dpkg', '--print-architecture').trim()}\\.deb$`)));
    expect(allFiles(folder)).toEqual(expect.arrayContaining(PLACES));
    expect(allFiles(folder)).toContain('usr/share/zsh/vendor-completions/_patctl');
    expect(readdirSync(folder).sort()).toEqual(['usr', 'var']);
    const program = join(folder, 'usr/bin/patctl');
    const listed = await runProgram(program, ['-c', lab.config, 'list'], { env: {} });
    expect([listed.code, listed.err]).toEqual([0, '']);
    expect(listed.out).toContain('Verdict');
    dpkg('-r', 'patctl');
    const left = allFiles(folder).filter((name) => !name.startsWith('var/lib/dpkg/'));
    expect(left).toEqual(before);
  }, 120_000);

  test.skipIf(process.getuid?.() !== 0)(
    'it runs as PID 1 and any user in a read-only root without home or /tmp, with stdin closed',
    async () => {
      const lab = await sharedCluster({ sync: 'on' });
      const program = process.env['PATCTL_PROGRAM'] ?? '';
      const libraries = run('ldd', program).match(/\/\S+\.so\S*/g) ?? [];
      for (const from of libraries) {
        mkdirSync(dirname(join(folder, from)), { recursive: true });
        copyFileSync(from, join(folder, from));
      }
      copyFileSync(program, join(folder, 'patctl'));
      copyFileSync(lab.config, join(folder, 'patroni.yml'));
      run('chmod', '-R', 'a+rX', folder);
      mkdirSync(join(folder, 'dev'));
      run('mknod', '-m', '666', join(folder, 'dev/null'), 'c', '1', '3');
      const script = [
        'mount --bind "$1" "$1"',
        'mount -o remount,ro,bind "$1"',
        'exec env -i "$2" --userspec=12345:12345 "$1" /patctl -c /patroni.yml list <&-',
      ];
      const chroot = run('sh', '-c', 'command -v chroot').trim();
      const words = ['-m', '-p', '-f', 'sh', '-c', script.join(' && '), 'sh', folder, chroot];
      const listed = await runProgram('unshare', words, {
        env: { PATH: process.env['PATH'] ?? '' },
      });
      expect([listed.code, listed.err]).toEqual([0, '']);
      expect(listed.out).toContain('Verdict');
    },
    120_000,
  );

  test('the other files are for the machine that their name says, with the same program inside', () => {
    const bundle = readFileSync(join(ROOT, 'dist/bundle/commands.cjs'));
    for (const arch of ['x64', 'arm64'] as const) {
      const executable = readFileSync(join(MADE, `patctl-linux-${arch}`));
      expect(readElf(executable).machine).toBe(MACHINES[arch]);
      expect(noteOf(executable, NOTE)?.includes(bundle)).toBe(true);
    }
    const about = run('dpkg-deb', '--field', named(/_arm64\.deb$/), 'Package', 'Architecture');
    expect(about).toBe('Package: patctl\nArchitecture: arm64\n');
    const tree = run('dpkg-deb', '--contents', named(/_arm64\.deb$/));
    for (const place of PLACES) expect(tree).toContain(`./${place}\n`);
    expect(tree).not.toContain('./etc');
  });

  test('SHA256SUMS fits, and the SBOM names every package of the bundle and Node.js', () => {
    expect(run('sha256sum', '--check', '--strict', 'SHA256SUMS')).not.toContain('FAILED');
    const { components } = JSON.parse(readFileSync(named(/\.cdx\.json$/), 'utf8')) as {
      components: { name: string; version: string }[];
    };
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'dist/meta.json'), 'utf8')) as {
      packages: string[];
    };
    expect(components.map(({ name }) => name)).toEqual([...packages, 'Node.js']);
  });
});

function allFiles(from: string): string[] {
  return readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(from.length + 1))
    .sort();
}

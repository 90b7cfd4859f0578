/**
 * What `npm run package` made: installed into an empty root, run from there, removed; and what bundling may break, which
 * no other test runs from the executable.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MACHINES, noteOf, readElf } from '../../.config/package/elf.js';
import { NOTE } from '../../.config/package/executable.js';
import { startDns } from '../support/dns-server.js';
import { eventually } from '../support/eventually.js';
import { KEY, pressKeys } from '../support/keys.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { runProgram, type ProgramResult } from '../support/lab/process.js';
import { PATCTL, runPatctl } from '../support/run.js';
import { privateCluster, sharedCluster } from '../support/shared.js';

const ROOT = join(import.meta.dirname, '../..');
const MADE = join(ROOT, 'dist/package');
const files = existsSync(MADE) ? readdirSync(MADE) : [];
const named = (pattern: RegExp): string =>
  join(MADE, files.find((name) => pattern.test(name)) ?? '?');

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', cwd: MADE, stdio: ['ignore', 'pipe', 'pipe'] });

const AS_ROOT = process.getuid?.() === 0;
/** In front of a command: no network, not even loopback. */
const OFFLINE = AS_ROOT ? ['unshare', '-n'] : [];
const offline = (...words: string[]): string => {
  const [command = '', ...args] = [...OFFLINE, ...words];
  return run(command, ...args);
};

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

const HAS_RPM = AS_ROOT && spawnSync('rpm', ['--version']).status === 0;

// Only a run on the executable has made packages before.
describe.skipIf(!process.env['PATCTL_PROGRAM'])('the packages', () => {
  test('a .deb is installed by dpkg without network, runs without Node or a home, and leaves nothing behind', async () => {
    const lab = await sharedCluster({ sync: 'on' });
    for (const name of ['updates', 'info']) {
      mkdirSync(join(folder, 'var/lib/dpkg', name), { recursive: true });
    }
    const before = allFiles(folder);
    const dpkg = (...args: string[]) =>
      offline('dpkg', `--root=${folder}`, '--force-depends', ...args);
    dpkg('-i', named(new RegExp(`_${run('dpkg', '--print-architecture').trim()}\\.deb$`)));
    expect(allFiles(folder)).toEqual(expect.arrayContaining(PLACES));
    expect(allFiles(folder)).toContain('usr/share/zsh/vendor-completions/_patctl');
    expect(readdirSync(folder).sort()).toEqual(['usr', 'var']);
    const program = join(folder, 'usr/bin/patctl');
    const listed = await runProgram(program, ['-c', lab.config, 'list'], { env: {} });
    expect([listed.code, listed.err]).toEqual([0, '']);
    expect(listed.out).toContain('Verdict');
    expect(offline(program, '--version')).toContain('patctl ');
    expect(offline(program, '--help')).toContain('Exit codes:');
    // On a busy machine etcd may be slower than a Tab waits: a person presses again.
    await eventually('bash completes the names of members', 30_000, async () => {
      const { out } = await tab(`patctl -c ${lab.config} restart ${lab.scope} `, program);
      expect(out.split(/\s+/)).toEqual(expect.arrayContaining(['pg1', 'pg2', 'pg3']));
      return true;
    });
    dpkg('-r', 'patctl');
    const left = allFiles(folder).filter((name) => !name.startsWith('var/lib/dpkg/'));
    expect(left).toEqual(before);
  }, 120_000);

  test.skipIf(!HAS_RPM)(
    'an .rpm is installed by rpm into an empty folder, runs from there, and leaves nothing behind',
    async () => {
      const lab = await sharedCluster({ sync: 'on' });
      const rpm = (...args: string[]) =>
        offline('rpm', `--root=${folder}`, '--dbpath=/db', ...args);
      const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as 'x64' | 'arm64'];
      // A folder that is not a system has nothing of what the package depends on.
      rpm('--install', '--nodeps', named(new RegExp(`^patctl-[\\d.]+-1\\.${machine}\\.rpm$`)));
      expect(allFiles(folder)).toEqual(expect.arrayContaining(PLACES));
      expect(rpm('--verify', '--nodeps', 'patctl')).toBe('');
      const program = join(folder, 'usr/bin/patctl');
      expect(offline(program, '--version')).toContain('patctl ');
      const listed = await runProgram(program, ['-c', lab.config, 'list'], { env: {} });
      expect([listed.code, listed.err]).toEqual([0, '']);
      expect(listed.out).toContain('Verdict');
      rpm('--erase', 'patctl');
      expect(allFiles(folder).filter((name) => !name.startsWith('db/'))).toEqual([]);
    },
    120_000,
  );

  test.skipIf(!AS_ROOT)(
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

  test('behind TLS: client certificates for etcd over HTTP and gRPC, for REST and SQL', async () => {
    const lab = await privateCluster({ members: 1, tls: true, restAuth: true });
    try {
      const read = await runPatctl(['-c', lab.config, 'status', '-f', 'json']);
      expect(read.err).toBe('');
      expect((JSON.parse(read.out) as { witnesses: object }).witnesses).toMatchObject({
        rest: { asked: 1, answered: 1 },
        sql: { asked: 1, answered: 1 },
      });
      const set = ['edit-config', '-s', 'retry_timeout=4', '--force'];
      const written = await runPatctl(['-c', lab.config, ...set]);
      expect([written.code, written.err]).toEqual([0, '']);
      expect(JSON.parse((await lab.dcsGet('config')) ?? '')).toMatchObject({ retry_timeout: 4 });
    } finally {
      await lab.down();
    }
  }, 120_000);

  test.skipIf(!AS_ROOT)(
    'etcd is found by service records from the DNS of resolv.conf',
    async () => {
      const lab = await sharedCluster({ sync: 'on' });
      const { host = '', port = 0 } = lab.etcd[0] ?? {};
      const dns = await startDns({ '_etcd-client-lab._tcp.lab.example': [{ host, port }] });
      try {
        const file = join(folder, 'resolv.conf');
        writeFileSync(file, `nameserver ${dns.address}\n`);
        const program = process.env['PATCTL_PROGRAM'] ?? '';
        const script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
        const words = ['-m', 'sh', '-c', script, 'sh', file, program, 'list', lab.scope];
        const listed = await runProgram('unshare', [...words, '--verify', 'rest', '-f', 'json'], {
          env: {
            PATH: process.env['PATH'] ?? '',
            PATRONI_ETCD3_SRV: 'lab.example',
            PATRONI_ETCD3_SRV_SUFFIX: 'lab',
          },
        });
        expect([listed.code, listed.err]).toEqual([0, '']);
        const members = JSON.parse(listed.out) as { Member: string }[];
        expect(members.map(({ Member }) => Member)).toEqual(['pg1', 'pg2', 'pg3']);
      } finally {
        await dns.close();
      }
    },
  );

  test('query prints a million rows without holding them', async () => {
    const lab = await sharedCluster({ sync: 'on' });
    const sql = 'SELECT g FROM generate_series(1, 1000000) g';
    const words = [...PATCTL, '-c', lab.config, 'query', '-c', sql, '--format', 'csv'];
    const queried = await runProgram('python3', ['-c', PEAK, ...words], {
      env: {
        PATH: process.env['PATH'] ?? '',
        PGUSER: 'postgres',
        PGPASSWORD: PASSWORDS.superuser,
      },
    });
    const [peak, code] = queried.err.split(' ').map(Number);
    expect(code).toBe(0);
    expect(peak).toBeLessThan(MOST_QUERY_KIB);
    const rows = queried.out.trimEnd().split('\n');
    expect([rows.length, rows.at(-1)]).toEqual([1_000_001, '1000000']);
  }, 120_000);

  test('list -W on a terminal ends with Ctrl-C and gives the terminal back', async () => {
    const lab = await sharedCluster({ sync: 'on' });
    const watched = await pressKeys(
      [...PATCTL, '-c', lab.config, 'list', '-W'],
      [[/Member/, KEY.ctrlC]],
    );
    expect([watched.code, watched.modes]).toEqual([0, 'icanon echo']);
    // The cursor is shown again.
    expect(watched.raw.lastIndexOf('\x1b[?25h')).toBeGreaterThan(
      watched.raw.lastIndexOf('\x1b[?25l'),
    );
  });

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

/** Runs a command, and says on stderr its peak memory in KiB and its exit code. */
const PEAK = `
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss, os.waitstatus_to_exitcode(status), end='', file=sys.stderr)
`;
/** A million rows of one number are 7 MB of text; held as values they would be a multiple of this. */
const MOST_QUERY_KIB = 200 * 1024;

/** What bash offers after the line by the completion that is installed beside the program. */
async function tab(line: string, program: string): Promise<ProgramResult> {
  const script = [
    'source "$1"; COMP_LINE=$2; COMP_POINT=${#COMP_LINE}; COMP_WORDS=($2 "")',
    'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _patctl patctl; printf "%s\\n" "${COMPREPLY[@]}"',
  ].join('\n');
  const installed = join(dirname(program), '../share/bash-completion/completions/patctl');
  const PATH = `${dirname(program)}:${process.env['PATH'] ?? ''}`;
  const words = ['--norc', '--noprofile', '-c', script, 'bash', installed, line];
  return await runProgram('bash', words, { env: { PATH } });
}

function allFiles(from: string): string[] {
  return readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(from.length + 1))
    .sort();
}

/**
 * Two clusters in an etcd of three: the site switch, a rolling restart that stops half way, a frozen etcd,
 * completion in real shells, a copy that fails, results that are large, a failover under `query -w`, and `pause
 * --while`.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { PATCTL, runPatctl, type RunOptions, type RunResult } from '../support/run.js';
import { ensureShells } from '../support/setup.js';
import { privateCluster } from '../support/shared.js';
import { openShell, type Typing } from '../support/shell.js';

/** The program as a word of a shell's command line. */
const PROGRAM = PATCTL.map((word) => `'${word}'`).join(' ');
const AS_SUPERUSER = { PGUSER: 'postgres', PGPASSWORD: PASSWORDS.superuser };

let east: Lab;
/** A standby cluster of east. */
let west: Lab;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'patctl-operate-'));
  await ensureShells();
  east = await privateCluster({ scope: `east-${process.pid}`, etcd: 3 });
  west = await privateCluster({
    scope: `west-${process.pid}`,
    members: 1,
    standbyOf: east.scope,
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  // Its standby cluster goes with it.
  await east.down();
});

const on = (lab: Lab, args: string[], options: RunOptions = {}): Promise<RunResult> =>
  runPatctl(['-c', lab.config, ...args], options);
const patctl = (...args: string[]): Promise<RunResult> => on(east, args);

async function leaderOf(lab: Lab): Promise<string> {
  return (await lab.leader()) ?? 'nobody';
}

const startOf = (name: string): Promise<string> =>
  east.psql(name, 'SELECT pg_postmaster_start_time()');

async function starts(): Promise<Record<string, string>> {
  const all = east.members.map(async ({ name }) => [name, await startOf(name)] as const);
  return Object.fromEntries(await Promise.all(all));
}

// ---------------------------------------------------------------- completion

describe('completion, by pressing Tab', () => {
  const SHELLS: Record<string, { command: string; lines: string[] }> = {
    bash: {
      command: 'bash --norc --noprofile -i',
      lines: ['source <(patctl completion bash)'],
    },
    zsh: {
      command: 'zsh -f -i',
      lines: [
        'unsetopt promptsp promptcr',
        'autoload -U compinit && compinit -u -D',
        'source <(patctl completion zsh)',
      ],
    },
    fish: { command: 'fish --no-config -i', lines: ['patctl completion fish | source'] },
  };

  async function shell(name: string): Promise<Typing> {
    const patctl = join(folder, 'patctl');
    writeFileSync(patctl, `#!/bin/sh\nexec ${PROGRAM} "$@"\n`);
    chmodSync(patctl, 0o755);
    const { command, lines } = SHELLS[name] ?? { command: '', lines: [] };
    const PATH = `${folder}:${process.env['PATH'] ?? ''}:/usr/local/bin:/usr/bin:/bin`;
    return openShell(command, lines, { PATH, HOME: folder, PATRONICTL_CONFIG_FILE: west.config });
  }

  test.each(Object.keys(SHELLS))(
    '%s: commands, options, their values, files, and live names of clusters and members',
    async (name) => {
      writeFileSync(join(folder, 'a file.yml'), readFileSync(west.config));
      const { host, port } = east.etcd[0] ?? { host: '', port: 0 };
      const url = `etcd3://${host}:${port}/service`;
      const typing = await shell(name);
      try {
        const lines: [string, string[]][] = [
          ['patctl swi', ['switchover']],
          ['patctl switchover --dr', ['switchover', '--dry-run']],
          ['patctl list --format=js', ['list', '--format=json']],
          ['patctl list ea', ['list', east.scope]],
          [`patctl -d ${url} list we`, ['-d', url, 'list', west.scope]],
          [`patctl dsn ${west.scope} --member p`, ['dsn', west.scope, '--member', 'pg1']],
          [`patctl flush ${west.scope} pg1 sw`, ['flush', west.scope, 'pg1', 'switchover']],
          ["patctl -c '~/a file.yml' list we", ['-c', '~/a file.yml', 'list', west.scope]],
          [`patctl -c ${folder}/a`, ['-c', `${folder}/a file.yml`]],
          ['patctl nosuchthing', ['nosuchthing']],
        ];
        for (const [typed, words] of lines) {
          // On a busy machine etcd may be slower than a Tab waits: a person presses again.
          await eventually(`${name} completes: ${typed}`, 20_000, async () => {
            expect(await typing.complete(typed)).toEqual(['patctl', ...words]);
            return true;
          });
        }
      } finally {
        await typing.end();
      }
    },
    120_000,
  );
});

// ---------------------------------------------------------------- the site switch

describe('demote-cluster to a real remote', () => {
  const rows = (lab: Lab, name: string): Promise<string> =>
    lab.psql(name, 'SELECT string_agg(site, $$ $$ ORDER BY at) FROM sites');
  const write = (lab: Lab, name: string, site: string): Promise<string> =>
    lab.psql(
      name,
      `CREATE TABLE IF NOT EXISTS sites (at serial, site text); INSERT INTO sites (site) VALUES ('${site}')`,
    );
  const follow = (port: number | undefined): string[] => [
    ...['demote-cluster', '--host', '127.0.0.1', '--port', String(port), '--force'],
  ];
  /** As its own PostgreSQL sees it. */
  const receives = (lab: Lab, name: string, port: number): Promise<true> =>
    eventually(`${name} streams from port ${port}`, 10_000, async () => {
      const sql = 'SELECT status, sender_host, sender_port FROM pg_stat_wal_receiver';
      expect(await lab.psql(name, sql)).toBe(`streaming\t127.0.0.1\t${port}`);
      return true;
    });

  test('west is promoted and east follows it; then the way back', async () => {
    await write(east, await leaderOf(east), 'east');
    await eventually('the standby cluster has it', 20_000, async () => {
      return (await rows(west, 'pg1')) === 'east';
    });
    const promoted = await on(west, ['promote-cluster', '--force']);
    expect(promoted.code, promoted.err).toBe(0);
    expect(promoted.err).toContain(' pg1 accepts writes\n');
    await write(west, 'pg1', 'west');

    const { port } = west.member('pg1');
    const demoted = await patctl(...follow(port));
    expect(demoted.code, demoted.err).toBe(0);
    const standby = await leaderOf(east);
    expect(demoted.err).toContain(` ${standby} streams from 127.0.0.1:${port}\n`);
    expect(demoted.out).toContain(' cluster is successfully demoted\n');
    expect(demoted.out).toMatch(new RegExp(`\\| ${standby} +\\|[^|]*\\| Standby Leader \\|`));
    await receives(east, standby, port);
    for (const { name } of east.members) {
      await eventually(`${name} has what west wrote`, 20_000, async () => {
        return (await rows(east, name)) === 'east west';
      });
    }
    const again = await patctl(...follow(port));
    expect([again.code, again.err]).toEqual([
      1,
      'Error: Cluster is already in the required state\n',
    ]);

    const back = await patctl('promote-cluster', '--force');
    expect(back.code, back.err).toBe(0);
    const primary = await leaderOf(east);
    expect(back.err).toContain(` ${primary} accepts writes\n`);
    await write(east, primary, 'east again');
    const behind = await on(west, follow(east.member(primary).port));
    expect(behind.code, behind.err).toBe(0);
    await receives(west, 'pg1', east.member(primary).port);
    await eventually('west has all of it', 20_000, async () => {
      return (await rows(west, 'pg1')) === 'east west east again';
    });
    await east.waitHealthy();
  }, 180_000);
});

// ---------------------------------------------------------------- a rolling restart that stops

test('restart --rolling stops half way, says where it stands, and goes on afterwards', async () => {
  const leader = await east.waitHealthy();
  const [first = '', second = ''] = east.members
    .map(({ name }) => name)
    .filter((name) => name !== leader);
  const edited = await patctl('edit-config', '-p', 'max_connections=45', '--force', '-q', '--wait');
  expect(edited.code, edited.err).toBe(0);
  const pending = async (): Promise<string[]> => {
    const keys = east.members.map(async ({ name }) => {
      const key = JSON.parse((await east.dcsGet(`members/${name}`)) ?? '{}') as object;
      return 'pending_restart' in key ? [name] : [];
    });
    return (await Promise.all(keys)).flat();
  };
  // --wait ends when the DCS tells it.
  expect(await pending()).toEqual(['pg1', 'pg2', 'pg3']);
  expect(edited.err).toContain('a restart is pending on pg1, pg2, pg3: max_connections\n');
  await east.psql(second, "ALTER SYSTEM SET shared_preload_libraries = 'no_such_library'");
  const before = await starts();

  const stopped = await patctl('restart', east.scope, '--rolling', '--pending', '--force');
  expect(stopped.code, stopped.err).toBe(4);
  expect(stopped.err).toContain(`Error: the restart of ${second} failed; stopped\n`);
  expect(stopped.err).toContain(`\ndone: restart ${first}; not started: restart ${leader}\n`);
  expect(stopped.err).toContain(` restart ${east.scope} --rolling --pending`);
  expect(await leaderOf(east)).toBe(leader);
  expect(await startOf(leader)).toBe(before[leader]);
  expect(await startOf(first)).not.toBe(before[first]);

  const refused = await patctl('restart', east.scope, '--rolling', '--force', leader, second);
  expect([refused.code, refused.err.includes('nothing was restarted')]).toEqual([1, true]);
  expect(refused.err).toContain(`  REST ${second}: `);

  const file = join(east.member(second).dataDir, 'postgresql.auto.conf');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^shared_preload_libraries.*\n/m, ''));
  await east.waitHealthy();
  await eventually('only the leader is left', 30_000, async () => {
    return (await pending()).join() === leader;
  });
  const firstStart = await startOf(first);
  const done = await patctl('restart', east.scope, '--rolling', '--pending', '--force');
  expect(done.code, done.err).toBe(0);
  expect(done.err).toContain('restarted 1 members');
  expect(await leaderOf(east)).toBe(leader);
  expect(await startOf(first)).toBe(firstStart);
  for (const { name } of east.members) {
    expect([name, await east.psql(name, 'SHOW max_connections')]).toEqual([name, '45']);
  }
}, 180_000);

// ---------------------------------------------------------------- a copy that fails

test('reinit --wait of a member whose copy fails is exit 4', async () => {
  const leader = await east.waitHealthy();
  const member = east.members.find(({ name }) => name !== leader)?.name ?? '';
  const file = east.memberConfig(member);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('    - checkpoint: fast\n', '    - checkpoint: never\n'));
  try {
    expect((await patctl('reload', east.scope, member, '--force', '--wait')).code).toBe(0);
    const args = ['reinit', east.scope, member, '--force', '--wait', '--deadline', '60s'];
    const run = await patctl(...args);
    expect(run.code, run.err).toBe(4);
    expect(run.out).toContain(`Success: reinitialize for member ${member}\n`);
    expect(run.out).not.toContain('completed');
    expect(run.err).toContain(`Error: reinitialize failed on ${member}\n`);
  } finally {
    writeFileSync(file, text);
    await east.rest(member, '/reload', { method: 'POST' });
  }
  await east.waitHealthy();
}, 180_000);

// ---------------------------------------------------------------- an edit

test('edit-config: a concurrent change is shown beside the edit, and neither is lost', async () => {
  const lag = 'maximum_lag_on_failover';
  const editor = join(folder, 'editor');
  const other = `${PROGRAM} -c '${east.config}' edit-config -s ${lag}=2000000 --force -q`;
  const edit = `sed -i 's/^${lag}:.*/${lag}: 3000000/' "$1"`;
  writeFileSync(editor, `#!/bin/sh\n${other}\n${edit}\n`);
  chmodSync(editor, 0o755);
  const options = { env: { EDITOR: editor, TMPDIR: folder } };
  const run = await on(east, ['edit-config', '--force'], options);
  expect(run.code, run.err).toBe(1);
  expect(run.err).toContain('Error: Config modification aborted due to concurrent changes\n');
  expect(run.err).toContain(
    `  DCS ${lag}: was 1048576, is now 2000000, this edit sets 3000000 (clash)\n`,
  );
  expect(JSON.parse((await east.dcsGet('config')) ?? '')).toMatchObject({ [lag]: 2_000_000 });
  // What clashes is not merged, and the edit is not lost.
  const file = /--resume (\S+)/.exec(run.err)?.[1] ?? '';
  const resumed = await on(east, ['edit-config', '--resume', file, '--force'], options);
  expect([resumed.code, resumed.err.includes(`${file} is kept`)]).toEqual([1, true]);
  expect(readFileSync(file, 'utf8')).toContain(`${lag}: 3000000\n`);
  expect(JSON.parse((await east.dcsGet('config')) ?? '')).toMatchObject({ [lag]: 2_000_000 });
});

// ---------------------------------------------------------------- a frozen etcd

describe('pause --while', () => {
  const isPaused = async () => (await east.dcsGet('config'))?.includes('"pause":true') ?? false;
  const during = (...command: string[]) => patctl('pause', east.scope, '--while', ...command);

  test('the cluster is paused while the command runs, and its status is the ending', async () => {
    await east.waitHealthy();
    const look = [...PATCTL, '-c', east.config, 'show-config', east.scope];
    const run = await during('--', 'sh', '-c', '"$@" | grep pause; exit 7', 'sh', ...look);
    expect([run.code, run.out]).toEqual([7, 'pause: true\n']);
    const missing = await during('--', '/nonexistent/program');
    expect([missing.code, await isPaused()]).toEqual([127, false]);
    const long = await during('--max', '200ms', '--', 'sleep', '60');
    expect([long.code, await isPaused()]).toEqual([4, false]);
    const resume = [...PATCTL, '-c', east.config, 'resume', east.scope, '--wait'];
    const meanwhile = await during('--', ...resume);
    expect(meanwhile.code).toBe(4);
    expect(meanwhile.err).toContain('someone else resumed the cluster');
  });

  test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    'after %s, twice, the command is ended and the cluster resumed',
    async (name) => {
      const mark = join(folder, name);
      const script = `trap 'exit 9' ${name.slice(3)}; : > '${mark}'; while :; do sleep 0.1; done`;
      const [program = '', ...first] = PATCTL;
      const args = [...first, '-c', east.config, 'pause', '--while', '--', 'sh', '-c', script];
      const run = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore'] });
      const ended = new Promise((resolve) => run.once('exit', resolve));
      await eventually('the command runs', 30_000, () => existsSync(mark));
      expect(await isPaused()).toBe(true);
      run.kill(name);
      run.kill(name);
      expect([await ended, await isPaused()]).toEqual([9, false]);
    },
  );
});

describe('a frozen etcd', () => {
  /** Of the raft, not of the cluster. */
  async function raftLeader(): Promise<string> {
    const all = JSON.parse(await east.etcdctl('endpoint', 'status', '-w', 'json')) as {
      Endpoint: string;
      Status: { leader: number; header: { member_id: number } };
    }[];
    const led = all.find(({ Status }) => Status.leader === Status.header.member_id);
    return east.etcd.find(({ url }) => url === led?.Endpoint)?.name ?? 'none';
  }
  const config = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await east.dcsGet('config')) ?? '{}') as Record<string, unknown>;

  test('of three the one that leads: the others elect, and patctl goes on with them', async () => {
    await east.waitHealthy();
    const frozen = await raftLeader();
    east.freeze(frozen);
    try {
      // The others say that they are electing while it says nothing.
      const list = await patctl('--timeout', '30s', 'list', '--verify', 'off');
      expect(list.code, list.err).toBe(0);
      for (const { name } of east.members) expect(list.out).toContain(`| ${name} `);
      const edit = ['-s', 'maximum_lag_on_failover=1048577', '--force', '-q'];
      const edited = await patctl('--timeout', '30s', 'edit-config', ...edit);
      expect(edited.code, edited.err).toBe(0);
      expect(await config()).toMatchObject({ maximum_lag_on_failover: 1_048_577 });
    } finally {
      east.thaw(frozen);
    }
    await east.waitHealthy();
  }, 180_000);

  test('all of it: every command ends with exit 3 and has done nothing; what was sent, with 5', async () => {
    const leader = await east.waitHealthy();
    const [one = '', other = ''] = east.members
      .map(({ name }) => name)
      .filter((name) => name !== leader);
    const before = { starts: await starts(), config: await config() };
    const { scope } = east;
    east.freeze(other);
    const pausing = patctl('--timeout', '1s', 'pause', '--wait', '--deadline', '15s');
    try {
      // In pause no leader demotes itself because of the silence that follows.
      await eventually('the two that live have acknowledged', 12_000, async () => {
        const keys = await Promise.all([leader, one].map((name) => east.dcsGet(`members/${name}`)));
        return keys.every((key) => key?.includes('"pause":true'));
      });
      for (const { name } of east.etcd) east.freeze(name);
      const sure = ['--confirm-name', scope, '--confirm-leader', leader, '--yes'];
      const commands = [
        ['list'],
        ['check'],
        ['status'],
        ['history'],
        ['switchover', '--leader', leader, '--candidate', one, '--force'],
        ['failover', '--candidate', one, '--force'],
        ['resume'],
        ['edit-config', '-s', 'ttl=30', '--force', '-q'],
        ['restart', scope, '--force'],
        ['restart', scope, '--rolling', '--force'],
        ['reload', scope, '--force'],
        ['reinit', scope, one, '--force'],
        ['flush', scope, 'switchover'],
        ['remove', scope, ...sure],
        ['demote-cluster', '--host', 'far', '--force'],
        ['query', '-c', 'SELECT 1'],
      ];
      for (let at = 0; at < commands.length; at += 4) {
        const some = commands.slice(at, at + 4);
        const runs = await Promise.all(some.map((args) => patctl('--timeout', '700ms', ...args)));
        for (const [nth, run] of runs.entries()) {
          expect([some[nth], run.code, run.out]).toEqual([some[nth], 3, '']);
          expect(run.err).toContain('etcd did not answer within 0.7 s');
          expect(run.ms).toBeLessThan(15_000);
        }
      }
      const tab = await patctl('completion', 'bash', '--', 'list', '');
      expect([tab.code, tab.out, tab.err]).toEqual([0, '', '']);
      const paused = await pausing;
      expect([paused.code, paused.out.includes('Success')]).toEqual([5, false]);
    } finally {
      for (const { name } of east.etcd) east.thaw(name);
      east.thaw(other);
      await pausing;
    }
    // Members whose lease has ended come back, and the leader takes its lock again.
    await eventually('etcd and the leader are back', 60_000, async () => {
      return (await east.leader()) === leader;
    });
    const resumed = await patctl('--timeout', '10s', 'resume', '--wait', '--deadline', '60s');
    expect(resumed.code, resumed.err).toBe(0);
    expect(await east.waitHealthy()).toBe(leader);
    expect({ starts: await starts(), config: await config() }).toEqual(before);
  }, 240_000);
});

// ---------------------------------------------------------------- query

describe('query', () => {
  const query = (...args: string[]) => {
    const [command = '', ...first] = PATCTL;
    const child = spawn(command, [...first, '-c', east.config, 'query', ...args], {
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...AS_SUPERUSER },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, closed };
  };

  /** The most memory that it ever had, in MB, while it printed so many rows of 108 bytes. */
  async function peakOf(format: string, rows: number): Promise<{ mb: number; bytes: number }> {
    const sql = `SELECT g, repeat('x', 100) FROM generate_series(1, ${rows}) g`;
    const { child, closed } = query('-c', sql, '--format', format);
    let bytes = 0;
    let mb = 0;
    child.stdout.on('data', (data: Buffer) => {
      const before = Math.floor(bytes / 4_000_000);
      bytes += data.length;
      if (Math.floor(bytes / 4_000_000) > before) mb = Math.max(mb, peakNow(child.pid) ?? 0);
    });
    expect(await closed).toBe(0);
    return { mb, bytes };
  }

  function peakNow(pid: number | undefined): number | null {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
    } catch {
      return null;
    }
  }

  test.each([
    ['csv', 2_000_000],
    ['pretty', 1_000_000],
  ])(
    '%s: %i rows in bounded memory',
    async (format, rows) => {
      const { mb, bytes } = await peakOf(format, rows);
      console.log(
        `${format}: ${Math.round(bytes / 1e6)} MB printed, ${Math.round(mb)} MB of memory`,
      );
      expect(bytes).toBeGreaterThan(rows * 108);
      expect(mb).toBeGreaterThan(20);
      // Kept as a whole it would be at least three times as much: every row and cell is an object.
      expect(mb).toBeLessThan(300);
    },
    120_000,
  );

  // Last: a member is gone afterwards.
  test('-w goes on with the new primary after a failover', async () => {
    const leader = await east.waitHealthy();
    const port = String(east.member(leader).port);
    const { child, closed } = query(
      '-w',
      '0.5',
      '-r',
      'primary',
      '-c',
      'SELECT inet_server_port()',
    );
    let out = '';
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    const seen = () => out.match(/^\d+$/gm) ?? [];
    try {
      await eventually('the primary answers', 20_000, () => seen().at(-1) === port);
      const postmaster = east.postmasterPid(leader);
      await east.kill(leader);
      if (postmaster !== null) process.kill(postmaster, 'SIGKILL');
      const another = await eventually('another one answers', 90_000, () => {
        const last = seen().at(-1);
        return last !== port && last;
      });
      expect(another).toBe(String(east.member(await leaderOf(east)).port));
    } finally {
      child.kill('SIGINT');
    }
    expect(await closed).toBe(0);
    expect(new Set(seen()).size).toBe(2);
  }, 180_000);
});

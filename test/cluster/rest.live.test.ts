/** `--rest`: a cluster by the address of one member, with nothing that leads to its etcd. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import type { StatusDocument } from '../../src/cluster/documents/status-document.js';
import { openGate, type Gate } from '../support/chaos/gate.js';
import { eventually } from '../support/eventually.js';
import { startHaproxy } from '../support/haproxy.js';
import type { Lab } from '../support/lab/cluster.js';
import { readState } from '../support/lab/state.js';
import { restWay } from '../support/rest-way.js';
import { runPatctl, runPatronictl, type RunResult } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

const SCOPE = `rest-${process.pid}`;
let lab: Lab;
/** Each member's own way to etcd. */
const gates = new Map<string, Gate>();
beforeAll(async () => {
  for (const name of ['pg1', 'pg2', 'pg3'])
    gates.set(name, await openGate(() => readState(SCOPE)?.etcd ?? []));
  const etcdProxies = Object.fromEntries([...gates].map(([name, { address }]) => [name, address]));
  lab = await privateCluster({ scope: SCOPE, sync: 'on', loopWait: 1, etcdProxies });
});
afterAll(async () => {
  await lab.down();
  for (const gate of gates.values()) await gate.close();
});

/** By the address of a replica, which is not the usual choice, but must be enough. */
async function byRest(...args: string[]): Promise<RunResult> {
  const leader = await lab.leader();
  const [replica = ''] = lab.members.map(({ name }) => name).filter((name) => name !== leader);
  return runPatctl([...restWay(lab, [replica]), ...args], { timeoutMs: 110_000 });
}

async function json<T>(...args: string[]): Promise<T> {
  const run = await byRest(...args, '-f', 'json');
  expect(run.err).toBe('');
  return JSON.parse(run.out) as T;
}

const byDcs = (...args: string[]) => runPatctl(['-c', lab.config, ...args]);

/** What decides which member may be elected: the same by REST and by the DCS, although REST derives half of it. */
async function expectSameVotes(): Promise<QuorumDocument> {
  const read = JSON.parse((await byDcs('quorum', '-f', 'json')).out) as QuorumDocument;
  const told = await json<QuorumDocument>('quorum');
  const votes = ({ mode, sync, members, gate }: QuorumDocument) => ({
    mode,
    sync,
    members: members.map(({ name, voter, mayWin, counted, needed }) => [
      name,
      voter,
      mayWin,
      counted,
      needed,
    ]),
    gate: [gate?.unnamed, ...(gate?.named ?? [])].map((one) => one?.passes),
  });
  expect(votes(told)).toEqual(votes(read));
  return told;
}

async function expectHealthy(): Promise<void> {
  // The lab waits for the mode that it was made with, and that changes here.
  const healthy = ['wait', '--for', 'healthy', '--for', 'streaming=2', '--timeout', '60s'];
  expect((await runPatctl(['-c', lab.config, ...healthy], { timeoutMs: 90_000 })).code).toBe(0);
  await eventually('check by REST finds nothing', 30_000, async () => {
    const run = await byRest('check', '-f', 'json');
    const [cluster] = (JSON.parse(run.out) as CheckDocument).clusters;
    if (run.code !== 0) throw new Error(run.out);
    expect(cluster?.unknown.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['stale_failover_key', 'member_left']),
    );
    return true;
  });
}

async function changed(...args: string[]): Promise<ChangeDocument> {
  const run = await byRest('switchover', '--force', '-f', 'json', ...args);
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: '' });
  return JSON.parse(run.out) as ChangeDocument;
}

test('mode on: the list is what patronictl lists, and what only the DCS knows is unknown', async () => {
  await expectHealthy();
  const theirs = await runPatronictl(lab, ['list']);
  const ours = await byRest('--compat', 'list');
  expect(ours.out).toBe(theirs.out);
  const status = await json<StatusDocument>('status');
  expect(status.sync.key).toMatchObject({ leader: await lab.leader(), quorum: 0 });
  expect(Object.keys(status.cannotTell)).toEqual(
    expect.arrayContaining(['failover', 'departed', 'other_clusters']),
  );
  expect(status.workedOut['sync']).toContain('synchronous_standby_names');
  await expectSameVotes();
});

test('without a login the votes of mode on follow from the leader, and those of quorum are unknown', async () => {
  const on = await json<QuorumDocument>('quorum', '--verify', 'rest');
  expect([on.sync?.leader, on.syncUnknown]).toEqual([await lab.leader(), null]);
});

test('the other commands need nothing but the address', async () => {
  const leader = (await lab.leader()) ?? '';
  for (const [args, out] of [
    [['leader'], `${leader}\n`],
    [['dsn', '-r', 'leader'], `port=${lab.member(leader).port}`],
    [['topology'], `| ${leader} `],
    [['show-config'], 'synchronous_mode: true'],
    [['version', lab.scope], 'PostgreSQL'],
    [['query', '-U', 'postgres', '-d', 'postgres', '-c', 'select 41 + 1'], '42'],
  ] as const) {
    const run = await runPatctl([...restWay(lab), ...args], {
      env: { PGPASSWORD: 'lab-secret-superuser' },
    });
    expect({ args, code: run.code, err: run.err }).toEqual({ args, code: 0, err: '' });
    expect(run.out).toContain(out);
  }
});

test('a switchover to a named standby, seen to the end', async () => {
  const before = await lab.leader();
  const status = await json<StatusDocument>('status');
  const [standby = ''] = status.sync.key?.standbys ?? [];
  const { result, plan } = await changed('--candidate', standby);
  expect(result).toMatchObject({ newLeader: standby, oldLeader: before });
  expect(await lab.leader()).toBe(standby);
  const open = plan.checks.filter((one) => one.result === 'unknown').map(({ name }) => name);
  expect(open).toEqual(['dcs_readable', 'failover_pending']);
  await expectHealthy();
});

test('edit-config says that its guard is weaker, and Patroni has what was edited', async () => {
  const run = await byRest('edit-config', '--force', '-s', 'synchronous_mode=quorum', '--wait');
  expect(run.err).toContain('the guard is weaker');
  expect(run.code).toBe(0);
  const config = JSON.parse((await lab.dcsGet('config')) ?? '') as Record<string, unknown>;
  expect(config['synchronous_mode']).toBe('quorum');
});

test('mode quorum: the votes are those of the DCS, worked out, and unknown without a login', async () => {
  await expectHealthy();
  const told = await expectSameVotes();
  expect(told.syncWorkedOut).toMatch(
    /roles in GET \/cluster, and synchronous_standby_names of pg\d: 'ANY 1/,
  );
  const open = await json<QuorumDocument>('quorum', '--verify', 'rest');
  expect(open.sync).toBeNull();
  expect(open.syncUnknown).toContain('was not read (SQL)');
  expect(open.members.map(({ mayWin }) => mayWin)).toEqual(['unknown', 'unknown']);
  const plan = await byRest('switchover', '--dry-run', '--verify', 'rest');
  expect([plan.code, plan.out + plan.err]).toEqual([1, expect.stringContaining('data_loss')]);
});

test('mode quorum: a switchover to the replica that Patroni chooses', async () => {
  const before = await lab.leader();
  const { result } = await changed();
  expect(result?.oldLeader).toBe(before);
  expect(await lab.leader()).toBe(result?.newLeader);
  await expectHealthy();
});

test('a scheduled switchover is shown, and flushed', async () => {
  const at = '2036-01-01T00:00:00+00:00';
  expect((await byRest('switchover', '--force', '--scheduled', at)).code).toBe(0);
  expect((await byRest('list')).out).toContain(`Switchover scheduled at: ${at}`);
  expect((await byRest('flush', lab.scope, 'switchover')).code).toBe(0);
  expect(await lab.dcsGet('failover')).toBe('{}');
});

test('paused: told, and every member is waited for', async () => {
  expect((await byRest('pause', '--wait')).code).toBe(0);
  expect((await json<StatusDocument>('status')).mode.paused).toBe(true);
  expect((await byRest('check')).code).toBe(1);
  expect((await byRest('resume', '--wait')).code).toBe(0);
  await expectHealthy();
});

test('restart --rolling, and wait', async () => {
  const started = await lab.psql('pg3', 'select pg_postmaster_start_time()');
  const run = await byRest('restart', lab.scope, '--rolling', '--force');
  expect([run.code, run.out + run.err]).toEqual([
    0,
    expect.stringContaining('restarted 3 members'),
  ]);
  expect(await lab.psql('pg3', 'select pg_postmaster_start_time()')).not.toBe(started);
  expect((await byRest('wait', '--for', 'healthy', '--for', 'streaming=2')).code).toBe(0);
});

test('a restart that waits for its time is set and flushed, a member is made again, and reloaded', async () => {
  const leader = (await lab.leader()) ?? '';
  const [replica = ''] = lab.members.map(({ name }) => name).filter((name) => name !== leader);
  const at = '2036-01-01T00:00:00+00:00';
  const run = async (...args: string[]): Promise<void> => {
    const { code, out, err } = await byRest(...args);
    expect({ args, code, said: code === 0 ? '' : out + err }).toEqual({ args, code: 0, said: '' });
  };
  await run('restart', lab.scope, replica, '--force', '--scheduled', at);
  expect((await byRest('list')).out).toContain(at);
  await run('flush', lab.scope, 'restart', '--force');
  expect((await byRest('list')).out).not.toContain(at);
  await run('reload', lab.scope, '--force');
  await run('reinit', lab.scope, replica, '--force', '--wait');
  await expectHealthy();
});

test('edit-config sends nothing after another client wrote during the edit', async () => {
  const editor = `${lab.root}/editor.sh`;
  const [url] = lab.members.map(({ restUrl }) => restUrl);
  const theirs = `curl -sf -X PATCH -d '{"maximum_lag_on_failover":2097152}' ${url}/config`;
  writeFileSync(editor, `#!/bin/sh\nset -e\n${theirs} >&2\nsed -i 's/^ttl:.*/ttl: 23/' "$1"\n`);
  chmodSync(editor, 0o755);
  const run = await runPatctl([...restWay(lab), 'edit-config', '--force'], {
    env: { EDITOR: editor },
  });
  expect([run.code, run.err]).toEqual([1, expect.stringContaining('concurrent changes')]);
  expect(run.err).toContain('maximum_lag_on_failover');
  const now = JSON.parse((await lab.dcsGet('config')) ?? '') as Record<string, unknown>;
  expect(now).toMatchObject({ ttl: 20, maximum_lag_on_failover: 2_097_152 });
  const back = await byRest('edit-config', '--force', '-s', 'maximum_lag_on_failover=1048576');
  expect(back.code).toBe(0);
});

test('/failsafe is read from a member while failsafe_mode is on', async () => {
  const set = (value: string) => byRest('edit-config', '--force', '-s', `failsafe_mode=${value}`);
  expect((await set('true')).code).toBe(0);
  await eventually('the leader tells its failsafe members', 30_000, async () => {
    const { workedOut, cannotTell } = await json<StatusDocument>('status');
    expect(cannotTell).not.toHaveProperty('failsafe');
    return workedOut['failsafe']?.startsWith('GET /failsafe of pg');
  });
  expect((await set('null')).code).toBe(0);
  await expectHealthy();
});

test('etcd is never connected to, even where the file says where it is', async () => {
  let connections = 0;
  const trap = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  const { port } = trap.address() as AddressInfo;
  const [, file = '', ...way] = restWay(lab);
  const named = `${lab.root}/rest-and-etcd.yml`;
  writeFileSync(named, `${readFileSync(file, 'utf8')}etcd3:\n  hosts: 127.0.0.1:${port}\n`);
  try {
    for (const args of [
      ['list'],
      ['status'],
      ['check'],
      ['quorum'],
      ['history'],
      ['why-not', 'pg2'],
      ['list', '--all'],
      ['switchover', '--dry-run'],
      ['edit-config', '--force', '-s', 'maximum_lag_on_failover=1048576'],
      ['pause', '--wait'],
      ['resume', '--wait'],
      ['wait', '--for', 'healthy'],
      ['remove', lab.scope],
      ['switchover', '--force', '--via', 'dcs'],
    ]) {
      const { code } = await runPatctl(['-c', named, ...way, ...args], { timeoutMs: 110_000 });
      expect([args, [0, 2]]).toEqual([args, expect.arrayContaining([code])]);
    }
    expect(connections).toBe(0);
    // The trap works: without --rest it is where etcd is looked for.
    expect((await runPatctl(['-c', named, '--timeout', '1s', 'list', lab.scope])).code).toBe(3);
    expect(connections).toBeGreaterThan(0);
  } finally {
    trap.close();
  }
});

test('HAProxy in between is found out by two names, and everything works behind it', async () => {
  const members = lab.members.map(({ restUrl }) => restUrl);
  const haproxy = await startHaproxy(lab.root, members);
  const [, file = ''] = restWay(lab);
  const through = (...args: string[]) =>
    runPatctl(['-c', file, '--rest', haproxy.url, ...args], { timeoutMs: 110_000 });
  try {
    const { out, code } = await through('check', '-f', 'json');
    const [cluster] = (JSON.parse(out) as CheckDocument).clusters;
    const [finding] = cluster?.findings ?? [];
    expect([code, finding?.code, cluster?.findings.length]).toEqual([0, 'rest_through_proxy', 1]);
    expect(finding?.message).toMatch(
      /^http:\S+ is answered by pg\d and pg\d: a proxy in between chooses the member$/,
    );
    expect((await through('list')).out).toContain('a proxy in between chooses the member');
    expect((await through('leader')).out).toBe(`${await lab.leader()}\n`);
    const edited = ['edit-config', '--force', '-s', 'maximum_lag_on_failover=1048576'];
    expect((await through(...edited)).code).toBe(0);
    const { code: switched, err } = await through('switchover', '--force');
    expect([switched, err]).toEqual([0, expect.anything()]);
  } finally {
    await haproxy.end();
  }
  await expectHealthy();
});

test('HAProxy that lets only the primary answer is another member after a switchover', async () => {
  const haproxy = await startHaproxy(
    lab.root,
    lab.members.map(({ restUrl }) => restUrl),
    { check: '/primary' },
  );
  const [, file = ''] = restWay(lab);
  try {
    // One run follows the switchover through, so that it hears two names one after the other.
    const run = await runPatctl(
      ['-c', file, '--rest', haproxy.url, 'switchover', '--force', '-f', 'json'],
      { timeoutMs: 110_000 },
    );
    expect([run.code, run.err]).toEqual([0, '']);
    const { result } = JSON.parse(run.out) as ChangeDocument;
    expect(await lab.leader()).toBe(result?.newLeader);
  } finally {
    await haproxy.end();
  }
  await expectHealthy();
});

test('a member that etcd tells nothing any more shows an old state, and both views are shown', async () => {
  const before = (await lab.leader()) ?? '';
  const [next = '', cut = ''] = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== before);
  gates.get(cut)?.set('stale');
  try {
    // The one that hears nothing does not follow: a command would wait for it.
    const body = { leader: before, candidate: next };
    await lab.rest(before, '/switchover', { method: 'POST', body, timeoutMs: 60_000 });
    await eventually(`${next} leads`, 30_000, async () => (await lab.leader()) === next);
    for (const names of [
      [next, cut],
      [cut, next],
    ]) {
      const { out } = await runPatctl([...restWay(lab, names), 'check', '-f', 'json']);
      const [cluster] = (JSON.parse(out) as CheckDocument).clusters;
      const finding = cluster?.findings.find(
        ({ code, members }) => code === 'member_views_differ' && members.includes(cut),
      );
      expect([names, finding?.message]).toEqual([
        names,
        expect.stringContaining(
          names[0] === cut
            ? `leader ${before} against ${next}`
            : `leader ${next} against ${before}`,
        ),
      ]);
      expect(finding?.evidence.map(({ subject }) => subject).sort()).toEqual(
        [
          `${cut} GET /cluster`,
          `${names[0] === cut ? finding?.members[1] : next} GET /cluster`,
        ].sort(),
      );
    }
  } finally {
    gates.get(cut)?.set('open');
  }
  await expectHealthy();
}, 240_000);

test('what has no API ends with 2 and says what it needs', async () => {
  for (const args of [
    ['remove', lab.scope],
    ['switchover', '--force', '--via', 'dcs'],
    ['switchover', '--force', '--via', 'dcs', '--verify', 'rest'],
    ['flush', lab.scope, 'switchover', '--stuck', '--force'],
  ]) {
    const run = await byRest(...args);
    expect([run.code, run.err]).toEqual([2, expect.stringContaining('needs the DCS')]);
  }
});

test('mode off: nothing is voted on, and a switchover works', async () => {
  expect(
    (await byRest('edit-config', '--force', '-s', 'synchronous_mode=off', '--wait')).code,
  ).toBe(0);
  await expectHealthy();
  expect((await expectSameVotes()).mode).toBe('off');
  const before = await lab.leader();
  const { result } = await changed('--candidate', 'auto');
  expect(result).toMatchObject({ oldLeader: before, newLeader: await lab.leader() });
});

test('one member frozen, another serves: the next address is asked', async () => {
  const leader = (await lab.leader()) ?? '';
  const [frozen = '', other = ''] = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== leader);
  lab.freeze(frozen);
  try {
    const run = await runPatctl([...restWay(lab, [frozen, other]), '--timeout', '1s', 'leader']);
    expect(run).toMatchObject({ code: 0, out: `${leader}\n` });
    const alone = await runPatctl([...restWay(lab, [frozen]), '--timeout', '1s', 'list']);
    expect([alone.code, alone.err]).toEqual([3, expect.stringContaining('no member answered')]);
  } finally {
    lab.thaw(frozen);
  }
});

/** Two sites on real Patroni change roles under a client that commits all the time: nothing acknowledged is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { lostOn, pairLoad } from '../support/pair-load.js';
import { runPatctl } from '../support/run.js';
import { pairRoutes, swapPair, type PairRoutes } from '../support/swap-pair.js';
import { DEMOTED, ready, TRIALS, tryOut, type Tried } from '../support/swap-trials.js';

let east: Lab;
let west: Lab;
let routes: PairRoutes;

beforeAll(async () => {
  ({ east, west } = await swapPair({ members: 2 }));
  routes = await pairRoutes(east, west);
}, 240_000);
afterAll(async () => {
  await routes.haproxy.end();
  await west.down();
  await east.down();
});

interface Done {
  code: number | null;
  err: string;
  document: ActionDocument;
}

async function swap(from: Lab, to: Lab, ...args: string[]): Promise<Done> {
  const way = args.includes('--to-rest') ? [] : ['--to', to.config];
  const words = ['-c', from.config, 'swap', ...way, '-f', 'json', ...args];
  const { code, out, err } = await runPatctl(words, { timeoutMs: 200_000 });
  return { code, err, document: JSON.parse(out) as ActionDocument };
}

/** Asked without patctl: this member streams from a primary of the other site. */
async function expectFollows(site: Lab, of: Lab): Promise<void> {
  const leader = (await site.leader()) ?? '';
  const primary = of.member((await of.leader()) ?? '');
  const sql =
    'SELECT pg_is_in_recovery(), status, sender_port, slot_name FROM pg_stat_wal_receiver';
  expect(await site.psql(leader, sql)).toBe(`t\tstreaming\t${primary.port}\tswap`);
  const senders = 'SELECT application_name FROM pg_stat_replication';
  const cascade = site.members.find(({ name }) => name !== leader)?.name;
  expect(await site.psql(leader, senders)).toBe(cascade);
}

test('the plan: the wrong site is refused, and nothing is sent', async () => {
  await ready(east, west);
  const wrong = await swap(west, east, '--force');
  expect([wrong.code, wrong.document.code, wrong.document.changed]).toEqual([
    ...[1, 'swap_refused', false],
  ]);
  expect(wrong.document.swap?.plan?.refusedBy).toContain('leader_here');
  expect(await east.psql((await east.leader()) ?? '', 'SELECT pg_is_in_recovery()')).toBe('f');
});

test('the plan: members that reach the other leader, asked with and without dblink, and those that do not', async () => {
  const checked = async (name: string, ...args: string[]) => {
    const { document } = await swap(east, west, '--dry-run', ...args);
    const check = document.swap?.plan?.checks.find((one) => one.name === name);
    return [check?.result, ...(check?.evidence.map(({ said }) => said) ?? [])];
  };
  const { port } = west.member((await west.leader()) ?? '');
  const seen = `127.0.0.1:${port} has a connection from 127.0.0.1`;
  expect(await checked('way_back')).toEqual(['ok', seen, seen]);
  expect(await checked('pg_hba')).toEqual([
    ...['ok', 'line 5 (scram-sha-256) decides for pg1 (127.0.0.1)'],
    'line 5 (scram-sha-256) decides for pg2 (127.0.0.1)',
  ]);
  const primary = (await east.leader()) ?? '';
  await east.psql(primary, 'CREATE EXTENSION dblink');
  const own = `connection to server at "127.0.0.1", port ${port} failed: fe_sendauth: no password supplied`;
  // A replica is asked too.
  await eventually('both are asked', 10_000, async () => {
    expect(await checked('way_back')).toEqual(['ok', own, own]);
    return true;
  });
  expect(await checked('pg_hba')).toEqual(['ok', 'let pg1 in', 'let pg2 in']);
  const closed = await checked('way_back', '--host', '127.0.0.1', '--port', '1');
  expect([closed[0], closed[1]]).toEqual([
    'refused',
    expect.stringContaining('Connection refused'),
  ]);
  await east.psql(primary, 'DROP EXTENSION dblink');
});

test.each([
  ['there', '--to', 'sync'],
  ['and back', '--to-rest', 'quorum'],
])(
  '%s, with clients behind HAProxy: every acknowledged commit is on the new primary',
  async (_, way, sync) => {
    const { from, to } = await ready(east, west);
    const load = await pairLoad(routes.through);
    await eventually('commits', 20_000, () => Promise.resolve(load.acknowledged.length > 100));
    const by =
      way === '--to' ? [] : ['--to-rest', to.members.map(({ restUrl }) => restUrl).join(',')];
    const proven = ['--route', `rw=127.0.0.1:${routes.rw}`, '--route', `ro=127.0.0.1:${routes.ro}`];
    const { code, err, document } = await swap(from, to, '--force', ...by, ...proven);
    expect([code, document.ending], err + document.message).toEqual([0, 'ok']);
    const before = load.acknowledged.length;
    await eventually('commits again', 30_000, () =>
      Promise.resolve(load.acknowledged.length > before + 50),
    );
    await load.stop();
    const primary = (await to.leader()) ?? '';
    expect(await lostOn(to, primary, load)).toEqual([]);
    await expectFollows(from, to);
    // Its replica is synchronous as its own configuration has it, and the other site is not.
    const states = 'SELECT sync_state FROM pg_stat_replication ORDER BY sync_state = $$async$$';
    await eventually('synchronous again', 20_000, async () => {
      expect(await to.psql(primary, states)).toBe(`${sync}\nasync`);
      return true;
    });
    expect(document.evidence.map(({ witness }) => witness)).toContain('route');
    expect(document.changed).toBe(true);
    const { swap: done } = document;
    expect(done).toMatchObject({ demoted: true, promoted: true, wentBack: false });
    expect(done?.steps.map(({ step }) => step)).toEqual([
      ...['demoting', 'demoted', 'received', 'promoting', 'promoted', 'follows', 'streaming'],
    ]);
    // The client tries again every 50 ms and connects again: it cannot see the writes back before patctl did.
    const outage = done?.outage;
    expect(outage?.atLeastMs).toBeGreaterThan(0);
    expect(outage?.atLeastMs).toBeLessThanOrEqual(load.longestGapMs());
  },
);

// ---------------------------------------------------------------- broken at a step, and the printed command typed

test.each<[title: string, expected: Partial<Tried>]>([
  ['leader there frozen after the demotion', { isExpected: true, primary: 'here', lost: [] }],
  [`killed at ${DEMOTED.source}`, { isExpected: true, typedCode: 0, primary: 'here', lost: [] }],
])('%s: the ending is true, and what it prints works', async (title, expected) => {
  const trial = TRIALS.find((one) => one.title === title);
  if (trial === undefined) throw new Error(`no trial ${title}`);
  const tried = await tryOut(east, west, { ...trial, deadline: '15s' });
  expect(tried, JSON.stringify(tried)).toMatchObject(expected);
});

// ---------------------------------------------------------------- the primary site is lost

async function swapAt(site: Lab, ...args: string[]): Promise<Done> {
  const words = ['-c', site.config, 'swap', '-f', 'json', ...args];
  const { code, out, err } = await runPatctl(words, { timeoutMs: 200_000 });
  return { code, err, document: JSON.parse(out) as ActionDocument };
}

const fromLost = (...args: string[]): Promise<Done> => swapAt(west, '--from-lost', ...args);

/** Nothing of it is left: its Patroni, its PostgreSQL and its etcd. */
async function loseSite(site: Lab): Promise<void> {
  for (const { name } of site.members) await site.kill(name);
  for (const { name } of site.members) await site.kill(name, { postgres: true });
  for (const { name } of site.etcd) await site.kill(name);
}

test('a primary site that lives is not lost: nothing is sent', async () => {
  await ready(east, west);
  const accepted = ['--accept-data-loss', '--confirm-name', west.scope];
  for (const to of [[], ['--to', east.config]]) {
    const { code, document } = await fromLost(...accepted, ...to);
    expect([code, document.code, document.changed]).toEqual([1, 'lost_refused', false]);
    expect(document.swap?.lost?.refusedBy).toEqual(['other_site', 'receiving']);
  }
});

test('the primary site is gone under load: what was shown as received is what is left', async () => {
  const load = await pairLoad(east, west);
  await eventually('commits', 20_000, () => Promise.resolve(load.acknowledged.length > 100));
  // The standby site receives nothing more, and clients commit on.
  const primary = (await east.leader()) ?? '';
  const others = east.members.filter(({ name }) => name !== primary).map(({ name }) => name);
  const rows = await east.psql(primary, 'SELECT pid, application_name FROM pg_stat_replication');
  const pids = rows.split('\n').map((row) => row.split('\t'));
  const sender = pids.find(([, name]) => !others.includes(name ?? '')) ?? pids[0];
  east.freezePid(Number(sender?.[0]));
  const frozenAt = load.acknowledged.length;
  await eventually('commits that are lost', 20_000, () =>
    Promise.resolve(load.acknowledged.length > frozenAt + 100),
  );
  await loseSite(east);
  // Else it keeps the connection, until wal_receiver_timeout.
  process.kill(Number(sender?.[0]), 'SIGKILL');
  const acknowledged = load.acknowledged.length;
  const unaccepted = await fromLost('--to', east.config, '--confirm-name', west.scope);
  expect(unaccepted.code).toBe(1);
  expect(unaccepted.document.swap?.lost?.refusedBy).toContain('data_loss');
  const { code, err, document } = await eventually('it is promoted', 90_000, async () => {
    const done = await fromLost(
      ...['--to', east.config, '--accept-data-loss', '--confirm-name', west.scope],
    );
    // The receiver may take wal_receiver_timeout to notice.
    if (done.document.code === 'lost_refused') throw new Error(done.document.message);
    return done;
  });
  expect([code, document.ending], err + document.message).toEqual([0, 'ok']);
  await eventually('commits again', 30_000, () =>
    Promise.resolve(load.acknowledged.length > acknowledged + 50),
  );
  await load.stop();
  const leader = (await west.leader()) ?? '';
  expect(await west.psql(leader, 'SELECT pg_is_in_recovery()')).toBe('f');
  const lost = await lostOn(west, leader, load);
  expect(lost.length).toBeGreaterThan(90);
  const { swap: done } = document;
  // A backend of the lost site may have answered after its postmaster was gone.
  const promotingMs = Date.parse(done?.steps[0]?.at ?? '');
  const before = load.acknowledged.filter(({ atMs }) => atMs < promotingMs);
  // All that was lost came after all that was kept.
  expect(lost).toEqual(before.slice(-lost.length).map(({ id }) => id));
  expect(done).toMatchObject({ promoted: true, lost: { other: east.scope } });
  expect(done?.steps.map(({ step }) => step)).toEqual([
    ...['promoting', 'promoted', 'received', 'streaming'],
  ]);
  const known = done?.lost?.known;
  const kept = before.at(-lost.length - 1);
  // The age that was shown is that of the last commit that is left.
  const ageMs = known?.lastCommitAgeMs ?? 0;
  expect(Math.abs(promotingMs - ageMs - (kept?.atMs ?? 0))).toBeLessThan(3000);
  expect(done?.beforeReturn.join('\n')).toContain(
    `patctl -c ${east.config} swap --rejoin --to ${west.config}`,
  );
});

/** Written into its DCS while nothing runs there; then its Patroni starts, and is followed. */
async function comesBack(old: Lab, main: Lab): Promise<void> {
  const words = ['--rejoin', '--to', main.config, '--accept-data-loss', '--force'];
  const early = await eventually('the lock of the old leader is gone', 60_000, async () => {
    const done = await swapAt(old, ...words, '--deadline', '2s');
    if (done.document.code === 'rejoin_refused') throw new Error(done.document.message);
    return done;
  });
  expect([early.code, early.document.code, early.document.changed]).toEqual([
    ...[5, 'not_started', true],
  ]);
  for (const { name } of old.members) await old.launch(name);
  await eventually('every member has a key', 60_000, async () => {
    const keys = await Promise.all(old.members.map(({ name }) => old.dcsGet(`members/${name}`)));
    return keys.every((key) => key !== null);
  });
  const { code, err, document } = await swapAt(old, ...words, '--deadline', '80s');
  expect([code, document.ending], err + document.message).toEqual([0, 'ok']);
  expect(document.swap?.rejoin?.isWritten).toBe(true);
  await expectFollows(old, main);
}

test('the DCS of the old site is back: written before its Patroni starts, which rewinds', async () => {
  for (const { name } of east.etcd) await east.launch(name);
  await comesBack(east, west);
});

test('the old site still is a primary: what it wrote since is named, thrown away, and it follows', async () => {
  await ready(west, east);
  const promoted = await runPatctl(['-c', east.config, 'promote-cluster', '--force'], {
    timeoutMs: 120_000,
  });
  expect(promoted.code, promoted.err).toBe(0);
  const old = (await west.leader()) ?? '';
  await west.psql(old, 'CREATE TABLE own AS SELECT generate_series(1, 1000) AS id');
  const to = ['--rejoin', '--to', east.config, '--force'];
  const refused = await swapAt(west, ...to);
  expect([refused.code, refused.document.swap?.rejoin?.refusedBy]).toEqual([1, ['data_loss']]);
  expect(refused.document.message).toMatch(/ (KiB|MiB|bytes) of its own after 0\//);
  const { code, err, document } = await swapAt(west, ...to, '--accept-data-loss');
  expect([code, document.ending], err + document.message).toEqual([0, 'ok']);
  expect(document.swap?.steps.map(({ step }) => step)).toEqual([
    ...['demoting', 'follows', 'streaming'],
  ]);
  await expectFollows(west, east);
  for (const { name } of west.members)
    expect(await west.psql(name, "SELECT to_regclass('own') IS NULL")).toBe('t');
});

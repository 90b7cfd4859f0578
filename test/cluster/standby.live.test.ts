/** A standby cluster on real Patroni: the standby leader is moved, takes no writes, and follows its remote. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { change, stepsOf, streamingMembers, type Changed } from '../support/change.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { restWay } from '../support/rest-way.js';
import { runPatctl } from '../support/run.js';
import { finished, mirrored, ours, theirs, timeless } from '../support/screens.js';
import { privateCluster } from '../support/shared.js';
import { onTerminal } from '../support/terminal.js';

let source: Lab;
let lab: Lab;

beforeAll(async () => {
  source = await privateCluster({ sync: 'quorum', loopWait: 1 });
  // Synchronous mode has no meaning here, and must not be counted on.
  lab = await privateCluster({ standbyOf: source.scope, sync: 'on', loopWait: 1 });
});
afterAll(async () => {
  await lab.down();
  await source.down();
});

const remotePort = () => source.member('pg1').port;

const others = (leader: string | null, of = lab): string[] =>
  of.members.map(({ name }) => name).filter((name) => name !== leader);

/** What was said is so: asked without patctl. */
async function expectFollows(
  { code, err, document }: Changed,
  leader: string | null,
): Promise<void> {
  expect([code, err, document.ending]).toEqual([0, '', 'ok']);
  const { result } = document;
  expect(result).toMatchObject({ newLeader: await lab.leader(), oldLeader: leader });
  expect(result?.newLeader).not.toBe(leader);
  expect(result).toMatchObject({ writeOutageMs: null, writeOutage: null, lockFreeMs: null });
  const led = document.steps.find(({ step }) => step === 'standby_leader');
  const from = `127.0.0.1:${remotePort()}`;
  expect(led?.said).toBe(
    `${result?.newLeader ?? ''} is the standby leader and streams from ${from} on timeline 1 (SQL)`,
  );
  const receiver = 'SELECT pg_is_in_recovery(), status, sender_port FROM pg_stat_wal_receiver';
  expect(await lab.psql(result?.newLeader ?? '', receiver)).toBe(`t\tstreaming\t${remotePort()}`);
  expect(await streamingMembers(lab)).toEqual(others(result?.newLeader ?? ''));
}

test('a switchover: planned without votes of synchronous mode, and done when it follows the remote', async () => {
  const leader = await lab.waitHealthy();
  const changed = await change(lab, 'switchover');
  await expectFollows(changed, leader);
  const { plan } = changed.document;
  expect(plan.checks.filter(({ result }) => result !== 'ok')).toEqual([]);
  const said = (check: string) => plan.checks.find(({ name }) => name === check)?.said;
  expect(said('leader_alive')).toBe(`${leader} holds the lock and runs as standby leader`);
  const remote = `127.0.0.1:${remotePort()}`;
  expect(said('remote_streams')).toBe(`${leader} streams from the remote ${remote}`);
  expect(said('data_loss')).toMatch(/: a standby cluster acknowledges no commits$/);
  expect(stepsOf(changed)).toEqual(
    expect.arrayContaining(['accepted', 'released', 'locked', 'rejoined', 'streaming']),
  );
  for (const no of ['writable', 'sync_restored']) expect(stepsOf(changed)).not.toContain(no);
});

test('beside patronictl on a terminal: asked for the Standby Leader, and the same words', async () => {
  const leader = await lab.waitHealthy();
  const [other = '', third = ''] = others(leader);
  const refused = async (program: typeof ours) =>
    await onTerminal(program(lab, ['switchover']), ['', third, '', 'n']);
  const [their, our] = await Promise.all([refused(theirs), refused(ours)]);
  expect(timeless(our.screen)).toBe(timeless(their.screen));
  expect(our.screen).toContain(`\nStandby Leader [${leader}]: `);
  expect([our.code, their.code]).toEqual([1, 1]);

  // No synchronous standby is configured, and no member is called asynchronous. patronictl there, patctl back.
  const move = async (program: typeof ours, to: string) => {
    const { screen, code } = await onTerminal(program(lab, ['failover']), [to, 'y']);
    const said = finished(timeless(screen));
    return { said, code, leader: await lab.leader() };
  };
  const theirMove = await move(theirs, other);
  await lab.waitHealthy();
  const ourMove = await move(ours, leader);
  expect([theirMove.leader, theirMove.code]).toEqual([other, 0]);
  expect([ourMove.leader, ourMove.code]).toEqual([leader, 0]);
  expect(mirrored(lab, ourMove.said, leader, other)).toBe(theirMove.said);
  expect(ourMove.said).toContain(`STAMP Successfully failed over to "${leader}"`);
});

test('paused: refused, because Patroni would carry it out at the resume', async () => {
  await lab.waitHealthy();
  const leader = (await lab.leader()) ?? '';
  const pause = (on: boolean) =>
    runPatctl(['-c', lab.config, on ? 'pause' : 'resume', lab.scope, '--wait']);
  expect((await pause(true)).code).toBe(0);
  try {
    for (const kind of ['switchover', 'failover'] as const) {
      const run = await change(lab, kind, '--candidate', others(leader)[0] ?? '');
      expect([run.code, run.document.sent]).toEqual([1, null]);
      expect(run.document.plan.refusedBy).toEqual(['paused_standby_cluster', 'votes']);
    }
  } finally {
    expect((await pause(false)).code).toBe(0);
  }
  expect(await lab.leader()).toBe(leader);
});

test('by the address of a member it is the same standby cluster, and switches over', async () => {
  const leader = await lab.waitHealthy();
  const way = restWay(lab, others(leader));
  expect((await runPatctl([...way, 'list', '--strict'])).out).toMatch(
    new RegExp(`${leader} .* Standby Leader .* ok `),
  );
  expect((await runPatctl([...way, 'check'])).code).toBe(0);
  const quorum = await runPatctl([...way, 'quorum', '-f', 'json']);
  expect(JSON.parse(quorum.out)).toMatchObject({ standbyCluster: true, syncUnknown: null });
  const done = await runPatctl([...way, 'switchover', '--force'], { timeoutMs: 110_000 });
  expect([done.code, done.out]).toEqual([0, expect.stringContaining('Successfully switched over')]);
  expect(others(leader)).toContain(await lab.leader());
});

test('the remote is gone: that is said beforehand', async () => {
  await lab.waitHealthy();
  const leader = (await lab.leader()) ?? '';
  expect(await source.leader()).toBe('pg1');
  for (const name of ['pg2', 'pg3', 'pg1']) await source.stop(name);
  const cut = `${leader} does not stream from the remote 127.0.0.1:${remotePort()}`;
  await eventually('its receiver has noticed', 20_000, async () => {
    const plan = await runPatctl(['-c', lab.config, 'switchover', '--dry-run']);
    expect(plan.out).toMatch(new RegExp(`remote_streams +warning +${cut}`));
    return plan.code === 0;
  });
});

// Last: the two clusters change roles.
test('a /sync left from its time as a primary cluster: no member can be elected, and that is found', async () => {
  for (const name of ['pg1', 'pg2', 'pg3']) await source.launch(name);
  const leader = await source.waitHealthy();
  const target = lab.member(await lab.waitHealthy());
  const to = ['--host', target.host, '--port', String(target.port)];
  const done = async (of: typeof lab, ...args: string[]) =>
    await runPatctl(['-c', of.config, ...args], { timeoutMs: 90_000 });
  const demoted = await done(source, 'demote-cluster', '--force', ...to);
  expect(demoted.code, demoted.err).toBe(0);
  const promoted = await done(lab, 'promote-cluster', '--force');
  expect(promoted.code, promoted.err).toBe(0);
  const [first = '', second = ''] = others(leader, source);
  const sync = JSON.parse((await source.dcsGet('sync')) ?? '') as Record<string, unknown>;
  expect(sync).toMatchObject({ leader, sync_standby: `${first},${second}`, quorum: 1 });

  // A demoting leader gives up the lock, and each of the three may have taken it: here it is the one in /sync.
  const stands = await eventually('a standby leader', 60_000, async () => await source.leader());
  await eventually('the others follow', 60_000, async () => {
    for (const name of others(stands, source)) {
      const { text } = await source.rest(name, '/patroni');
      expect(JSON.parse(text)).toMatchObject({ state: 'running', replication_state: 'streaming' });
    }
    return true;
  });
  if (stands !== leader) {
    const back = await done(source, 'switchover', '--candidate', leader, '--force');
    expect(back.code, back.out + back.err).toBe(0);
  }
  await source.stop(second);
  const { document: refused, code } = await change(source, 'switchover', '--dry-run');
  expect([code, refused.plan.refusedBy]).toEqual([1, ['votes']]);
  // With 412 nothing has been written: its own view may be behind for a loop, or a member did not answer in 2 s.
  const patroni = await eventually('Patroni looks at the members', 20_000, async () => {
    const body = { leader };
    const answer = await source.rest(leader, '/switchover', { method: 'POST', body });
    if (answer.status === 412) throw new Error(answer.text);
    return answer;
  });
  expect([patroni.status, patroni.text]).toEqual([503, 'Switchover failed']);
  expect(await source.leader()).toBe(leader);
  const votes = async () =>
    JSON.parse((await done(source, 'quorum', '-f', 'json')).out) as QuorumDocument;
  const before = await votes();
  const told = before.members.find(({ name }) => name === first);
  expect(told).toMatchObject({ mayWin: 'no', counted: 1, needed: 2 });
  const critical = async () => {
    const { out } = await done(source, 'check', '--settle', '0', '-f', 'json');
    const { clusters } = JSON.parse(out) as CheckDocument;
    return clusters[0]?.findings.find(({ code: of }) => of === 'standby_cluster_cannot_elect');
  };
  expect(await critical()).toMatchObject({ severity: 'critical' });

  await source.kill(leader);
  await source.kill(leader, { postgres: true });
  await eventually('its lock has expired', 60_000, async () => (await source.leader()) === null);
  const freeSince = Date.now();
  const found = await critical();
  expect(found?.message).toMatch(
    /^no member can become standby leader: \/sync still asks for 2 votes/,
  );
  await eventually('no member takes the free lock', 20_000, async () => {
    expect(await source.leader()).toBeNull();
    return Date.now() - freeSince > 8_000;
  });
  // The way out, as the finding says it.
  const [wayOut = ''] = /edit-config \S+ --set [a-z_=]+/.exec(found?.next ?? '') ?? [];
  const command = wayOut.split(' ');
  expect(command).toEqual(['edit-config', source.scope, '--set', 'synchronous_mode=on']);
  expect((await done(source, ...command, '--force')).code).toBe(0);
  await eventually('a member leads', 30_000, async () => (await source.leader()) === first);
});

/** A leader that has lost etcd only: what is foretold of the lock while it lives on, and when it does not. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { QuorumDocument, QuorumMember } from '../../src/cluster/documents/quorum-document.js';
import type { WhyNotDocument } from '../../src/cluster/documents/why-not-document.js';
import { openGate, type Gate } from '../support/chaos/gate.js';
import { change } from '../support/change.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { readState } from '../support/lab/state.js';
import { runPatctl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

const SCOPE = `failsafe-${process.pid}`;
/** The lab's ttl, and what a busy machine needs besides. */
const KEY_GONE_MS = 60_000;
/** Patroni would take a free lock within a loop of 2 s. */
const HOLDS_MS = 10_000;

let lab: Lab;
const gates = new Map<string, Gate>();

beforeAll(async () => {
  const names = ['pg1', 'pg2', 'pg3'];
  for (const name of names) gates.set(name, await openGate(() => readState(SCOPE)?.etcd ?? []));
  const etcdProxies = Object.fromEntries([...gates].map(([name, { address }]) => [name, address]));
  const dcs = { failsafe_mode: true };
  lab = await privateCluster({ scope: SCOPE, sync: 'quorum', etcdProxies, dcs });
});
afterAll(async () => {
  await lab.down();
  for (const gate of gates.values()) await gate.close();
});

const read = async (...args: string[]): Promise<{ code: number | null; document: unknown }> => {
  const { code, out } = await runPatctl(['-c', lab.config, ...args, '-f', 'json']);
  return { code, document: JSON.parse(out) };
};
const readQuorum = async (...args: string[]): Promise<QuorumDocument> =>
  (await read('quorum', ...args)).document as QuorumDocument;

const votes = (members: readonly QuorumMember[]) =>
  Object.fromEntries(
    members.map(({ name, mayWin, counted, needed }) => [name, `${mayWin} ${counted}/${needed}`]),
  );

/** Its keys are gone with their lease, and it leads on by the answers of the others. */
async function cutFromEtcd(leader: string): Promise<void> {
  gates.get(leader)?.set('refused');
  await eventually(`${leader} lives on in failsafe mode`, KEY_GONE_MS, async () => {
    const { text } = await lab.rest(leader, '/patroni');
    const isGone = (await lab.dcsGet(`members/${leader}`)) === null && !(await lab.leader());
    return isGone && /"failsafe_mode_is_active": ?true/.test(text);
  });
}

async function backToHealth(member: string): Promise<void> {
  gates.get(member)?.set('open');
  await lab.start(member);
  await lab.waitHealthy(90_000);
}

test('while it answers no member takes the lock; after its end the member with the votes does', async () => {
  const leader = await lab.waitHealthy();
  const [first = '', second = ''] = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== leader);
  await lab.psql(leader, 'CREATE TABLE kept (line int); INSERT INTO kept VALUES (1)');
  await cutFromEtcd(leader);
  const since = Date.now();
  const alive = `${leader} is out of recovery: a primary is still alive`;

  const quorum = await readQuorum();
  expect(quorum.leader).toBeNull();
  expect(votes(quorum.members)).toEqual({ [first]: 'no 2/2', [second]: 'no 2/2' });
  expect(quorum.members.map(({ reasons }) => reasons)).toEqual([[alive], [alive]]);
  expect(quorum.survives.sentence).toBe('no member can take the free lock');
  expect(quorum.dataLoss.verdict).toBe('possible');
  const { afterPrimary } = quorum;
  expect(afterPrimary?.primary).toBe(leader);
  expect(votes(afterPrimary?.members ?? [])).toEqual({ [first]: 'yes 2/2', [second]: 'yes 2/2' });
  expect(afterPrimary?.dataLoss.verdict).toBe('none');

  const whyNot = await read('why-not', first);
  const why = whyNot.document as WhyNotDocument;
  expect(whyNot.code).toBe(1);
  expect(why.race).toMatchObject({ could: 'no', reasons: [alive] });
  expect(why.afterPrimary).toMatchObject({ primary: leader, could: 'yes' });

  const check = (await read('check', '--settle', '0')).document as CheckDocument;
  const found = new Map(check.clusters[0]?.findings.map((one) => [one.code, one]));
  expect([...found].map(([code, { severity }]) => `${severity} ${code}`).sort()).toEqual([
    'info primary_without_lock',
    'warning failsafe_active',
    'warning member_left',
  ]);
  expect(found.get('failsafe_active')?.message).toMatch(
    new RegExp(`: ${leader} does not reach the DCS$`),
  );
  expect(found.get('member_left')?.message).toBe(
    `${leader} has left the DCS; PostgreSQL still runs as a primary, and Patroni answers there`,
  );
  for (const { next } of found.values()) expect(next).toContain('restore the connection between');

  const list = await runPatctl(['-c', lab.config, 'list']);
  expect(list.out).toMatch(new RegExp(`\\| ${leader} +\\| [\\d.:]+ +\\| Departed ! +\\| primary `));
  const switchover = await runPatctl(['-c', lab.config, 'switchover', '--dry-run']);
  expect([switchover.code, switchover.err]).toEqual([1, 'Error: This cluster has no leader\n']);
  const { code, document } = await change(lab, 'failover', '--candidate', first, '--dry-run');
  expect(code).toBe(1);
  expect(document.plan.refusedBy).toEqual(['leader_alive', 'data_loss']);

  // All that time the lock was free for any member.
  await eventually('the lock has been free for long enough', HOLDS_MS * 2, async () => {
    expect(await lab.leader()).toBeNull();
    return Date.now() - since > HOLDS_MS;
  });
  await lab.psql(leader, 'INSERT INTO kept VALUES (2)');

  await lab.kill(leader);
  await lab.kill(leader, { postgres: true });
  const after = await readQuorum();
  expect(votes(after.members)).toEqual({ [first]: 'yes 2/2', [second]: 'yes 2/2' });
  expect(after.afterPrimary).toBeNull();
  expect(after.dataLoss.verdict).toBe('none');
  const heir = await eventually('a member has taken the lock', KEY_GONE_MS, () => lab.leader());
  expect([first, second]).toContain(heir);
  await eventually('it accepts writes', 30_000, () =>
    lab.psql(heir, 'INSERT INTO kept VALUES (3)').then(() => true),
  );
  expect(await lab.psql(heir, 'SELECT count(*) FROM kept')).toBe('3');
  await backToHealth(leader);
});

test('a leader that has demoted itself votes, although only /failsafe names it', async () => {
  const leader = await lab.waitHealthy();
  const [first = '', second = ''] = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== leader);
  await cutFromEtcd(leader);
  // It asks every member of /failsafe, and one that is silent makes it give up.
  lab.freeze(second);
  const foretold = await eventually('it has become a standby', 30_000, async () => {
    const document = await readQuorum('--timeout', '1');
    return document.members.find(({ name, mayWin }) => name === first && mayWin === 'yes');
  });
  expect(foretold).toMatchObject({ counted: 2, needed: 2, reasons: [] });
  expect(foretold.votes).toContainEqual({
    name: leader,
    voted: 'yes',
    why: expect.stringMatching(/^is not ahead, at /) as string,
  });
  const heir = await eventually('a member has taken the lock', KEY_GONE_MS, () => lab.leader());
  expect(heir).toBe(first);
  lab.thaw(second);
  await backToHealth(leader);
});

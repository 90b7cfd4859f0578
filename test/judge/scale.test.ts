/** What a large cluster costs: the work of a command grows with the members, and not with their pairs. */
import { beforeAll, expect, test } from 'vitest';
import type { Snapshot } from '../../src/cluster/model/model.js';
import { quorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { statusDocument } from '../../src/cluster/documents/status-document.js';
import { whyNot } from '../../src/cluster/documents/why-not-document.js';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { quorumText } from '../../src/output/vote-table.js';
import { levelled } from '../../src/cluster/preflight/data-loss-check.js';
import { voteInput } from '../../src/cluster/votes/vote-facts.js';
import { lossForecast } from '../../src/cluster/documents/loss-forecast-document.js';
import { planOf } from '../../src/cluster/preflight/plan.js';
import { countedCalls } from '../support/counted-calls.js';
import { sized } from '../support/scale.js';
import { REQUEST } from '../unit/plan-support.js';

const SCREEN = { width: null, color: false, command: 'patctl' };

const SILENT = { ok: false, kind: 'unreachable', reason: 'ECONNREFUSED' } as const;

/** What costs the most is where something is missing: it is looked for among all. */
const MISSING: Record<string, (cluster: Snapshot) => Snapshot> = {
  nothing: (cluster) => cluster,
  'every other member': (cluster) => ({
    ...cluster,
    members: cluster.members.map((one, at) =>
      at % 2 === 0 ? one : { ...one, rest: SILENT, sql: SILENT },
    ),
  }),
  'every other key': ({ cluster, ...rest }) => ({
    ...rest,
    cluster: { ...cluster, members: cluster.members.filter((_, at) => at % 2 === 0) },
    members: rest.members.filter((_, at) => at % 2 === 0),
  }),
  'the leader and its walsenders': (cluster) => ({
    ...cluster,
    members: cluster.members.map((one, at) =>
      at > 0 ? one : { ...one, rest: SILENT, sql: SILENT },
    ),
  }),
};

/** Seconds of CPU for everything that is worked out of a cluster: time that other programs take does not count. */
async function cost(cluster: Snapshot): Promise<number> {
  const start = process.cpuUsage();
  await quorumText(quorumDocument(cluster), SCREEN);
  statusDocument(cluster);
  whyNot(cluster, 'pg3');
  look(viewOf(cluster), DEFAULT_LIMITS, () => true);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** The first run compiles, and imports what it needs. */
beforeAll(() => cost(sized(10, 'quorum')));

// The cube of the members cost 2 s of CPU; now it is 0.1 s.
test.each(Object.entries(MISSING))(
  '120 members are judged in 1.5 s of CPU where this is missing: %s',
  async (_, without) => {
    expect(await cost(without(sized(120, 'quorum')))).toBeLessThan(1.5);
  },
);

/** What the commands work out of a cluster. */
const WORK: Record<string, (cluster: Snapshot) => unknown> = {
  quorum: (cluster) => quorumText(quorumDocument(cluster), SCREEN),
  'quorum --lose-any 1': (cluster) => lossForecast(cluster, { lose: [], any: 1 }),
  status: statusDocument,
  'why-not': (cluster) => whyNot(cluster, 'pg3'),
  check: (cluster) => look(viewOf(cluster), DEFAULT_LIMITS, () => true),
  switchover: (cluster) => planOf(cluster, null, { ...REQUEST, kind: 'switchover' }),
};

// 200 members may cost 12 times what 20 cost: here 5 times as many may cost 6 times as much. `quorum` cost 17 times.
test.each(Object.entries(WORK))(
  '%s does 6 times the work at most for 5 times the members',
  async (_, work) => {
    const [few, many] = [sized(20, 'quorum'), sized(100, 'quorum')];
    // Finds what is loaded when it is first needed.
    await work(sized(10, 'quorum'));
    const calls = await countedCalls(() => work(few));
    expect(calls).toBeGreaterThan(2000);
    expect((await countedCalls(() => work(many))) / calls).toBeLessThan(6);
  },
);

test('each vote of 22 members is not a line of its own', async () => {
  const document = quorumDocument(sized(22, 'quorum'));
  const votes = document.members.flatMap(({ votes: cast }) => cast).length;
  const lines = (await quorumText(document, SCREEN)).split('\n');
  expect(votes).toBeGreaterThan(400);
  expect(lines.length).toBeLessThan(120);
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}20 members +pg3 +yes +is not ahead/));
});

// 10.5 s of CPU for `--candidate auto` among 200 members, when each of them had the race worked out again.
test('the race after a clean shutdown is the same for every candidate', () => {
  const input = voteInput(sized(5, 'quorum'));
  expect(levelled(input)).toBe(levelled(input));
  expect(levelled(input)).not.toBe(input);
});

/** What a large cluster costs: no command does work that grows with the cube of the members. */
import { expect, test } from 'vitest';
import { quorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { statusDocument } from '../../src/cluster/documents/status-document.js';
import { whyNot } from '../../src/cluster/documents/why-not-document.js';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { quorumText } from '../../src/output/vote-table.js';
import { sized } from '../support/scale.js';

const SCREEN = { width: null, color: false, command: 'patctl' };

/** Seconds of CPU for everything that is worked out of a cluster of so many members, half of them unreachable or none. */
async function cost(members: number, isHalfDead: boolean): Promise<number> {
  const cluster = sized(members, 'quorum');
  if (isHalfDead) {
    for (const [at, one] of cluster.members.entries()) {
      if (at % 2 === 0) continue;
      const silent = { ok: false, kind: 'unreachable', reason: 'ECONNREFUSED' } as const;
      Object.assign(one, { rest: silent, sql: silent });
    }
  }
  const start = process.cpuUsage();
  await quorumText(quorumDocument(cluster), SCREEN);
  statusDocument(cluster);
  whyNot(cluster, 'pg3');
  look(viewOf(cluster), DEFAULT_LIMITS, () => true);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

// The cube of the members cost 4 s of CPU; now it is 0.2 s.
test.each([false, true])(
  '150 members are judged in 2 s of CPU (half of them dead: %s)',
  async (dead) => {
    expect(await cost(150, dead)).toBeLessThan(2);
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

/** What a large cluster costs: work grows with the members, never with their cube. */
import { expect, test } from 'vitest';
import { quorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { statusDocument } from '../../src/cluster/documents/status-document.js';
import { whyNot } from '../../src/cluster/documents/why-not-document.js';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { sized } from '../support/scale.js';

test('60 members are judged in no time', () => {
  const cluster = sized(60, 'quorum');
  const start = process.cpuUsage();
  quorumDocument(cluster);
  statusDocument(cluster);
  whyNot(cluster, 'pg3');
  look(viewOf(cluster), DEFAULT_LIMITS, () => true);
  const { user, system } = process.cpuUsage(start);
  // It was 81 s for 200.
  expect((user + system) / 1e6).toBeLessThan(6);
});

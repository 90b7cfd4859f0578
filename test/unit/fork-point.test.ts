/** Where the WAL of an old site leaves that of the new one, by the histories of both. */
import { expect, test } from 'vitest';
import type { HistoryLine } from '../../src/cluster/model/model.js';
import { forkOf, type WalBranch } from '../../src/cluster/preflight/fork-point.js';

const line = (timeline: number, lsn: bigint): HistoryLine => {
  return { timeline, lsn, reason: '', timestamp: null, newLeader: null };
};
/** The promotion that ended timeline 1 took place at this site, at that time. */
const promoted = (branch: WalBranch, timestamp: string): WalBranch => {
  const [first, ...rest] = branch.history ?? [];
  return { ...branch, history: first ? [{ ...first, timestamp }, ...rest] : [] };
};
const branch = (timeline: number | null, position: bigint | null, ...ends: bigint[]): WalBranch => {
  return { timeline, position, history: ends.map((lsn, at) => line(at + 1, lsn)) };
};

test.each<[what: string, mine: WalBranch, main: WalBranch, fork: object]>([
  ['all of it was received', branch(1, 100n), branch(2, 500n, 100n), ['follows', 1]],
  ['less than was received', branch(1, 90n), branch(2, 500n, 100n), ['follows', 1]],
  ['one byte more', branch(1, 101n), branch(2, 500n, 100n), ['diverged', 1, 100n, 1]],
  ['both on one timeline', branch(2, 400n, 100n), branch(2, 500n, 100n), ['follows', 2]],
  [
    'ahead of a position read earlier',
    branch(2, 510n, 100n),
    branch(2, 500n, 100n),
    ['follows', 2],
  ],
  [
    'both sites have promoted, and gave one number to two timelines',
    branch(2, 300n, 120n),
    branch(2, 500n, 100n),
    ['diverged', 1, 100n, 200, 'own'],
  ],
  [
    'both sites have promoted at the same position',
    promoted(branch(2, 300n, 100n), '2026-01-01T00:05:00Z'),
    promoted(branch(2, 500n, 100n), '2026-01-01T00:00:00Z'),
    ['diverged', 1, 100n, 200, 'own'],
  ],
  [
    'both sites have promoted at the same position, and the new one failed over since',
    promoted(branch(2, 300n, 100n), '2026-01-01T00:05:00Z'),
    promoted(branch(3, 500n, 100n, 400n), '2026-01-01T00:00:00Z'),
    ['diverged', 1, 100n, 200, 'own'],
  ],
  [
    'the new site followed a failover of the old one',
    promoted(branch(2, 300n, 100n), '2026-01-01T00:05:00Z'),
    branch(3, 500n, 100n, 400n),
    ['follows', 2],
  ],
  [
    'the old site followed the failover of the new one',
    branch(2, 300n, 100n),
    promoted(branch(2, 500n, 100n), '2026-01-01T00:00:00Z'),
    ['follows', 2],
  ],
  [
    'the old site failed over twice since',
    branch(3, 300n, 120n, 150n),
    branch(2, 500n, 100n),
    ['diverged', 1, 100n, 200, 'own'],
  ],
  [
    'it ended a timeline earlier than the new site did',
    branch(2, 90n, 80n),
    branch(3, 500n, 100n, 200n),
    ['diverged', 1, 80n, 10, 'own'],
  ],
  [
    'a failover of the new site after the promotion',
    branch(1, 90n),
    branch(3, 500n, 100n, 300n),
    ['follows', 1],
  ],
  [
    'a newer timeline than the new site has',
    branch(3, 600n, 100n, 550n),
    branch(2, 500n, 100n),
    ['diverged', 2, 550n, 50, 'own'],
  ],
])('%s', (_, mine, main, wanted) => {
  const fork = forkOf(mine, main);
  const seen =
    fork.kind === 'diverged'
      ? [fork.kind, fork.timeline, fork.lsn, fork.aheadBytes, ...(fork.own ? ['own'] : [])]
      : [fork.kind, fork.kind === 'follows' ? fork.timeline : fork.because];
  expect(seen).toEqual(wanted);
});

test.each<[what: string, mine: WalBranch, main: WalBranch, because: string]>([
  [
    'a member that does not answer',
    branch(null, null),
    branch(2, 500n, 100n),
    'its timeline or position is unknown',
  ],
  [
    'no history of the new site',
    branch(1, 90n),
    { ...branch(2, 500n), history: null },
    '/history of the new site is unknown',
  ],
  [
    'a history that was cut off',
    branch(1, 90n),
    { timeline: 3, position: 500n, history: [line(2, 300n)] },
    '/history of the new site does not show where timeline 1 ended',
  ],
  [
    'its own history is not known',
    { timeline: 2, position: 400n, history: null },
    branch(2, 500n, 100n),
    'its history does not show where timeline 1 ended',
  ],
])('unknown: %s', (_, mine, main, because) => {
  expect(forkOf(mine, main)).toEqual({ kind: 'unknown', because });
});

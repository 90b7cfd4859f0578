/** Rows of `top --all`: a cluster that says nothing new is not judged again, and whatever it says newly is. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { findings, foundIn, look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import { sharedParts } from '../../src/cluster/model/shared-parts.js';
import type { Cluster, Reading, RestStatus, Snapshot } from '../../src/cluster/model/model.js';
import { statusDocument, statusSummary } from '../../src/cluster/documents/status-document.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { fleetRow, rowMaker } from '../../src/output/top/fleet-row.js';
import { DEAD, healthy } from './plan-support.js';

const T = Date.parse('2026-11-28T15:20:30Z');

/** Counts how often a view is judged. */
const [check] = CATALOGUE.filter(({ claim, applies }) => claim === true && applies === undefined);
if (check === undefined) throw new Error('no check of the catalogue applies to every cluster');
const judged = vi.spyOn(check, 'find');
beforeEach(() => {
  judged.mockClear();
});

/** Read over REST, as a fleet is. */
function first(): Snapshot {
  const snapshot = structuredClone(healthy().snapshot);
  const off = { ok: false, kind: 'off', reason: 'not asked' } as const;
  const members = snapshot.members.map((one) => ({ ...one, rest: spoke(one.rest, 70), sql: off }));
  return { ...snapshot, members, verify: 'rest', takenAt: at(0) };
}

/** The same answer, of a Patroni that reached the DCS then. */
function spoke(rest: Reading<RestStatus>, seen: number): Reading<RestStatus> {
  if (!rest.ok) return rest;
  const raw = { ...rest.value.raw, dcs_last_seen: seen };
  return { ...rest, tookMs: seen, value: { ...rest.value, dcsLastSeen: seen, raw } };
}

const at = (ms: number): string => new Date(T + ms).toISOString();

interface Later {
  cluster?: Partial<Cluster>;
  /** What pg2 says newly; null: it no longer answers. */
  pg2?: Partial<RestStatus> | null;
}

/** The next reading: parts that are equal are the same objects, as followFleet leaves them. */
function later(before: Snapshot, { cluster = {}, pg2 = {} }: Later = {}): Snapshot {
  const now = structuredClone(before);
  now.takenAt = at(2000);
  now.cluster = { ...now.cluster, revision: '10', ...cluster };
  const members = now.members.map((one) => {
    const rest = spoke(one.rest, 80);
    if (one.name !== 'pg2' || !rest.ok) return { ...one, rest };
    return { ...one, rest: pg2 === null ? DEAD : { ...rest, value: { ...rest.value, ...pg2 } } };
  });
  return {
    ...now,
    cluster: sharedParts(before.cluster, now.cluster),
    members: before.members.map((one, y) => sharedParts(one, members[y] ?? one)),
  };
}

describe('a cluster that was read again', () => {
  test('and says nothing new keeps its row, with the time of the reading', () => {
    const made = rowMaker([]);
    const row = made.row(first(), T);
    expect(row).toEqual(fleetRow(first(), T, []));
    judged.mockClear();
    made.row(first(), T + 1);
    expect(judged).toHaveBeenCalled();
    const before = first();
    made.row(before, T + 2);
    judged.mockClear();
    expect(made.row(later(before), T + 2000)).toEqual({ ...row, atMs: T + 2000 });
    expect(judged).not.toHaveBeenCalled();
    made.row(later(before), T + 12_000);
    expect(judged).toHaveBeenCalledTimes(1);
  });

  test.each<[string, Later]>([
    ['a position', { pg2: { replayedLocation: 5n } }],
    ['its state', { pg2: { state: 'starting' } }],
    ['its tags', { pg2: { tags: { nofailover: true } } }],
    [
      'the start of its PostgreSQL',
      { pg2: { raw: { dcs_last_seen: 70, postmaster_start_time: 'x' } } },
    ],
    ['a walsender', { pg2: { replication: [] } }],
    ['no word', { pg2: null }],
    ['another leader in the DCS', { cluster: { leaderName: 'pg2' } }],
    ['a value that cannot be read', { cluster: { problems: [{ key: 'k', problem: 'p' }] } }],
  ])('and says newly %s is judged again', (_, said) => {
    const made = rowMaker([]);
    const before = first();
    made.row(before, T);
    const now = later(before, said);
    judged.mockClear();
    expect(made.row(now, T + 2000)).toEqual(fleetRow(now, T + 2000, []));
    expect(judged).toHaveBeenCalledTimes(2);
  });

  test('after it had left is judged again', () => {
    const made = rowMaker([]);
    const before = first();
    made.row(before, T);
    judged.mockClear();
    made.keep(new Set(['demo']));
    made.row(later(before), T + 1000);
    expect(judged).not.toHaveBeenCalled();
    made.keep(new Set(['sales']));
    made.row(later(before), T + 2000);
    expect(judged).toHaveBeenCalledTimes(1);
  });
});

describe('one look at a cluster', () => {
  test('looks once with the default limits, and again with other limits', () => {
    const view = viewOf(first());
    const all = (): boolean => true;
    const found = findings(view);
    const looked = look(view, DEFAULT_LIMITS, all);
    expect(judged).toHaveBeenCalledTimes(1);
    expect(foundIn(view, DEFAULT_LIMITS, all)).toEqual(looked.findings);
    expect(found).toEqual(findings(viewOf(first())));
    judged.mockClear();
    look(view, { ...DEFAULT_LIMITS, maxLagBytes: 1 }, all);
    expect(judged).toHaveBeenCalledTimes(1);
  });

  test('the summary is the document without votes and walsenders', () => {
    const snapshot = first();
    snapshot.members = snapshot.members.map((one) =>
      one.name === 'pg3' ? { ...one, rest: DEAD } : one,
    );
    const { votes, replication, ...rest } = statusDocument(snapshot);
    expect(statusSummary(snapshot, [])).toEqual(rest);
    expect([votes.moreLosses, replication.length]).not.toEqual([undefined, 0]);
  });
});

/** The outage as clients see it, bracketed by what was seen of both leaders. */
import { describe, expect, test } from 'vitest';
import {
  withProbe,
  writeOutage,
  type Probe,
  type Tracks,
} from '../../src/cluster/progress/write-outage.js';

const probe = (
  member: string,
  askedMs: number,
  takesWrites: boolean,
  witness: Probe['witness'] = 'SQL',
): Probe => ({ member, witness, askedMs, atMs: askedMs + 10, takesWrites });
const tracks = (...probes: Probe[]): Tracks => probes.reduce<Tracks>(withProbe, new Map());
const OLD = [probe('pg1', 1000, true), probe('pg1', 1020, true), probe('pg1', 1040, false)];
const NEW = [probe('pg2', 3000, false), probe('pg2', 3020, true)];
const LOCK = { beganMs: 900, releasedMs: 2800, lockedMs: 2900 };

describe('a write outage', () => {
  test('is from the last write of the old leader to the first of the new one', () => {
    expect(writeOutage(tracks(...OLD, ...NEW), 'pg1', 'pg2', LOCK)).toEqual({
      atLeastMs: 3000 - 1050,
      atMostMs: 3030 - 1020,
      last: { member: 'pg1', witness: 'SQL', fromMs: 1020, toMs: 1050 },
      first: { member: 'pg2', witness: 'SQL', fromMs: 3000, toMs: 3030 },
    });
  });

  test('a refusal between two writes is not the end of them', () => {
    const back = [...OLD, probe('pg1', 1060, true), probe('pg1', 1080, false)];
    const outage = writeOutage(tracks(...back, ...NEW), 'pg1', 'pg2', LOCK);
    expect(outage?.last).toMatchObject({ fromMs: 1060, toMs: 1090 });
  });

  test('SQL is believed before REST, and REST before nothing', () => {
    const rest = [probe('pg1', 1030, true, 'REST'), probe('pg2', 2950, true, 'REST')];
    const both = writeOutage(tracks(...OLD, ...NEW, ...rest), 'pg1', 'pg2', LOCK);
    expect([both?.last?.witness, both?.first.witness]).toEqual(['SQL', 'SQL']);
    expect(writeOutage(tracks(...rest), 'pg1', 'pg2', LOCK)).toMatchObject({
      last: { witness: 'REST', fromMs: 1030, toMs: 2800 },
      first: { witness: 'REST', fromMs: 2900, toMs: 2960 },
      atLeastMs: 100,
      atMostMs: 1930,
    });
  });

  test('of a leader that took no write any more only the least is known', () => {
    expect(writeOutage(tracks(...NEW), 'pg1', 'pg2', LOCK)).toMatchObject({
      atLeastMs: 2100,
      atMostMs: null,
      last: null,
    });
    expect(writeOutage(tracks(...NEW), null, 'pg2', LOCK)?.atMostMs).toBeNull();
  });

  test('is not over until a member was seen to accept writes', () => {
    expect(writeOutage(tracks(...OLD, probe('pg2', 3000, false)), 'pg1', 'pg2', LOCK)).toBeNull();
  });
});

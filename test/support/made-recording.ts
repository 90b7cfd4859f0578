/** Recordings of a made-up day: what `patctl record` would have written, without a cluster. */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { eventsOf } from '../../src/cluster/events/events-of.js';
import type { Snapshot } from '../../src/cluster/model/model.js';
import { changesBetween } from '../../src/dcs/recording/record-changes.js';
import type { RecordLine } from '../../src/dcs/recording/record-lines.js';
import { changeLine, lineText, snapshotLine } from '../../src/dcs/recording/record-text.js';
import { DEAD, healthy } from '../unit/plan-support.js';

/** When the day begins. */
export const BEGAN_MS = Date.parse('2026-11-28T00:00:00Z');

export interface Day {
  looks: number;
  intervalMs: number;
  /** Names of the members in the place of pg1, pg2 and pg3. */
  names?: Record<string, string>;
  /** More of the dynamic configuration. */
  config?: Record<string, unknown>;
}

export interface Look {
  atMs: number;
  snapshot: Snapshot;
}

/**
 * pg1 leads; pg3 falls behind; at three tenths pg1 dies and pg2 takes over after some looks without a primary; at the
 * half ttl is changed; at six tenths pg1 takes over between two looks.
 */
function momentOf(share: number, at: number, config: Record<string, unknown>): Snapshot {
  const position = 0x500000000n + BigInt(at) * 100_000n;
  const behind = share > 0.1 && share < 0.2 ? BigInt(Math.round((share - 0.1) * 4e9)) : 0n;
  const noise = BigInt((at * 7919) % 5000);
  const leads = share >= 0.3 && share < 0.6 ? 'pg2' : 'pg1';
  const made = healthy('on', { config: { ttl: share >= 0.5 ? 20 : 30, ...config } });
  made.sql('pg1').currentLsn = position;
  for (const [name, lag] of [
    ['pg2', noise],
    ['pg3', noise + behind],
  ] as const) {
    Object.assign(made.sql(name), { receiveLsn: position - lag / 2n, replayLsn: position - lag });
  }
  if (share >= 0.3 && share < 0.31) {
    Object.assign(made.readings('pg1'), { rest: DEAD, sql: DEAD });
    if (share >= 0.303) made.snapshot.cluster.leaderName = null;
    return made.snapshot;
  }
  return leads === 'pg1' ? made.snapshot : named(made.snapshot, { pg1: 'pg2', pg2: 'pg1' });
}

/** The looks of the day, each with the one before it as `previous`. */
export function* looksOf({ looks, intervalMs, names = {}, config = {} }: Day): Generator<Look> {
  let previous: Snapshot | null = null;
  for (let at = 0; at < looks; at += 1) {
    const atMs = BEGAN_MS + at * intervalMs;
    const takenAt = new Date(atMs - 50).toISOString();
    const now: Snapshot = { ...named(momentOf(at / looks, at, config), names), takenAt };
    yield { atMs, snapshot: { ...now, previous } };
    previous = now;
  }
}

/** The lines of the day: the recorder was killed at three quarters, and began again a twentieth later. */
export function* linesOf(day: Day): Generator<RecordLine> {
  const start = (atMs: number): RecordLine => ({
    kind: 'start',
    at: new Date(atMs).toISOString(),
    schemaVersion: 1,
    patctl: '0.0.0',
    intervalMs: day.intervalMs,
    rotated: false,
  });
  let before: Snapshot | null = null;
  let at = 0;
  for (const { atMs, snapshot } of looksOf(day)) {
    const share = (at += 1) / day.looks;
    if (share > 0.75 && share < 0.8) {
      before = null;
      continue;
    }
    const time = new Date(atMs).toISOString();
    const { scope, group } = snapshot.cluster;
    const now = { ...snapshot, previous: null };
    if (before === null) {
      yield start(atMs);
      yield snapshotLine(now, time);
    } else {
      yield changeLine(now, changesBetween(before, now), time);
      for (const event of eventsOf(before, now, time)) {
        yield { kind: 'event', at: time, scope, group, event };
      }
    }
    before = now;
  }
  yield {
    kind: 'end',
    at: new Date(BEGAN_MS + day.looks * day.intervalMs).toISOString(),
    reason: 'SIGTERM',
  };
}

/** Writes them to a file, line by line. */
export function writeDay(file: string, day: Day): Promise<void> {
  return writeLines(file, linesOf(day));
}

export async function writeLines(file: string, lines: Iterable<RecordLine>): Promise<void> {
  const stream = createWriteStream(file);
  for (const line of lines) {
    if (!stream.write(lineText(line))) await once(stream, 'drain');
  }
  stream.end();
  await finished(stream);
}

/** Every text, and every key, with other names of members in it. */
export function named<T>(value: T, names: Record<string, string>): T {
  if (Object.keys(names).length === 0) return value;
  const pattern = new RegExp(`\\b(?:${Object.keys(names).join('|')})\\b`, 'g');
  const text = (one: string) => one.replace(pattern, (found) => names[found] ?? found);
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return text(one);
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, item]) => [text(key), walk(item)]));
  };
  return walk(value) as T;
}

/** Names that a page must not take for markup, a terminal must not obey, and a picture has no room for. */
export const HOSTILE_NAMES: Record<string, string> = {
  pg1: `<script>alert(1)</script>"' onload=alert(1) x='\u0000\u202egp</title></svg>`,
  pg2: `</style></script><img src=x onerror=alert(1)>]]>-->`,
  pg3: `&lt;${'x'.repeat(9_995)}\n`,
};

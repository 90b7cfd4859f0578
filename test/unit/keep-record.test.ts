/** What `record` writes: changes that matter, events once, files that are never torn. */
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { sharedParts } from '../../src/cluster/model/shared-parts.js';
import { parsePast } from '../../src/cli/past-time.js';
import { keepRecord } from '../../src/dcs/recording/keep-record.js';
import type { RecordLine } from '../../src/dcs/recording/record-lines.js';
import { openRecordWriter } from '../../src/dcs/recording/record-writer.js';
import { ToolError } from '../../src/errors.js';
import { healthy, type ProcessEnvironment } from './plan-support.js';

const OF = { scope: 'demo', group: null };
const time = (seconds: number): string =>
  new Date(Date.UTC(2026, 10, 28, 15, 0, seconds)).toISOString();

function look(change: (world: ProcessEnvironment) => void = () => undefined) {
  const world = healthy();
  change(world);
  return world.snapshot;
}

const seen = (seconds: number, snapshot = look(), isStale = false) => ({
  at: time(seconds),
  snapshot,
  isStale,
});

const kinds = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const read = JSON.parse(line) as RecordLine;
      return read.kind === 'event' ? read.event.code : read.kind;
    });

describe('the lines of a cluster', () => {
  test('a snapshot first; ages and durations alone are not written, but along with the rest', () => {
    const keeper = keepRecord(2000);
    expect(kinds(keeper.seen(OF, seen(0)))).toEqual(['snapshot']);
    const older = look((world) => (world.sql('pg1').oldestXactAgeMs = 5000));
    expect(keeper.seen(OF, seen(2, older))).toBe('');
    const moved = look((world) => {
      world.sql('pg1').oldestXactAgeMs = 7000;
      world.sql('pg1').currentLsn = 0x6000000n;
    });
    const [line = ''] = keeper.seen(OF, seen(4, moved)).split('\n');
    expect((JSON.parse(line) as { changes: { path: string }[] }).changes).toEqual([
      { op: 'replace', path: '/members/0/sql/value/currentLsn', value: { $lsn: '0/6000000' } },
      { op: 'replace', path: '/members/0/sql/value/oldestXactAgeMs', value: 7000 },
    ]);
  });

  test('at rest a line a minute shows that it still records', () => {
    const keeper = keepRecord(2000);
    keeper.seen(OF, seen(0));
    const lines = Array.from({ length: 65 }, (_, index) => {
      const snapshot = look((world) => (world.sql('pg1').oldestXactAgeMs = 100 + index));
      return kinds(keeper.seen(OF, seen(2 * (index + 1), snapshot)));
    });
    expect(lines.flat()).toEqual(['change', 'change']);
  });

  test('the DCS falls silent and answers again', () => {
    const keeper = keepRecord(2000);
    keeper.seen(OF, seen(0));
    const error = new ToolError('unreachable', 'etcd did not answer');
    expect(kinds(keeper.seen(OF, { at: time(2), error }))).toEqual(['dcs_silent']);
    expect(kinds(keeper.seen(OF, seen(4, look(), true)))).not.toContain('dcs_answers');
    expect(kinds(keeper.seen(OF, seen(6)))).toContain('dcs_answers');
    expect(keeper.seen(OF, seen(8))).toBe('');
  });

  test('a file that begins holds every cluster, and each event once', () => {
    const keeper = keepRecord(2000);
    const other = { scope: 'other', group: 1 };
    keeper.seen(OF, seen(0));
    keeper.seen(other, seen(0));
    keeper.wrote();
    const led = look(({ snapshot }) => (snapshot.cluster.leaderName = null));
    expect(kinds(keeper.seen(OF, seen(2, led)))).toContain('leader_key_lost');
    const begun = kinds(keeper.begin(time(2), true));
    expect(begun.slice(0, 2)).toEqual(['start', 'snapshot']);
    expect(begun.filter((kind) => kind === 'snapshot')).toHaveLength(2);
    expect(begun).toContain('leader_key_lost');
    keeper.wrote();
    expect(kinds(keeper.begin(time(4), true))).toEqual(['start', 'snapshot', 'snapshot']);
  });
});

describe('the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'patctl-keep-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let count = 0;
  const fresh = (): string => join(folder, `f${(count += 1)}.jsonl`);
  const begin = (isRotated: boolean): string =>
    `{"kind":"start","rotated":${isRotated}}\n{"kind":"snapshot"}\n`;
  const START = begin(false);
  const UNLIMITED = { maxBytes: null, keep: 3 };

  async function failure(work: Promise<unknown>): Promise<string> {
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    return error instanceof ToolError ? error.code : 'none';
  }

  test('a run begins with its own lines, and is appended to the one before', async () => {
    const file = fresh();
    for (const run of [1, 2]) {
      const writer = await openRecordWriter(file, UNLIMITED);
      expect(await writer.write('never\n', begin)).toBe(false);
      expect(await writer.write(`line ${run}\n`, begin)).toBe(true);
      await writer.close();
    }
    expect(readFileSync(file, 'utf8')).toBe(`${START}line 1\n${START}line 2\n`);
  });

  test('a torn last line is taken away before anything is appended, however long it is', async () => {
    for (const tail of ['{"kind":"cha', 'x'.repeat(200_000)]) {
      const file = fresh();
      writeFileSync(file, START + tail);
      const writer = await openRecordWriter(file, UNLIMITED);
      await writer.write('', begin);
      await writer.close();
      expect(readFileSync(file, 'utf8')).toBe(START + START);
    }
  });

  test('what is not a recording is left as it is', async () => {
    const file = fresh();
    writeFileSync(file, '{"kind": "patctl-snapshot"}\n');
    expect(await failure(openRecordWriter(file, UNLIMITED))).toBe('not_a_recording');
    expect(await failure(openRecordWriter('/dev/null', UNLIMITED))).toBe('not_written');
    expect(await failure(openRecordWriter(join(folder, 'no/such'), UNLIMITED))).toBe('not_written');
    expect(readFileSync(file, 'utf8')).toBe('{"kind": "patctl-snapshot"}\n');
  });

  test.runIf(process.platform === 'linux')(
    'a second recorder is refused, by whatever path, until the first one has ended',
    async () => {
      const file = fresh();
      const writer = await openRecordWriter(file, UNLIMITED);
      await writer.write('', begin);
      symlinkSync(file, `${file}.link`);
      for (const path of [file, `${file}.link`, relative('.', file)])
        expect(await failure(openRecordWriter(path, UNLIMITED))).toBe('recording_in_use');
      expect(readFileSync(file, 'utf8')).toBe(START);
      // Beside it is another recording.
      const beside = await openRecordWriter(`${file}.other`, UNLIMITED);
      await Promise.all([writer.close(), beside.close()]);
      const later = await openRecordWriter(`${file}.link`, UNLIMITED);
      await later.close();
    },
  );

  test('at its size it becomes FILE.1, and only so many are kept', async () => {
    const file = fresh();
    const writer = await openRecordWriter(file, { maxBytes: 100, keep: 2 });
    await writer.write('', begin);
    const written: boolean[] = [];
    for (let line = 0; line < 8; line += 1)
      written.push(await writer.write(`${'x'.repeat(29)}${line}\n`, begin));
    await writer.close();
    // Each file has its beginning and one line; the line that did not fit is told by the next beginning.
    expect(written).toEqual([true, false, true, false, true, false, true, false]);
    const rotated = begin(true);
    expect(readFileSync(file, 'utf8')).toBe(rotated);
    expect(readFileSync(`${file}.1`, 'utf8')).toBe(`${rotated}${'x'.repeat(29)}6\n`);
    expect(readFileSync(`${file}.2`, 'utf8')).toBe(`${rotated}${'x'.repeat(29)}4\n`);
    expect(existsSync(`${file}.3`)).toBe(false);
  });

  test('a file that another program moved away begins again; one that it wrote to is left', async () => {
    const file = fresh();
    const writer = await openRecordWriter(file, UNLIMITED);
    await writer.write('', begin);
    renameSync(file, `${file}.moved`);
    expect(await writer.write('line\n', begin)).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe(START);
    appendFileSync(file, 'theirs');
    expect(await failure(writer.write('line\n', begin))).toBe('recording_changed');
    expect(readFileSync(file, 'utf8')).toBe(`${START}theirs`);
    await writer.close();
  });
});

describe('a moment in the past', () => {
  const now = Date.parse('2026-11-28T15:00:00Z');
  test.each([
    ['-5m', '2026-11-28T14:55:00.000Z'],
    ['-1h30m', '2026-11-28T13:30:00.000Z'],
    ['now', '2026-11-28T15:00:00.000Z'],
    ['02:15', '2026-11-28T01:15:00.000Z'],
    ['2:15:30', '2026-11-28T01:15:30.000Z'],
    ['2026-11-27T02:15Z', '2026-11-27T02:15:00.000Z'],
    ['2026-11-27 02:15 Asia/Tokyo', '2026-11-26T17:15:00.000Z'],
  ])('%s, seen from Berlin', (text, wanted) => {
    expect(new Date(parsePast(text, now, 'Europe/Berlin')).toISOString()).toBe(wanted);
  });
  test.each([
    ['16:01', 'time_in_future'],
    ['+5m', 'time_in_future'],
    ['2026-11-28T15:00', 'schedule_zone'],
    ['yesterday', 'time_unreadable'],
    ['25:00', 'schedule_unreadable'],
  ])('%s is refused', (text, code) => {
    const read = () => parsePast(text, now, 'Europe/Berlin');
    expect(read).toThrow(expect.objectContaining({ code, ending: 'usage' }) as Error);
  });
});

test('equal parts of two values become the same objects', () => {
  const before = { a: { b: [1, { c: 1n }] }, d: { e: 1 }, f: [1, 2] };
  const now = { a: { b: [1, { c: 1n }] }, d: { e: 2 }, f: [1] };
  const shared = sharedParts(before, now);
  expect(shared).toEqual(now);
  expect(shared.a).toBe(before.a);
  expect(shared.d).not.toBe(before.d);
  expect(sharedParts(before, structuredClone(before))).toBe(before);
  expect(sharedParts({ a: undefined }, { b: undefined })).toEqual({ b: undefined });
});

test('a value is copied only where a part comes from the other one, and neither is changed', () => {
  const before = { list: [{ x: 1 }, { y: 1 }], flat: { z: 1 } };
  const now = { list: [{ x: 1 }, { y: 2 }, { y: 3 }], flat: { z: 2 } };
  const whole = structuredClone(now);
  const shared = sharedParts(before, now);
  expect([shared, now]).toEqual([whole, whole]);
  expect(shared.list[0]).toBe(before.list[0]);
  expect(now.list[0]).not.toBe(before.list[0]);
  expect(shared.list[1]).toBe(now.list[1]);
  expect(shared.flat).toBe(now.flat);
});

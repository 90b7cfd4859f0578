/** A recording: what is written comes back, gaps are named, and no secret goes in. */
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import type { Snapshot } from '../../src/cluster/model/model.js';
import { applyChanges, changesBetween } from '../../src/dcs/recording/record-changes.js';
import type { Recorded, RecordLine } from '../../src/dcs/recording/record-lines.js';
import { firstLine } from '../../src/dcs/recording/record-files.js';
import { changeLine, lineText, snapshotLine } from '../../src/dcs/recording/record-text.js';
import { readRecord } from '../../src/dcs/recording/read-record.js';
import { ToolError } from '../../src/errors.js';
import { DEAD, healthy } from './plan-support.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

const time = (seconds: number): string =>
  new Date(Date.UTC(2026, 10, 28, 15, 0, seconds)).toISOString();

const start = (seconds: number, rotated = false): RecordLine => ({
  kind: 'start',
  at: time(seconds),
  schemaVersion: 1,
  patctl: '1.0.0',
  intervalMs: 2000,
  rotated,
});
const end = (seconds: number): RecordLine => ({
  kind: 'end',
  at: time(seconds),
  reason: 'SIGTERM',
});

/** Three looks at a cluster: healthy, pg2 silent, a member gone. */
function looks(): [Snapshot, Snapshot, Snapshot] {
  const [first, second, third] = [healthy('on'), healthy('on'), healthy('on')];
  Object.assign(second.readings('pg2'), { rest: DEAD, sql: DEAD });
  second.sql('pg1').currentLsn = 0x6000000n;
  const { cluster } = third.snapshot;
  third.snapshot.cluster = { ...cluster, members: cluster.members.slice(0, 2), sync: null };
  third.snapshot.members = third.snapshot.members.slice(0, 2);
  return [first.snapshot, second.snapshot, third.snapshot];
}

function run(from: number, isRotated = false): RecordLine[] {
  const [first, second, third] = looks();
  return [
    start(from, isRotated),
    snapshotLine(first, time(from)),
    changeLine(second, changesBetween(first, second), time(from + 2)),
    changeLine(third, changesBetween(second, third), time(from + 4)),
  ];
}

let files = 0;
function written(lines: readonly RecordLine[], tail = ''): string {
  const file = join(folder, `r${(files += 1)}.jsonl`);
  writeFileSync(file, lines.map(lineText).join('') + tail);
  return file;
}

async function all(file: string): Promise<Recorded[]> {
  const read: Recorded[] = [];
  for await (const one of readRecord(file)) read.push(one);
  return read;
}

const kinds = (read: readonly Recorded[]): string[] =>
  read.map((one) => (one.kind === 'gap' ? `gap: ${one.reason}` : one.kind));

const snapshots = (read: readonly Recorded[]): Snapshot[] =>
  read.flatMap((one) => (one.kind === 'snapshot' ? [{ ...one.snapshot, previous: null }] : []));

async function failure(file: string): Promise<string> {
  const error: unknown = await all(file).catch((thrown: unknown) => thrown);
  if (!(error instanceof ToolError)) throw new Error('it was read');
  expect(error.code).toBe('recording_unreadable');
  return error.message;
}

test('every snapshot comes back as it was, each with the one before it', async () => {
  const read = await all(written([...run(0), end(6)]));
  expect(kinds(read)).toEqual(['start', 'snapshot', 'snapshot', 'snapshot', 'end']);
  expect(snapshots(read)).toEqual(looks());
  const last = read[3];
  if (last?.kind !== 'snapshot') throw new Error('no snapshot');
  expect(last.snapshot.previous).toEqual(looks()[1]);
});

test('a gzipped one is read like a plain one', async () => {
  const file = written([]);
  writeFileSync(file, gzipSync(run(0).map(lineText).join('')));
  expect(snapshots(await all(file))).toEqual(looks());
});

test('rotated files are read first, the oldest of them before the others', async () => {
  const file = written([...run(20, true), end(26)]);
  writeFileSync(`${file}.1`, run(10, true).map(lineText).join(''));
  writeFileSync(`${file}.2.gz`, gzipSync(run(0).map(lineText).join('')));
  writeFileSync(`${file}.old`, 'not ours');
  const read = await all(file);
  expect(read.map(({ at }) => at)).toEqual(read.map(({ at }) => at).toSorted());
  expect(kinds(read).filter((kind) => kind !== 'snapshot')).toEqual([
    'start',
    'start',
    'start',
    'end',
  ]);
  expect(snapshots(read)).toEqual([...looks(), ...looks(), ...looks()]);
});

test('a last line that a crash tore is a named gap, wherever it was torn', async () => {
  const whole = run(0).map(lineText).join('');
  const lengthOfLast = lineText(run(0)[3] as RecordLine).length;
  for (const cut of [1, 2, lengthOfLast - 1]) {
    const file = written(run(0));
    truncateSync(file, statSync(file).size - cut);
    const read = await all(file);
    if (cut === 1) {
      expect(snapshots(read)).toEqual(looks());
      continue;
    }
    expect(snapshots(read)).toEqual(looks().slice(0, 2));
    expect(kinds(read).at(-1)).toBe(`gap: line 4 of ${file} was not written to its end`);
  }
  expect(whole.endsWith('\n')).toBe(true);
});

test('a new run behind a torn line, and one behind a run without an end, are named gaps', async () => {
  const file = written(run(0), '{"kind":"cha');
  appendFileSync(file, `\n${run(10).map(lineText).join('')}`);
  appendFileSync(file, run(20).map(lineText).join(''));
  const read = await all(file);
  expect(kinds(read).filter((kind) => kind !== 'snapshot')).toEqual([
    'start',
    `gap: line 5 of ${file} was not written to its end`,
    'start',
    'gap: the run before has no end: it was killed, or the machine went down',
    'start',
  ]);
  expect(snapshots(read)).toEqual([...looks(), ...looks(), ...looks()]);
});

test.each<[string, (lines: string[]) => string[], string]>([
  ['a damaged line', (lines) => lines.with(2, '{"kind":'), 'line 3'],
  ['a change without a snapshot', (lines) => lines.toSpliced(1, 1), 'line 2'],
  ['no start', (lines) => lines.slice(1), 'line 1'],
  ['no JSON at all', () => ['hello', 'world'], 'line 1'],
  [
    'a change that does not fit',
    (lines) =>
      lines.with(
        2,
        `{"kind":"change","at":"${time(2)}","scope":"demo","group":null,"changes":[{"op":"replace","path":"/cluster/no/such","value":1}]}`,
      ),
    'line 3',
  ],
  [
    'a change that makes no snapshot',
    (lines) =>
      lines.with(
        2,
        `{"kind":"change","at":"${time(2)}","scope":"demo","group":null,"changes":[{"op":"remove","path":"/members"}]}`,
      ),
    'line 3',
  ],
  [
    'a change of a prototype',
    (lines) =>
      lines.with(
        2,
        `{"kind":"change","at":"${time(2)}","scope":"demo","group":null,"changes":[{"op":"add","path":"/__proto__/polluted","value":1}]}`,
      ),
    'line 3',
  ],
  [
    'a newer version',
    (lines) => lines.with(0, (lines[0] ?? '').replace('"schemaVersion":1', '"schemaVersion":2')),
    'newer patctl',
  ],
])('%s is an error that names its line', async (_, spoil, named) => {
  const lines = run(0).map((line) => lineText(line).trimEnd());
  const file = written([]);
  writeFileSync(file, `${spoil(lines).join('\n')}\n`);
  expect(await failure(file)).toContain(named);
  expect('polluted' in {}).toBe(false);
});

test('a file that is not there is an error', async () => {
  expect(await failure(join(folder, 'absent.jsonl'))).toContain('ENOENT');
});

test('no secret goes in, neither with a snapshot nor with a change', () => {
  const [before, now] = [healthy().snapshot, healthy().snapshot];
  const hide = (snapshot: Snapshot, secret: string) => {
    const { config } = snapshot.cluster;
    if (config) {
      config.raw['postgresql'] = { authentication: { replication: { password: secret } } };
      config.text = JSON.stringify(config.raw);
    }
    const [first] = snapshot.cluster.members;
    if (first) first.connUrl = `postgres://u:${secret}@10.0.0.1:5431/postgres`;
    const [readings] = snapshot.members;
    if (readings?.sql.ok)
      readings.sql.value.settings['primary_conninfo'] = {
        value: `host=a password=${secret}`,
        source: null,
        sourcefile: null,
        pendingRestart: false,
      };
  };
  hide(before, 'hunter2');
  hide(now, 'hunter3');
  const changes = changesBetween(before, now);
  expect(changes.length).toBe(4);
  const text =
    lineText(snapshotLine(before, time(0))) + lineText(changeLine(now, changes, time(2)));
  expect(text).not.toContain('hunter');
  expect(text.match(/\*\*\*/g)?.length).toBeGreaterThan(4);
});

test('what did not change is shared, and the snapshot before stays as it was', () => {
  const [first, second] = looks();
  const made = applyChanges(first, changesBetween(first, second));
  expect(first).toEqual(looks()[0]);
  expect(made).toEqual(second);
  expect(made.members[2]).toBe(first.members[2]);
  expect(made.cluster).toBe(first.cluster);
});

test('a file that is left after its first line is closed once: no other file is closed with it', async () => {
  const long = join(folder, 'long.json');
  writeFileSync(long, '{\n'.repeat(60_000));
  const zipped = join(folder, 'long.json.gz');
  writeFileSync(zipped, gzipSync('{\n'.repeat(60_000)));
  for (const file of [long, zipped]) {
    for (let turn = 0; turn < 20; turn += 1) {
      expect(await firstLine(file)).toBe('{');
      const other = openSync(long, 'r');
      // Whatever is still under way in the threads of the process is over after this.
      await Promise.all(Array.from({ length: 8 }, () => stat(long)));
      expect(() => closeSync(other)).not.toThrow();
    }
  }
});

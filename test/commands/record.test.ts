/** `record` as a person and a service see it, and what the reading commands make of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import {
  fleetOf,
  recorded,
  runFake,
  type FakeCluster,
  type FakeRun,
} from '../support/fake-world.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BRIEFLY = ['--for', '250ms', '--interval', '100ms'];

/** Records into the file until it has so many snapshots in all: one a cluster and run. */
async function recordUntil(world: FakeCluster, file: string, snapshots: number): Promise<FakeRun> {
  const stop = new AbortController();
  const words = ['record', 'demo', '-o', file, '--interval', '100ms'];
  const done = runFake({ ...world, signal: stop.signal }, words);
  const written = () => kinds(readFileSync(file, 'utf8')).filter((kind) => kind === 'snapshot');
  await vi.waitFor(() => expect(written()).toHaveLength(snapshots), SOON);
  stop.abort();
  return done;
}

const SOON = { interval: 10, timeout: 20_000 };

function kinds(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
}

test('without -o the lines are on stdout, from start to end', async () => {
  const { code, out, err } = await runFake(recorded('on'), ['record', 'demo', ...BRIEFLY]);
  expect([code, err]).toEqual([0, '']);
  expect(kinds(out).slice(0, 2)).toEqual(['start', 'snapshot']);
  expect(kinds(out).at(-1)).toBe('end');
  expect(out).toContain('"reason":"--for"');
});

describe('a file', () => {
  const file = join(folder, 'demo.jsonl');
  const read = (...words: string[]) =>
    runFake({ keys: {} }, ['status', 'demo', '--snapshot', file, ...words]);

  test('is appended to by a later run', async () => {
    for (const run of [1, 2]) {
      const done = await recordUntil(recorded('on'), file, run);
      expect([done.code, done.out, done.err]).toEqual([0, '', '']);
    }
    const lines = kinds(readFileSync(file, 'utf8'));
    expect(lines.filter((kind) => kind !== 'change' && kind !== 'event')).toEqual([
      'start',
      'snapshot',
      'end',
      'start',
      'snapshot',
      'end',
    ]);
  });

  test('is read by --snapshot as the cluster was at its end, or --at a moment', async () => {
    const live = await runFake(recorded('on'), ['list', 'demo']);
    const last = await runFake({ keys: {} }, ['list', 'demo', '--snapshot', file]);
    expect([last.code, last.out]).toEqual([live.code, live.out]);
    const first = JSON.parse(readFileSync(file, 'utf8').split('\n')[1] ?? '') as { at: string };
    const then = await runFake({ keys: {} }, ['list', '--snapshot', file, '--at', first.at]);
    expect([then.code, then.out]).toEqual([live.code, live.out]);
  });

  test('tells that nothing was recorded at a time', async () => {
    const early = await read('--at', '2020-01-01T00:00Z');
    expect([early.code, early.out]).toEqual([1, '']);
    expect(early.err).toMatch(/holds nothing of 2020-01-01T00:00:00.000Z\nit begins at /);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const late = await read('--at', 'now');
    expect([late.code, late.out]).toEqual([1, '']);
    expect(late.err).toMatch(/^Error: nothing was recorded at .*\nthe run before ended at /);
  });

  test.each([
    [['--at', 'soon'], '"soon" is not a valid time'],
    [['--at', '2999-01-01T00:00Z'], '2999-01-01T00:00Z is in the future'],
  ])('%j is exit 2', async (words, message) => {
    const { code, out, err } = await read(...words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  test('--at needs a recording of record', async () => {
    const alone = await runFake(recorded('on'), ['list', 'demo', '--at', '-5m']);
    expect([alone.code, alone.out]).toEqual([2, '']);
    expect(alone.err).toContain('--at needs --snapshot FILE');
    const snapshot = join(folder, 'snapshot.json');
    await runFake(recorded('on'), ['snapshot', 'demo', '-o', snapshot]);
    const plain = await runFake({ keys: {} }, ['list', '--snapshot', snapshot, '--at', '-5m']);
    expect([plain.code, plain.out]).toEqual([2, '']);
    expect(plain.err).toContain(`${snapshot} is a snapshot`);
  });
});

test('a file that is not a recording is refused, and left as it is', async () => {
  const file = join(folder, 'notes.txt');
  writeFileSync(file, 'my notes\n');
  const { code, out, err } = await runFake(recorded('on'), ['record', 'demo', '-o', file]);
  expect([code, out]).toEqual([1, '']);
  expect(err).toContain(`${file} is not a recording of patctl record; nothing was written`);
  expect(readFileSync(file, 'utf8')).toBe('my notes\n');
});

test('a name that ends in .gz is exit 2', async () => {
  const { code } = await runFake(recorded('on'), ['record', 'demo', '-o', `${folder}/a.jsonl.gz`]);
  expect(code).toBe(2);
});

test('one cluster that does not exist ends it with exit 1', async () => {
  const { code, err } = await runFake(recorded('on'), ['record', 'demo', 'nope', ...BRIEFLY]);
  expect(code).toBe(1);
  expect(err).toContain('no cluster "nope"');
});

test('--all records every cluster of the namespace', async () => {
  const { code, out, err } = await runFake(fleetOf(3), ['record', '--all', ...BRIEFLY]);
  expect([code, err]).toEqual([0, '']);
  const of = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; scope?: string });
  expect(of.filter(({ kind }) => kind === 'start')).toHaveLength(1);
  const first = of.filter(({ kind }) => kind === 'snapshot').map(({ scope }) => scope);
  expect(first.sort()).toEqual(['c00', 'c01', 'c02']);
  for (const words of [['demo'], ['--group', '1']])
    expect((await runFake(fleetOf(3), ['record', '--all', ...words])).code).toBe(2);
});

test('of a Citus cluster each group is recorded, and read back with --group and --at', async () => {
  const { keys, ...world } = recorded('off');
  const of = (group: number) =>
    Object.entries(keys).map(([key, value]) => [key.replace('/demo/', `/demo/${group}/`), value]);
  const citus = { ...world, keys: Object.fromEntries([...of(0), ...of(1)]) as typeof keys };
  const file = join(folder, 'citus.jsonl');
  const done = await recordUntil(citus, file, 2);
  expect([done.code, done.err]).toEqual([0, '']);
  // Another run, after the other group has changed its leader.
  const dcs = memoryStore(citus.keys);
  dcs.put('/service/demo/1/leader', 'pg2');
  const after = { ...citus, keys: {}, dcs };
  const later = await recordUntil(after, file, 4);
  expect([later.code, later.err]).toEqual([0, '']);
  const first = readFileSync(file, 'utf8')
    .split('\n')
    .find((line) => line.includes('"kind":"end"'));
  const { at } = JSON.parse(first ?? '') as { at: string };
  const list = (of: FakeCluster, ...words: string[]) => runFake(of, ['list', 'demo', ...words]);
  for (const words of [[], ['--group', '1']]) {
    const [live, changed] = [await list(citus, ...words), await list(after, ...words)];
    expect(changed.out).not.toBe(live.out);
    const then = await list({ keys: {} }, ...words, '--snapshot', file, '--at', at);
    const last = await list({ keys: {} }, ...words, '--snapshot', file);
    expect([then.code, then.out, last.out]).toEqual([live.code, live.out, changed.out]);
  }
});

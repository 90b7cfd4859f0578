/** `top` where there is no terminal, or with --plain: lines; and how it ends. */
import { expect, test } from 'vitest';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import { recorded, runFake, type FakeRun } from '../support/fake-world.js';

/** Ends it when a line matches; `then` is done once everything was printed. */
async function topUntil(
  end: RegExp,
  args: readonly string[],
  then: (dcs: MemoryStore) => void = () => undefined,
): Promise<FakeRun> {
  const cluster = recorded('on');
  const dcs = memoryStore(cluster.keys);
  const stop = new AbortController();
  let out = '';
  let isDone = false;
  const onOut = (text: string): void => {
    out += text;
    if (!isDone && /member pg3/.test(out)) {
      isDone = true;
      then(dcs);
    }
    if (isDone && end.test(out)) stop.abort();
  };
  return runFake({ ...cluster, dcs, signal: stop.signal, onOut }, ['top', ...args]);
}

const withoutTime = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ''));

test('without a terminal it prints lines, each with its time and its cluster, and no escape', async () => {
  const { code, out, err } = await topUntil(/member pg3/, ['demo']);
  expect([code, err]).toEqual([0, '']);
  expect(withoutTime(out)).toEqual(
    [
      'OK pg2 leads, 2 replicas, nothing is wrong',
      'Cluster: demo (7710410091562263061)',
      'Leader: pg2, seen as primary, timeline 1, at 0/5000088',
      'Mode: normal',
      'Sync: on, /sync leader pg2, standbys pg1; synchronous_standby_names not read',
      'Votes: synchronous pg1; survives losing the leader and 0 members more',
      'Pending: nothing',
      'Witnesses: DCS at revision 9, REST 3 of 3, SQL 0 of 0',
      'member pg1: replica, streaming, timeline 1, lag 0 B, sync, verdict ok',
      'member pg2: primary, running, timeline 1, verdict ok',
      'member pg3: replica, streaming, timeline 1, lag 0 B, async, verdict ok',
    ].map((text) => `demo: ${text}`),
  );
  expect(out).not.toContain('\x1b');
  for (const line of out.trimEnd().split('\n')) expect(line).toMatch(/^20\d\d-.*Z demo: /);
});

test('what happens is a line as soon as the DCS says so', async () => {
  const { code, out } = await topUntil(/paused/, ['demo', '--interval', '200ms'], (dcs) => {
    dcs.put('/service/demo/config', JSON.stringify({ ttl: 20, loop_wait: 2, pause: true }));
  });
  expect(code).toBe(0);
  expect(withoutTime(out).slice(11)).toContainEqual(expect.stringMatching(/^demo: .*paused/));
});

test('a cluster that does not exist is exit 1', async () => {
  const run = await runFake(recorded('on'), ['top', 'nosuch']);
  expect([run.code, run.out]).toEqual([1, '']);
  expect(run.err).toBe('Error: no cluster "nosuch" in /service\nclusters in /service: demo\n');
});

test.each([
  [['demo', 'demo'], 'cluster demo is named twice'],
  [['demo', '--interval', '100ms'], 'expected a time of at least 200ms'],
])('%j is exit 2', async (args, message) => {
  const run = await runFake(recorded('on'), ['top', ...args]);
  expect([run.code, run.out]).toEqual([2, '']);
  expect(run.err).toContain(message);
});

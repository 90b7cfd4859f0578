/** `--all`: no cluster waits for another, and what is known is on the screen. */
import { expect, test } from 'vitest';
import { fleetOf, recorded, runFake, type FakeCluster } from '../support/fake-world.js';

/** Resolves when `count` calls wait in it; until then none returns. */
function barrier(count: number): () => Promise<void> {
  let left = count;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return () => {
    left -= 1;
    if (left === 0) open();
    return opened;
  };
}

const SILENT = { ok: false, kind: 'unreachable', reason: 'connect ECONNREFUSED' } as const;

test.each(['check', 'list', 'topology'])('%s asks thirty clusters at once', async (command) => {
  const meet = barrier(30 * 3);
  const status = async () => {
    await meet();
    return SILENT;
  };
  const args = command === 'check' ? ['--settle', '0'] : [];
  const { out } = await runFake({ ...fleetOf(30), status }, [command, '--all', ...args]);
  expect(out).toContain('c29');
});

test('one slow cluster delays only the tables behind it, and no document is cut in two', async () => {
  const { rest = {} } = recorded('on');
  let answer = (): void => undefined;
  const slow = new Promise<void>((resolve) => (answer = resolve));
  let seen = '';
  const status: FakeCluster['status'] = async ({ name, scope }) => {
    if (scope === 'c02') await slow;
    return rest[name] ?? SILENT;
  };
  const onOut = (text: string): void => {
    seen += text;
    if (seen.includes('Cluster: c01')) answer();
  };
  const { out } = await runFake({ ...fleetOf(4), status, onOut }, ['list', '--all']);
  expect(out.match(/Cluster: c\d\d/g)).toEqual(
    ['00', '01', '02', '03'].map((at) => `Cluster: c${at}`),
  );

  answer();
  const json = await runFake({ ...fleetOf(4), status }, ['list', '--all', '-f', 'json']);
  expect(JSON.parse(json.out)).toHaveLength(12);
});

test('a terminal is told how many clusters have been read, and the line is taken away', async () => {
  let nowMs = Date.parse('2026-11-21T08:00:00Z');
  const clock = { nowMs: () => (nowMs += 60), wait: () => Promise.resolve() };
  const run = (tty: boolean) =>
    runFake({ ...fleetOf(20), clock, ...(tty ? { answers: [] } : {}) }, ['check', '--all']);
  const told = (await run(true)).err;
  expect(told).toMatch(/\x1b\[1G\x1b\[K\d+ of 20 clusters read\x1b\[1G\x1b\[K/);
  expect(told.endsWith('\x1b[1G\x1b[K')).toBe(true);
  expect((await run(false)).err).not.toContain('clusters read');
});

/** Every wait prints its reason at least every ten seconds. */
import { expect, test } from 'vitest';
import { answerAwaited, until } from '../../src/actions/kit/until.js';
import { actionPrinter } from '../../src/actions/kit/print-action.js';
import type { Context } from '../../src/context.js';
import { quickClock } from '../support/fake-world.js';

function world(compat = false): { context: Context; said: string[] } {
  const said: string[] = [];
  const io = { err: (text: string) => said.push(text) };
  const { signal } = new AbortController();
  const flags = { compat, program: 'patctl', wayIn: [] };
  const context = { clock: quickClock(), io, signal, flags } as unknown as Context;
  return { context, said };
}

const limit = (context: Context, seconds: number) => ({
  atMs: context.clock.nowMs() + 1000 * seconds,
  everyMs: 500,
  goesOn: 'it goes on',
  awaits: () => 'pg2 to stream',
  ...actionPrinter(context),
});

test('a wait of 25 s says it twice, with the time that has passed', async () => {
  const { context, said } = world();
  expect(await until(context, limit(context, 25), () => Promise.resolve(null))).toBeNull();
  expect(said).toEqual([
    'waiting for pg2 to stream, 10.0 s so far\n',
    'waiting for pg2 to stream, 20.0 s so far\n',
  ]);
});

test('one of 9 s says nothing, and neither does patronictl', async () => {
  const short = world();
  await until(short.context, limit(short.context, 9), () => Promise.resolve(null));
  expect(short.said).toEqual([]);
  const compat = world(true);
  await until(compat.context, limit(compat.context, 25), () => Promise.resolve(null));
  expect(compat.said).toEqual([]);
});

test('a slow answer is reported as awaited until it arrives', async () => {
  const { context, said } = world();
  const answer = new Promise<string>((resolve) => {
    const timer = setInterval(() => {
      if (said.length < 2) return;
      clearInterval(timer);
      resolve('done');
    }, 1);
  });
  const awaits = () => 'the answer of pg1 to POST /restart (REST: primary, restarting)';
  expect(
    await answerAwaited(context, answer, { awaits, everyMs: 2, ...actionPrinter(context) }),
  ).toBe('done');
  expect(said[0]).toMatch(
    /^waiting for the answer of pg1 to POST \/restart \(REST: primary, restarting\), 0\.\d s so far\n$/,
  );
});

/** Five minutes of chaos: clusters broken at random, and each word of patctl held against SQL. */
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Incident } from '../support/chaos/beside.js';
import { runChaos, type Summary } from '../support/chaos/chaos.js';
import { confirmed } from '../support/chaos/confirmed.js';
import { BUNDLE } from '../support/run.js';
import { testOwner } from '../support/shared.js';

const MINUTES = 5;
const LIMIT_MS = 8 * 60_000;
/** What came about is looked up here when it fails. */
const LOG = fileURLToPath(new URL('../../dist/chaos.log', import.meta.url));

const stop = new AbortController();
let summary: Summary;

const told = (incidents: Incident[]): string[] =>
  incidents.map(({ at, shape, during, command, about, judge }) =>
    [at, shape, during, command, about, judge].join(' | '),
  );
/** Said twice while the same fault was on: a moment's word on a machine that is late proves nothing. */
const again = (what: string): string[] => told(confirmed(summary.incidents, what));
const once = (what: string): string[] => told(summary.incidents.filter((one) => one.what === what));

beforeAll(async () => {
  mkdirSync(fileURLToPath(new URL('../../dist', import.meta.url)), { recursive: true });
  rmSync(LOG, { force: true });
  summary = await runChaos({
    minutes: MINUTES,
    seed: Number(process.env['PATCTL_CHAOS_SEED'] ?? 9),
    shapes: ['quorum'],
    lanes: 1,
    only: /./,
    isPlanned: false,
    owner: testOwner(),
    program: BUNDLE,
    stop: stop.signal,
    log: (line) => appendFileSync(LOG, `${JSON.stringify(line)}\n`),
  });
}, LIMIT_MS);

afterAll(() => stop.abort());

/** One cluster at a time, so that two cores are enough; dist/chaos.log has a line for each fault. */
describe('what patctl says while clusters are broken', () => {
  test('enough came about, and every member was asked all the time', () => {
    expect(summary.total.kinds).toBeGreaterThanOrEqual(2);
    expect(summary.readings).toBeGreaterThan(MINUTES * 60);
    expect(summary.commits).toBeGreaterThan(MINUTES * 10);
  });

  test('no critical finding is without a cause', () => {
    expect(again('false critical')).toEqual([]);
  });

  test('nothing that lasts longer than settling takes is passed over', () => {
    expect(again('false calm')).toEqual([]);
  });

  test('no command ends with 0 where nothing happened, hangs, or fails by itself', () => {
    expect(once('wrong ending').filter((line) => !line.includes('in a healthy cluster'))).toEqual(
      [],
    );
  });

  test('no commit is lost where patctl promised that none could be', () => {
    expect(once('lost commits')).toEqual([]);
    expect(once('broken promise')).toEqual([]);
  });
});

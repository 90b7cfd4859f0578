/** Five minutes of chaos: clusters broken at random, and each word of patctl held against SQL. */
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runChaos, type Summary } from '../support/chaos/chaos.js';
import { BUNDLE } from '../support/run.js';
import { testOwner } from '../support/shared.js';

const MINUTES = 5;
const LIMIT_MS = 8 * 60_000;
/** What came about is looked up here when it fails. */
const LOG = fileURLToPath(new URL('../../dist/chaos.log', import.meta.url));

const stop = new AbortController();
let summary: Summary;

const incidents = (what: string): string[] =>
  summary.incidents
    .filter((one) => one.what === what)
    .map(({ at, shape, during, command, about, judge }) =>
      [at, shape, during, command, about, judge].join(' | '),
    );

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
    expect(summary.total.kinds).toBeGreaterThanOrEqual(4);
    expect(summary.readings).toBeGreaterThan(MINUTES * 60 * 3);
    expect(summary.commits).toBeGreaterThan(MINUTES * 60);
  });

  test('no critical finding is without a cause', () => {
    expect(incidents('false critical')).toEqual([]);
  });

  test('nothing that lasts longer than settling takes is passed over', () => {
    expect(incidents('false calm')).toEqual([]);
  });

  test('every command ends as the cluster does', () => {
    expect(incidents('wrong ending')).toEqual([]);
  });

  test('no commit is lost where patctl promised that none could be', () => {
    expect(incidents('lost commits')).toEqual([]);
    expect(incidents('broken promise')).toEqual([]);
  });
});

/**
 * Votes, gates and prechecks as Patroni itself decides them. PATCTL_JUDGE_CLUSTERS and PATCTL_JUDGE_SEED give
 * other clusters; a run ends with its figures.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureSetup } from '../support/setup.js';
import { compareMany, Judge, smallest, told, type Tally } from './judge.js';

const VERSIONS = ['4.1.5', '4.0.11', '4.0.5', '3.3.11'];
const CLUSTERS = Number(process.env['PATCTL_JUDGE_CLUSTERS'] ?? 20_000);
const FIRST_SEED = Number(process.env['PATCTL_JUDGE_SEED'] ?? 0);
/** Enough for ten times as many clusters on a busy machine. */
const LIMIT_MS = 3_600_000;

const tallies = new Map<string, Tally>();
const judges = new Map<string, Judge>();
const startedMs = Date.now();

beforeAll(async () => {
  const count = Math.ceil(CLUSTERS / VERSIONS.length);
  for (const version of VERSIONS) {
    const { patroniBin } = await ensureSetup({ patroni: version });
    judges.set(version, new Judge(patroniBin));
  }
  await Promise.all(
    [...judges].map(async ([version, judge], at) => {
      const seeds = { from: FIRST_SEED + at * count, count };
      tallies.set(version, await compareMany(judge, version, VERSIONS, seeds));
    }),
  );
}, LIMIT_MS);

afterAll(async () => {
  for (const [version, { clusters, compared, unknown, unsure }] of tallies)
    console.log(
      `Patroni ${version}: ${clusters} clusters; ` +
        (['race', 'gate', 'api'] as const)
          .map(
            (kind) =>
              `${kind} ${compared[kind]}, unknown ${unknown[kind]} (${unsure[kind]} where all was shown)`,
          )
          .join('; '),
    );
  console.log(`${CLUSTERS} clusters in ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
  await Promise.all([...judges.values()].map((judge) => judge.end()));
});

describe.each(VERSIONS)('Patroni %s', (version) => {
  const tally = (): Tally => tallies.get(version) ?? expect.fail('nothing was compared');

  // Which member takes a free lock, whether the leader lets itself be demoted, what the API answers.
  test.each(['race', 'gate', 'api'] as const)('%s: patctl foretells it', async (kind) => {
    const { compared, unknown, mismatches, clusters } = tally();
    // Far fewer would mean that the clusters have become too plain to ask anything of.
    expect(compared[kind]).toBeGreaterThan(clusters * 2);
    expect(unknown[kind]).toBeLessThan(compared[kind] / 4);
    const [wrong] = mismatches.filter((one) => one.kind === kind);
    const judge = judges.get(version);
    if (wrong && judge) expect.fail(told(await smallest(judge, version, wrong)));
  });
});

/** A swap that failed before the promotion: this site becomes the primary again, when that is certain to be safe. */
import type { Cluster, Member } from '../../cluster/model/model.js';
import { memberOf } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import type { Tell } from '../kit/report.js';
import { changeStandby } from './change-standby.js';
import { siteCluster, lookAt, standingOf, standingSaid, type LivePair } from './pair.js';
import type { SwapUnderway } from './underway.js';
import { bothStandbys } from './way-on.js';

/** Patroni needs a loop to read it, an election where the lock was released, and the promotion itself. */
const BACK_MS = 90_000;
const LOOK_MS = 300;

/** Never returns: `failed` (went_back) where this site is the primary again, else what is so and what to do. */
export async function goBack(underway: SwapUnderway, why: ToolError): Promise<never> {
  const { record } = underway;
  const pair = underway.stops.hard(underway.pair);
  const { here, there } = pair;
  const stuck = (because: string, evidence: Evidence[]) =>
    bothStandbys(pair, `${why.message}; ${because}`, {
      ...{ position: null, ending: 'failed', code: 'no_primary' },
      evidence: [...why.evidence, ...evidence],
      demoted: record.now().demoted,
    });
  const other = await promotedThere(pair);
  if (other !== null) throw takenOver(pair, why, other);
  record.step(
    'going_back',
    memberOf(here, null),
    `${why.message}: ${here.label} becomes the primary again`,
  );
  const atMs = here.context.clock.nowMs() + BACK_MS;
  const asked = await askBack(pair, atMs, record.tell);
  if (!asked.done) throw stuck(`going back failed`, asked.evidence);
  const leader = await primaryHere(pair, atMs, record.tell);
  if (typeof leader !== 'string')
    throw stuck(`${here.label} was told to become the primary again and has not yet`, leader);
  record.swap({ wentBack: true });
  record.step(
    'went_back',
    memberOf(here, leader),
    `${memberOf(here, leader)} is the primary again`,
  );
  const ending = why.ending === 'interrupted' ? 'interrupted' : 'failed';
  throw new ToolError(
    ending,
    `${why.message}; ${memberOf(here, leader)} is the primary again, and ${there.label} was not promoted`,
    {
      code: 'went_back',
      evidence: why.evidence,
      hint: `check whether ${there.label} follows again before you try again`,
    },
  );
}

/** Whether the other site was promoted meanwhile, which this run did not ask for. */
async function promotedThere({ there }: LivePair): Promise<Evidence | null> {
  const now = await clusterNow(there.context, siteCluster(there));
  const cluster = now ?? siteCluster(there);
  const leader = cluster.members.find(({ name }) => name === cluster.leaderName);
  if (now !== null && !now.config?.standbyCluster)
    return { witness: 'DCS', subject: '/config', said: 'standby_cluster is absent' };
  if (leader === undefined) return null;
  const standing = standingOf(await lookAt(there, leader));
  return standing.role === 'primary' ? standingSaid(memberOf(there, leader.name), standing) : null;
}

function takenOver({ here, there }: LivePair, why: ToolError, seen: Evidence): ToolError {
  return new ToolError(
    'failed',
    `${why.message}; ${there.label} has become a primary cluster, so ${here.label} stays its standby cluster`,
    {
      code: 'other_primary',
      evidence: [...why.evidence, seen],
      hint: `see both sites before anything else`,
    },
  );
}

type AskedBack = { done: true } | { done: false; evidence: Evidence[] };

/** Sent again only where it surely was not sent. */
async function askBack({ here }: LivePair, atMs: number, tell: Tell): Promise<AskedBack> {
  let evidence: Evidence[] = [];
  const limit = {
    tell,
    atMs,
    everyMs: LOOK_MS,
    goesOn: 'no site is a primary',
    awaits: () =>
      `a leader of ${here.label} that takes the request (${evidence[0]?.said ?? 'none yet'})`,
  };
  const done = await until<boolean>(here.context, limit, async () => {
    const now = await clusterNow(here.context, siteCluster(here));
    if (now === null)
      evidence = [{ witness: 'DCS', subject: here.label, said: 'could not be read' }];
    if (now === null) return null;
    if (!now.config?.standbyCluster) return true;
    const leader = leaderOf(now);
    if (leader === null) evidence = [{ witness: 'DCS', subject: '/leader', said: 'is absent' }];
    if (leader === null) return null;
    const sent = await changeStandby(here.context, now, leader, null, tell);
    evidence = sent.evidence;
    if (sent.done === 'written') return true;
    return sent.done === 'unknown' ? false : null;
  });
  return done === true ? { done } : { done: false, evidence };
}

function leaderOf({ members, leaderName }: Cluster): Member | null {
  return members.find(({ name }) => name === leaderName) ?? null;
}

/** Its name; or what was seen last. */
async function primaryHere(
  { here }: LivePair,
  atMs: number,
  tell: Tell,
): Promise<string | Evidence[]> {
  let seen: Evidence[] = [];
  const limit = {
    tell,
    atMs,
    everyMs: LOOK_MS,
    goesOn: `${here.label} was told to become the primary again`,
    awaits: () => `a primary in ${here.label} (${seen[0]?.said ?? 'none yet'})`,
  };
  const done = await until(here.context, limit, async () => {
    const now = await clusterNow(here.context, siteCluster(here));
    const leader = now === null ? null : leaderOf(now);
    if (leader === null) return null;
    const standing = standingOf(await lookAt(here, leader));
    seen = [standingSaid(memberOf(here, leader.name), standing)];
    return standing.role === 'primary' ? leader.name : null;
  });
  return done ?? seen;
}

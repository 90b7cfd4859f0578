/** A swap that failed before the promotion: this site becomes the primary again, when that is certain to be safe. */
import type { Cluster, Member } from '../../cluster/model/model.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import { changeStandby, type Changed } from './change-standby.js';
import {
  isStandby,
  leaderOf,
  lookAt,
  siteCluster,
  standingOf,
  standingSaid,
  type LivePair,
  type LiveSite,
} from './pair.js';
import type { SwapUnderway } from './underway.js';
import { bothStandbys, notBackYet } from './way-on.js';

/** Patroni needs a loop to read it, an election where the lock was released, and the promotion itself. */
const BACK_MS = 90_000;
const LOOK_MS = 300;

/** The other site: what shows that it was promoted; else whether it surely was not. */
type OtherSeen = Evidence | 'standby' | 'unknown';

/** Never returns: `failed` (went_back) where this site is the primary again, else what is so and what to do. */
export async function goBack(given: SwapUnderway, why: ToolError): Promise<never> {
  const { record, stops } = given;
  const pair = stops.hard(given.pair);
  const { here } = pair;
  if (stops.isHard()) throw stuck(given, why, 'the swap was stopped before it went back', []);
  const other = await promotedThere(pair);
  if (typeof other !== 'string') throw takenOver(pair, why, other);
  record.step(
    'going_back',
    memberOf(here, null),
    `${why.message}: ${here.label} becomes the primary again`,
  );
  const underway = { ...given, pair, atMs: here.context.clock.nowMs() + BACK_MS };
  const { done, evidence } = await askBack(underway, why);
  if (done === 'not written') throw stuck(given, why, 'going back failed', evidence);
  const isWritten = done === 'written';
  const leader = isWritten ? await primaryHere(underway) : evidence;
  if (typeof leader !== 'string')
    throw notBackYet(pair, why.message, {
      isWritten,
      evidence: [...why.evidence, ...leader],
      ending: stops.isHard() ? 'interrupted' : 'unconfirmed',
    });
  record.swap({ wentBack: true });
  throw wentBack(underway, why, leader, await promotedThere(pair));
}

/** Any member here may have won the election: then the other site streams from a replica. */
function wentBack(
  { pair, record }: SwapUnderway,
  why: ToolError,
  leader: string,
  other: OtherSeen,
): ToolError {
  const { here, there } = pair;
  const old = leaderOf(here).name;
  const who = memberOf(here, leader);
  if (typeof other !== 'string')
    return takenOver(pair, why, other, `and ${who} is a primary too: there are two`);
  const is =
    leader === old ? `${who} is the primary again` : `${who} is the primary now, not ${old}`;
  record.step('went_back', who, is);
  const isNot =
    other === 'standby'
      ? `${there.label} was not promoted`
      : `${there.label} was not told to become the primary; whether someone else promoted it is unknown`;
  const toOld = siteCommand(here, 'switchover', '--candidate', old);
  return new ToolError(
    why.ending === 'interrupted' ? 'interrupted' : 'failed',
    `${why.message}; ${is}, and ${isNot}`,
    {
      code: 'went_back',
      evidence: why.evidence,
      hint:
        (leader === old
          ? ''
          : `${there.label} may stream from ${old}, which is a replica now; make it the primary again: ${toOld}\n`) +
        `check whether ${there.label} follows again before you try again`,
    },
  );
}

/** This site surely was not told to become the primary again. */
function stuck(
  { pair, record, stops }: SwapUnderway,
  why: ToolError,
  because: string,
  evidence: Evidence[],
): ToolError {
  const { demoted, lastPosition } = record.now();
  return bothStandbys(pair, `${why.message}; ${because}`, {
    ...{ position: lastPosition, demoted },
    evidence: [...why.evidence, ...evidence],
    ending: stops.isHard() ? 'interrupted' : 'failed',
  });
}

/** Whether the other site was promoted meanwhile, which this run did not ask for. */
async function promotedThere({ there }: LivePair): Promise<OtherSeen> {
  const now = await clusterNow(there.context, siteCluster(there));
  if (isStandby(now) === false)
    return { witness: 'DCS', subject: '/config', said: 'standby_cluster is absent' };
  const { members } = now ?? siteCluster(there);
  const looks = members.map(async (member) => {
    const standing = standingOf(await lookAt(there, member));
    return { who: memberOf(there, member.name), standing };
  });
  const seen = await Promise.all(looks);
  const primary = seen.find(({ standing }) => standing.role === 'primary');
  if (primary !== undefined) return standingSaid(primary.who, primary.standing);
  const areStandbys = seen.length > 0 && seen.every(({ standing }) => standing.role === 'standby');
  return isStandby(now) === true || areStandbys ? 'standby' : 'unknown';
}

function takenOver(
  { here, there }: LivePair,
  why: ToolError,
  seen: Evidence,
  so = `so ${here.label} was not told to become the primary again`,
): ToolError {
  const see = [here, there].map((site) => siteCommand(site, 'list'));
  return new ToolError(
    'failed',
    `${why.message}; ${there.label} has become a primary cluster, ${so}`,
    {
      code: 'other_primary',
      evidence: [...why.evidence, seen],
      hint: `see both sites before anything else: ${see.join('; and: ')}`,
    },
  );
}

/** Sent again only where it surely was not written. */
async function askBack(
  { pair, atMs, record: { tell } }: SwapUnderway,
  why: ToolError,
): Promise<Pick<Changed, 'done' | 'evidence'>> {
  const { here } = pair;
  const [startedMs, { clock }] = [here.context.clock.nowMs(), here.context];
  let evidence: Evidence[] = [];
  const limit = {
    tell,
    atMs,
    everyMs: LOOK_MS,
    goesOn: 'no site is a primary',
    awaits: () =>
      `a leader of ${here.label} that takes the request (${evidence[0]?.said ?? 'none yet'})`,
  };
  const done = await untilStopped(here, limit, async () => {
    const now = await clusterNow(here.context, siteCluster(here));
    if (isStandby(now) === false) return 'written';
    const leader = await fitLeader(here, now);
    if ('said' in leader) evidence = [leader];
    if ('said' in leader || now === null) return null;
    // While this site had no leader, the other one may have been promoted manually.
    const other = clock.nowMs() > startedMs + LOOK_MS ? await promotedThere(pair) : 'unknown';
    if (typeof other !== 'string') throw takenOver(pair, why, other);
    const sent = await changeStandby(here.context, now, leader, null, tell);
    evidence = sent.evidence;
    return sent.done === 'not written' ? null : sent.done;
  });
  return { done: done ?? 'not written', evidence };
}

/** The leader here that may be the primary again, or why there is none. */
async function fitLeader(here: LiveSite, now: Cluster | null): Promise<Member | Evidence> {
  if (now === null) return { witness: 'DCS', subject: here.label, said: 'could not be read' };
  const leader = leaderIn(now);
  if (leader === null) return { witness: 'DCS', subject: '/leader', said: 'is absent' };
  const old = leaderOf(here);
  if (leader.name === old.name) return leader;
  const [its, olds] = await Promise.all(
    [leader, old].map(async (one) => standingOf(await lookAt(here, one))),
  );
  if (its?.role === 'primary') return leader;
  const end = olds?.role === 'standby' ? olds.replayed : null;
  const has = its?.received ?? null;
  if (end !== null && has !== null && has >= end) return leader;
  const said = `leads now, and was not seen to have everything of ${old.name}`;
  return { witness: its?.witness ?? 'REST', subject: memberOf(here, leader.name), said };
}

function leaderIn({ members, leaderName }: Cluster): Member | null {
  return members.find(({ name }) => name === leaderName) ?? null;
}

/** As `until`; a second Ctrl-C is a limit too: what is so then is said. */
async function untilStopped<T>(
  { context }: LiveSite,
  limit: Parameters<typeof until>[1],
  look: () => Promise<T | null>,
): Promise<T | null> {
  try {
    return await until(context, limit, look);
  } catch (error) {
    if (error instanceof ToolError && error.ending === 'interrupted') return null;
    throw error;
  }
}

/** Its name; or what was seen last. */
async function primaryHere({
  pair: { here },
  atMs,
  record: { tell },
}: SwapUnderway): Promise<string | Evidence[]> {
  let seen: Evidence[] = [];
  const limit = {
    tell,
    atMs,
    everyMs: LOOK_MS,
    goesOn: `${here.label} was told to become the primary again`,
    awaits: () => `a primary in ${here.label} (${seen[0]?.said ?? 'none yet'})`,
  };
  const done = await untilStopped(here, limit, async () => {
    const now = await clusterNow(here.context, siteCluster(here));
    const leader = now === null ? null : leaderIn(now);
    if (leader === null) return null;
    const standing = standingOf(await lookAt(here, leader));
    seen = [standingSaid(memberOf(here, leader.name), standing)];
    return standing.role === 'primary' ? leader.name : null;
  });
  return done ?? seen;
}

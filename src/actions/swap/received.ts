/** The proof before the promotion: where the WAL of the old primary ends, and that the other site has replayed it. */
import { formatLsn, type Lsn } from '../../cluster/model/lsn.js';
import type { Member } from '../../cluster/model/model.js';
import { memberOf } from '../../cluster/preflight/swap-model.js';
import type { Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import {
  isStandby,
  leaderOf,
  lookAt,
  siteCluster,
  standingOf,
  standingSaid,
  type LiveSite,
  type Standing,
} from './pair.js';
import { stepFailed, type SwapUnderway } from './underway.js';

const LOOK_MS = 250;

/** Where the WAL of the old primary ends. */
export interface Received {
  position: Lsn;
  timeline: number;
}

interface Seen {
  /** The old primary first. */
  here: { member: string; standing: Standing }[];
  next: Standing;
}

/**
 * Until the old primary, and the leader here by now, is a standby that streams: PostgreSQL streams only once it has
 * replayed all WAL of its own. The leader there must have replayed all of that, on the same timeline. ToolError at the
 * limit.
 */
export async function received(underway: SwapUnderway, old: Member): Promise<Received> {
  const { pair, record, atMs } = underway;
  const { here, there } = pair;
  const [mine, its] = [memberOf(here, old.name), there.label];
  const seen: { end: Lsn; last: Seen | null } = { end: 0n, last: null };
  const awaits = () =>
    `${mine} as a standby, and everything of it in ${its} (${wordsOf(seen.last)})`;
  const limit = {
    atMs,
    everyMs: LOOK_MS,
    goesOn: `the writes in ${here.label} have ended`,
    tell: record.tell,
    awaits,
  };
  const done = await until(here.context, limit, async () => {
    const last = await lookAtBoth(underway, old);
    seen.last = last;
    if (last === null || !last.here.every(({ standing }) => standing.role === 'standby'))
      return null;
    record.once('demoted', mine, `${mine} is a standby: the writes have ended`);
    for (const { standing } of last.here) {
      if (!standing.streams || standing.replayed === null) return null;
      if (standing.replayed > seen.end) seen.end = standing.replayed;
    }
    const { next } = last;
    const timeline = last.here[0]?.standing.timeline ?? null;
    const isThere = next.role === 'standby' && next.replayed !== null && next.replayed >= seen.end;
    if (!isThere || timeline === null || timeline !== next.timeline) return null;
    return { position: seen.end, timeline };
  });
  if (done === null) {
    const said = `${its} was not seen to have everything within the limit (--deadline)`;
    throw stepFailed(said, seen.last === null ? [] : lastSaid(underway, seen.last));
  }
  const where = formatLsn(done.position);
  record.swap({ lastPosition: where });
  const said = `${its} has replayed everything, up to ${where} on timeline ${done.timeline}`;
  record.step('received', memberOf(there, null), said);
  return done;
}

/** The old one is read first: what the other one has is read later. null: the DCS there cannot be read. */
async function lookAtBoth(
  { pair: { here, there } }: SwapUnderway,
  old: Member,
): Promise<Seen | null> {
  const leader = await nextLeader(there);
  if (leader === null) return null;
  const mine = await lookHere(here, old);
  const its = standingOf(await lookAt(there, leader));
  if (its.role !== 'primary') return { here: mine, next: its };
  const who = memberOf(there, leader.name);
  throw stepFailed(`${who} is a primary already`, [standingSaid(who, its)]);
}

/** Members that may have written last: the old primary and the leader by now; without a known leader each one. */
async function lookHere(here: LiveSite, old: Member): Promise<Seen['here']> {
  const now = await clusterNow(here.context, siteCluster(here));
  const { members } = now ?? siteCluster(here);
  const leader = members.find(({ name }) => name === now?.leaderName);
  const asked = leader === undefined ? members : [leader];
  const all = [old, ...asked.filter(({ name }) => name !== old.name)];
  const looks = all.map(async (one) => {
    return { member: one.name, standing: standingOf(await lookAt(here, one)) };
  });
  return Promise.all(looks);
}

function wordsOf(last: Seen | null): string {
  if (last === null) return 'not seen yet';
  const mine = last.here.map(({ member, standing }) => `${member}: ${standing.said}`);
  return `${mine.join(', ')}; there ${last.next.said}`;
}

function lastSaid({ pair: { here, there } }: SwapUnderway, last: Seen): Evidence[] {
  const said = (who: string, standing: Standing): Evidence => {
    const { replayed } = standing;
    const at = replayed === null ? '' : `, replayed ${formatLsn(replayed)}`;
    return { ...standingSaid(who, standing), said: standing.said + at };
  };
  return [
    ...last.here.map(({ member, standing }) => said(memberOf(here, member), standing)),
    said(memberOf(there, null), last.next),
  ];
}

/**
 * The standby leader there now; null: its DCS cannot be read, or no member leads. ToolError: it was promoted, or
 * another member leads, from whose address this site was not told to stream.
 */
export async function nextLeader(there: LiveSite): Promise<Member | null> {
  const now = await clusterNow(there.context, siteCluster(there));
  const isStill = isStandby(now);
  if (now === null || isStill === null) return null;
  if (!isStill)
    throw stepFailed(`${there.label} is not a standby cluster any more`, [
      { witness: 'DCS', subject: '/config', said: 'standby_cluster is absent' },
    ]);
  const { leaderName } = now;
  const planned = leaderOf(there).name;
  if (leaderName !== null && leaderName !== planned)
    throw stepFailed(`${memberOf(there, leaderName)} leads now, not ${planned}`, [
      { witness: 'DCS', subject: '/leader', said: leaderName },
    ]);
  return now.members.find(({ name }) => name === leaderName) ?? null;
}

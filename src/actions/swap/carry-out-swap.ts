/**
 * The swap itself, one step after the other, each proven before the next: the writes end here, everything that was
 * written is seen replayed there, there is promoted, here follows. What fails before the promotion goes back.
 */
import type { Member } from '../../cluster/model/model.js';
import { memberOf } from '../../cluster/preflight/swap-model.js';
import type { WriteOutage } from '../../cluster/progress/write-outage.js';
import { ToolError } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import { streamingNow } from '../standby-cluster/streams.js';
import { changeStandby } from './change-standby.js';
import { followsOn, type Followers } from './follows-on.js';
import { goBack } from './go-back.js';
import { newPrimary } from './new-primary.js';
import { nextLeader, received, type Received } from './received.js';
import { isStandby, siteCluster, leaderOf } from './pair.js';
import { failureOf, stepFailed, type SwapUnderway } from './underway.js';
import {
  notPromotedInTime,
  otherPromoted,
  promotionUnknown,
  wayOn,
  wayOnPromoting,
} from './way-on.js';
import { watchWrites, type WriteWatch } from './watch-writes.js';

const LOOK_MS = 250;
const WRITABLE_MS = 5000;

/** Every ending but ok is thrown; what became of the sites is in the record too. */
export async function carryOut(underway: SwapUnderway): Promise<void> {
  const { pair, record } = underway;
  const { here, there } = pair;
  const [old, next] = [leaderOf(here), leaderOf(there)];
  const followers: Followers = {
    here: await streamingNow(here.context, siteCluster(here)),
    there: await streamingNow(there.context, siteCluster(there)),
  };
  const watch = watchWrites(
    { context: here.context, name: memberOf(here, old.name), member: old },
    { context: there.context, name: memberOf(there, next.name), member: next },
  );
  try {
    await watch.begun;
    const received = await demoteHere(underway, old);
    const promotedMs = there.context.clock.nowMs();
    const timeline = await promoteThere(underway, received, watch);
    record.swap({ outage: outageOf(await watch.stop(promotedMs)) });
    await followsOn(underway, followers, timeline);
  } finally {
    await watch.stop(0);
  }
}

function outageOf(
  outage: WriteOutage | null,
): { atLeastMs: number; atMostMs: number | null } | null {
  return outage === null ? null : { atLeastMs: outage.atLeastMs, atMostMs: outage.atMostMs };
}

// ---------------------------------------------------------------- the writes end here

async function demoteHere(underway: SwapUnderway, old: Member): Promise<Received> {
  const { pair, standby, record, stops } = underway;
  const { here } = pair;
  if (stops.isSoft())
    throw new ToolError('interrupted', 'interrupted: nothing was sent', { code: 'not_sent' });
  record.tell({ kind: 'note', text: `If this run is killed from here on: ${wayOn(pair)}` });
  record.step(
    'demoting',
    memberOf(here, old.name),
    `${here.label} is told to become a standby cluster`,
  );
  const sent = await changeStandby(
    stops.hard(pair).here.context,
    siteCluster(here),
    old,
    standby,
    record.tell,
  );
  if (sent.done === 'not written') {
    const isAsked = sent.ending === 'error';
    throw new ToolError(sent.ending, `${here.label} was not demoted; nothing was changed`, {
      code: isAsked ? 'demotion_refused' : 'not_sent',
      evidence: sent.evidence,
    });
  }
  record.swap({ demoted: sent.done === 'written' ? true : null });
  try {
    if (sent.done === 'unknown')
      throw stepFailed('it is unknown whether it was told', sent.evidence);
    return await received(underway, old);
  } catch (error) {
    return await goBack(underway, failureOf(error));
  }
}

// ---------------------------------------------------------------- there is promoted

/** Its new timeline. */
async function promoteThere(
  underway: SwapUnderway,
  { position, timeline }: Received,
  watch: WriteWatch,
): Promise<number> {
  const { pair, record } = underway;
  const { there } = pair;
  const next = await readyToPromote(underway);
  const who = memberOf(there, next.name);
  record.tell({
    kind: 'note',
    text: `If this run is killed from here on: ${wayOnPromoting(pair)}`,
  });
  record.step('promoting', who, `${there.label} is told to become a primary cluster`);
  const sent = await changeStandby(
    underway.stops.hard(pair).there.context,
    siteCluster(there),
    next,
    null,
    record.tell,
  );
  if (sent.done === 'not written')
    return await goBack(
      underway,
      stepFailed(`${there.label} did not take the promotion`, sent.evidence),
    );
  record.swap({ promoted: sent.done === 'written' ? true : null });
  if (sent.done === 'unknown') throw promotionUnknown(pair, position, sent.evidence);
  const { atMs } = underway;
  const done = await newPrimary(there, { asked: next, before: timeline, atMs, tell: record.tell });
  if (!('name' in done)) throw notPromotedInTime(pair, position, done);
  const leader = memberOf(there, done.name);
  record.step('promoted', leader, `${leader} is the primary on timeline ${done.timeline}`);
  if (done.name !== next.name)
    throw otherPromoted(pair, { ...done, position, before: timeline, next: next.name });
  await seenWritable(underway, watch);
  return done.timeline;
}

/** The measure of the outage ends with it; a few seconds at most are given to that. */
async function seenWritable(
  { pair, atMs, record: { tell } }: SwapUnderway,
  watch: WriteWatch,
): Promise<void> {
  const { context, label } = pair.there;
  const limit = {
    atMs: Math.min(atMs, context.clock.nowMs() + WRITABLE_MS),
    everyMs: LOOK_MS,
    goesOn: `${label} is the primary`,
    awaits: () => `a write in ${label}`,
    tell,
  };
  await until(context, limit, () => Promise.resolve(watch.isOver() ? true : null));
}

/**
 * The leader there, where nothing has changed since. Goes back where its DCS cannot be read; where the one here cannot,
 * Patroni here cannot promote a member either.
 */
async function readyToPromote(underway: SwapUnderway): Promise<Member> {
  const { pair } = underway;
  const { here, there } = pair;
  try {
    if (underway.stops.isSoft()) throw new ToolError('interrupted', 'interrupted');
    const mine = await clusterNow(here.context, siteCluster(here));
    if (isStandby(mine) === false)
      throw stepFailed(`${here.label} is not a standby cluster any more`);
    const next = await nextLeader(there);
    if (next === null)
      throw stepFailed(`the DCS of ${there.label} cannot be read, or no member leads`);
    return next;
  } catch (error) {
    return await goBack(underway, failureOf(error));
  }
}

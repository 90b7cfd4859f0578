/** A standby site is told to become a primary cluster, once, and followed until a member of it is the primary. */
import { formatLsn, parseLsn, type Lsn } from '../../cluster/model/lsn.js';
import type { Cluster, Member } from '../../cluster/model/model.js';
import type { LostPlan } from '../../cluster/preflight/lost-model.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import { streamingNow } from '../standby-cluster/streams.js';
import { changeStandby } from './change-standby.js';
import { lacking } from './follows-on.js';
import { leaderOf, siteCluster, type LiveSite } from './pair.js';
import { newPrimary, type NewPrimary } from './new-primary.js';
import type { SwapRecord } from './swap-record.js';

const LOOK_MS = 250;
/** Patroni writes /history in the loop after the promotion. */
const HISTORY_LOOPS = 3;
/** In synchronous mode it waits some seconds for its standbys before it writes /history. */
const HISTORY_LEAST_MS = 10_000;

export interface Promotion {
  site: LiveSite;
  plan: LostPlan;
  /** When all of it must be done, ms. */
  atMs: number;
  record: SwapRecord;
}

interface Promoted {
  /** `pg1 of west` */
  primary: string;
  timeline: number;
}

/** Every ending but a proven primary, which every member follows, is thrown. */
export async function promoteSite(promotion: Promotion): Promise<Promoted> {
  const { site, record } = promotion;
  const streamed = await streamingNow(site.context, siteCluster(site));
  const leader = leaderOf(site);
  await send(promotion, leader);
  const done = await primaryNow(promotion, leader);
  const primary = memberOf(site, done.name);
  record.step('promoted', primary, `${primary} is the primary on timeline ${done.timeline}`);
  await provenEnd(promotion, done);
  const followers = [...streamed, leader.name].filter((name) => name !== done.name);
  await followed(promotion, [...new Set(followers)], done);
  return { primary, timeline: done.timeline };
}

async function send({ site, record }: Promotion, leader: Member): Promise<void> {
  const { context, label } = site;
  const who = memberOf(site, leader.name);
  record.step('promoting', who, `${label} is told to become a primary cluster`);
  const sent = await changeStandby(context, siteCluster(site), leader, null, record.tell);
  if (sent.done === 'not written')
    throw new ToolError(sent.ending, `${label} was not promoted; nothing was changed`, {
      code: sent.ending === 'error' ? 'promotion_refused' : 'not_sent',
      evidence: sent.evidence,
    });
  record.swap({ promoted: sent.done === 'written' ? true : null });
  if (sent.done === 'written') return;
  throw new ToolError(
    'unconfirmed',
    `it is unknown whether ${label} was told to become a primary cluster`,
    {
      code: 'promotion_unknown',
      evidence: sent.evidence,
      hint:
        `look whether standby_cluster is still there: ${siteCommand(site, 'show-config')}\n` +
        `if it is gone, ${label} becomes the primary by itself; see: ${siteCommand(site, 'list')}`,
    },
  );
}

async function primaryNow(
  { site, plan, atMs, record: { tell } }: Promotion,
  asked: Member,
): Promise<NewPrimary> {
  const { label } = site;
  const done = await newPrimary(site, { asked, before: plan.here.timeline, atMs, tell });
  if ('name' in done) return done;
  throw new ToolError(
    'unconfirmed',
    `${label} was told to become a primary cluster, and no member of it was seen as a primary in time (--deadline)`,
    {
      code: 'not_promoted_in_time',
      evidence: done,
      hint:
        `it becomes the primary by itself as soon as a member can; see: ${siteCommand(site, 'list')}\n` +
        `see why it takes so long: ${siteCommand(site, 'check')}`,
    },
  );
}

/** The old timeline ended where this site had received it, or later: no more was lost than was shown. */
async function provenEnd(
  { site, plan, atMs, record }: Promotion,
  { name }: NewPrimary,
): Promise<void> {
  const { context } = site;
  const before = plan.here.timeline;
  const received = plan.known.received === null ? null : parseLsn(plan.known.received);
  if (before === null || received === null) return;
  const loops = (siteCluster(site).config?.loopWaitSeconds ?? 10) * 1000 * HISTORY_LOOPS;
  const limit = {
    atMs: Math.min(atMs, context.clock.nowMs() + Math.max(loops, HISTORY_LEAST_MS)),
    everyMs: LOOK_MS,
    goesOn: `${site.label} is the primary`,
    awaits: () => `timeline ${before} in /history`,
    tell: record.tell,
  };
  const end = await until(context, limit, async () => {
    const now = await clusterNow(context, siteCluster(site));
    return endOf(now, before);
  });
  const who = memberOf(site, name);
  if (end === null) {
    const text = `warning: /history does not show where timeline ${before} ended: it is unknown whether all that was received was kept`;
    return record.tell({ kind: 'note', text });
  }
  record.swap({ lastPosition: formatLsn(end) });
  const at = `timeline ${before} ends at ${formatLsn(end)}`;
  if (end >= received) return record.step('received', who, `${at}: all that was received was kept`);
  throw new ToolError(
    'failed',
    `${who} is the primary, but ${at}, before ${formatLsn(received)}, which ${memberOf(site, plan.known.member)} had received`,
    {
      code: 'received_not_kept',
      evidence: [{ witness: 'DCS', subject: '/history', said: at }],
      hint: `see which member led when: ${siteCommand(site, 'history')}`,
    },
  );
}

function endOf(cluster: Cluster | null, timeline: number): Lsn | null {
  return cluster?.history?.find((line) => line.timeline === timeline)?.lsn ?? null;
}

async function followed(
  { site, atMs, record }: Promotion,
  names: readonly string[],
  { timeline }: NewPrimary,
): Promise<void> {
  const { context, label } = site;
  let missing: Evidence[] = [];
  const limit = {
    atMs,
    everyMs: LOOK_MS,
    goesOn: `${label} is the primary`,
    awaits: () => missing.map(({ subject, said }) => `${subject} (${said})`).join(', '),
    tell: record.tell,
  };
  const done = await until(context, limit, async () => {
    missing = await lacking(site, names, { timeline, leader: 'primary' });
    return missing.length === 0 ? true : null;
  });
  if (done)
    return record.step('streaming', memberOf(site, null), 'every member that streamed streams');
  throw new ToolError(
    'failed',
    `${label} is the primary, but not every member follows: ${missing.map(({ subject }) => subject).join(', ')}`,
    { code: 'not_following', evidence: missing, hint: `see why: ${siteCommand(site, 'check')}` },
  );
}

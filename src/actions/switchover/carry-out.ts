/** Sends the one request and sees it through: at once, or for later. */
import { sameName } from '../../cluster/model/member-names.js';
import {
  withoutPatroni,
  type Answer,
  type Goal,
  type Progress,
  type WaitFor,
} from '../../cluster/progress/change-outcome.js';
import type { Cluster, Snapshot } from '../../cluster/model/model.js';
import { planOf, type Plan } from '../../cluster/preflight/plan.js';
import { holdersOf, type Holder } from '../../cluster/preflight/holders.js';
import { streamsFromRemote } from '../../cluster/preflight/leader-state.js';
import { viewOf, type View } from '../../cluster/roles/view.js';
import { ToolError, type Evidence } from '../../errors.js';
import { isRefusal, lookAfter, saysNo, type Seen } from '../kit/after-answer.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import { readSnapshot } from '../../observe/read-snapshot.js';
import { holdersText, nextStep, planArgument, reasons } from './advice.js';
import { follow, readToFollow, type Followed } from './follow.js';
import { missingSaid } from './missing-members.js';
import type { Change } from './change-leader.js';
import { notSentYet, requestBody, sendOverDcs, sendOverRest, type Sent } from './change-request.js';
import { localZone } from './questions.js';
import { resultLines, stampedLine, topologyText, type Conclusion } from './conclusion.js';
import { statedText, utcText, type Scheduled } from '../kit/schedule.js';
import { terminateLogical } from './terminate-logical.js';

/** Patroni looks for the outcome max(10, loop_wait) * 2 times, a second apart; then it answers. */
const PATRONI_GIVES_UP_MS = 20_000;
const MARGIN_MS = 5000;
const LOOK_MS = 200;
/** How long the closing table waits for keys that say what has been proven: members write theirs now and then. */
const TABLE_WAITS_MS = 3000;

/** Asks Patroni once and follows the change to its end. */
export async function act(change: Change, now: Snapshot, first: Snapshot): Promise<Conclusion> {
  const { context, options, reading, request, story, report } = change;
  const { plan } = story;
  const ended = request.terminateLogical
    ? await terminateLogical(context, now.cluster, plan, report)
    : [];
  const holders = holdersOf(now, first).filter(({ pid }) => !ended.includes(pid));
  const base = await readToFollow(context, reading.scope, reading.group);
  const { cluster } = base;
  if (cluster.leaderName !== plan.leader) throw movedAway(cluster, plan.leader);
  if (context.signal.aborted) throw notSentYet(plan);
  const goal = goalOf(now, cluster, change);
  const limitMs = Math.max(PATRONI_GIVES_UP_MS, 2000 * (cluster.config?.loopWaitSeconds ?? 10));
  const followed = await follow(
    context,
    {
      scope: reading.scope,
      group: reading.group,
      goal,
      members: cluster.members.map(({ name }) => name),
      base,
      timeoutMs: options.timeout,
    },
    (asking) => {
      if (options.via === 'dcs') return sendOverDcs(context, cluster, plan, asking);
      const awaitMs = Math.min(options.timeout, limitMs + MARGIN_MS);
      return sendOverRest(context, cluster, plan, awaitMs, asking);
    },
    {
      step: ({ name, atMs, member, said }) => report({ step: name, atMs, member, said }),
      holding: (stoppingMs) => {
        const atMs = context.clock.nowMs();
        const said = holdersText(plan.leader, holders, stoppingMs, atMs);
        report({ step: 'holding', atMs, member: plan.leader, said });
      },
      waiting: ({ member, said }) =>
        report({ step: 'waiting', atMs: context.clock.nowMs(), member, said }),
    },
  );
  story.sent = followed.sent;
  story.progress = followed.progress;
  return concluded(change, followed, first, holders);
}

function movedAway(cluster: Cluster, leader: string | null): ToolError {
  const who = cluster.leaderName ?? 'no member';
  return new ToolError('error', `the leader is ${who} now; nothing was sent`, {
    code: 'changed_meanwhile',
    evidence: [
      { witness: 'DCS', subject: 'leader', said: `was ${leader ?? 'no member'}, is ${who}` },
    ],
    hint: 'run the command again to see the current plan',
  });
}

/** What has to be so again: whoever led or streamed before streams afterwards. */
function goalOf(now: Snapshot, cluster: Cluster, { story, options }: Change): Goal {
  const { plan } = story;
  const view = viewOf(now);
  // A leader that is down comes back when somebody brings it back: a failover does not wait for that.
  const lives = !['unreachable', 'not running'].includes(view.leader?.observed ?? 'unreachable');
  const streamed = view.members.filter(({ name, member, row, departed, observed }) => {
    if (departed || member === null || name === plan.leader) return false;
    // From a leader that is gone nobody streams: whoever stands by streams from the next one.
    if (!lives) return observed === 'replica';
    return row === null ? member.replicationState === 'streaming' : row.state === 'streaming';
  });
  const leader = view.leader && lives ? [view.leader.name] : [];
  const members = [...leader, ...streamed.map(({ name }) => name)];
  const { config, sync } = cluster;
  const synchronous = config !== null && config.syncMode !== 'off' && !config.standbyCluster;
  const standbys = synchronous && sync?.leader ? sync.standbys : [];
  const live = standbys.filter((name) => members.some((member) => sameName(member, name)));
  const waitFor: WaitFor = options.wait === false ? 'accepted' : options.wait;
  return {
    kind: plan.kind,
    leader: plan.leader,
    candidate: plan.candidate,
    members,
    // Nobody can be synchronous to itself: with the old leader gone there is one less to choose from.
    syncStandbys: Math.min(live.length, Math.max(0, members.length - 1)),
    standbyCluster: (config?.standbyCluster ?? null) !== null,
    remote: followsRemote(view, cluster),
    failoverRevision: cluster.failoverRevision,
    waitFor,
    mayWriteForMs: 1000 * (config?.retryTimeoutSeconds ?? 10),
  };
}

/** Whether a standby leader has a remote to stream from: it did, or nobody leads who could tell. */
function followsRemote({ leader }: View, { config }: Cluster): boolean {
  if (!config?.standbyCluster) return false;
  const streams = leader && streamsFromRemote(leader);
  return streams ?? Boolean(config.standbyCluster['host']);
}

// ---------------------------------------------------------------- how it ended

async function concluded(
  change: Change,
  { verdict, progress, sent }: Followed,
  first: Snapshot,
  holders: readonly Holder[],
): Promise<Conclusion> {
  const { plan } = change.story;
  if (verdict === null && sent === null) throw notSentYet(plan);
  if (verdict === null) return stoppedWaiting(change, progress);
  const { ending, code, words } = verdict;
  const conclusion: Conclusion = { ending, code, message: words };
  const hint = nextStep(code, plan, { holders, silent: withoutPatroni(progress) });
  if (hint !== undefined) conclusion.hint = hint;
  if (ending === 'error' || ending === 'failed') {
    const why = await whyNot(change, first, progress);
    if (why.length > 0) conclusion.evidence = why;
  }
  // Whoever looks at it later has to know what was asked, and of whom.
  if (ending === 'unconfirmed' && sent) conclusion.evidence = [requestSaid(plan, sent)];
  await print(change, conclusion, sent);
  return conclusion;
}

function stoppedWaiting({ story }: Change, progress: Progress): Conclusion {
  const { plan } = story;
  const last = progress.steps.at(-1);
  const state = last ? `; last seen: ${last.said}` : '';
  return {
    ending: 'interrupted',
    code: 'stopped_waiting',
    message: `stopped waiting; the ${plan.kind} was sent and continues by itself${state}`,
    hint: `check with: patctl status ${planArgument(plan)}`,
  };
}

/** Asks the members what speaks against it, or what is missing where another one leads: Patroni gives no reason. */
async function whyNot(change: Change, first: Snapshot, progress: Progress): Promise<Evidence[]> {
  const { context, reading, request, story } = change;
  try {
    const now = await readSnapshot(context, reading);
    if (progress.newLeader !== null) return missingSaid(now, progress);
    return reasons(planOf(now, first, { ...request, candidate: story.plan.candidate }));
  } catch (error) {
    if (error instanceof ToolError) return [];
    throw error;
  }
}

/** patronictl's lines: the answer with its time, and the table as it is now; below them what was measured. */
async function print(change: Change, conclusion: Conclusion, sent: Sent | null): Promise<void> {
  const { context, options, reading, citus, story } = change;
  if (options.format === 'json') return;
  const { ending, message } = conclusion;
  const moved = ending === 'ok' || ending === 'diverted';
  if (!moved) {
    if (context.flags.compat) context.io.out(failedLine(change, message, sent));
    return;
  }
  context.io.out(stampedLine(context.clock.nowMs(), message));
  // What was done is done: an etcd that is away just now changes nothing about the ending.
  const cluster = (await clusterProven(change)) ?? story.progress?.cluster ?? null;
  if (cluster) context.io.out(topologyText(cluster, { group: reading.group, citus }));
  if (!context.flags.compat) context.io.out(resultLines(story));
}

/** The keys as they are, or a moment later: a table that calls a proven member stopped would alarm for nothing. */
async function clusterProven(change: Change): Promise<Cluster | null> {
  const { context, story } = change;
  const goal = story.progress?.goal;
  let last = await clusterNow(change);
  if (context.flags.compat || goal?.waitFor !== 'healthy') return last;
  const untilMs = context.clock.nowMs() + TABLE_WAITS_MS;
  while (
    last &&
    !saysProven(last, goal) &&
    context.clock.nowMs() < untilMs &&
    !context.signal.aborted
  ) {
    await context.clock.wait(LOOK_MS, context.signal);
    last = (await clusterNow(change)) ?? last;
  }
  return last;
}

function saysProven({ members }: Cluster, goal: Goal): boolean {
  const proven = members.filter(({ name }) => goal.members.some((one) => sameName(one, name)));
  return proven.every(({ state }) => state === 'running' || state === 'streaming');
}

async function clusterNow({ context, reading }: Change): Promise<Cluster | null> {
  try {
    return (await readToFollow(context, reading.scope, reading.group)).cluster;
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}

function failedLine({ story }: Change, message: string, sent: Sent | null): string {
  const title = story.plan.kind === 'switchover' ? 'Switchover' : 'Failover';
  const answer = sent?.answer;
  if (answer?.kind !== 'answered') return `${title} failed, details: ${message}\n`;
  return `${title} failed, details: ${answer.status}, ${answer.text}\n`;
}

// ---------------------------------------------------------------- for later

/** Leaves the request for its time, and reads back what Patroni has made of it. */
export async function schedule(
  change: Change,
  before: Cluster,
  when: Scheduled,
): Promise<Conclusion> {
  const { context, options, reading, citus, story } = change;
  // Patroni keeps the offset as it is sent, and every list shows it.
  const plan = { ...story.plan, scheduledAt: statedText(when, localZone()) };
  const sent =
    options.via === 'dcs'
      ? await sendOverDcs(context, before, plan)
      : await sendOverRest(context, before, plan, context.flags.timeoutMs + MARGIN_MS);
  story.sent = sent;
  story.progress = null;
  const { answer } = sent;
  if (answer.kind === 'answered' && isRefusal(answer.status)) {
    const message = `Switchover failed, details: ${answer.status}, ${answer.text}`;
    const code = answer.status === 401 ? 'rest_login_wanted' : 'request_refused';
    const hint = nextStep(code, plan) ?? '';
    if (options.format === 'pretty' && context.flags.compat) context.io.out(`${message}\n`);
    return { ending: 'error', code, message, hint };
  }
  let cluster = before;
  const outcome = outcomeOf(answer);
  const seen = await lookAfter(context, before, outcome, {
    isWritten: (now) => stands((cluster = now), change, when),
    goesOn: 'the schedule was sent',
  });
  if (seen !== 'written') {
    const answered = answer.kind === 'answered' && answer.status >= 400;
    if (options.format === 'pretty' && context.flags.compat && answered) {
      context.io.out(failedLine(change, '', sent));
    }
    return notSeen(plan, sent, seen);
  }
  const message = `Switchover scheduled`;
  if (options.format === 'pretty') {
    context.io.out(stampedLine(context.clock.nowMs(), message));
    context.io.out(topologyText(cluster, { group: reading.group, citus }));
  }
  return { ending: 'ok', code: 'scheduled', message: `${message} at ${utcText(when.atMs)}` };
}

function stands({ failover }: Cluster, { story }: Change, { atMs }: Scheduled): boolean {
  const { plan } = story;
  if (failover === null || failover.scheduledAt === null) return false;
  const sameTime = Math.abs(Date.parse(failover.scheduledAt) - atMs) < 1000;
  return sameTime && failover.candidate === plan.candidate && failover.leader === plan.leader;
}

function requestSaid(plan: Plan, { to }: Sent): Evidence {
  return { witness: 'request', subject: to, said: JSON.stringify(requestBody(plan)) };
}

function outcomeOf(answer: Answer): CallOutcome {
  if (answer.kind === 'lost') return answer;
  const { status, text } = answer;
  return { kind: 'answered', answer: { status, body: text, json: null } };
}

function notSeen(plan: Plan, sent: Sent & { answer: Answer }, seen: Seen): Conclusion {
  const { answer } = sent;
  const evidence = [requestSaid(plan, sent)];
  const hint = `check with: patctl status ${planArgument(plan)}`;
  if (answer.kind === 'answered' && seen === 'not written' && saysNo(outcomeOf(answer))) {
    evidence.push({ witness: 'DCS', subject: '/failover', said: 'no such schedule' });
    const message = `Switchover failed, details: ${answer.status}, ${answer.text}`;
    return { ending: 'error', code: 'not_written', message, evidence, hint };
  }
  const said =
    answer.kind === 'lost'
      ? `the answer was lost: ${answer.reason}`
      : `Patroni answered ${answer.status}: ${answer.text}`;
  const state =
    seen === 'unreadable'
      ? 'whether it stands in /failover is unknown'
      : 'it does not stand in /failover';
  return {
    ending: 'unconfirmed',
    code: 'schedule_not_seen',
    message: `the schedule was sent, and ${state}; ${said}`,
    evidence,
    hint,
  };
}

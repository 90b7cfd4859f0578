/** Sends the one request and sees it through: at once, or for later. */
import { loopTimes, loopWaitMs } from '../../cluster/model/loop-times.js';
import { sameName } from '../../cluster/model/member-names.js';
import {
  routesProven,
  withoutPatroni,
  type Answer,
  type Goal,
  type Progress,
} from '../../cluster/progress/change-outcome.js';
import type { Cluster, Snapshot } from '../../cluster/model/model.js';
import { planOf } from '../../cluster/preflight/plan.js';
import type { ChangeRequest, Plan } from '../../cluster/preflight/plan-model.js';
import { holdersOf, type Holder } from '../../cluster/preflight/holders.js';
import { streamsFromRemote } from '../../cluster/preflight/leader-state.js';
import { viewOf, type View } from '../../cluster/roles/view.js';
import { ToolError, type Evidence } from '../../errors.js';
import { isRefusal, lookAfter, saysNo, type Seen } from '../kit/after-answer.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import { readSnapshotSettled, type SnapshotRequest } from '../../observe/read-snapshot.js';
import type { ProgressEvent } from '../../output/progress.js';
import type { Context } from '../../context.js';
import { holdersText, nextStep, planArgument, reasons } from './advice.js';
import type { ChangeRoutes } from './follow-routes.js';
import { followChange, readToFollow, type Followed } from './follow.js';
import { missingSaid } from './missing-members.js';
import type { Carried, ChangeEvent, Conclusion, LeaderChange } from './change.js';
import { notSentYet, requestBody, sendOverDcs, sendOverRest, type Sent } from './change-request.js';
import { localZone } from './questions.js';
import { statedText, utcText, type Scheduled } from '../kit/schedule.js';
import { terminateLogical } from './terminate-logical.js';

/** Patroni looks for the outcome max(10, loop_wait) * 2 times, a second apart; then it answers. */
const PATRONI_GIVES_UP_MS = 20_000;
const MARGIN_MS = 5000;
const LOOK_MS = 200;
/** How long the closing table waits for keys that say what has been proven: members write theirs now and then. */
const TABLE_WAITS_MS = 3000;

/** The change that is under way: the request, the plan, and the receiver of events. */
export interface Underway {
  readonly context: Context;
  readonly change: LeaderChange;
  readonly reading: SnapshotRequest;
  readonly citus: boolean;
  /** The request as the checks see it. */
  readonly request: ChangeRequest;
  readonly plan: Plan;
  /** Null: none is known, or none is waited for. */
  readonly routes: ChangeRoutes | null;
  readonly on: (event: ChangeEvent) => void;
}

/** Asks Patroni once and follows the change to its end. */
export async function act(underway: Underway, now: Snapshot, first: Snapshot): Promise<Carried> {
  const { context, change, reading, request, plan, on } = underway;
  const report = (event: ProgressEvent): void => on({ kind: 'step', ...event });
  const ended = request.terminateLogical
    ? await terminateLogical(context, now.cluster, plan, report)
    : [];
  const holders = holdersOf(now, first).filter(({ pid }) => !ended.includes(pid));
  const base = await readToFollow(context, reading.scope, reading.group);
  const { cluster } = base;
  if (cluster.leaderName !== plan.leader) throw movedAway(cluster, plan.leader);
  if (context.signal.aborted) throw notSentYet(plan);
  const limitMs = Math.max(PATRONI_GIVES_UP_MS, 2 * loopWaitMs(cluster));
  const followed = await followChange(
    context,
    {
      scope: reading.scope,
      group: reading.group,
      goal: goalOf(now, cluster, underway),
      members: cluster.members.map(({ name }) => name),
      base,
      timeoutMs: change.deadlineMs,
      routes: underway.routes?.routes ?? [],
    },
    (asking) => {
      if (change.via === 'dcs') return sendOverDcs(context, cluster, plan, asking);
      const awaitMs = Math.min(change.deadlineMs, limitMs + MARGIN_MS);
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
  return concluded(underway, followed, first, holders);
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

/** What must be true again: every member that led or streamed before streams afterwards. */
function goalOf(now: Snapshot, cluster: Cluster, { plan, change, routes }: Underway): Goal {
  const view = viewOf(now);
  // A leader that is down comes back when an operator starts it: a failover does not wait for that.
  const lives = !['unreachable', 'not running'].includes(view.leader?.observed ?? 'unreachable');
  const streamed = view.members.filter(({ name, member, row, departed, observed }) => {
    if (departed || member === null || name === plan.leader) return false;
    // No member streams from a leader that is gone: every standby must stream from the next one.
    if (!lives) return observed === 'replica';
    return row === null ? member.replicationState === 'streaming' : row.state === 'streaming';
  });
  const leader = view.leader && lives ? [view.leader.name] : [];
  const members = [...leader, ...streamed.map(({ name }) => name)];
  const { config, sync } = cluster;
  const synchronous = config !== null && config.syncMode !== 'off' && !config.standbyCluster;
  const standbys = synchronous && (sync?.leader || sync?.fromRoles) ? sync.standbys : [];
  const live = standbys.filter((name) => members.some((member) => sameName(member, name)));
  return {
    kind: plan.kind,
    leader: plan.leader,
    candidate: plan.candidate,
    members,
    // A leader is not its own standby: without the old leader there is one less to choose from.
    syncStandbys: Math.min(live.length, Math.max(0, members.length - 1)),
    standbyCluster: (config?.standbyCluster ?? null) !== null,
    remote: followsRemote(view, cluster),
    failoverRevision: cluster.failoverRevision,
    waitFor: change.waitFor ?? (routes === null ? 'healthy' : 'routes'),
    mayWriteForMs: 1000 * loopTimes(config).retryTimeoutSeconds,
    ...(routes && { routes: { before: routes.warned, hasReplica: members.length > 1 } }),
  };
}

/** Whether a standby leader has a remote to stream from: it did, or no leader shows it. */
function followsRemote({ leader }: View, { config }: Cluster): boolean {
  if (!config?.standbyCluster) return false;
  const streams = leader && streamsFromRemote(leader);
  return streams ?? Boolean(config.standbyCluster['host']);
}

// ---------------------------------------------------------------- how it ended

async function concluded(
  underway: Underway,
  { verdict, progress, sent }: Followed,
  first: Snapshot,
  holders: readonly Holder[],
): Promise<Carried> {
  const { plan } = underway;
  if (verdict === null && sent === null) throw notSentYet(plan);
  if (verdict === null) {
    return { conclusion: stoppedWaiting(plan, progress), sent, progress, details: null };
  }
  const { ending, code, words } = verdict;
  const conclusion: Conclusion = { ending, code, message: words };
  const hint = nextStep(code, plan, { holders, silent: withoutPatroni(progress) });
  if (hint !== undefined) conclusion.hint = hint;
  const isOfRoutes = code === 'routes_wrong' || code === 'routes_unknown';
  if (isOfRoutes) {
    conclusion.evidence = routeEvidence(progress);
  } else if (ending === 'error' || ending === 'failed') {
    const why = await whyNot(underway, first, progress);
    if (why.length > 0) conclusion.evidence = why;
  }
  // An operator who reads it later must know the request and its member.
  if (ending === 'unconfirmed' && sent && !isOfRoutes) {
    conclusion.evidence = [requestSaid(plan, sent)];
  }
  const moved = ending === 'ok' || ending === 'diverted';
  if (moved || isOfRoutes) await tellMoved(underway, progress, moved ? words : null);
  return { conclusion, sent, progress, details: moved ? null : detailsOf(sent, words) };
}

/** What answered through the routes that are not proven. */
function routeEvidence(progress: Progress): Evidence[] {
  const { wrong = [], unasked = [] } = routesProven(progress) ?? {};
  return [...wrong, ...unasked].flatMap(({ evidence }) => evidence.map((one) => ({ ...one })));
}

/** As patronictl tells a failure: the answer with its status, or why there is none. */
function detailsOf(sent: Sent | null, message: string): string {
  const answer = sent?.answer;
  return answer?.kind === 'answered' ? `${answer.status}, ${answer.text}` : message;
}

function stoppedWaiting(plan: Plan, progress: Progress): Conclusion {
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
async function whyNot(
  { context, reading, request, plan }: Underway,
  first: Snapshot,
  progress: Progress,
): Promise<Evidence[]> {
  try {
    const now = await readSnapshotSettled(context, reading);
    if (progress.newLeader !== null) return missingSaid(now, progress);
    return reasons(planOf(now, first, { ...request, candidate: plan.candidate }));
  } catch (error) {
    if (error instanceof ToolError) return [];
    throw error;
  }
}

/** That it is done (null: not as asked), and the table as it is now. */
async function tellMoved(
  underway: Underway,
  progress: Progress,
  message: string | null,
): Promise<void> {
  const { context, reading, citus, on } = underway;
  if (message !== null) on({ kind: 'moved', atMs: context.clock.nowMs(), message });
  // What was done is done: an etcd that is away just now changes nothing about the ending.
  const cluster = (await clusterProven(underway, progress.goal)) ?? progress.cluster;
  on({ kind: 'after', cluster, group: reading.group, citus, progress });
}

/** The keys as they are, or a moment later: a table that calls a proven member stopped would alarm for nothing. */
async function clusterProven(underway: Underway, goal: Goal): Promise<Cluster | null> {
  const { context } = underway;
  let last = await clusterAfter(underway);
  if (context.flags.compat || !['healthy', 'routes'].includes(goal.waitFor)) return last;
  const untilMs = context.clock.nowMs() + TABLE_WAITS_MS;
  while (
    last &&
    !saysProven(last, goal) &&
    context.clock.nowMs() < untilMs &&
    !context.signal.aborted
  ) {
    await context.clock.wait(LOOK_MS, context.signal);
    last = (await clusterAfter(underway)) ?? last;
  }
  return last;
}

function saysProven({ members }: Cluster, goal: Goal): boolean {
  const proven = members.filter(({ name }) => goal.members.some((one) => sameName(one, name)));
  return proven.every(({ state }) => state === 'running' || state === 'streaming');
}

async function clusterAfter({ context, reading }: Underway): Promise<Cluster | null> {
  try {
    return (await readToFollow(context, reading.scope, reading.group)).cluster;
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}

// ---------------------------------------------------------------- for later

/** Leaves the request for its time, and reads back what Patroni has made of it. */
export async function leaveSchedule(
  underway: Underway,
  before: Cluster,
  when: Scheduled,
): Promise<Carried> {
  const { context, change, reading, citus, on } = underway;
  // Patroni keeps the offset as it is sent, and every list shows it.
  const plan = { ...underway.plan, scheduledAt: statedText(when, localZone()) };
  const sent =
    change.via === 'dcs'
      ? await sendOverDcs(context, before, plan)
      : await sendOverRest(context, before, plan, context.flags.timeoutMs + MARGIN_MS);
  const { answer } = sent;
  const isNo = answer.kind === 'answered' && answer.status >= 400;
  const carried = { sent, progress: null, details: isNo ? detailsOf(sent, '') : null };
  if (answer.kind === 'answered' && isRefusal(answer.status)) {
    return { ...carried, conclusion: scheduleRefused(plan, answer) };
  }
  let cluster = before;
  try {
    const seen = await lookAfter(context, before, outcomeOf(answer), {
      isWritten: (now) => stands((cluster = now), plan, when),
      goesOn: 'the schedule was sent',
      tell: on,
    });
    if (seen !== 'written') return { ...carried, conclusion: notSeen(plan, sent, seen) };
  } catch (error) {
    return { ...carried, details: null, conclusion: asConclusion(error) };
  }
  const message = 'Switchover scheduled';
  on({ kind: 'moved', atMs: context.clock.nowMs(), message });
  on({ kind: 'after', cluster, group: reading.group, citus, progress: null });
  const code = 'scheduled';
  const conclusion = {
    ending: 'ok',
    code,
    message: `${message} at ${utcText(when.atMs)}`,
  } as const;
  return { ...carried, details: null, conclusion };
}

/** A failure on the way is a conclusion like every other; what is not a ToolError is thrown on. */
export function asConclusion(error: unknown): Conclusion {
  if (!(error instanceof ToolError)) throw error;
  const { ending, code, message, hint, evidence } = error;
  return { ending, code, message, evidence, ...(hint === undefined ? {} : { hint }) };
}

function scheduleRefused(plan: Plan, answer: Extract<Answer, { kind: 'answered' }>): Conclusion {
  const code = answer.status === 401 ? 'rest_login_wanted' : 'request_refused';
  return {
    ending: 'error',
    code,
    message: `Switchover failed, details: ${answer.status}, ${answer.text}`,
    hint: nextStep(code, plan) ?? '',
  };
}

function stands({ failover }: Cluster, plan: Plan, { atMs }: Scheduled): boolean {
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
    evidence.push({ witness: 'DCS', subject: '/failover', said: 'the schedule is not there' });
    const message = `Switchover failed, details: ${answer.status}, ${answer.text}`;
    return { ending: 'error', code: 'not_written', message, evidence, hint };
  }
  const said =
    answer.kind === 'lost'
      ? `the answer was lost: ${answer.reason}`
      : `Patroni answered ${answer.status}: ${answer.text}`;
  const state =
    seen === 'unreadable' ? 'it is unknown whether it is in /failover' : 'it is not in /failover';
  return {
    ending: 'unconfirmed',
    code: 'schedule_not_seen',
    message: `the schedule was sent, and ${state}; ${said}`,
    evidence,
    hint,
  };
}

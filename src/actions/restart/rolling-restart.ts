/** restart --rolling: one member at a time, each back and caught up before the next; stops at the first failure. */
import { farther } from '../../cluster/model/lsn.js';
import { commandLine } from '../../cluster/model/command-line.js';
import { namedInSync, syncModeActive } from '../../cluster/roles/dcs-roles.js';
import type { Cluster, JsonObject, Member, RestStatus } from '../../cluster/model/model.js';
import {
  heirs,
  meetsConditions,
  type RollingPlan,
  type RollingStep,
} from '../../cluster/preflight/restart-order.js';
import { ToolError, type Ending } from '../../errors.js';
import { progressReporter, seconds } from '../../output/progress.js';
import type { Context } from '../../context.js';
import { reread } from '../kit/choose-members.js';
import type { Tell } from '../kit/report.js';
import { NOT_WANTED, notWantedWords, restartMember } from './restart-member.js';
import { until } from '../kit/until.js';

export interface RollingOrder {
  cluster: Cluster;
  plan: RollingPlan;
  content: JsonObject;
  /** Limit of each step, ms. */
  limitMs: number;
  readonly tell: Tell;
}

/** How it was before the first step: every step has to bring that back. */
interface Baseline {
  /** Members that streamed. */
  streaming: string[];
  /** Standbys in /sync that live; 0 when synchronous mode is not active. */
  syncStandbys: number;
}

const LOOK_MS = 500;

/** The plan for people: a numbered line a step. */
export function rollingText({ steps, lowered, raised, warnings, refused }: RollingPlan): string {
  const lines = steps.map((step, at) => `${at + 1}. ${stepWords(step)} (${step.why})`);
  if (raised.length > 0) lines.unshift(`Raised: ${raised.join(', ')}`);
  if (lowered.length > 0) lines.unshift(`Lowered: ${lowered.join(', ')}`);
  lines.push(...warnings.map((warning) => `warning: ${warning}`));
  if (refused !== null) lines.push(`refused: ${refused}`);
  return lines.map((line) => `${line}\n`).join('');
}

function stepWords(step: RollingStep): string {
  if (step.kind === 'switchover') return `switch over from ${step.from}`;
  return `restart ${step.member}`;
}

/** What has become of the steps so far. */
interface Progress {
  restarted: Set<string>;
  /** Whose Patroni did not restart it, for --pending or --pg-version did not fit. */
  skipped: Set<string>;
  /** Steps in words, in order. */
  done: string[];
  /** A member was restarted, or the leadership moved. */
  changed: boolean;
}

/** Does it; what was done and what was not is in the error of the step that failed. */
export async function restartRolling(context: Context, order: RollingOrder): Promise<Ending> {
  const { cluster, plan } = order;
  const startedMs = context.clock.nowMs();
  const style = context.flags.compat ? 'none' : 'text';
  const report = progressReporter(context.io, style, startedMs);
  const baseline = await takeBaseline(context, cluster, plan);
  const progress: Progress = { restarted: new Set(), skipped: new Set(), done: [], changed: false };
  for (const [at, step] of plan.steps.entries()) {
    const say = (said: string, member: string | null) =>
      report({ step: step.kind, atMs: context.clock.nowMs(), member, said });
    try {
      say(`${at + 1} of ${plan.steps.length}: ${stepWords(step)} (${step.why})`, memberOf(step));
      if (step.kind === 'restart') await oneRestart(context, order, step, baseline, progress, say);
      else if (await isMoveWanted(context, order, step.from, progress)) {
        await moveLeader(context, order, step.from, progress.restarted);
        progress.done.push(stepWords(step));
        progress.changed = true;
      } else {
        // The step that is left would restart it.
        say(`${step.from} remains the leader: ${notWantedWords(order.content)}`, step.from);
        progress.skipped.add(step.from);
        break;
      }
    } catch (error) {
      if (error instanceof ToolError) throw stopped(error, order, at, progress);
      throw error;
    }
  }
  sumUp(context, order.content, progress, startedMs);
  return 'ok';
}

/** Nothing has to be repaired before another try. */
const NOBODY = 'nobody_restarted';

type RestartStep = Extract<RollingStep, { kind: 'restart' }>;
type Say = (said: string, member: string | null) => void;

async function oneRestart(
  context: Context,
  order: RollingOrder,
  step: RestartStep,
  baseline: Baseline,
  progress: Progress,
  say: Say,
): Promise<void> {
  const wasRestarted = await restartOne(context, order, step, baseline, say);
  (wasRestarted ? progress.restarted : progress.skipped).add(step.member);
  progress.changed ||= wasRestarted;
  progress.done.push(wasRestarted ? stepWords(step) : `${step.member} does not need a restart`);
}

/**
 * The leader moves only for its own restart, and only to a member that was restarted: not when its own
 * conditions are not met, and ToolError `error` if no other member met them.
 */
async function isMoveWanted(
  context: Context,
  { cluster, content }: RollingOrder,
  from: string,
  { restarted, skipped }: Progress,
): Promise<boolean> {
  const [seen] = await statuses(
    context,
    cluster,
    cluster.members.filter(({ name }) => name === from),
  );
  if (seen?.now && !meetsConditions(seen.now, content)) return false;
  if (restarted.size > 0 || skipped.size === 0) return true;
  throw new ToolError('error', `no replica was restarted; the leader is still ${from}`, {
    code: NOBODY,
    hint: `to switch over anyway, name only the leader: ${commandLine(cluster, 'restart', from, '--rolling', '--switchover')}`,
  });
}

function sumUp(
  context: Context,
  content: JsonObject,
  { restarted, skipped }: Progress,
  startedMs: number,
): void {
  if (context.flags.compat) return;
  const left = [...skipped].filter((name) => !restarted.has(name));
  const why = notWantedWords(content);
  const not = left.length === 0 ? '' : `, skipped ${left.length}: ${left.join(', ')} (${why})`;
  const took = seconds(context.clock.nowMs() - startedMs);
  context.io.err(`restarted ${restarted.size} members in ${took}${not}\n`);
}

function memberOf(step: RollingStep): string | null {
  return step.kind === 'restart' ? step.member : null;
}

/** The failure, with where it stands. What comes after a step that was done has changed something. */
function stopped(
  error: ToolError,
  order: RollingOrder,
  at: number,
  { done, changed }: Progress,
): ToolError {
  const { steps } = order.plan;
  const left = steps.slice(at + 1).map(stepWords);
  const where = [
    done.length > 0 ? `done: ${done.join(', ')}` : 'no step was done before',
    left.length > 0 ? `not started: ${left.join(', ')}` : 'it was the last step',
  ].join('; ');
  const before = changed && (error.ending === 'error' || error.ending === 'unreachable');
  return new ToolError(before ? 'failed' : error.ending, `${error.message}; stopped`, {
    code: 'rolling_stopped',
    evidence: error.evidence,
    hint: [where, error.hint, ...(error.code === NOBODY ? [] : [goOn(order, at)])]
      .filter((line) => line !== undefined)
      .join('\n'),
    cause: error,
  });
}

/** The command for what is left, including the failed step; finished members are not restarted again. */
function goOn({ cluster, plan, content }: RollingOrder, at: number): string {
  const left = plan.steps.slice(at);
  const names = [...new Set(left.map(memberOf).filter((name) => name !== null))];
  const pending = content['restart_pending'] === true;
  const version = content['postgres_version'];
  const words = [
    ...(pending ? [] : names),
    '--rolling',
    ...(pending ? ['--pending'] : []),
    ...(left.some(({ kind }) => kind === 'switchover') ? ['--switchover'] : []),
    ...(typeof version === 'string' ? ['--pg-version', version] : []),
  ];
  return `when it is repaired, continue with: ${commandLine(cluster, 'restart', ...words)}`;
}

// ---------------------------------------------------------------- before the first step

/** Nothing begins if one of the members to restart does not run and answer. */
async function takeBaseline(
  context: Context,
  cluster: Cluster,
  plan: RollingPlan,
): Promise<Baseline> {
  const wanted = new Set(plan.steps.map(memberOf));
  const readings = await statuses(context, cluster, cluster.members);
  const bad = readings.filter(({ member, now, reason }) => {
    if (!wanted.has(member.name)) return false;
    return now === null ? reason !== null : now.state !== 'running' && now.state !== 'streaming';
  });
  if (bad.length > 0) {
    throw new ToolError('error', `not every member runs; nothing was restarted`, {
      code: 'member_not_running',
      evidence: bad.map(({ member, now, reason }) => ({
        witness: 'REST',
        subject: member.name,
        said: now === null ? (reason ?? '') : `is ${now.state}`,
      })),
      hint: 'restart them by name without --rolling, or bring them back first',
    });
  }
  const streaming = readings
    .filter(({ now }) => now?.replicationState === 'streaming')
    .map(({ member }) => member.name);
  return { streaming, syncStandbys: liveSyncStandbys(cluster, streaming) };
}

function liveSyncStandbys(cluster: Cluster, streaming: readonly string[]): number {
  if (!syncModeActive(cluster)) return 0;
  return streaming.filter((name) => namedInSync(cluster, name)).length;
}

interface Seen {
  member: Member;
  now: RestStatus | null;
  reason: string | null;
}

async function statuses(
  context: Context,
  { scope }: Cluster,
  members: readonly Member[],
): Promise<Seen[]> {
  const patroni = await context.patroni();
  return Promise.all(
    members.map(async (member): Promise<Seen> => {
      const { apiUrl, name } = member;
      if (apiUrl === null) return { member, now: null, reason: 'has no api_url' };
      const reading = await patroni.status({ apiUrl, name, scope }, context.flags.timeoutMs);
      return reading.ok
        ? { member, now: reading.value, reason: null }
        : { member, now: null, reason: reading.reason };
    }),
  );
}

// ---------------------------------------------------------------- one step

/** False if its Patroni did not restart it because its conditions are not met. */
async function restartOne(
  context: Context,
  order: RollingOrder,
  step: RestartStep,
  baseline: Baseline,
  say: Say,
): Promise<boolean> {
  const atMs = context.clock.nowMs() + order.limitMs;
  await allBack(context, order.cluster, baseline, step.member, atMs);
  const cluster = (await reread(context, order.cluster)) ?? order.cluster;
  const member = cluster.members.find(({ name }) => name === step.member);
  if (!member) throw failed(`${step.member} has left the cluster`, []);
  const leads = cluster.leaderName === step.member;
  if (leads !== (step.role === 'primary')) {
    throw failed(`${step.member} ${leads ? 'is now the leader' : 'is no longer the leader'}`, []);
  }
  const outcome = await restartMember(
    context,
    { cluster, member },
    {
      content: order.content,
      limitMs: order.limitMs,
      wait: true,
      mayStayPending: step.mayStayPending,
      isStep: true,
    },
    order.tell,
  );
  if (outcome.ending !== 'ok') {
    throw new ToolError(outcome.ending, `the restart of ${step.member} failed`, {
      code: 'restart_failed',
      evidence: [{ witness: 'REST', subject: step.member, said: outcome.said }],
    });
  }
  if (outcome.said === NOT_WANTED) {
    say(`${step.member} was not restarted: ${notWantedWords(order.content)}`, step.member);
    return false;
  }
  say(`${step.member} runs`, step.member);
  await allBack(context, cluster, baseline, null, context.clock.nowMs() + order.limitMs);
  say(`${step.member} is back; all replicas stream and have caught up`, step.member);
  return true;
}

/**
 * Waits until every member that streamed (except `besides`) streams again and has received what the leader had
 * written, and /sync names as many live standbys as before.
 */
async function allBack(
  context: Context,
  before: Cluster,
  baseline: Baseline,
  besides: string | null,
  atMs: number,
): Promise<void> {
  let missing: { member: string; said: string }[] = [];
  let target: bigint | null = null;
  const goesOn = 'completed restarts remain in effect';
  const awaits = () => missing.map(({ member, said }) => `${member} (${said})`).join(', ');
  const back = await until(context, { atMs, everyMs: LOOK_MS, goesOn, awaits }, async () => {
    const cluster = await reread(context, before);
    if (cluster === null) {
      missing = [{ member: 'DCS', said: 'could not be read' }];
      return null;
    }
    const seen = await statuses(context, cluster, cluster.members);
    const leader = seen.find(({ member }) => member.name === cluster.leaderName);
    const { location = null, receivedLocation = null, replayedLocation = null } = leader?.now ?? {};
    const written = location ?? farther(receivedLocation, replayedLocation);
    target ??= written;
    missing = behind(cluster, seen, baseline, besides, target);
    if (!leader?.now) {
      missing.push({
        member: cluster.leaderName ?? 'leader',
        said: leader?.reason ?? 'no leader',
      });
    }
    const wantedSync = baseline.syncStandbys - (besides === null ? 0 : 1);
    const sync = liveSyncStandbys(cluster, streamingOf(seen));
    if (sync < wantedSync) {
      missing.push({
        member: '/sync',
        said: `names ${sync} live standbys (before: ${wantedSync})`,
      });
    }
    return missing.length === 0 ? true : null;
  });
  if (back) return;
  const evidence = missing.map(({ member, said }) => ({ witness: 'REST', subject: member, said }));
  throw failed(
    `${missing.map(({ member }) => member).join(', ')} not back in their previous state`,
    evidence,
  );
}

function streamingOf(seen: readonly Seen[]): string[] {
  return seen
    .filter(({ now }) => now?.replicationState === 'streaming')
    .map(({ member }) => member.name);
}

function behind(
  cluster: Cluster,
  seen: readonly Seen[],
  baseline: Baseline,
  besides: string | null,
  target: bigint | null,
): { member: string; said: string }[] {
  return baseline.streaming.flatMap((name) => {
    if (name === besides || name === cluster.leaderName) return [];
    const found = seen.find(({ member }) => member.name === name);
    if (!found) return [{ member: name, said: 'has left the DCS' }];
    const { now, reason } = found;
    if (now === null) return [{ member: name, said: reason ?? '' }];
    if (now.replicationState !== 'streaming') {
      return [{ member: name, said: now.replicationState ?? `is ${now.state}` }];
    }
    const received = farther(now.receivedLocation, now.replayedLocation);
    if (target === null || (received !== null && received >= target)) return [];
    return [{ member: name, said: 'has not caught up' }];
  });
}

function failed(message: string, evidence: ToolError['evidence']): ToolError {
  return new ToolError('failed', message, { code: 'not_back', evidence });
}

/** A switchover like any other, with its checks and its proof. */
async function moveLeader(
  context: Context,
  { cluster: before, tell }: RollingOrder,
  from: string,
  restarted: ReadonlySet<string>,
): Promise<void> {
  const cluster = (await reread(context, before)) ?? before;
  const [candidate] = heirs(cluster, restarted);
  if (candidate === undefined) {
    throw new ToolError('error', `no restarted replica can take over from ${from}`, {
      code: 'no_heir',
      hint: 'run the command again without --switchover to restart the primary in place',
    });
  }
  const [{ changeLeader }, { changePrinter, finishChange }, { changeDocument }, { PLAIN_CHANGE }] =
    await Promise.all([
      import('../switchover/change-leader.js'),
      import('../switchover/print-change.js'),
      import('../switchover/conclusion.js'),
      import('../switchover/change.js'),
    ]);
  const { scope, group } = cluster;
  const change = {
    ...PLAIN_CHANGE,
    kind: 'switchover',
    scope,
    group,
    leader: from,
    candidate,
  } as const;
  const shown = { format: 'pretty', dryRun: false, progress: null } as const;
  const talk = { asker: null, ...changePrinter(context, shown) };
  const result = await changeLeader(context, change, talk);
  tell({ kind: 'switchover', document: changeDocument(result) });
  finishChange(context, 'pretty', result);
}

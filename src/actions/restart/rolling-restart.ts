/** restart --rolling: one member at a time, each back and caught up before the next; stops at the first failure. */
import { isStreaming } from '../../cluster/conditions.js';
import { commandLine } from '../../cluster/model/command-line.js';
import type { Cluster, JsonObject, Member, RestStatus } from '../../cluster/model/model.js';
import {
  heirs,
  meetsConditions,
  type RollingPlan,
  type RollingStep,
} from '../../cluster/preflight/restart-order.js';
import type { GateName } from '../../cluster/preflight/gate-names.js';
import { liveSyncStandbys } from '../../cluster/preflight/roll-gates.js';
import { viewOf } from '../../cluster/roles/view.js';
import { ToolError, type Ending } from '../../errors.js';
import { PLAIN_ASKING, readSnapshotOnce } from '../../observe/read-snapshot.js';
import { seconds } from '../../output/progress.js';
import type { Context } from '../../context.js';
import { clusterNow } from '../../observe/read-keys.js';
import type { Telling } from '../kit/report.js';
import { awaitGates } from '../rolling/await-gates.js';
import { moveLeader } from '../rolling/move-leader.js';
import { runSteps, type Say, type StepDone } from '../rolling/run-steps.js';
import { NOT_WANTED, notWantedWords, restartMember } from './restart-member.js';
import { stepWords } from './rolling-text.js';

export interface RollingOrder {
  cluster: Cluster;
  plan: RollingPlan;
  content: JsonObject;
  /** Limit of each step, ms. */
  limitMs: number;
  readonly telling: Telling;
}

/** How it was before the first step: every step has to bring that back. */
interface Baseline {
  /** Members that streamed. */
  streaming: string[];
  /** Standbys in /sync that live; 0 when synchronous mode is not active. */
  syncStandbys: number;
}

/** As restart sends it: Patroni itself keeps a restart from being harmful, and takes one in a pause too. */
const GATES_HERE: readonly GateName[] = ['leader', 'streaming', 'caught_up', 'sync'];

/** What has become of the members so far. */
interface Progress {
  restarted: Set<string>;
  /** Members that their Patroni did not restart because --pending or --pg-version did not apply. */
  skipped: Set<string>;
}

/** Does it; what was done and what was not is in the error of the step that failed. */
export async function restartRolling(context: Context, order: RollingOrder): Promise<Ending> {
  const { cluster, plan, content } = order;
  const { tell } = order.telling;
  const startedMs = context.clock.nowMs();
  const baseline = await takeBaseline(context, cluster, plan);
  const progress: Progress = { restarted: new Set(), skipped: new Set() };
  const work = async (step: RollingStep, say: Say): Promise<StepDone> => {
    if (step.kind === 'restart')
      return oneRestart(context, order, step, { baseline, progress, say });
    if (await isMoveWanted(context, order, step.from, progress)) {
      await toHeir(context, order, step.from, progress.restarted);
      return { said: stepWords(step), changed: true };
    }
    // The step that is left would restart it.
    say(`${step.from} remains the leader: ${notWantedWords(content)}`, step.from);
    progress.skipped.add(step.from);
    return { said: `${step.from} remains the leader`, changed: false, isLast: true };
  };
  await runSteps(context, {
    steps: plan.steps,
    line: (step) => ({
      kind: step.kind,
      member: memberOf(step),
      words: stepWords(step),
      why: step.why,
    }),
    report: (event) => tell({ kind: 'step', startedMs, ...event }),
    work,
    goOn: (at, error) => (error.code === NOBODY ? null : goOn(order, at)),
    code: 'rolling_stopped',
  });
  const text = summary(content, progress, context.clock.nowMs() - startedMs);
  tell({ kind: 'note', text, notWith: 'compat' });
  return 'ok';
}

/** Nothing has to be repaired before another try. */
const NOBODY = 'nobody_restarted';

type RestartStep = Extract<RollingStep, { kind: 'restart' }>;

interface Underway {
  baseline: Baseline;
  progress: Progress;
  say: Say;
}

async function oneRestart(
  context: Context,
  order: RollingOrder,
  step: RestartStep,
  { baseline, progress, say }: Underway,
): Promise<StepDone> {
  const wasRestarted = await restartOne(context, order, step, baseline, say);
  (wasRestarted ? progress.restarted : progress.skipped).add(step.member);
  const said = wasRestarted ? stepWords(step) : `${step.member} does not need a restart`;
  return { said, changed: wasRestarted };
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

function summary(content: JsonObject, { restarted, skipped }: Progress, elapsedMs: number): string {
  const left = [...skipped].filter((name) => !restarted.has(name));
  const why = notWantedWords(content);
  const not = left.length === 0 ? '' : `, skipped ${left.length}: ${left.join(', ')} (${why})`;
  return `restarted ${restarted.size} members in ${seconds(elapsedMs)}${not}`;
}

function memberOf(step: RollingStep): string | null {
  return step.kind === 'restart' ? step.member : null;
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
  const { scope, group } = cluster;
  const asked = { scope, group, ...PLAIN_ASKING, verify: 'rest' } as const;
  const view = viewOf(await readSnapshotOnce(context, asked));
  const streaming = view.members.filter((one) => one.member !== null && isStreaming(one));
  return {
    streaming: streaming.map(({ name }) => name),
    syncStandbys: liveSyncStandbys(view).length,
  };
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
  await allBack(context, order, baseline, step.member);
  const cluster = (await clusterNow(context, order.cluster)) ?? order.cluster;
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
    order.telling.tell,
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
  await allBack(context, order, baseline, null);
  say(`${step.member} is back; all replicas stream and have caught up`, step.member);
  return true;
}

/** Waits until every member that streamed (except `besides`) streams again, and the rest as it was. */
async function allBack(
  context: Context,
  { cluster, limitMs, telling }: RollingOrder,
  baseline: Baseline,
  besides: string | null,
): Promise<void> {
  const request = { node: besides, gates: GATES_HERE, maxLagBytes: null, ...baseline };
  const goesOn = 'completed restarts remain in effect';
  const { closed } = await awaitGates(context, {
    cluster,
    verify: 'rest',
    request,
    limitMs,
    goesOn,
    tell: telling.tell,
  });
  if (closed.length === 0) return;
  const evidence = closed.flatMap((gate) => gate.evidence);
  const names = [...new Set(evidence.map(({ subject }) => subject))];
  throw failed(`${names.join(', ')} not back in their previous state`, evidence);
}

function failed(message: string, evidence: ToolError['evidence']): ToolError {
  return new ToolError('failed', message, { code: 'not_back', evidence });
}

/** To the member that is the best heir of those that were restarted. */
async function toHeir(
  context: Context,
  { cluster: before, telling }: RollingOrder,
  from: string,
  restarted: ReadonlySet<string>,
): Promise<void> {
  const cluster = (await clusterNow(context, before)) ?? before;
  const [candidate] = heirs(cluster, restarted);
  if (candidate === undefined) {
    throw new ToolError('error', `no restarted replica can take over from ${from}`, {
      code: 'no_heir',
      hint: 'run the command again without --switchover to restart the primary in place',
    });
  }
  const { scope, group } = cluster;
  await moveLeader(context, { scope, group, from, candidate, routes: [] }, telling);
}

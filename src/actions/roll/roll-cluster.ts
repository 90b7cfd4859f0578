/** The same work on every member, one at a time: shows the plan and the gates, does it, and says where it stopped. */
import { commandLine } from '../../cluster/model/command-line.js';
import { plural } from '../../cluster/model/words.js';
import type { Cluster } from '../../cluster/model/model.js';
import { gatesOf, liveSyncStandbys } from '../../cluster/preflight/roll-gates.js';
import {
  planRoll,
  rollStepWords,
  selectForRoll,
  type RollPlan,
  type RollStep,
} from '../../cluster/preflight/roll-order.js';
import { identityOf, otherCluster, type RollState } from '../../cluster/preflight/roll-resume.js';
import { namedInSync, syncModeActive } from '../../cluster/roles/dcs-roles.js';
import { viewOf, type View } from '../../cluster/roles/view.js';
import type { Selected } from '../../cluster/select-members.js';
import type { Context } from '../../context.js';
import { noWrite } from '../../dcs/recording/no-write.js';
import { ToolError, type Ending } from '../../errors.js';
import { isRecorded, PLAIN_ASKING, readSnapshotSettled } from '../../observe/read-snapshot.js';
import { needConsent } from '../../output/ask.js';
import { seconds } from '../../output/progress.js';
import { oneLine } from '../../output/text.js';
import { needRequests } from '../kit/need-requests.js';
import type { AskAndTell, RollReport, Tell, Telling } from '../kit/report.js';
import { written } from '../rolling/await-gates.js';
import { moveLeader } from '../rolling/move-leader.js';
import { runSteps, type Say, type StepDone } from '../rolling/run-steps.js';
import { openLog } from './command-log.js';
import {
  defaultStatePath,
  lockRoll,
  prepareFolder,
  stateFile,
  type StateFile,
} from './state-file.js';
import { holdStops } from './stops.js';
import {
  commandFor,
  gateRequest,
  saveState,
  throughGates,
  workOn,
  type RollRun,
} from './work-on-member.js';

/** What is given; null: not given, then what the state file has, or the default. */
export interface RollLimits {
  readonly maxLagBytes: number | null;
  readonly gateTimeoutMs: number | null;
  readonly execTimeoutMs: number | null;
  readonly backTimeoutMs: number | null;
  readonly mayStayUp: boolean;
  readonly skipGates: readonly string[];
}

export interface RollRequest extends RollLimits {
  readonly scope: string;
  /** Citus group; null: outside Citus. */
  readonly group: number | null;
  /** COMMAND; null: the one of the state file. */
  readonly command: string | null;
  readonly only: readonly string[];
  readonly except: readonly string[];
  readonly switchover: boolean;
  /** Null: the best member. */
  readonly candidate: string | null;
  readonly back: boolean;
  readonly dryRun: boolean;
  /** Nothing is asked. */
  readonly force: boolean;
  readonly resume: boolean;
  /** An unfinished roll is forgotten. */
  readonly discard: boolean;
  /** Null: below the user's own folder for state. */
  readonly statePath: string | null;
  /** Null: beside the state file. */
  readonly logPath: string | null;
  /** --route, as given; none: those of the configuration. */
  readonly routes: readonly string[];
}

export const ROLL_DEFAULTS = {
  maxLagBytes: 16 * 1024 * 1024,
  gateTimeoutMs: 5 * 60_000,
  backTimeoutMs: 15 * 60_000,
} as const;

/** Shows the plan, and tells what happens and how it ended; every ending but ok is thrown. */
export async function rollCluster(
  context: Context,
  asking: AskAndTell,
  request: RollRequest,
): Promise<Ending> {
  if (!(await isRecorded(context))) await needRequests(context);
  const path = request.statePath ?? (await defaultStatePath(context, request));
  const unlock = request.dryRun ? () => undefined : await lockRoll(path, request);
  try {
    return await planAndRoll(context, asking, request, path);
  } finally {
    unlock();
  }
}

async function planAndRoll(
  context: Context,
  asking: AskAndTell,
  request: RollRequest,
  path: string,
): Promise<Ending> {
  const { tell, show } = asking;
  const { dryRun } = request;
  const file = stateFile(path);
  const hasRoutes = await knowsRoutes(context, request);
  const view = await viewNow(context, request);
  const state = stateOf(view, request, await file.read(), path);
  const plan = planOf(view, state);
  const logPath = request.logPath ?? path.replace(/(\.json)?$/, '.log');
  const gates = plan.steps.flatMap((step) => stepGates(view, state, step));
  tell({ kind: 'roll', roll: { plan, gates, log: logPath, state: path, done: state.done } });
  tell({ kind: 'chosen', members: membersOf(view.snapshot.cluster, plan) });
  tell({ kind: 'changed', changed: false });
  await show({ kind: 'roll', plan, gates, cluster: view.snapshot.cluster, dryRun });
  if (plan.refused !== null) throw refused(plan.refused);
  checkCommands(view.snapshot.cluster, state, plan);
  if (dryRun) return 'ok';
  if (await isRecorded(context)) throw noWrite();
  if (plan.steps.length === 0) return nothingToDo(tell, state, file);
  if (!request.force) await consent(context, asking, state, plan);
  await prepareFolder(path);
  return roll(context, asking, { file, state, plan, logPath, request, hasRoutes });
}

/** Whether any route is known; one that cannot be read is refused here. Loads nothing where none is. */
async function knowsRoutes(context: Context, request: RollRequest): Promise<boolean> {
  const { routes = [] } = await context.config();
  if (request.routes.length + routes.length === 0 || (await isRecorded(context))) return false;
  const { checkRoutes } = await import('../kit/await-routes.js');
  await checkRoutes(context, request);
  return true;
}

async function viewNow(context: Context, { scope, group }: RollRequest): Promise<View> {
  return viewOf(await readSnapshotSettled(context, { scope, group, ...PLAIN_ASKING }));
}

function refused(why: string): ToolError {
  return new ToolError('error', `refused: ${why}`, { code: 'roll_refused' });
}

// ---------------------------------------------------------------- begun, or gone on with

/** The state of a new roll, or the one that is gone on with. ToolError `error` where the two do not fit. */
function stateOf(
  view: View,
  request: RollRequest,
  unfinished: RollState | null,
  path: string,
): RollState {
  const { cluster } = view.snapshot;
  if (request.resume) return resumed(view, request, unfinished, path);
  if (unfinished !== null && !request.discard && !request.dryRun)
    throw new ToolError(
      'error',
      `a roll of ${unfinished.cluster.scope} is not finished (${path})`,
      {
        code: 'unfinished_roll',
        evidence: [{ witness: 'file', subject: path, said: standsAt(unfinished) }],
        hint: `continue it: ${commandLine(cluster, 'roll', '--resume')}\nor discard it and begin a new one: --discard`,
      },
    );
  const command = request.command ?? '';
  const { members, unknown } = selectForRoll(cluster, request);
  if (unknown.length > 0)
    throw new ToolError('error', `${unknown.join(', ')} is not a member of ${cluster.scope}`, {
      code: 'unknown_member',
      hint: `members: ${cluster.members.map(({ name }) => name).join(', ')}`,
    });
  return {
    cluster: identityOf(view),
    command,
    members,
    done: [],
    at: null,
    firstLeader: cluster.leaderName,
    switchover: request.switchover,
    candidate: request.candidate,
    back: request.back,
    syncStandbys: liveSyncStandbys(view).length,
    maxLagBytes: request.maxLagBytes ?? ROLL_DEFAULTS.maxLagBytes,
    gateTimeoutMs: request.gateTimeoutMs ?? ROLL_DEFAULTS.gateTimeoutMs,
    execTimeoutMs: request.execTimeoutMs,
    backTimeoutMs: request.backTimeoutMs ?? ROLL_DEFAULTS.backTimeoutMs,
    mayStayUp: request.mayStayUp,
    skipGates: [...request.skipGates],
  };
}

function resumed(view: View, given: RollRequest, was: RollState | null, path: string): RollState {
  const { cluster } = view.snapshot;
  if (was === null)
    throw new ToolError('error', `no unfinished roll of ${cluster.scope} (${path})`, {
      code: 'nothing_to_resume',
      hint: `begin one: ${commandLine(cluster, 'roll', '--exec', 'COMMAND')}`,
    });
  const others = otherCluster(was.cluster, identityOf(view));
  if (others.length > 0)
    throw new ToolError(
      'error',
      `this is not the cluster of the unfinished roll: ${others.join('; ')}`,
      {
        code: 'another_cluster',
        evidence: [{ witness: 'file', subject: path, said: standsAt(was) }],
        hint: 'if it is the right cluster, begin a new roll with --discard',
      },
    );
  return {
    ...was,
    maxLagBytes: given.maxLagBytes ?? was.maxLagBytes,
    gateTimeoutMs: given.gateTimeoutMs ?? was.gateTimeoutMs,
    execTimeoutMs: given.execTimeoutMs ?? was.execTimeoutMs,
    backTimeoutMs: given.backTimeoutMs ?? was.backTimeoutMs,
    mayStayUp: given.mayStayUp || was.mayStayUp,
    skipGates: [...new Set([...was.skipGates, ...given.skipGates])],
  };
}

function standsAt({ done, members, at }: RollState): string {
  const now = at === null ? '' : `, at ${at.member}`;
  return `done: ${done.join(', ') || 'none'} of ${members.join(', ')}${now}`;
}

function planOf({ snapshot }: View, state: RollState): RollPlan {
  const { members, done, switchover, candidate } = state;
  return planRoll(snapshot.cluster, {
    ...{ members, done, switchover, candidate },
    first: state.at?.member ?? null,
    back: state.back ? state.firstLeader : null,
    withoutVotes: state.skipGates.includes('votes'),
  });
}

/** The gates of a step as they are now. */
function stepGates(view: View, state: RollState, step: RollStep): RollReport['gates'] {
  if (step.kind !== 'command') return [];
  const request = gateRequest(state, step.member);
  // Two readings are never of the same moment: what the leader writes now counts only in the roll itself.
  const target = state.maxLagBytes === 0 ? written(view) : null;
  return [{ member: step.member, gates: gatesOf(view, { ...request, target }) }];
}

/** In the order of their turns. */
function membersOf(cluster: Cluster, { steps }: RollPlan): Selected[] {
  return steps.flatMap((step) => {
    const name = step.kind === 'command' ? step.member : null;
    const member = cluster.members.find((one) => one.name === name);
    return member === undefined ? [] : [{ cluster, member }];
  });
}

/** Every command can be made before the first one runs. */
function checkCommands(cluster: Cluster, { command }: RollState, plan: RollPlan): void {
  for (const { member } of membersOf(cluster, plan)) commandFor(cluster, member, command);
}

async function nothingToDo(tell: Tell, state: RollState, file: StateFile): Promise<Ending> {
  if (state.done.length > 0) await file.remove();
  tell({ kind: 'line', text: `Nothing is left to do in ${oneLine(state.cluster.scope)}` });
  return 'ok';
}

async function consent(
  context: Context,
  { asker }: AskAndTell,
  { cluster: { scope } }: RollState,
  { steps }: RollPlan,
): Promise<void> {
  needConsent(context, 'roll', 'give --yes (the gates still apply), or --dry-run to see the plan');
  const names = steps.flatMap((step) => (step.kind === 'command' ? [step.member] : []));
  const question = `Are you sure you want to run COMMAND for ${names.join(', ')} of ${scope}?`;
  if (await asker.confirm(question)) return;
  throw new ToolError('error', 'Aborted roll', { code: 'declined' });
}

// ---------------------------------------------------------------- the work

interface Begun {
  file: StateFile;
  state: RollState;
  plan: RollPlan;
  logPath: string;
  request: RollRequest;
  hasRoutes: boolean;
}

async function roll(
  context: Context,
  telling: Telling,
  { file, state, plan, logPath, request, hasRoutes }: Begun,
): Promise<Ending> {
  const { tell } = telling;
  const startedMs = context.clock.nowMs();
  const { scope } = state.cluster;
  const onLine = (member: string, text: string): void =>
    tell({ kind: 'output', startedMs, atMs: context.clock.nowMs(), member, text });
  const log = await openLog(context, logPath, { tell, onLine });
  const stops = holdStops(context, tell);
  const begun = { context, file, log, stops, tell };
  const run: RollRun = { ...begun, state, isSaved: request.resume, begun: null };
  log.note(`roll of ${scope}: ${plan.steps.map(rollStepWords).join(', ')}`);
  tell({ kind: 'note', text: `log: ${logPath}`, notWith: 'json' });
  try {
    await runSteps(context, {
      steps: plan.steps,
      line: (step) => ({
        kind: step.kind,
        member: step.kind === 'command' ? step.member : null,
        words: rollStepWords(step),
        why: step.why,
      }),
      report: (event) => {
        log.note(event.said);
        tell({ kind: 'step', startedMs, ...event });
      },
      work: (step, say) => doStep(run, step, { say, telling, routes: request.routes }),
      goOn: () => (run.isSaved ? goOn(state.cluster, request) : null),
      code: null,
    });
    if (isFinished(run.state, plan)) await file.remove();
    if (hasRoutes) {
      const { awaitRoutes } = await import('../kit/await-routes.js');
      await awaitRoutes(context, request, tell);
    }
    tellDone(tell, run.state, plan, context.clock.nowMs() - startedMs);
    return 'ok';
  } catch (error) {
    if (error instanceof ToolError) log.note(`stopped: ${error.message}`);
    throw error;
  } finally {
    stops.release();
    await log.close();
  }
}

/** Whatever was left out, nothing is left for --resume. */
function isFinished({ at }: RollState, { steps }: RollPlan): boolean {
  return at === null && steps.length > 0;
}

function goOn(cluster: RollState['cluster'], { statePath }: RollRequest): string {
  const where = statePath === null ? [] : ['--state', statePath];
  const command = commandLine(cluster, 'roll', '--resume', ...where);
  return `when it is repaired, continue with: ${command}`;
}

interface StepOfRoll {
  say: Say;
  telling: Telling;
  routes: readonly string[];
}

async function doStep(run: RollRun, step: RollStep, ofRoll: StepOfRoll): Promise<StepDone> {
  const { say, telling } = ofRoll;
  const { tell } = telling;
  if (step.kind !== 'command') return moved(run, step, ofRoll);
  const { member } = step;
  const { group } = run.state.cluster;
  const note = (ending: Ending, said: string): void =>
    tell({ kind: 'member', group, outcome: { member, ending, said } });
  try {
    const said = await workOn(run, member, (text) => say(text, member));
    note('ok', said);
    tell({ kind: 'line', text: `Success: COMMAND for member ${oneLine(member)}` });
    tell({ kind: 'changed', changed: true });
    return { said: rollStepWords(step), changed: true };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const isBegun = run.begun === member;
    if (isBegun) tell({ kind: 'changed', changed: true });
    const failure = isBegun ? asChanged(error) : error;
    note(failure.ending, failure.message);
    throw failure;
  }
}

/** COMMAND was run: an ending that promises an unchanged cluster is not true any more. */
function asChanged(error: ToolError): ToolError {
  const { ending, message, code, evidence, hint, cause } = error;
  if (ending !== 'error' && ending !== 'unreachable') return error;
  const more = hint === undefined ? {} : { hint };
  return new ToolError('failed', message, { code, evidence, cause, ...more });
}

async function moved(
  run: RollRun,
  step: Exclude<RollStep, { kind: 'command' }>,
  { say, telling, routes }: StepOfRoll,
): Promise<StepDone> {
  const { context, state } = run;
  const back = step.kind === 'switchback' ? step.to : null;
  const view = await throughGates(
    run,
    null,
    (said) => say(said, null),
    (now) => (back === null ? null : mayNotLead(now, back)),
  );
  const from = view.snapshot.cluster.leaderName ?? '';
  if (step.kind === 'switchover' && from !== step.from)
    throw new ToolError('failed', `${from} is now the leader, not ${step.from}`, {
      code: 'changed_meanwhile',
    });
  const { scope, group } = state.cluster;
  const candidate = back ?? state.candidate ?? 'auto';
  const inner = { ...context, signal: run.stops.hard };
  const leader = await moveLeader(inner, { scope, group, from, candidate, routes }, telling);
  telling.tell({ kind: 'changed', changed: true });
  say(`${leader} leads now`, leader);
  await saveState(run, {});
  return { said: `${rollStepWords(step)} to ${leader}`, changed: true };
}

/** A standby that /sync does not name is refused by Patroni; it may get there by itself. */
function mayNotLead({ snapshot }: View, name: string): string | null {
  const { cluster } = snapshot;
  if (cluster.leaderName === name) return null;
  if (!syncModeActive(cluster) || namedInSync(cluster, name)) return null;
  return `/sync does not name ${name}`;
}

function tellDone(
  tell: Tell,
  { done, cluster }: RollState,
  { warnings }: RollPlan,
  elapsedMs: number,
): void {
  const took = seconds(elapsedMs);
  tell({ kind: 'note', text: `COMMAND was run for ${plural(done.length, 'member')} in ${took}` });
  for (const warning of warnings) tell({ kind: 'note', text: `warning: ${warning}` });
  const text = `Success: roll of ${cluster.scope} is done: ${done.join(', ')}`;
  tell({ kind: 'line', text: oneLine(text) });
}

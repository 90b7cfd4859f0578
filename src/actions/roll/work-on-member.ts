/** One member of a roll: the gates, COMMAND, and the member gone and back. */
import { loopWaitMs } from '../../cluster/model/loop-times.js';
import type { Cluster, Member, Reading, RestStatus } from '../../cluster/model/model.js';
import { fillTemplate } from '../../cluster/model/command-template.js';
import {
  hasLeft,
  leftWords,
  newTrack,
  notYetBack,
  withReading,
  type NodeTrack,
} from '../../cluster/preflight/node-return.js';
import type { PlanCheck } from '../../cluster/preflight/plan-model.js';
import { GATES, type GateName } from '../../cluster/preflight/gate-names.js';
import type { GatesRequest } from '../../cluster/preflight/roll-gates.js';
import type { RollState } from '../../cluster/preflight/roll-resume.js';
import { claimedRole } from '../../cluster/roles/dcs-roles.js';
import type { View } from '../../cluster/roles/view.js';
import type { Context } from '../../context.js';
import { ToolError, type Evidence } from '../../errors.js';
import { seconds } from '../../output/progress.js';
import { runCommand, statusWords, type CommandEnd } from '../kit/child-command.js';
import { readCluster } from '../../observe/read-keys.js';
import { awaitGates, closedWords, type GatesSeen } from '../rolling/await-gates.js';
import type { Tell } from '../kit/report.js';
import type { CommandLog } from './command-log.js';
import type { StateFile } from './state-file.js';
import type { Stops } from './stops.js';

export interface RollRun {
  readonly context: Context;
  readonly file: StateFile;
  readonly log: CommandLog;
  readonly stops: Stops;
  readonly tell: Tell;
  /** As it is now; each change of it is written to the file. */
  state: RollState;
  /** The file has it: it can be gone on with. */
  isSaved: boolean;
  /** The member for which COMMAND was begun last; null: it was not run so far. */
  begun: string | null;
}

type Say = (said: string) => void;

/** What it looks like afterwards; ToolError for all that is not well. */
export async function workOn(run: RollRun, member: string, say: Say): Promise<string> {
  const { at } = run.state;
  const isOnlyAwaited = at?.member === member && at.phase === 'back';
  if (!isOnlyAwaited) await runThere(run, member, say);
  else say(`COMMAND has already succeeded for ${member}; waiting only for its return`);
  const words = await awaitBack(run, member, say);
  await saveState(run, { done: [...run.state.done, member], at: null });
  return words;
}

export async function saveState(run: RollRun, change: Partial<RollState>): Promise<void> {
  run.state = { ...run.state, ...change };
  await run.file.write(run.state);
  run.isSaved = true;
}

// ---------------------------------------------------------------- the gates

/** Those of this roll, without the names that --skip-gate has. */
export function gatesWanted({ skipGates }: Pick<RollState, 'skipGates'>): GateName[] {
  return GATES.filter((name) => !skipGates.includes(name));
}

export function gateRequest(state: RollState, node: string | null): Omit<GatesRequest, 'target'> {
  const { syncStandbys, maxLagBytes } = state;
  return { node, gates: gatesWanted(state), streaming: null, syncStandbys, maxLagBytes };
}

/** Before a member is worked on, and before the leadership moves (`node` null). */
export async function throughGates(
  { context, state, tell }: RollRun,
  node: string | null,
  say: Say,
  besides?: (view: View) => string | null,
): Promise<View> {
  const seen = await awaitGates(context, {
    cluster: state.cluster,
    verify: 'auto',
    request: gateRequest(state, node),
    limitMs: state.gateTimeoutMs,
    goesOn: 'what was done stays as it is',
    tell,
    onMissing: onceEach((said) => say(`gate closed: ${said}`)),
    ...(besides && { besides }),
  });
  if (seen.closed.length === 0 && seen.view !== null) return seen.view;
  throw closedError(node, seen, state.gateTimeoutMs);
}

function closedError(node: string | null, { closed }: GatesSeen, limitMs: number): ToolError {
  const what = node === null ? 'the leader was not moved' : `COMMAND was not run for ${node}`;
  const limit = `(limit ${seconds(limitMs)}, --gate-timeout)`;
  const next = closed.flatMap((gate) => gate.next ?? []);
  return new ToolError('error', `${what}: ${closedWords(closed)} ${limit}`, {
    code: 'gate_closed',
    evidence: evidenceOf(closed),
    ...(next.length > 0 && { hint: next.join('\n') }),
  });
}

function evidenceOf(closed: readonly PlanCheck[]): Evidence[] {
  return closed.flatMap(({ evidence }) => evidence);
}

/** Says a text when it is another than the last one; figures alone, as those of a lag, make no other text. */
function onceEach(say: Say): Say {
  let last = '';
  return (said) => {
    const text = said.replace(/\d[\d.]*/g, '0');
    if (text !== last) say(said);
    last = text;
  };
}

// ---------------------------------------------------------------- COMMAND

/** How often the member is asked while COMMAND runs. */
const WATCH_MS = 250;

async function runThere(run: RollRun, name: string, say: Say): Promise<void> {
  const { context, state, log, stops } = run;
  await throughGates(run, name, say);
  const cluster = await readCluster(context, state.cluster.scope, state.cluster.group);
  const member = cluster.members.find((one) => one.name === name);
  if (!member) throw notDone(`${name} has left the cluster`);
  if (cluster.leaderName === name) throw notDone(`${name} is now the leader`);
  const command = commandFor(cluster, member, state.command);
  let track = newTrack(await statusOf(run, member));
  await saveState(run, { at: { member: name, phase: 'command', track } });
  say(`COMMAND runs for ${name}`);
  log.note(`${name}: COMMAND begins`);
  const startedMs = context.clock.nowMs();
  const lines = log.of(name);
  run.begun = name;
  const running = runCommand(['/bin/sh', '-c', command], {
    env: { ...context.env, ...variables(cluster, member) },
    maxMs: state.execTimeoutMs,
    forwardsInterrupt: true,
    onOutput: lines.take,
  });
  const release = stops.onHard(() => running.stop('SIGTERM'));
  const end = await watched(run, running.ended, async () => {
    track = withReading(track, await statusOf(run, member));
  });
  release();
  lines.end();
  const said = `COMMAND for ${name} ${statusWords(end)} after ${seconds(context.clock.nowMs() - startedMs)}`;
  log.note(said);
  say(said);
  const isWell = end.kind === 'exited' && end.status === 0;
  await saveState(run, { at: { member: name, phase: isWell ? 'back' : 'command', track } });
  if (!isWell) throw await commandError(run, member, end);
}

/** Its end, while the member is looked at. */
async function watched(
  { context }: RollRun,
  ended: Promise<CommandEnd>,
  look: () => Promise<void>,
): Promise<CommandEnd> {
  for (;;) {
    const quiet = new AbortController();
    const wait = (): Promise<void> => context.clock.wait(WATCH_MS, quiet.signal);
    const end = await Promise.race([
      ended,
      look()
        .then(wait)
        .then(() => null),
    ]);
    quiet.abort();
    if (end !== null) return end;
  }
}

async function statusOf(
  { context, state }: RollRun,
  { apiUrl, name }: Member,
): Promise<Reading<RestStatus>> {
  if (apiUrl === null)
    return { ok: false, kind: 'no_address', reason: 'its DCS key has no api_url' };
  const patroni = await context.patroni();
  const target = { apiUrl, name, scope: state.cluster.scope };
  return patroni.status(target, context.flags.timeoutMs);
}

/** COMMAND of one member. ToolError `error`: a value of the DCS cannot stand in it. */
export function commandFor(cluster: Cluster, member: Member, template: string): string {
  const role = claimedRole(cluster, member);
  const filled = fillTemplate(template, { member: member.name, host: member.host, role });
  if (filled.ok) return filled.command;
  throw new ToolError(
    'error',
    `a placeholder of COMMAND cannot be filled for ${member.name}: ${filled.problem}`,
    {
      code: 'placeholder',
    },
  );
}

function variables(cluster: Cluster, member: Member): Record<string, string> {
  return {
    PATCTL_MEMBER: member.name,
    PATCTL_HOST: member.host ?? '',
    PATCTL_PORT: member.port === null ? '' : `${member.port}`,
    PATCTL_ROLE: claimedRole(cluster, member),
    PATCTL_CLUSTER: cluster.scope,
  };
}

async function commandError(run: RollRun, member: Member, end: CommandEnd): Promise<ToolError> {
  const now = await statusOf(run, member);
  const state = now.ok ? `PostgreSQL is ${now.value.state}` : `does not answer: ${now.reason}`;
  const evidence = [
    { witness: 'COMMAND', subject: member.name, said: statusWords(end) },
    { witness: 'REST', subject: member.name, said: state },
  ];
  if (run.stops.isHard())
    return new ToolError('interrupted', `interrupted: COMMAND was ended on ${member.name}`, {
      evidence,
    });
  const { execTimeoutMs } = run.state;
  const limit =
    end.kind === 'too long' ? ` (limit ${seconds(execTimeoutMs ?? 0)}, --exec-timeout)` : '';
  return new ToolError('failed', `COMMAND for ${member.name} ${statusWords(end)}${limit}`, {
    code: end.kind === 'too long' ? 'command_too_long' : 'command_failed',
    evidence,
    hint: `what it wrote is in ${run.log.path}`,
  });
}

function notDone(message: string): ToolError {
  return new ToolError('failed', message, { code: 'changed_meanwhile' });
}

// ---------------------------------------------------------------- back

/** Patroni stops PostgreSQL within its next loop, where COMMAND only asks for it. */
const SPARE_MS = 2000;

/** How it was seen to be away, in words, once it is back and all is as before. */
async function awaitBack(run: RollRun, name: string, say: Say): Promise<string> {
  const { context, state } = run;
  const startedMs = context.clock.nowMs();
  let track: NodeTrack = state.at?.track ?? newTrack({ ok: false, kind: 'off', reason: '' });
  const besides = (view: View): string | null => {
    const own = view.members.find((one) => one.member !== null && one.name === name);
    if (!own) return `${name} has no member key`;
    track = withReading(track, own.rest);
    const missing = notYetBack(own.rest, name === view.snapshot.cluster.leaderName);
    if (missing !== null) return `${name} ${missing}`;
    if (hasLeft(track)) return null;
    const settledMs = startedMs + loopWaitMs(view.snapshot.cluster) + SPARE_MS;
    const isSettled = context.clock.nowMs() >= settledMs;
    return state.mayStayUp && isSettled ? null : `${name} has not gone away yet`;
  };
  const wait = {
    cluster: state.cluster,
    verify: 'auto',
    request: { ...gateRequest(state, null), gates: backGates(state) },
    limitMs: state.backTimeoutMs,
    goesOn: `COMMAND has ended on ${name}, which is not yet seen to be back`,
    tell: run.tell,
    besides,
    onMissing: onceEach((said) => say(`waiting for ${name}: ${said}`)),
  } as const;
  const { closed } = await awaitGates({ ...context, signal: run.stops.hard }, wait);
  if (closed.length > 0) throw notBack(run, name, track, closed);
  const words = leftWords(track);
  const left = hasLeft(track) ? words : `it never went away: ${words}`;
  const took = seconds(context.clock.nowMs() - startedMs);
  say(`${name} is back after ${took}: ${left}`);
  return left;
}

/** What the member has to be part of again; the rest are gates before the next one. */
function backGates(state: RollState): GateName[] {
  const wanted: GateName[] = ['leader', 'streaming', 'caught_up', 'sync'];
  return wanted.filter((name) => gatesWanted(state).includes(name) || name === 'leader');
}

function notBack(
  { state, log }: RollRun,
  name: string,
  track: NodeTrack,
  closed: readonly PlanCheck[],
): ToolError {
  const limit = `(limit ${seconds(state.backTimeoutMs)}, --back-timeout)`;
  const evidence = [
    { witness: 'REST', subject: name, said: leftWords(track) },
    ...evidenceOf(closed),
  ];
  if (!hasLeft(track) && closed.every((gate) => gate.name === 'node' && isStaying(gate)))
    return new ToolError('failed', `${name} never went away after COMMAND ${limit}`, {
      code: 'never_went_away',
      evidence,
      hint: `what COMMAND wrote is in ${log.path}; if it need not restart the member, give --may-stay-up`,
    });
  const why = closed.map(({ said }) => said).join('; ');
  return new ToolError('failed', `${name} is not back after COMMAND: ${why} ${limit}`, {
    code: 'not_back',
    evidence,
    hint: `what COMMAND wrote is in ${log.path}`,
  });
}

function isStaying({ said }: PlanCheck): boolean {
  return said.endsWith('has not gone away yet');
}

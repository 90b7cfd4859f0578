/** Watches a change until its outcome is seen, the time is over, or the operator has had enough. */
import { setMaxListeners } from 'node:events';
import type { Cluster, Member, Reading, RestStatus, SqlStatus } from '../../cluster/model/model.js';
import {
  advance,
  atDeadline,
  begin,
  leadsSince,
  stepOf,
  changeVerdict,
  type Answer,
  type Goal,
  type Progress,
  type Sighting,
  type Step,
  type Verdict,
} from '../../cluster/progress/change-outcome.js';
import type { Followable } from '../../dcs/dcs.js';
import { awaited, type Awaited } from '../../cluster/progress/awaited.js';
import { tookWrites } from '../../cluster/progress/write-outage.js';
import { ToolError } from '../../errors.js';
import { untilAborted } from '../kit/until.js';
import type { MeantRoute } from '../../observe/ask-routes.js';
import type { Context } from '../../context.js';
import type { Asking, Sent } from './change-request.js';

/** What is told while it goes on. */
export interface Listener {
  step(step: Step, progress: Progress): void;
  /** The old leader has been stopping for this long; repeated every few seconds. */
  holding(stoppingMs: number): void;
  /** Nothing was told for a while. */
  waiting(awaited: Awaited): void;
}

export interface Followed {
  progress: Progress;
  /** Null: interrupted. */
  verdict: Extract<Verdict, { done: true }> | null;
  sent: Sent | null;
}

export interface FollowOptions {
  scope: string;
  group: number | null;
  goal: Goal;
  /** Names of all members that can be asked. */
  members: string[];
  /** The cluster right before the request: the watch begins there. */
  base: Followable;
  timeoutMs: number;
  /** Asked during the change; empty: none. */
  routes: readonly MeantRoute[];
}

/** A member's answer is awaited no longer than this; the next question comes soon. */
const CALL_MS = 1500;
const REREAD_MS = 2000;
/** When the watch is lost, reading has to do. */
const REREAD_BLIND_MS = 500;
const HOLDING_MS = 5000;
const WAITING_MS = 10_000;
/** A client that keeps asking would see the outage about as precisely. */
const PROBE_MS = 15;

const NOT_ASKED: Reading<SqlStatus> = { ok: false, kind: 'off', reason: 'not asked' };

/** Sends by calling `send` once everything watches. What `send` throws ends it: then nothing was sent. */
export async function followChange(
  context: Context,
  options: FollowOptions,
  send: (asking: Asking) => Promise<Sent & { answer: Answer }>,
  listener: Listener,
): Promise<Followed> {
  const startedMs = context.clock.nowMs();
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, over.signal]);
  // Each member is waited for over REST and over SQL: more than ten listeners are not a leak.
  setMaxListeners(0, signal);
  let progress = begin(options.goal);
  const request: { to: string | null; answer: Answer | null } = { to: null, answer: null };
  const failures: Error[] = [];

  const see = (sighting: Sighting): void => {
    if (signal.aborted) return;
    const told = new Set(progress.steps);
    progress = advance(progress, sighting);
    for (const step of progress.steps) if (!told.has(step)) listener.step(step, progress);
    if (changeVerdict(progress).done) over.abort();
  };
  const fail = (error: unknown): void => {
    failures.push(error instanceof Error ? error : new Error('the request failed'));
    over.abort();
  };
  const [firstProbe, probed] = openPromise();
  const [firstRoutes, routesProbed] = openPromise();
  const ask = async (): Promise<void> => {
    try {
      // Without an answer of the old leader before the request, the time of its last write would be unknown.
      await untilAborted(Promise.all([firstProbe, firstRoutes]), signal);
      const sending = send((member) => (request.to = member));
      const sent = await untilAborted(sending, signal);
      if (sent === null) return;
      request.answer = sent.answer;
      see({ type: 'answer', atMs: context.clock.nowMs(), answer: sent.answer });
    } catch (error) {
      fail(error);
    }
  };
  const current = () => progress;
  await Promise.all([
    ask(),
    context.clock.wait(options.timeoutMs, signal).then(() => over.abort()),
    watchDcs(context, options, signal, see),
    ...options.members.map((name) => watchMember(context, name, current, options, signal, see)),
    watchHolding(context, current, signal, listener),
    watchWaiting(context, startedMs, current, signal, listener),
    probeWrites(context, current, signal, see, probed),
    watchRoutes(context, options.routes, current, signal, see, routesProbed),
  ]);
  const [failure] = failures;
  if (failure) throw failure;
  const { to, answer } = request;
  const sent = to === null ? null : { to, answer };
  if (!changeVerdict(progress).done && context.signal.aborted)
    return { progress, verdict: null, sent };
  return { progress, verdict: atDeadline(progress, context.clock.nowMs() - startedMs), sent };
}

/** A promise, and what resolves it. */
function openPromise(): [Promise<void>, () => void] {
  let resolve: () => void = () => undefined;
  return [new Promise<void>((done) => (resolve = done)), () => resolve()];
}

// ---------------------------------------------------------------- the DCS

type See = (sighting: Sighting) => void;

/** The cluster as it changes, by watch; read again now and then, because a watch may be cut off. */
async function watchDcs(
  context: Context,
  { scope, group, base }: FollowOptions,
  signal: AbortSignal,
  see: See,
): Promise<void> {
  const dcs = await context.dcs();
  let revision = base.cluster.revision;
  let blind = false;

  const show = (cluster: Cluster, readMs: number | null = null): void => {
    // What was read in the meantime is newer than what a watch brings late.
    if (BigInt(cluster.revision) < BigInt(revision)) return;
    revision = cluster.revision;
    see({ type: 'dcs', atMs: context.clock.nowMs(), cluster, readMs });
  };
  const reread = async (): Promise<void> => {
    const askedMs = context.clock.nowMs();
    const read = await untilAborted(dcs.follow({ scope, group }), signal);
    if (read !== null) show(read.cluster, askedMs);
  };
  const rereading = async (): Promise<void> => {
    while (!signal.aborted) {
      await context.clock.wait(blind ? REREAD_BLIND_MS : REREAD_MS, signal);
      // A DCS that does not answer is waited for: the deadline is the limit.
      if (!isOver(signal)) await reread().catch(() => undefined);
    }
  };
  const watching = async (): Promise<void> => {
    try {
      for await (const cluster of base.changes(signal)) show(cluster);
    } catch {
      blind = true;
    }
  };
  show(base.cluster);
  await Promise.all([rereading(), watching()]);
}

// ---------------------------------------------------------------- the members

/** Asks one member again and again, the more often the more depends on it. */
async function watchMember(
  context: Context,
  name: string,
  current: () => Progress,
  { scope }: FollowOptions,
  signal: AbortSignal,
  see: See,
): Promise<void> {
  let restAnswers = true;
  while (!signal.aborted) {
    const member = current().cluster?.members.find((one) => one.name === name);
    if (member) {
      const leads = name === current().newLeader;
      const askedMs = context.clock.nowMs();
      const asking: Promise<[Reading<RestStatus>, Reading<SqlStatus>]> = Promise.all([
        askRest(context, scope, member),
        leads || !restAnswers ? askSql(context, member) : NOT_ASKED,
      ]);
      const said = await untilAborted(asking, signal);
      if (said === null) return;
      const [rest, sql] = said;
      restAnswers = rest.ok;
      see({ type: 'member', atMs: context.clock.nowMs(), name, rest, sql, askedMs });
    }
    await context.clock.wait(intervalMs(name, current()), signal);
  }
}

function intervalMs(name: string, progress: Progress): number {
  const { newLeader, goal } = progress;
  if (leadsSince(progress) === null && (name === newLeader || name === goal.candidate)) return 100;
  if (newLeader === null && name === goal.leader) return 150;
  return 300;
}

async function askRest(
  context: Context,
  scope: string,
  { name, apiUrl }: Member,
): Promise<Reading<RestStatus>> {
  if (apiUrl === null) {
    return { ok: false, kind: 'no_address', reason: 'its DCS key has no api_url' };
  }
  return (await context.patroni()).status({ apiUrl, name, scope }, CALL_MS);
}

async function askSql(context: Context, { host, port }: Member): Promise<Reading<SqlStatus>> {
  const postgres = await context.postgres();
  if (!postgres.hasLogin || host === null || port === null) return NOT_ASKED;
  return postgres.status({ host, port }, CALL_MS);
}

/** Loads nothing where there are no routes. */
async function watchRoutes(
  context: Context,
  routes: readonly MeantRoute[],
  current: () => Progress,
  signal: AbortSignal,
  see: See,
  probed: () => void,
): Promise<void> {
  if (routes.length === 0) return probed();
  const { probeRoutes, proveRoutes } = await import('./follow-routes.js');
  await Promise.all([
    probeRoutes(context, routes, current, signal, see, probed),
    proveRoutes(context, routes, current, signal, see),
  ]);
}

async function watchHolding(
  context: Context,
  current: () => Progress,
  signal: AbortSignal,
  listener: Listener,
): Promise<void> {
  let toldMs = 0;
  while (!signal.aborted) {
    await context.clock.wait(500, signal);
    const stopping = stepOf(current(), 'stopping');
    if (isOver(signal) || stopping === null || stepOf(current(), 'released')) continue;
    const sinceMs = context.clock.nowMs() - stopping.atMs;
    if (sinceMs - toldMs < HOLDING_MS) continue;
    toldMs = sinceMs;
    listener.holding(sinceMs);
  }
}

/** A line whenever nothing was told for a while: what is awaited, and what that member says. */
async function watchWaiting(
  context: Context,
  startedMs: number,
  current: () => Progress,
  signal: AbortSignal,
  listener: Listener,
): Promise<void> {
  let toldMs = startedMs;
  while (!signal.aborted) {
    await context.clock.wait(500, signal);
    const progress = current();
    // While it stops `holding` tells.
    const isHeld = stepOf(progress, 'stopping') !== null && !stepOf(progress, 'released');
    const lastMs = Math.max(toldMs, progress.steps.at(-1)?.atMs ?? 0);
    const nowMs = context.clock.nowMs();
    if (isOver(signal) || isHeld || nowMs - lastMs < WAITING_MS) continue;
    toldMs = nowMs;
    listener.waiting(awaited(progress));
  }
}

/** Asks the old leader, then the new one, over SQL and with a new connection each time: as a client would. */
async function probeWrites(
  context: Context,
  current: () => Progress,
  signal: AbortSignal,
  see: See,
  probed: () => void,
): Promise<void> {
  const postgres = await context.postgres();
  const { standbyCluster, leader } = current().goal;
  if (!postgres.hasLogin || standbyCluster || leader === null) probed();
  if (!postgres.hasLogin || standbyCluster) return;
  while (!signal.aborted && !isWritable(current())) {
    const { goal, newLeader, cluster } = current();
    const name = newLeader ?? goal.leader;
    const member = cluster?.members.find((one) => one.name === name);
    if (member?.host && member.port !== null) {
      const target = { host: member.host, port: member.port };
      const askedMs = context.clock.nowMs();
      const said = await untilAborted(postgres.takesWrites(target, CALL_MS), signal);
      if (said === null) return;
      const atMs = context.clock.nowMs();
      // A login that is refused says nothing about writes.
      if (said.ok || said.kind === 'unreachable') {
        const takesWrites = said.ok && said.value;
        const probe = { member: member.name, witness: 'SQL' as const, askedMs, atMs, takesWrites };
        see({ type: 'probe', atMs, probe });
        probed();
      } else {
        probed();
        await context.clock.wait(REREAD_MS, signal);
      }
    } else probed();
    await context.clock.wait(PROBE_MS, signal);
  }
}

/** The new leader was seen to take a write: the outage is over. */
function isWritable({ writes, newLeader }: Progress): boolean {
  return newLeader !== null && tookWrites(writes, newLeader);
}

/** A function because the compiler remembers a check of `aborted` across an await. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** One cluster as it is now, and a way to follow it from there. */
export async function readToFollow(
  context: Context,
  scope: string,
  group: number | null,
): Promise<Followable> {
  const found = await (await context.dcs()).follow({ scope, group });
  if (found.cluster.members.length === 0 && found.cluster.config === null) {
    throw new ToolError('error', `no cluster "${scope}"`, { code: 'unknown_cluster' });
  }
  return found;
}

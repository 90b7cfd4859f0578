/** switchover and failover from the request to the result: read, plan, ask, look again, act, prove. */
import { commandLine } from '../../cluster/model/command-line.js';
import { planDifferences } from '../../cluster/preflight/plan-differences.js';
import type { ChangeRequest, Plan, PlanCheck } from '../../cluster/preflight/plan-model.js';
import { planOf, refusals } from '../../cluster/preflight/plan.js';
import type { Cluster, Snapshot } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { Asker } from '../../output/ask.js';
import type { MenuRow } from '../../output/menu-screen.js';
import {
  isRecorded,
  readSnapshotSettled,
  type SnapshotRequest,
} from '../../observe/read-snapshot.js';
import type { Context } from '../../context.js';
import { act, asConclusion, leaveSchedule } from './carry-out.js';
import type { ChangeResult, Conclusion, LeaderChange, Talk } from './change.js';
import type { ChangeRoutes } from './follow-routes.js';
import type { CandidateRows } from './candidate-rows.js';
import { completeWanted, consent, localZone } from './questions.js';
import { sayCritical } from '../kit/critical-findings.js';
import { parseSchedule, statedText, type Scheduled } from '../kit/schedule.js';
import { needRequests } from '../kit/need-requests.js';

/** Two readings this far apart show what moves and what is stalled. */
const APART_MS = 1000;

/**
 * Reads, plans, asks, looks again, requests once and proves the outcome. Every ending from the plan on is in the
 * result; ToolError before it, when there is nothing to plan.
 */
export async function changeLeader(
  context: Context,
  change: LeaderChange,
  talk: Talk,
): Promise<ChangeResult> {
  const { asker, on } = talk;
  if (change.via === 'dcs') await needRequests(context);
  const { reading, citus, shown: isShown } = await whatToRead(context, change, talk);
  const first = await readSnapshotSettled(context, reading);
  const firstAtMs = context.clock.nowMs();
  const look = () => secondLook(context, reading, first, firstAtMs);
  if (!isShown) {
    const { scope, group } = reading;
    on({ kind: 'topology', scope, clusters: [first.cluster], group, citus });
  }
  if (asker?.menu) await sayCritical(context, asker, [first]);
  const rows = asker?.menu && asksCandidate(change) ? await rowsOf(change, await look()) : null;
  const { request, when } = await requestOf(context, change, first.cluster, asker, rows);

  const { second, before } = await look();
  const routes = await routesAsked(context, change, second);
  const shown = planOf(second, before, request);
  const startedMs = context.clock.nowMs();
  const { dryRun } = change;
  const ended = (plan: Plan, conclusion: Conclusion): ChangeResult => {
    return { plan, dryRun, startedMs, conclusion, sent: null, progress: null, details: null };
  };
  await talk.showPlan(shown, when);
  if (routes !== null) {
    on({ kind: 'routes before', findings: routes.before.flatMap(({ findings }) => findings) });
  }
  if (request.asPatronictl) {
    const strict = planOf(second, before, { ...request, asPatronictl: false });
    on({ kind: 'not heeded', checks: notHeeded(strict, shown) });
  }
  if (shown.nothingToDo) return ended(shown, nothingToDo(request, shown));
  if (shown.refused) return ended(shown, refused(shown));
  if (dryRun) return ended(shown, wouldGo(shown));
  if (asker) {
    const at = when && statedText(when, localZone());
    await consent(request, second.cluster, shown.candidate, at, asker);
  }

  const third = await readSnapshotSettled(context, reading);
  // The member that auto chose has been shown: it is not chosen again, only checked again.
  const settled = { ...request, candidate: shown.candidate };
  const plan = { ...planOf(third, first, settled), chosenBecause: shown.chosenBecause };
  const differences = planDifferences(shown, plan);
  if (differences.length > 0) return ended(plan, differs(plan, differences));
  if (plan.refused) return ended(plan, refused(plan));
  const underway = { context, change, reading, citus, request, plan, routes, on };
  try {
    const run = when ? leaveSchedule(underway, third.cluster, when) : act(underway, third, first);
    return { plan, dryRun, startedMs, ...(await run) };
  } catch (error) {
    return ended(plan, asConclusion(error));
  }
}

/** Loads nothing where no route is known; patronictl knows none. */
async function routesAsked(
  context: Context,
  change: LeaderChange,
  now: Snapshot,
): Promise<ChangeRoutes | null> {
  const { routes: flags, waitFor } = change;
  const { routes = [] } = await context.config();
  const isWaited = waitFor === 'routes' || (waitFor === null && !context.flags.compat);
  if (!isWaited || (flags.length + routes.length === 0 && waitFor !== 'routes')) return null;
  const { changeRoutes } = await import('./follow-routes.js');
  return changeRoutes(context, change, now);
}

/** Two readings show what is stalled; a recording may contain its own earlier reading. */
async function secondLook(
  context: Context,
  reading: SnapshotRequest,
  first: Snapshot,
  firstAtMs: number,
): Promise<{ second: Snapshot; before: Snapshot | null }> {
  if (await isRecorded(context)) return { second: first, before: first.previous };
  await context.clock.wait(
    Math.max(0, APART_MS - (context.clock.nowMs() - firstAtMs)),
    context.signal,
  );
  return { second: await readSnapshotSettled(context, reading), before: first };
}

interface WhatToRead {
  reading: SnapshotRequest;
  citus: boolean;
  /** The topology has been shown already, of every group. */
  shown: boolean;
}

async function whatToRead(
  context: Context,
  { scope, group, asking }: LeaderChange,
  talk: Talk,
): Promise<WhatToRead> {
  const isOpen = group === null && !(await isRecorded(context));
  const shown = isOpen && (await context.config()).group !== null;
  const meant = shown ? await askGroup(context, scope, talk) : group;
  return { reading: { scope, group: meant, ...asking }, citus: meant !== null, shown };
}

/** As patronictl: the group of the configuration says where this machine belongs, not which group is meant. */
async function askGroup(context: Context, scope: string, { asker, on }: Talk): Promise<number> {
  const { groupWanted, readClusters } = await import('../../observe/read-keys.js');
  const clusters = await readClusters(context, scope, null);
  on({ kind: 'topology', scope, clusters, group: null, citus: true });
  if (asker === null) throw groupWanted(clusters);
  if (asker.menu)
    return Number(await asker.menu.choose('Citus group', clusters.map(groupRow), null));
  for (;;) {
    const answer = await asker.text('Citus group', null);
    if (/^\s*[-+]?\d+\s*$/.test(answer)) return Number(answer);
    asker.say(`Error: '${answer}' is not a valid integer.\n`);
  }
}

async function requestOf(
  context: Context,
  change: LeaderChange,
  cluster: Cluster,
  asker: Asker | null,
  rows: CandidateRows | null,
): Promise<{ request: ChangeRequest; when: Scheduled | null }> {
  const asked = { nowMs: () => context.clock.nowMs(), compat: context.flags.compat };
  const { kind, avoid } = change;
  const wanted = await completeWanted(kind, cluster, change, asker, asked, rows);
  const when = parseSchedule(wanted.scheduled ?? 'now', {
    nowMs: context.clock.nowMs(),
    localZone: localZone(),
    naiveIsLocal: context.flags.compat,
  });
  if (when && cluster.config?.pause) {
    throw new ToolError('error', "Can't schedule switchover in the paused state", {
      code: 'paused',
      hint: `switch over now, or end the pause: ${commandLine(cluster, 'resume')}`,
    });
  }
  const request: ChangeRequest = {
    kind,
    leader: wanted.leader,
    candidate: wanted.candidate,
    avoid,
    scheduledAt: when && new Date(when.atMs).toISOString(),
    allowDataLoss: change.allowDataLoss,
    skipChecks: change.skipChecks,
    terminateLogical: change.terminateLogical,
    asPatronictl: context.flags.compat,
  };
  return { request, when };
}

function groupRow({ group, leaderName, members }: Cluster): MenuRow {
  const number = String(group ?? '');
  const count = `${members.length} ${members.length === 1 ? 'member' : 'members'}`;
  const what = group === 0 ? 'coordinator' : 'worker';
  const leader = leaderName === null ? 'no leader' : `leader ${leaderName}`;
  return { value: number, name: number, cells: [what, leader, count], details: [] };
}

/** No option names the new leader, or leaves it to --avoid. */
function asksCandidate({ candidate, avoid }: LeaderChange): boolean {
  return candidate === null && avoid === null;
}

/** How the candidates stand now, as the plan of each would say. */
async function rowsOf(
  change: LeaderChange,
  { second, before }: { second: Snapshot; before: Snapshot | null },
): Promise<CandidateRows> {
  const { candidateRows } = await import('./candidate-rows.js');
  const { kind, allowDataLoss, skipChecks, terminateLogical } = change;
  const leader = kind === 'switchover' ? second.cluster.leaderName : null;
  const open = { leader, avoid: null, scheduledAt: null };
  const given = { kind, allowDataLoss, skipChecks, terminateLogical };
  return candidateRows(second, before, { ...open, ...given });
}

/** The checks that refuse it only where it is not asked for as patronictl. */
function notHeeded(strict: Plan, shown: Plan): PlanCheck[] {
  const still = new Set(refusals(shown).map(({ name }) => name));
  return refusals(strict).filter(({ name }) => !still.has(name));
}

function nothingToDo({ avoid }: ChangeRequest, plan: Plan): Conclusion {
  const message = `${avoid ?? ''} is not the leader of ${plan.cluster}: nothing to do`;
  return { ending: 'ok', code: 'nothing_to_do', message };
}

function wouldGo({ kind }: Plan): Conclusion {
  return { ending: 'ok', code: 'would_go', message: `the ${kind} would be requested` };
}

function refused(plan: Plan): Conclusion {
  const against = refusals(plan);
  const names = against.map(({ name }) => name).join(', ');
  return {
    ending: 'error',
    code: 'refused',
    message: `the ${plan.kind} is refused by ${names}; nothing was sent`,
    evidence: against.map(({ name, said }) => ({ witness: 'check', subject: name, said })),
    hint: against.map(({ name, next }) => `${name}: ${next ?? `--skip-check ${name}`}`).join('\n'),
  };
}

function differs(plan: Plan, differences: string[]): Conclusion {
  return {
    ending: 'error',
    code: 'changed_meanwhile',
    message: `the cluster has changed since the plan was shown; nothing was sent`,
    evidence: differences.map((said) => ({ witness: 'plan', subject: plan.cluster, said })),
    hint: 'run the command again to see the current plan',
  };
}

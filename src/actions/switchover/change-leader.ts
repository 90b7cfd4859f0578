/** switchover and failover from the command line to the ending: read, plan, ask, look again, act, prove. */
import { argumentOf } from '../../cluster/preflight/plan-facts.js';
import { planDifferences } from '../../cluster/preflight/plan-differences.js';
import { planOf, refusals, type ChangeRequest, type Plan } from '../../cluster/preflight/plan.js';
import type { Snapshot } from '../../cluster/model/model.js';
import { scopeOrDefault, witnesses, type WitnessOptions } from '../../cli/options.js';
import { ToolError, type Ending } from '../../errors.js';
import { openAsker, type Asker } from '../../output/ask.js';
import { planText } from '../../output/plan-table.js';
import { progressReporter } from '../../output/progress.js';
import { isRecorded, readSnapshot, type SnapshotRequest } from '../../observe/read-snapshot.js';
import type { Context } from '../../context.js';
import { act, schedule } from './carry-out.js';
import type { ChangeOptions } from '../../commands/change-options.js';
import { completeWanted, consent, localZone } from './questions.js';
import { orThrow, printDocument, topologyText, type Conclusion, type Story } from './conclusion.js';
import { localText, parseSchedule, statedText, utcText, type Scheduled } from '../kit/schedule.js';

/** Two readings this far apart show what moves and what stands still. */
const APART_MS = 1000;

/** One change on its way: everything the later steps need. */
export interface Change {
  context: Context;
  options: ChangeOptions;
  reading: SnapshotRequest;
  citus: boolean;
  request: ChangeRequest;
  story: Story;
  report: ReturnType<typeof progressReporter>;
}

/** Does it and says how it ended; every ending but ok is thrown. */
export async function changeLeader(
  context: Context,
  kind: ChangeRequest['kind'],
  name: string | undefined,
  options: ChangeOptions,
): Promise<Ending> {
  if (options.snapshot !== undefined && options.dryRun !== true) {
    throw new ToolError('usage', '--snapshot needs --dry-run: a recording cannot be changed', {
      code: 'recording',
    });
  }
  const quiet = options.force === true || options.yes === true;
  const asks = !quiet && options.dryRun !== true;
  if (asks) needConsent(context, kind);
  const asker = asks ? openAsker(context) : null;
  try {
    return await changeWith(context, kind, name, options, asker);
  } finally {
    asker?.close();
  }
}

/** Without a terminal nothing can be asked: say so before anything is read. */
function needConsent(context: Context, kind: string): void {
  if (context.io.stdinIsTty && context.io.stderrIsTty) return;
  throw new ToolError('usage', `${kind} must be confirmed, and stdin is not a terminal`, {
    code: 'no_terminal',
    hint: 'give --force (all checks still apply), or --dry-run to see only the plan',
  });
}

async function changeWith(
  context: Context,
  kind: ChangeRequest['kind'],
  name: string | undefined,
  options: ChangeOptions,
  asker: Asker | null,
): Promise<Ending> {
  const { reading, citus, shown: isShown } = await whatToRead(context, name, options, asker);
  const first = await readSnapshot(context, reading);
  const firstAtMs = context.clock.nowMs();
  const topology = { group: reading.group, citus };
  if (!isShown && showsTopology(options)) {
    context.io.out(`Current cluster topology\n${topologyText(first.cluster, topology)}`);
  }
  const { request, when } = await requestOf(context, kind, first, options, asker);

  const { second, before } = await secondLook(context, reading, first, firstAtMs);
  const shown = planOf(second, before, request);
  const startedMs = context.clock.nowMs();
  // With -f json stderr is one JSON object or nothing, unless progress is wanted there too.
  const quiet = context.flags.compat || options.format === 'json';
  const style = options.progress ?? (quiet ? 'none' : 'text');
  const change: Change = {
    context,
    options,
    reading,
    citus,
    request,
    story: { plan: shown, dryRun: options.dryRun === true, startedMs, sent: null, progress: null },
    report: progressReporter(context, style, startedMs),
  };
  await showPlan(change, when);
  if (shown.nothingToDo) return conclude(change, nothingToDo(request, shown));
  if (shown.refused) return conclude(change, refused(shown));
  if (change.story.dryRun) return conclude(change, wouldGo(shown));
  if (asker) {
    const at = when && statedText(when, localZone());
    await consent(request, second.cluster, shown.candidate, at, asker);
  }

  const third = await readSnapshot(context, reading);
  // Whom auto chose has been shown: it is not chosen again, only looked at again.
  const settled = { ...request, candidate: shown.candidate };
  const plan = planOf(third, first, settled);
  change.story.plan = { ...plan, chosenBecause: shown.chosenBecause };
  const differences = planDifferences(shown, plan);
  if (differences.length > 0) return conclude(change, differs(plan, differences));
  if (plan.refused) return conclude(change, refused(plan));
  const conclusion = await concluded(() =>
    when ? schedule(change, third.cluster, when) : act(change, third, first),
  );
  return conclude(change, conclusion);
}

/** What stands still is told by two readings; a recording has its own earlier one, where one was taken. */
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
  return { second: await readSnapshot(context, reading), before: first };
}

/** A failure on the way is told like every other ending: the document has the plan anyway. */
async function concluded(run: () => Promise<Conclusion>): Promise<Conclusion> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const { ending, code, message, hint, evidence } = error;
    return { ending, code, message, evidence, ...(hint === undefined ? {} : { hint }) };
  }
}

interface WhatToRead {
  reading: SnapshotRequest;
  citus: boolean;
  /** The topology has been shown already, of every group. */
  shown: boolean;
}

async function whatToRead(
  context: Context,
  name: string | undefined,
  options: ChangeOptions,
  asker: Asker | null,
): Promise<WhatToRead> {
  // --timeout is the whole waiting's here, never the limit of one call.
  const limits: WitnessOptions = { ...options };
  delete limits.timeout;
  const asked = await witnesses(context, limits);
  const scope = await scopeOrDefault(context, name);
  const isOpen = options.group === undefined && !(await isRecorded(context));
  const shown = isOpen && (await context.config()).group !== null;
  const group = shown ? await askGroup(context, scope, options, asker) : (options.group ?? null);
  return { reading: { scope, group, ...asked }, citus: group !== null, shown };
}

/** As patronictl: the group of the configuration says where this machine belongs, not who is meant. */
async function askGroup(
  context: Context,
  scope: string,
  options: ChangeOptions,
  asker: Asker | null,
): Promise<number> {
  const { groupWanted, membersTable, readClusters } = await import('../kit/choose-members.js');
  const clusters = await readClusters(context, scope, null);
  if (showsTopology(options)) {
    const table = await membersTable(context, scope, clusters, null);
    context.io.out(`Current cluster topology\n${table}`);
  }
  if (asker === null) throw groupWanted(clusters);
  for (;;) {
    const answer = await asker.text('Citus group', null);
    if (/^\s*[-+]?\d+\s*$/.test(answer)) return Number(answer);
    context.io.err(`Error: '${answer}' is not a valid integer.\n`);
  }
}

function showsTopology({ format, dryRun }: ChangeOptions): boolean {
  return format === 'pretty' && dryRun !== true;
}

async function requestOf(
  context: Context,
  kind: ChangeRequest['kind'],
  { cluster }: Snapshot,
  options: ChangeOptions,
  asker: Asker | null,
): Promise<{ request: ChangeRequest; when: Scheduled | null }> {
  const asked = { nowMs: context.clock.nowMs(), compat: context.flags.compat };
  const given = {
    leader: options.leader ?? options.primary ?? null,
    candidate: options.candidate ?? null,
    scheduled: options.scheduled ?? null,
    avoid: options.avoid ?? null,
  };
  const wanted = await completeWanted(kind, cluster, given, asker, asked);
  const when = parseSchedule(wanted.scheduled ?? 'now', {
    nowMs: context.clock.nowMs(),
    localZone: localZone(),
    naiveIsLocal: context.flags.compat,
  });
  if (when && cluster.config?.pause) {
    throw new ToolError('error', "Can't schedule switchover in the paused state", {
      code: 'paused',
      hint: `patctl resume ${argumentOf(cluster)}, or switch over now`,
    });
  }
  const request: ChangeRequest = {
    kind,
    leader: wanted.leader,
    candidate: wanted.candidate,
    avoid: given.avoid,
    scheduledAt: when && new Date(when.atMs).toISOString(),
    allowDataLoss: options.allowDataLoss === true,
    skipChecks: options.skipCheck ?? [],
    terminateLogical: options.terminateLogical === true,
  };
  return { request, when };
}

/** The plan is what is decided on; only with --dry-run is it the result. */
async function showPlan(change: Change, when: Scheduled | null): Promise<void> {
  const { context, options, story } = change;
  const { io, flags } = context;
  if (options.format === 'json') return;
  if (story.dryRun) return io.out(await planText(story.plan, { color: io.outColor, all: true }));
  if (flags.compat) return;
  io.err(await planText(story.plan, { color: io.errColor, all: false }));
  if (!when) return;
  const zone = when.zone ?? localZone();
  io.err(`Scheduled for ${localText(when.atMs, zone)} (${zone}), that is ${utcText(when.atMs)}\n`);
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

function conclude(change: Change, conclusion: Conclusion): Ending {
  const { context, options, story } = change;
  if (options.format === 'json') printDocument(context, conclusion, story);
  else if (conclusion.code === 'nothing_to_do') context.io.out(`${conclusion.message}\n`);
  return orThrow(conclusion);
}

/** `patctl swap`: a primary cluster and its standby cluster change roles: read, plan, ask, look again, act, prove. */
import { swapDifferences, swapPlan } from '../../cluster/preflight/swap-plan.js';
import { memberOf, type SwapPlan, type SwapRequest } from '../../cluster/preflight/swap-model.js';
import { noWrite } from '../../dcs/recording/no-write.js';
import { ToolError, type Ending } from '../../errors.js';
import { isRecorded } from '../../observe/read-snapshot.js';
import { needConsent } from '../../output/ask.js';
import { seconds } from '../../output/progress.js';
import { oneLine } from '../../output/text.js';
import { awaitRoutes, checkRoutes } from '../kit/await-routes.js';
import { sayCritical } from '../kit/critical-findings.js';
import type { AskAndTell } from '../kit/report.js';
import { carryOut } from './carry-out-swap.js';
import { readSites, type LivePair, type Pair } from './pair.js';
import { swapEvidence } from './ask-reach.js';
import { restTaken } from './rest-taken.js';
import { swapRecord, type SwapRecord } from './swap-record.js';
import { changedMeanwhile, planRefused } from './plan-refused.js';
import { holdSwap } from './swap-stops.js';

export interface SwapWork {
  readonly pair: Pair;
  readonly request: SwapRequest;
  readonly dryRun: boolean;
  /** Nothing is asked; all checks still apply. */
  readonly force: boolean;
  /** Limit of the whole, ms. */
  readonly deadlineMs: number;
  /** --route, as given; none: those of the other site's configuration. */
  readonly routes: readonly string[];
}

/** Prints the plan and how it went; every ending but ok is thrown. */
export async function swapSites(asking: AskAndTell, work: SwapWork): Promise<Ending> {
  const { pair, dryRun } = work;
  const { context } = pair.here;
  const { tell } = asking;
  if (!dryRun) await checkWritable(pair);
  const routes = { ...pair.there, routes: work.routes };
  await checkRoutes(pair.there.context, routes);
  const record = swapRecord(context, tell);
  const first = await planned(work, record);
  tell({ kind: 'cluster', scope: pair.here.scope });
  tell({ kind: 'changed', changed: false });
  if (dryRun || first.plan.refusedBy.length === 0)
    await asking.show({ kind: 'swap', plan: first.plan, dryRun });
  if (first.plan.refusedBy.length > 0) throw refused(first.plan);
  if (dryRun) return 'ok';
  if (!work.force) await consent(asking, first);
  const second = await planned(work, record);
  const differences = swapDifferences(first.plan, second.plan);
  if (differences.length > 0) throw changedMeanwhile('not swapped', differences);
  if (second.plan.refusedBy.length > 0) throw refused(second.plan);
  await act(asking, work, second, record);
  const to = { ...pair.there, routes: work.routes };
  if (await knowsRoutes(work)) await awaitRoutes(pair.there.context, to, tell);
  tell({ kind: 'line', text: oneLine(doneWords(second.plan, record)) });
  return 'ok';
}

async function checkWritable({ here, there }: Pair): Promise<void> {
  for (const { context } of [here, there]) {
    if (await isRecorded(context)) throw noWrite();
  }
}

interface Planned {
  pair: LivePair;
  plan: SwapPlan;
}

async function planned({ pair, request }: SwapWork, record: SwapRecord): Promise<Planned> {
  const live = await readSites(pair);
  const [asked, restThere] = await Promise.all([
    swapEvidence(live, request),
    restTaken(live.there),
  ]);
  const evidence = { ...asked, restThere };
  const plan = swapPlan(live.here, live.there, request, evidence);
  record.swap({ plan });
  return { pair: live, plan };
}

async function consent({ asker }: AskAndTell, { pair, plan }: Planned): Promise<void> {
  const { context } = pair.here;
  needConsent(
    context,
    'swap',
    'give --force (all checks still apply), or --dry-run to see the plan',
  );
  if (asker.menu && context.io.stdinIsTty)
    await sayCritical(context, asker, [pair.here.view.snapshot, pair.there.view.snapshot]);
  const { here, there } = plan;
  const question = `Are you sure you want to make ${there.label} the primary and ${here.label} its standby cluster?`;
  if (await asker.confirm(question)) return;
  throw new ToolError('error', 'Aborted swap', { code: 'declined' });
}

function refused(plan: SwapPlan): ToolError {
  return planRefused('not swapped', 'swap_refused', plan);
}

/** Whatever becomes of it: from here on something may have changed. */
async function act(
  { tell }: AskAndTell,
  work: SwapWork,
  { pair, plan }: Planned,
  record: SwapRecord,
): Promise<void> {
  const { context } = pair.here;
  const { standbyCluster } = plan;
  if (standbyCluster === null) throw new Error('a plan without an address is refused');
  const stops = holdSwap(context, tell);
  try {
    const atMs = context.clock.nowMs() + work.deadlineMs;
    await carryOut({ pair: stops.soft(pair), standby: standbyCluster, atMs, stops, record });
  } finally {
    stops.release();
    const { demoted, promoted, steps } = record.now();
    const back = steps.find(({ step }) => step === 'went_back')?.member;
    const isAsBefore = back === memberOf(pair.here, plan.here.leader);
    const isUnknown = demoted === null || promoted === null;
    const isChanged = demoted === true || promoted === true;
    tell({ kind: 'changed', changed: isUnknown ? null : isChanged && !isAsBefore });
  }
}

async function knowsRoutes({ pair, routes }: SwapWork): Promise<boolean> {
  return routes.length > 0 || ((await pair.there.context.config()).routes ?? []).length > 0;
}

function doneWords({ here, there }: SwapPlan, record: SwapRecord): string {
  const { outage } = record.now();
  const done = `Success: ${there.label} is the primary, and ${here.label} its standby cluster`;
  if (outage === null) return `${done}; how long no writes were accepted was not measured`;
  const { atLeastMs, atMostMs } = outage;
  const range =
    atMostMs === null
      ? `at least ${seconds(atLeastMs)}`
      : `${seconds(atLeastMs)} to ${seconds(atMostMs)}`;
  return `${done}; no writes were accepted for ${range}`;
}

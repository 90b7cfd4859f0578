/** `patctl swap --rejoin`: the old site becomes the standby of the new one: read, plan, ask, look again, write, follow. */
import type { RejoinPlan, RejoinRequest } from '../../cluster/preflight/rejoin-model.js';
import { rejoinDifferences, rejoinPlan } from '../../cluster/preflight/rejoin-plan.js';
import { noWrite } from '../../dcs/recording/no-write.js';
import { ToolError, type Ending } from '../../errors.js';
import { isRecorded } from '../../observe/read-snapshot.js';
import { needConsent } from '../../output/ask.js';
import { oneLine } from '../../output/text.js';
import { sayCritical } from '../kit/critical-findings.js';
import type { AskAndTell } from '../kit/report.js';
import { swapEvidence } from './ask-reach.js';
import { readSites, type LivePair, type Pair } from './pair.js';
import { changedMeanwhile, planRefused } from './plan-refused.js';
import { followRejoined } from './rejoin-follow.js';
import { tellStandby } from './rejoin-write.js';
import { swapRecord, type SwapRecord } from './swap-record.js';

export interface RejoinWork {
  /** The old site here, the new one there. */
  readonly pair: Pair;
  readonly request: RejoinRequest;
  readonly dryRun: boolean;
  /** Nothing is asked; all checks still apply. */
  readonly force: boolean;
  /** Limit of the whole, ms. */
  readonly deadlineMs: number;
}

interface Planned {
  pair: LivePair;
  plan: RejoinPlan;
}

/** Prints the plan and how it went; every ending but ok is thrown. */
export async function rejoinSite(asking: AskAndTell, work: RejoinWork): Promise<Ending> {
  const { pair, dryRun } = work;
  const { context, scope } = pair.here;
  const { tell } = asking;
  if (!dryRun && (await isRecorded(context))) throw noWrite();
  const record = swapRecord(context, tell);
  const first = await planned(work, record);
  tell({ kind: 'cluster', scope });
  tell({ kind: 'changed', changed: false });
  const { plan } = first;
  if (dryRun || plan.refusedBy.length === 0)
    await asking.show({ kind: 'checks', checks: plan.checks, verdict: verdictOf(plan), dryRun });
  if (plan.refusedBy.length > 0) throw planRefused('not rejoined', 'rejoin_refused', plan);
  if (dryRun) return 'ok';
  if (!work.force) await consent(asking, first);
  const second = await planned(work, record);
  const differences = rejoinDifferences(plan, second.plan);
  if (differences.length > 0) throw changedMeanwhile('not rejoined', differences);
  await act(asking, work, second, record);
  return 'ok';
}

async function planned({ pair, request }: RejoinWork, record: SwapRecord): Promise<Planned> {
  const live = await readSites(pair);
  const evidence = await swapEvidence(live, request);
  const plan = rejoinPlan(live.here, live.there, request, evidence);
  record.swap({ rejoin: plan });
  return { pair: live, plan };
}

function verdictOf({ here, there, standbyCluster, refusedBy, isWritten }: RejoinPlan): string {
  if (refusedBy.length > 0 || standbyCluster === null) return `Refused by ${refusedBy.join(', ')}`;
  const { host, port, primary_slot_name: slot } = standbyCluster;
  const from = `${host}:${port}${slot === undefined ? '' : `, slot ${slot}`}`;
  return isWritten
    ? `${here.label} is a standby cluster of ${there.label} in its configuration already: would follow until it streams from ${from}`
    : `Would make ${here.label} the standby cluster of ${there.label}, which streams from ${from}`;
}

async function consent({ asker }: AskAndTell, { pair, plan }: Planned): Promise<void> {
  const { context } = pair.here;
  const instead = 'give --force (all checks still apply), or --dry-run to see the plan';
  needConsent(context, 'swap --rejoin', instead);
  if (asker.menu && context.io.stdinIsTty)
    await sayCritical(context, asker, [pair.here.view.snapshot, pair.there.view.snapshot]);
  const { here, there } = plan;
  const question = `Are you sure you want to make ${here.label} the standby cluster of ${there.label}?`;
  if (await asker.confirm(question)) return;
  throw new ToolError('error', 'Aborted swap --rejoin', { code: 'declined' });
}

/** Whatever becomes of it: from here on something may have changed. */
async function act(
  { tell }: AskAndTell,
  work: RejoinWork,
  { pair, plan }: Planned,
  record: SwapRecord,
): Promise<void> {
  const atMs = pair.here.context.clock.nowMs() + work.deadlineMs;
  try {
    if (!plan.isWritten) await tellStandby(pair.here, plan, record);
    const streaming = await followRejoined({ pair, plan, atMs, record });
    const { here, there } = plan;
    const text = `Success: ${here.label} is a standby cluster of ${there.label}: ${streaming.join(', ')} stream on its timeline`;
    tell({ kind: 'line', text: oneLine(text) });
  } finally {
    tell({ kind: 'changed', changed: record.now().demoted });
  }
}

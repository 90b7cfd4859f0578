/** `patctl swap --from-lost`: the standby site becomes the primary: read, plan, ask, look again, promote, prove. */
import type { LostPlan, LostRequest } from '../../cluster/preflight/lost-model.js';
import { lostDifferences, lostPlan, lossWords } from '../../cluster/preflight/lost-plan.js';
import { noWrite } from '../../dcs/recording/no-write.js';
import { ToolError, type Ending } from '../../errors.js';
import { isRecorded } from '../../observe/read-snapshot.js';
import { needConsent } from '../../output/ask.js';
import { oneLine } from '../../output/text.js';
import { awaitRoutes, checkRoutes } from '../kit/await-routes.js';
import { sayCritical } from '../kit/critical-findings.js';
import type { AskAndTell } from '../kit/report.js';
import { beforeReturn } from './before-return.js';
import { readOtherSite, type LostPair, type UnheardSite } from './lost-site.js';
import { readView, type LiveSite, type MeantSite } from './pair.js';
import { promoteSite } from './promote-site.js';
import { changedMeanwhile, planRefused } from './plan-refused.js';
import { swapRecord, type SwapRecord } from './swap-record.js';

export interface LostWork {
  /** The standby site, and the other one where it was named. */
  readonly here: MeantSite;
  readonly other: UnheardSite | null;
  readonly request: LostRequest;
  readonly dryRun: boolean;
  /** No question is asked; the name of the cluster must be given then. */
  readonly force: boolean;
  /** Answer to the question for the name of the cluster; null: it is asked. */
  readonly confirmName: string | null;
  /** Limit of the whole, ms. */
  readonly deadlineMs: number;
  /** --route, as given; none: those of this site's configuration. */
  readonly routes: readonly string[];
}

interface Planned extends LostPair {
  plan: LostPlan;
}

/** Prints the plan, how it went, and what the old site must be; every ending but ok is thrown. */
export async function swapFromLost(asking: AskAndTell, work: LostWork): Promise<Ending> {
  const { here: meant, dryRun } = work;
  const { context } = meant;
  const { tell } = asking;
  if (!dryRun && (await isRecorded(context))) throw noWrite();
  await checkRoutes(context, { ...meant, routes: work.routes });
  const record = swapRecord(context, tell);
  const first = await planned(work, record);
  tell({ kind: 'cluster', scope: meant.scope });
  tell({ kind: 'changed', changed: false });
  const { plan } = first;
  if (dryRun || plan.refusedBy.length === 0)
    await asking.show({ kind: 'checks', checks: plan.checks, verdict: verdictOf(plan), dryRun });
  if (plan.refusedBy.length > 0) throw planRefused('not promoted', 'lost_refused', plan);
  if (dryRun) return 'ok';
  await consent(asking, work, first.here);
  const second = await planned(work, record);
  const differences = lostDifferences(plan, second.plan);
  if (differences.length > 0) throw changedMeanwhile('not promoted', differences);
  await promoted(asking, work, second, record);
  return 'ok';
}

async function planned(
  { here: meant, other: named, request }: LostWork,
  record: SwapRecord,
): Promise<Planned> {
  const view = await readView(meant, 'here');
  const { label, other } = await readOtherSite(meant.context, view, named);
  const here: LiveSite = { ...meant, side: 'here', label, view };
  const plan = lostPlan(here, other, request);
  record.swap({ lost: plan, beforeReturn: beforeReturn(here, other) });
  return { here, other, plan };
}

function verdictOf({ here, refusedBy, other }: LostPlan): string {
  if (refusedBy.length > 0) return `Refused by ${refusedBy.join(', ')}`;
  return (
    `Would make ${here.label} the primary (${here.leader ?? '?'}), without ${other}: ` +
    'what it had not received is lost'
  );
}

/** The name of the cluster, typed or given: --force does not stand for it. */
async function consent(
  { asker }: AskAndTell,
  { confirmName, force, here: { context, scope } }: LostWork,
  here: LiveSite,
): Promise<void> {
  const instead = `give --confirm-name ${scope} (all checks still apply), or --dry-run to see the plan`;
  if (confirmName === null && force)
    throw new ToolError('usage', 'swap --from-lost must be confirmed by the name of the cluster', {
      code: 'no_confirm_name',
      hint: instead,
    });
  if (confirmName === null) {
    needConsent(context, 'swap --from-lost', instead);
    if (asker.menu && context.io.stdinIsTty)
      await sayCritical(context, asker, [here.view.snapshot]);
  }
  const typed =
    confirmName ?? (await asker.text('Please confirm the cluster name to promote', null));
  if (typed === scope) return;
  throw new ToolError('error', 'Cluster names specified do not match', {
    code: 'declined',
    hint: 'nothing was sent',
  });
}

/** Whatever becomes of it: from here on something may have changed. */
async function promoted(
  { tell }: AskAndTell,
  work: LostWork,
  { here, plan }: Planned,
  record: SwapRecord,
): Promise<void> {
  const { context } = here;
  const atMs = context.clock.nowMs() + work.deadlineMs;
  const sayReturn = (): void => {
    if (record.now().promoted === false) return;
    tell({ kind: 'line', text: `Before ${oneLine(plan.other)} comes back:` });
    for (const text of record.now().beforeReturn)
      tell({ kind: 'line', text: `  - ${oneLine(text)}` });
  };
  try {
    const done = await promoteSite({ site: here, plan, atMs, record });
    const routes = { ...work.here, routes: work.routes };
    const hasRoutes = work.routes.length > 0 || ((await context.config()).routes ?? []).length > 0;
    if (hasRoutes) await awaitRoutes(context, routes, tell);
    const said = `Success: ${done.primary} is the primary on timeline ${done.timeline}, without ${plan.other}`;
    tell({ kind: 'line', text: oneLine(`${said}; ${lossWords(here, plan.known)}`) });
  } finally {
    tell({ kind: 'changed', changed: record.now().promoted });
    sayReturn();
  }
}

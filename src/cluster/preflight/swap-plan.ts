/** `patctl swap`: what two sites are, read at one time, and everything that speaks for or against changing their roles. */
import { leaderChanged, newlyRefused, sourceChanged } from './swap-differences.js';
import {
  plannedSite,
  type Site,
  type SwapEvidence,
  type SwapPlan,
  type SwapRequest,
} from './swap-model.js';
import {
  demotion,
  hereLeads,
  notCritical,
  nothingPending,
  notPaused,
  restThere,
  synchronous,
  thereLeads,
  versions,
} from './swap-site-checks.js';
import { countedChecks } from './swap-skipped.js';
import { lag, replay, sameDatabase, streams, timelines } from './swap-stream.js';
import { address, letIn } from './swap-reach.js';
import { clientSlots, slots, wayBack } from './swap-way-back.js';

/**
 * As --skip-check takes them. leader_here, leader_there and same_database are not among them: without these nothing
 * could be proven.
 */
export const SWAP_CHECKS = [
  'rest_there',
  'streams',
  'timelines',
  'lag',
  'replay',
  'versions',
  'demotion',
  'way_back',
  'pg_hba',
  'slots',
  'logical_slots',
  'synchronous_mode',
  'paused_here',
  'paused_there',
  'pending_here',
  'pending_there',
  'critical_here',
  'critical_there',
] as const;

/** Not knowing refuses too: these guard what was acknowledged. */
const GUARDS: readonly string[] = [
  'leader_here',
  'leader_there',
  'same_database',
  'streams',
  'timelines',
  'lag',
  'versions',
];

export function swapPlan(
  here: Site,
  there: Site,
  request: SwapRequest,
  evidence: SwapEvidence,
): SwapPlan {
  const back = wayBack(there, request);
  const all = [
    hereLeads(here),
    thereLeads(there),
    restThere(there, evidence),
    sameDatabase(here, there),
    streams(here, there, evidence),
    timelines(here, there),
    lag(here, there, request.maxLagBytes),
    replay(there, request.maxLagBytes),
    versions(here, there),
    demotion(here),
    address(here, there, back, evidence),
    letIn(here, there, back, evidence),
    slots(here, there, back),
    clientSlots(here, there),
    synchronous(here, there),
    notPaused(here, 'paused_here'),
    notPaused(there, 'paused_there'),
    nothingPending(here, 'pending_here'),
    nothingPending(there, 'pending_there'),
    notCritical(here, 'critical_here'),
    notCritical(there, 'critical_there'),
  ];
  const rules = { skippable: SWAP_CHECKS, guards: GUARDS };
  return {
    here: plannedSite(here),
    there: plannedSite(there),
    ...countedChecks(all, rules, request.skipChecks),
    standbyCluster: back,
  };
}

/** What has changed for the worse since the plan was shown, a line each. */
export function swapDifferences(shown: SwapPlan, now: SwapPlan): string[] {
  return [
    ...leaderChanged(shown.here, now.here),
    ...leaderChanged(shown.there, now.there),
    ...sourceChanged(now.here.label, shown.standbyCluster, now.standbyCluster),
    ...newlyRefused(shown, now),
  ];
}

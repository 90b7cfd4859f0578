/** `patctl roll`: which members are worked on, and in which order. */
import { commandLine } from '../model/command-line.js';
import type { Cluster } from '../model/model.js';
import { readTags } from '../model/tags.js';
import { namedInSync, syncModeActive } from '../roles/dcs-roles.js';
import { replicaOrder } from './restart-order.js';

export type RollStep =
  /** COMMAND for this member. */
  | { kind: 'command'; member: string; why: string }
  | { kind: 'switchover'; from: string; why: string }
  /** To the member that led at the beginning. */
  | { kind: 'switchback'; to: string; why: string };

export interface RollPlan {
  steps: RollStep[];
  warnings: string[];
  /** Why it cannot be done so; null: it can. */
  refused: string | null;
}

export interface RollChoice {
  /** Members to work on. */
  members: readonly string[];
  /** Those on which the work is done, of an earlier run. */
  done: readonly string[];
  /** The member at hand when an earlier run stopped; null: none. */
  first: string | null;
  /** Move the leadership before the leader is worked on; false: the leader is left out. */
  switchover: boolean;
  /** Null: the best member takes over. */
  candidate: string | null;
  /** Who led at the beginning and is to lead at the end; null: it does not matter. */
  back: string | null;
  /** A member may be worked on although no other one could take over meanwhile. */
  withoutVotes: boolean;
}

/** A step as people read it, without its reason. */
export function rollStepWords(step: RollStep): string {
  switch (step.kind) {
    case 'command':
      return `COMMAND for ${step.member}`;
    case 'switchover':
      return `switch over from ${step.from}`;
    case 'switchback':
      return `switch back to ${step.to}`;
  }
}

/** Asynchronous replicas, then synchronous ones, then a switchover, then the former leader. */
export function planRoll(cluster: Cluster, request: RollChoice): RollPlan {
  const { leaderName: leader } = cluster;
  const plan: RollPlan = { steps: [], warnings: [], refused: null };
  if (leader === null) return { ...plan, refused: 'no member leads' };
  const left = cluster.members.filter(
    ({ name }) => request.members.includes(name) && !request.done.includes(name),
  );
  const steps = replicaOrder(cluster, left).map(({ name }): RollStep => {
    const isSync = syncModeActive(cluster) && namedInSync(cluster, name);
    return { kind: 'command', member: name, why: isSync ? 'synchronous standby' : 'replica' };
  });
  const isFirst = (step: RollStep) => step.kind === 'command' && step.member === request.first;
  steps.sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
  const isLeaderMeant = left.some(({ name }) => name === leader);
  if (isLeaderMeant && !request.switchover)
    plan.warnings.push(`${leader} is the leader and is left out (--no-switchover)`);
  if (isLeaderMeant && request.switchover) steps.push(...leaderSteps(leader, request));
  const moves = steps.some(({ kind }) => kind === 'switchover');
  if (request.candidate !== null && !moves && request.done.length === 0)
    plan.warnings.push(`no switchover is needed: --candidate ${request.candidate} is not used`);
  const { back } = request;
  if (back !== null && (moves || back !== leader)) {
    plan.warnings.push(...backWarnings(cluster, back));
    steps.push({ kind: 'switchback', to: back, why: 'it led at the beginning' });
  }
  const refused = moves ? refusedMove(cluster, leader, request) : null;
  return { ...plan, steps, refused: refused ?? unspared(cluster, steps, request) };
}

/** Patroni keeps the standbys that are synchronous, so the old leader may stay asynchronous. */
function backWarnings(cluster: Cluster, back: string): string[] {
  const { config, members } = cluster;
  const count = config?.syncNodeCount ?? 1;
  const isFewer =
    syncModeActive(cluster) && config?.syncMode === 'on' && count < members.length - 1;
  if (!isFewer) return [];
  const wanted = `synchronous_node_count=${members.length - 1}`;
  return [
    `--back waits until /sync names ${back}, and it names only ${count} of ${members.length - 1} standbys: ${commandLine(cluster, 'edit-config', '-s', wanted)}`,
  ];
}

function leaderSteps(leader: string, { candidate }: RollChoice): RollStep[] {
  const why = candidate === null ? 'to the best candidate' : `to ${candidate}`;
  return [
    { kind: 'switchover', from: leader, why },
    { kind: 'command', member: leader, why: 'the former leader' },
  ];
}

function refusedMove(cluster: Cluster, leader: string, { candidate }: RollChoice): string | null {
  const leave = 'leave it out with --no-switchover';
  if (cluster.members.length < 2) return `no other member can take over from ${leader}; ${leave}`;
  if (candidate === leader) return `${leader} leads already: it is not a candidate`;
  const named = cluster.members.find(({ name }) => name === candidate);
  if (candidate !== null && !named) return `the candidate ${candidate} is not a member`;
  if (named && readTags(named.tags).nofailover)
    return `the candidate ${named.name} may not lead (nofailover)`;
  return null;
}

/** A gate that can never hold is not waited for: with two members that may lead, none is left beside the leader. */
function unspared(
  cluster: Cluster,
  steps: readonly RollStep[],
  { withoutVotes }: RollChoice,
): string | null {
  if (withoutVotes) return null;
  const able = cluster.members.filter(
    ({ name, tags }) => name === cluster.leaderName || !readTags(tags).nofailover,
  );
  if (able.length > 2) return null;
  const step = steps.find(
    (one) => one.kind === 'command' && able.some(({ name }) => name === one.member),
  );
  if (step?.kind !== 'command') return null;
  return `while ${step.member} is down, no other member could take over (${able.length} of ${cluster.members.length} may lead); --skip-gate votes accepts that`;
}

/** The members that --only and --except leave, in the order of the DCS; `unknown`: names that are not members. */
export function selectForRoll(
  { members }: Cluster,
  { only, except }: { only: readonly string[]; except: readonly string[] },
): { members: string[]; unknown: string[] } {
  const names = members.map(({ name }) => name);
  const chosen = names.filter(
    (name) => (only.length === 0 || only.includes(name)) && !except.includes(name),
  );
  return { members: chosen, unknown: [...only, ...except].filter((name) => !names.includes(name)) };
}

/** What the checks of a plan look at, worked out once. */
import type { Cluster, DynamicConfig, Snapshot, SqlStatus, Witnessed } from '../model/model.js';
import type { ChangeRequest, CheckResult, PlanCheck } from './plan-model.js';
import { restStep } from '../findings/next-steps.js';
import { viewOf, type MemberView, type View } from '../roles/view.js';
import { voteInput } from '../votes/vote-facts.js';
import { withStandstill } from './stalled-standby.js';
import type { VoteInput, VoteNode } from '../votes/vote-rules.js';

/**
 * Of the holder of the lock. none: no member holds it; alive: it is the primary (or standby leader) and its
 * Patroni answers; silent: PostgreSQL lives, Patroni does not answer; down: it does not answer or is not a
 * primary; unknown: no witness was asked.
 */
export type LeaderState = 'none' | 'alive' | 'silent' | 'down' | 'unknown';

export interface PlanFacts {
  request: ChangeRequest;
  now: Snapshot;
  before: Snapshot | null;
  cluster: Cluster;
  config: DynamicConfig | null;
  view: View;
  input: VoteInput;
  leaderState: LeaderState;
  leader: MemberView | null;
  /** SQL of the leader; null: not read. */
  leaderSql: SqlStatus | null;
  /** Named or chosen; null: Patroni chooses. */
  candidate: string | null;
  /** The candidate; null if none is named or it is not a member. */
  one: MemberView | null;
  node: VoteNode | null;
  /** As Patroni carries it out: a failover that names a leader is a switchover. */
  action: 'switchover' | 'failover';
}

/** null: the check does not apply to this request. */
export type PreflightCheck = (ctx: PlanFacts) => PlanCheck | null;

export function contextOf(
  now: Snapshot,
  before: Snapshot | null,
  request: ChangeRequest,
  candidate: string | null,
): PlanFacts {
  const { cluster } = now;
  const view = viewOf(now);
  const input = withStandstill(voteInput(now), { now, before, view });
  const members = view.members.filter(({ departed }) => departed === null);
  return {
    request,
    now,
    before,
    cluster,
    config: cluster.config,
    view,
    input,
    leaderState: leaderStateOf(view),
    leader: view.leader,
    leaderSql: view.leader?.sql.ok ? view.leader.sql.value : null,
    candidate,
    one: members.find(({ name }) => name === candidate) ?? null,
    node: input.nodes.find(({ name }) => name === candidate) ?? null,
    action: request.leader === null ? request.kind : 'switchover',
  };
}

/** The same request with another candidate; what was worked out is kept. */
export function withCandidate(ctx: PlanFacts, candidate: string | null): PlanFacts {
  const members = ctx.view.members.filter(({ departed }) => departed === null);
  return {
    ...ctx,
    candidate,
    one: members.find(({ name }) => name === candidate) ?? null,
    node: ctx.input.nodes.find(({ name }) => name === candidate) ?? null,
  };
}

export function leaderStateOf({ snapshot, leader }: View): LeaderState {
  if (snapshot.cluster.leaderName === null) return 'none';
  if (leader === null) return 'down';
  const { observed, rest } = leader;
  if (observed === 'unknown') return 'unknown';
  if (observed !== 'primary' && observed !== 'standby leader') return 'down';
  if (rest.ok || rest.kind === 'off') return 'alive';
  return rest.kind === 'denied' || rest.kind === 'invalid' ? 'unknown' : 'silent';
}

/** `refused` or, where the operator accepts that commits may be lost, `warning`. */
export function unlessAccepted({ request }: PlanFacts): 'refused' | 'warning' {
  return request.allowDataLoss ? 'warning' : 'refused';
}

/** No PostgreSQL leads: no member streams, and no leader is shut down. */
export function isGone({ leaderState }: PlanFacts): boolean {
  return leaderState === 'none' || leaderState === 'down';
}

export function ok(name: string, said: string, evidence: Witnessed[] = []): PlanCheck {
  return { name, result: 'ok', said, evidence, next: null };
}

/** Anything but ok needs a next step. */
export function bad(
  name: string,
  result: Exclude<CheckResult, 'ok' | 'skipped'>,
  said: string,
  evidence: Witnessed[],
  next: string,
): PlanCheck {
  return { name, result, said, evidence, next };
}

export function dcs(subject: string, said: string): Witnessed {
  return { witness: 'DCS', subject, said };
}

/** What to do where members did not say something: ask them at all, or find out why each does not answer. */
export function askNext(
  { now, view }: Pick<PlanFacts, 'now' | 'view'>,
  ...names: string[]
): string {
  if (now.verify !== 'auto') return 'ask with --verify auto';
  const asked = view.members.filter(({ name }) => names.includes(name));
  const steps = [...new Set(asked.map(restStep))];
  return steps.join('; ') || `find out why ${names.join(', ')} did not report it`;
}

/** What is said of a check whose witness is SQL and was not heard. */
export function sqlNotRead(name: string, whose: MemberView | null, what: string): PlanCheck {
  const who = whose?.name ?? 'the leader';
  const { why, next } = whySilent(whose);
  const evidence: Witnessed = { witness: 'SQL', subject: who, said: why };
  return bad(
    name,
    'unknown',
    `${what} is unknown: SQL on ${who} was not read (${why})`,
    [evidence],
    next,
  );
}

function whySilent(one: MemberView | null): { why: string; next: string } {
  if (one === null)
    return { why: 'it has no member key', next: 'find out why it has no member key' };
  if (one.sql.ok) return { why: 'read', next: '' };
  if (one.sql.kind === 'off')
    return {
      why: 'not asked',
      next: 'give a database login (-U, PGPASSFILE or the Patroni configuration; a role in pg_monitor is enough)',
    };
  const { kind, reason } = one.sql;
  const address = `${one.member?.host ?? '?'}:${one.member?.port ?? '?'}`;
  switch (kind) {
    case 'denied':
      return { why: reason, next: `check why PostgreSQL on ${one.name} refuses this login` };
    case 'no_address':
      return {
        why: reason,
        next: `check why the member key of ${one.name} has no usable conn_url`,
      };
    case 'unreachable':
      return {
        why: reason,
        next: `check whether PostgreSQL runs on ${one.name} and can be reached at ${address}`,
      };
    case 'misidentified':
    case 'invalid':
      return { why: reason, next: `check what answers for ${one.name} at ${address}` };
  }
}

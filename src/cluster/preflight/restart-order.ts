/** In which order members are restarted, so that the cluster serves while it goes on. */
import { farther } from '../model/lsn.js';
import { namedInSync, syncModeActive } from '../roles/dcs-roles.js';
import type { Cluster, JsonObject, Member, RestStatus } from '../model/model.js';
import { readTags } from '../model/tags.js';

/** A standby refuses to start with less of these than its primary had when the WAL was written. */
const HOT_STANDBY = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
];

export interface ParameterChange {
  name: string;
  from: number;
  to: number;
}

/** Hot-standby parameters that the restart of this member would change, by `pending_restart_reason`. */
export function hotStandbyChanges(reasons: JsonObject | null): ParameterChange[] {
  const changes: ParameterChange[] = [];
  for (const [key, change] of Object.entries(reasons ?? {})) {
    const name = key.toLowerCase();
    if (!HOT_STANDBY.includes(name)) continue;
    if (typeof change !== 'object' || change === null || Array.isArray(change)) continue;
    const [from, to] = [Number(change['old_value']), Number(change['new_value'])];
    if (Number.isFinite(from) && Number.isFinite(to) && from !== to)
      changes.push({ name, from, to });
  }
  return changes;
}

export type RollingStep =
  | {
      kind: 'restart';
      member: string;
      role: 'replica' | 'primary';
      /** It goes on with the old values of lowered parameters until its second turn. */
      mayStayPending: boolean;
      why: string;
    }
  | { kind: 'switchover'; from: string; why: string };

export interface RollingPlan {
  steps: RollingStep[];
  /** `name: from->to`, each once. */
  lowered: string[];
  raised: string[];
  warnings: string[];
  /** Why it cannot be done so; null: it can. */
  refused: string | null;
}

export interface RollingRequest {
  /** Names of the members to restart. */
  members: readonly string[];
  /** Move the leadership to a restarted replica instead of restarting the primary in place. */
  switchover: boolean;
}

/** The order: replicas one by one, then the primary; the other way round where a parameter is lowered. */
export function planRolling(
  cluster: Cluster,
  { members, switchover }: RollingRequest,
): RollingPlan {
  const chosen = cluster.members.filter(({ name }) => members.includes(name));
  const primary = chosen.find(({ name }) => name === cluster.leaderName) ?? null;
  const replicas = replicaOrder(cluster, chosen);
  const changes = chosen.flatMap((member) => hotStandbyChanges(member.pendingRestartReason));
  const lowered = words(changes.filter(({ from, to }) => to < from));
  const raised = words(changes.filter(({ from, to }) => to > from));
  const plan = { lowered, raised, warnings: warningsOf(cluster, chosen), refused: null };

  const down = lowered.length > 0 && mustLowerFirst(cluster);
  if (down && primary && switchover) {
    return {
      ...plan,
      steps: [],
      refused: `--switchover cannot lower ${lowered.join(', ')}: the primary must be restarted in place first`,
    };
  }
  if (primary && switchover) {
    const possible = heirs(cluster, new Set(members), { planned: true });
    if (possible.length === 0) {
      return {
        ...plan,
        steps: [],
        refused: `--switchover: no replica may take over from ${primary.name} (tags, or a restart that stays pending); run it without --switchover`,
      };
    }
  }
  if (down && !primary) {
    plan.warnings.push(
      `the replicas keep the old value of ${lowered.join(', ')} until the primary is restarted`,
    );
    return { ...plan, steps: replicas.map((one) => restart(one, 'replica', true, 'replica')) };
  }
  const last = primary ? primarySteps(primary, switchover) : [];
  if (!down) return { ...plan, steps: [...replicas.map((one) => turn(cluster, one)), ...last] };
  const why = `${lowered.join(', ')}: a standby must not have a lower value than its primary`;
  const first = primary ? [restart(primary, 'primary', false, why)] : [];
  const then = replicas.map((one) => turn(cluster, one));
  if (raised.length === 0) return { ...plan, steps: [...first, ...then] };
  const before = replicas.map((one) =>
    restart(one, 'replica', true, `${raised.join(', ')}: standbys first`),
  );
  return { ...plan, steps: [...before, ...first, ...then] };
}

/** Whether the leader still runs with a higher value than it is configured with; true where that is unknown. */
function mustLowerFirst({ members, leaderName }: Cluster): boolean {
  const leader = members.find(({ name }) => name === leaderName);
  if (!leader) return true;
  if (leader.pendingRestartReason === null) return leader.pendingRestart;
  return hotStandbyChanges(leader.pendingRestartReason).some(({ from, to }) => to < from);
}

/** Asynchronous ones first: when a synchronous standby's turn comes, another can take its place. */
export function replicaOrder(cluster: Cluster, chosen: readonly Member[]): Member[] {
  const replicas = chosen.filter(({ name }) => name !== cluster.leaderName);
  const sync = (member: Member) => syncModeActive(cluster) && namedInSync(cluster, member.name);
  return [...replicas.filter((one) => !sync(one)), ...replicas.filter(sync)];
}

function turn(cluster: Cluster, member: Member): RollingStep {
  const sync = syncModeActive(cluster) && namedInSync(cluster, member.name);
  return restart(member, 'replica', false, sync ? 'synchronous standby' : 'replica');
}

function restart(
  { name }: Member,
  role: 'replica' | 'primary',
  mayStayPending: boolean,
  why: string,
): RollingStep {
  return { kind: 'restart', member: name, role, mayStayPending, why };
}

function primarySteps(primary: Member, switchover: boolean): RollingStep[] {
  if (!switchover) return [restart(primary, 'primary', false, 'primary, in place')];
  return [
    { kind: 'switchover', from: primary.name, why: 'to a restarted replica' },
    restart(primary, 'replica', false, 'the former primary'),
  ];
}

function words(changes: readonly ParameterChange[]): string[] {
  return [...new Set(changes.map(({ name, from, to }) => `${name}: ${from}->${to}`))];
}

function warningsOf(cluster: Cluster, chosen: readonly Member[]): string[] {
  const warnings: string[] = [];
  const blind = chosen.filter((one) => one.pendingRestart && one.pendingRestartReason === null);
  if (blind.length > 0) {
    warnings.push(
      `${blind.map(({ name }) => name).join(', ')} does not report why a restart is pending (Patroni before 3.3): if a parameter is lowered, restart the primary first`,
    );
  }
  const strict = cluster.config?.syncModeStrict === true && syncModeActive(cluster);
  if (strict && cluster.members.length <= 2) {
    warnings.push('commits wait while the only standby restarts (synchronous_mode_strict)');
  }
  return warnings;
}

// ---------------------------------------------------------------- is it back?

export interface BackWanted {
  /** postmaster_start_time before the restart; null: unknown. */
  startedBefore: string | null;
  leads: boolean;
  mayStayPending: boolean;
}

/** What is still missing until a restarted member is back, in words; null: nothing. */
export function notBack(
  now: RestStatus,
  wanted: BackWanted,
): { said: string; pending: boolean } | null {
  const started = startTimeOf(now);
  const missing = (said: string) => ({ said, pending: false });
  if (now.state !== 'running' && now.state !== 'streaming') return missing(`is ${now.state}`);
  if (started === null) return missing('does not report when it was started');
  if (started === wanted.startedBefore) return missing('has not been restarted yet');
  const streams =
    now.location !== null || now.replicationState === 'streaming' || readTags(now.tags).nostream;
  if (!wanted.leads && !streams) {
    return missing(now.replicationState ?? 'does not stream yet');
  }
  if (now.pendingRestart && !wanted.mayStayPending) {
    return { said: `still has a restart pending${reasonWords(now)}`, pending: true };
  }
  return null;
}

function reasonWords({ pendingRestartReason }: RestStatus): string {
  const names = Object.keys(pendingRestartReason ?? {});
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}

/** Whether Patroni would restart it under these conditions: --pending, and older than --pg-version. */
export function meetsConditions(
  { pendingRestart, serverVersion }: RestStatus,
  content: JsonObject,
): boolean {
  if (content['restart_pending'] === true && !pendingRestart) return false;
  const wanted = content['postgres_version'];
  if (typeof wanted !== 'string' || serverVersion === null) return true;
  return serverVersion < versionNumber(wanted);
}

/** 15.2 -> 150002, 9.6.24 -> 90624 */
function versionNumber(text: string): number {
  const parts = text.split('.').map(Number);
  const [major = 0, minor = 0, patch = 0] = parts.length === 2 ? [parts[0], 0, parts[1]] : parts;
  return major * 10_000 + minor * 100 + patch;
}

/** postmaster_start_time: another one means another postmaster. */
export function startTimeOf({ raw }: RestStatus): string | null {
  const started = raw['postmaster_start_time'];
  return typeof started === 'string' ? started : null;
}

/**
 * The members that may take over from the primary: restarted, eligible, synchronous where that is asked for; best
 * first. While it is `planned`, each member that may become synchronous until then counts.
 */
export function heirs(
  cluster: Cluster,
  restarted: ReadonlySet<string>,
  { planned = false } = {},
): string[] {
  const sync = syncModeActive(cluster) && (cluster.sync?.leader ?? null) !== null;
  const position = (one: Member) => farther(one.receiveLsn, one.replayLsn) ?? 0n;
  return cluster.members
    .filter((one) => one.name !== cluster.leaderName && !readTags(one.tags).nofailover)
    .filter((one) => restarted.has(one.name) || !one.pendingRestart)
    .filter((one) => !sync || namedInSync(cluster, one.name) || (planned && maySync(one)))
    .sort(
      (a, b) =>
        Number(restarted.has(b.name)) - Number(restarted.has(a.name)) ||
        compare(position(b), position(a)),
    )
    .map(({ name }) => name);
}

function maySync({ tags }: Member): boolean {
  const { nosync, nostream } = readTags(tags);
  return !nosync && !nostream;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Replicas before the leader, unless a lowered hot-standby parameter wants it the other way round. */
export function leaderLast<T extends { cluster: Cluster; member: Member }>(
  chosen: readonly T[],
): T[] {
  const leads = ({ cluster, member }: T) => member.name === cluster.leaderName;
  const lowers = chosen.some(
    ({ cluster, member }) =>
      mustLowerFirst(cluster) &&
      hotStandbyChanges(member.pendingRestartReason).some(({ from, to }) => to < from),
  );
  const [leaders, replicas] = [chosen.filter(leads), chosen.filter((one) => !leads(one))];
  return lowers ? [...leaders, ...replicas] : [...replicas, ...leaders];
}

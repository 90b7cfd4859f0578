/** What must hold before a member is worked on, and again when it is back. */
import { isStreaming } from '../conditions.js';
import { bytesText, silence } from '../findings/evidence.js';
import { look } from '../findings/find.js';
import { DEFAULT_LIMITS } from '../findings/limits.js';
import { commandLine } from '../model/command-line.js';
import type { Lsn } from '../model/lsn.js';
import type { Witnessed } from '../model/model.js';
import { readTags } from '../model/tags.js';
import { namedInSync, syncModeActive } from '../roles/dcs-roles.js';
import type { MemberView, View } from '../roles/view.js';
import type { GateName } from './gate-names.js';
import type { PlanCheck } from './plan-model.js';
import { canDoWithout } from './retirement.js';

export interface GatesRequest {
  /** The member to be worked on: it need not stream. Null: all members are back. */
  node: string | null;
  /** Which are looked at. */
  gates: readonly GateName[];
  /** Members that must stream; null: each one without the tag nostream. */
  streaming: readonly string[] | null;
  /** Live standbys that /sync named at the beginning. */
  syncStandbys: number;
  /** What every standby must have received; null: unknown, then it is not asked for. */
  target: Lsn | null;
  /** How far a standby may be behind; null: `target` alone decides. */
  maxLagBytes: number | null;
}

/** The gates with what was found, each ok, refused or unknown. */
export function gatesOf(view: View, request: GatesRequest): PlanCheck[] {
  return request.gates.flatMap((name) => GATE[name](view, request));
}

const GATE: Record<GateName, (view: View, request: GatesRequest) => PlanCheck[]> = {
  leader: (view) => [gate('leader', leaderMissing(view), 'a member leads')],
  streaming: (view, request) => [
    gate('streaming', notStreaming(view, request), 'every other member streams'),
  ],
  caught_up: (view, request) => [
    gate('caught_up', behind(view, request), 'every other member has caught up'),
  ],
  sync: (view, request) => [gate('sync', syncMissing(view, request), syncWords(view))],
  votes: votes,
  critical: (view, { node }) => [critical(view, node)],
  paused: ({ snapshot }) => [
    gate(
      'paused',
      snapshot.cluster.config?.pause === true
        ? [{ witness: 'DCS', subject: '/config', said: 'the cluster is paused' }]
        : [],
      'the cluster is not paused',
    ),
  ],
  other_work: (view, { node }) => [
    gate('other_work', otherWork(view, node), 'no other member is being worked on'),
  ],
};

/** Whether work may begin, or is over. */
export function areOpen(gates: readonly PlanCheck[]): boolean {
  return closedGates(gates).length === 0;
}

/** Those that do not hold, or are unknown. */
export function closedGates(gates: readonly PlanCheck[]): PlanCheck[] {
  return gates.filter(({ result }) => result === 'refused' || result === 'unknown');
}

function gate(name: GateName, missing: Witnessed[], holds: string): PlanCheck {
  if (missing.length === 0) return { name, result: 'ok', said: holds, evidence: [], next: null };
  const said = missing.map((one) => `${one.subject} ${one.said}`).join('; ');
  return { name, result: 'refused', said, evidence: missing, next: null };
}

// ---------------------------------------------------------------- the members

function seen({ name, witness }: Pick<MemberView, 'name' | 'witness'>, said: string): Witnessed {
  return { witness: witness ?? 'REST', subject: name, said };
}

function leaderMissing({ leader, snapshot }: View): Witnessed[] {
  const holder = snapshot.cluster.leaderName;
  if (holder === null) return [{ witness: 'DCS', subject: '/leader', said: 'is absent' }];
  if (leader === null) return [{ witness: 'DCS', subject: holder, said: 'has no member key' }];
  const { observed } = leader;
  if (observed === 'primary' || observed === 'standby leader') return [];
  const why = observed === 'unreachable' || observed === 'unknown' ? silence(leader) : observed;
  return [seen(leader, why)];
}

/** The members of which something is asked besides the one that is worked on. */
function others(view: View, { node, streaming }: GatesRequest): MemberView[] {
  const { leaderName } = view.snapshot.cluster;
  return view.members.filter(({ name, member }) => {
    if (member === null || name === node || name === leaderName) return false;
    return streaming === null ? !readTags(member.tags).nostream : streaming.includes(name);
  });
}

function notStreaming(view: View, request: GatesRequest): Witnessed[] {
  const { leaderName } = view.snapshot.cluster;
  const left = (request.streaming ?? []).filter(
    (name) =>
      name !== request.node &&
      name !== leaderName &&
      !view.members.some((one) => one.member !== null && one.name === name),
  );
  const gone = left.map((name): Witnessed => {
    return { witness: 'DCS', subject: name, said: 'has left the DCS' };
  });
  const idle = others(view, request)
    .filter((one) => !isStreaming(one))
    .map((one) => seen(one, streamWords(one)));
  return [...gone, ...idle];
}

function streamWords(one: MemberView): string {
  const { observed, rest } = one;
  if (observed === 'unreachable' || observed === 'unknown') return silence(one);
  if (observed !== 'replica') return `is ${observed}`;
  return (rest.ok ? rest.value.replicationState : null) ?? 'does not stream';
}

function behind(view: View, request: GatesRequest): Witnessed[] {
  const { target, maxLagBytes } = request;
  return others(view, request).flatMap((one): Witnessed[] => {
    const { position, lagBytes } = one;
    if (!isStreaming(one)) return [];
    if (target !== null && (position === null || position < target))
      return [seen(one, 'has not caught up')];
    if (maxLagBytes === null) return [];
    if (lagBytes === null) return [seen(one, 'is behind by an unknown amount')];
    if (lagBytes <= maxLagBytes) return [];
    const limit = `(limit ${bytesText(maxLagBytes)}, --max-lag)`;
    return [seen(one, `is ${bytesText(lagBytes)} behind ${limit}`)];
  });
}

// ---------------------------------------------------------------- synchronous standbys and votes

/** Standbys that /sync names and that stream; none when synchronous mode is not active. */
export function liveSyncStandbys({ members, snapshot }: View): string[] {
  const { cluster } = snapshot;
  if (!syncModeActive(cluster)) return [];
  return members
    .filter((one) => one.member !== null && isStreaming(one) && namedInSync(cluster, one.name))
    .map(({ name }) => name);
}

function syncMissing(view: View, { node, syncStandbys }: GatesRequest): Witnessed[] {
  const live = liveSyncStandbys(view);
  const own = view.members.find(({ name }) => name === node);
  const wanted = syncStandbys - (own !== undefined && !isStreaming(own) ? 1 : 0);
  if (live.length >= wanted) return [];
  const said = `names ${live.length} live standbys (before: ${wanted})`;
  return [{ witness: 'DCS', subject: '/sync', said }];
}

function syncWords(view: View): string {
  const live = liveSyncStandbys(view);
  if (live.length === 0) return 'no synchronous standby is needed';
  return `/sync names ${live.join(', ')}, which stream`;
}

function votes(view: View, { node }: GatesRequest): PlanCheck[] {
  const own = view.members.find(({ name, member }) => member !== null && name === node);
  // The leader is not worked on before another member leads.
  if (own === undefined || own.name === view.snapshot.cluster.leaderName) return [];
  return canDoWithout(view, own);
}

// ---------------------------------------------------------------- the cluster

/** Critical findings, but not those about the member itself: it is what the work is for. */
function critical(view: View, node: string | null): PlanCheck {
  const found = look(view, DEFAULT_LIMITS, () => true).findings.filter(({ severity, members }) => {
    if (severity !== 'critical') return false;
    return members.length === 0 || members.some((name) => name !== node);
  });
  if (found.length === 0) return gate('critical', [], 'check finds nothing critical');
  return {
    name: 'critical',
    result: 'refused',
    said: found.map(({ code, message }) => `${message} [${code}]`).join('; '),
    evidence: found.flatMap(({ evidence }) => evidence),
    next: `see what to do: ${commandLine(view.snapshot.cluster, 'check')}`,
  };
}

const AT_WORK = /^(starting|stopping|restarting|stopped|creating replica|running custom bootstrap)/;

function otherWork(view: View, node: string | null): Witnessed[] {
  const { failover } = view.snapshot.cluster;
  const request: Witnessed[] =
    failover === null
      ? []
      : [{ witness: 'DCS', subject: '/failover', said: failoverWords(failover.scheduledAt) }];
  const busy = view.members.flatMap((one): Witnessed[] => {
    if (one.member === null || one.name === node) return [];
    const { state, scheduledRestart } = one.rest.ok ? one.rest.value : one.member;
    if (AT_WORK.test(state)) return [seen(one, `is ${state}`)];
    return scheduledRestart === null ? [] : [seen(one, 'has a restart scheduled')];
  });
  return [...request, ...busy];
}

function failoverWords(scheduledAt: string | null): string {
  return scheduledAt === null
    ? 'asks for another leader'
    : `has a switchover scheduled for ${scheduledAt}`;
}

/** What `wait` waits for and `ready` asks: conditions over a view, each with what is still missing. */
import { sameName } from './model/member-names.js';
import { look } from './findings/find.js';
import { DEFAULT_LIMITS } from './findings/limits.js';
import { bytesText, silence } from './findings/evidence.js';
import { leftMembers } from './findings/left-members.js';
import { isUnfed, pace } from './findings/streaming.js';
import { type MemberView, type View } from './roles/view.js';
import { readTags } from './model/tags.js';

export type Condition =
  | { kind: 'leader'; name: string | null }
  | { kind: 'healthy' }
  | { kind: 'streaming'; count: number }
  | { kind: 'caught-up'; member: string | null }
  | { kind: 'sync'; count: number }
  | { kind: 'paused' }
  | { kind: 'resumed' }
  | { kind: 'no-pending-restart' }
  | { kind: 'gone'; member: string };

export const CONDITIONS =
  'leader[=NAME], healthy, streaming=N, caught-up[=MEMBER], sync=N, paused, resumed, no-pending-restart, gone=MEMBER';

/** What can be typed before a value is known; those that want a member end in =. */
export const CONDITION_WORDS: readonly string[] = CONDITIONS.split(', ').flatMap((one) => {
  const word = one.replace(/[[\]]/g, '').replace(/(NAME|MEMBER|N)$/, '');
  return one.includes('[') ? [word.slice(0, -1), word] : [word];
});

/** null when the text names no condition. */
export function parseCondition(text: string): Condition | null {
  const [kind = '', ...rest] = text.split('=');
  const value = rest.length > 0 ? rest.join('=') : null;
  const count = value !== null && /^[0-9]+$/.test(value) ? Number(value) : null;
  switch (kind) {
    case 'leader':
      return value === '' ? null : { kind, name: value };
    case 'caught-up':
      return value === '' ? null : { kind, member: value };
    case 'gone':
      return value === null || value === '' ? null : { kind, member: value };
    case 'streaming':
    case 'sync':
      return count === null ? null : { kind, count };
    case 'healthy':
    case 'paused':
    case 'resumed':
    case 'no-pending-restart':
      return value === null ? { kind } : null;
    default:
      return null;
  }
}

export interface LagLimit {
  maxLagBytes: number;
  mode: 'replay' | 'write';
}

export interface WaitLimit extends LagLimit {
  /** A paused cluster counts as healthy. */
  evenPaused?: boolean;
}

/** What is still missing; null when the condition holds. */
export function missing(condition: Condition, view: View, limit: WaitLimit): string | null {
  const { cluster } = view.snapshot;
  switch (condition.kind) {
    case 'leader':
      return missingLeader(condition.name, view);
    case 'healthy':
      return missingHealth(view, limit.evenPaused ?? false);
    case 'streaming': {
      const streaming = replicas(view).filter(isStreaming).length;
      if (streaming >= condition.count) return null;
      const left = leftMembers(view, DEFAULT_LIMITS.maxAbsenceMs).map(({ name }) => name);
      const gone = left.length === 0 ? '' : `; ${left.join(', ')} left the DCS`;
      return `${streaming} of ${condition.count} replicas stream${gone}`;
    }
    case 'caught-up':
      return missingCaughtUp(condition.member, view, limit);
    case 'sync': {
      const sync = view.members.filter(isSync).length;
      return sync >= condition.count ? null : `${sync} of ${condition.count} are synchronous`;
    }
    case 'paused':
    case 'resumed':
      return missingPause(condition.kind === 'paused', view);
    case 'no-pending-restart': {
      const waiting = cluster.members.filter(({ name, pendingRestart }) => {
        const { rest } = view.members.find((one) => one.name === name) ?? {};
        return rest?.ok ? rest.value.pendingRestart : pendingRestart;
      });
      return waiting.length === 0
        ? null
        : `restart pending on ${waiting.map(({ name }) => name).join(', ')}`;
    }
    case 'gone':
      return cluster.members.some(({ name }) => name === condition.member)
        ? `${condition.member} still has its member key`
        : null;
  }
}

function replicas({ members, snapshot }: View): MemberView[] {
  return members.filter(({ member, name }) => member && name !== snapshot.cluster.leaderName);
}

/** A replica for which its upstream or its own Patroni says that it streams. */
export function isStreaming({ observed, row, rest }: MemberView): boolean {
  if (observed !== 'replica') return false;
  return row?.state === 'streaming' || (rest.ok && rest.value.replicationState === 'streaming');
}

function isSync({ syncState }: MemberView): boolean {
  return syncState === 'sync' || syncState === 'quorum';
}

function missingLeader(name: string | null, { leader, snapshot }: View): string | null {
  const holder = snapshot.cluster.leaderName;
  if (holder === null) return 'no leader';
  if (name !== null && holder !== name) return `the leader is ${holder}, not ${name}`;
  if (leader?.observed === 'primary' || leader?.observed === 'standby leader') return null;
  return `${holder} holds the leader key but is ${leader?.observed ?? 'no member'}`;
}

/** Warnings of `check` with which a member does not do its part, or cannot be replaced. */
const UNHEALTHY: ReadonlySet<string> = new Set([
  'catching_up',
  'connections_exhausted',
  'failsafe_active',
  'leader_unreachable',
  'member_left',
  'member_state',
  'member_unreachable',
  'postgres_unreachable',
  'timeline_behind',
]);

/** Every expected member streams, nothing is critical or unknown to `check`, and it is not paused. */
function missingHealth(view: View, evenPaused: boolean): string | null {
  const part = missingPart(view);
  const { findings } = look(view, DEFAULT_LIMITS, () => true);
  const bad = findings.filter(
    ({ severity, code }) =>
      severity === 'critical' ||
      severity === 'unknown' ||
      (severity === 'warning' && UNHEALTHY.has(code)),
  );
  const isPaused = view.snapshot.cluster.config?.pause === true && !evenPaused;
  const missing = [
    ...(part === null ? [] : [part]),
    ...bad.map(({ message, code }) => `${message} [${code}]`),
    ...(isPaused ? ['it is paused (--even-paused waits anyway)'] : []),
  ];
  return missing.length === 0 ? null : missing.join('; ');
}

/** A true leader, and every other member streams and runs. */
function missingPart(view: View): string | null {
  const noLeader = missingLeader(null, view);
  if (noLeader !== null) return noLeader;
  const bad = replicas(view).filter(({ member, ...one }) => {
    const isFed = isStreaming({ member, ...one }) && !isUnfed({ member, ...one });
    return !isFed && !readTags(member?.tags).nostream;
  });
  if (bad.length > 0)
    return `${bad.map(({ name }) => name).join(', ')} ${bad.length === 1 ? 'does' : 'do'} not stream`;
  const { config } = view.snapshot.cluster;
  const wantsSync = config && config.syncMode !== 'off' && config.standbyCluster === null;
  if (wantsSync && replicas(view).length > 0 && !view.members.some(isSync)) {
    return 'no standby is synchronous';
  }
  return null;
}

/** Bytes behind the leader's current position; null when either is unknown. */
export function behindBytes(one: MemberView, mode: LagLimit['mode']): number | null {
  return mode === 'replay' ? one.replayLagBytes : one.lagBytes;
}

function missingCaughtUp(name: string | null, view: View, limit: LagLimit): string | null {
  const noLeader = missingLeader(null, view);
  if (noLeader !== null) return noLeader;
  const wanted = view.members.filter((one) => one.member && (name === null || one.name === name));
  if (name !== null && wanted.length === 0) return `${name} has no member key`;
  const late = wanted
    .filter((one) => !sameName(one.name, view.leader?.name ?? ''))
    .flatMap((one) => missingReady(one, limit, view) ?? []);
  return late.length === 0 ? null : late.join('; ');
}

/** Why a standby is not ready to be read; null when it streams and is within the limit. */
export function missingReady(
  one: MemberView,
  { maxLagBytes, mode }: LagLimit,
  view: View,
): string | null {
  if (one.observed !== 'replica') return `${one.name} is ${one.observed}`;
  if (!isStreaming(one)) return `${one.name} does not stream`;
  const behind = behindBytes(one, mode);
  if (behind === null) return `the lag of ${one.name} is unknown`;
  if (behind <= maxLagBytes) return null;
  const rate = pace(one, view, (any) => behindBytes(any, mode));
  return `${one.name} is ${bytesText(behind)} behind${rate}`;
}

/** Why it is unknown whether a member is ready; null when it is known. */
export function untold(one: MemberView, mode: LagLimit['mode']): string | null {
  if (one.observed === 'unreachable' || one.observed === 'unknown') {
    return `${one.name} is ${one.observed} (${silence(one)})`;
  }
  const isUnknown = isStreaming(one) && behindBytes(one, mode) === null;
  return isUnknown ? `the lag of ${one.name} is unknown` : null;
}

function missingPause(wanted: boolean, { snapshot, members }: View): string | null {
  const word = wanted ? 'paused' : 'resumed';
  if ((snapshot.cluster.config?.pause ?? false) !== wanted) return `it is not ${word}`;
  const late = members.filter(({ member, rest }) => {
    if (!member) return false;
    return (rest.ok ? rest.value.pause : member.pause) !== wanted;
  });
  if (late.length === 0) return null;
  return `${late.map(({ name }) => name).join(', ')} have not acknowledged the pause`;
}

/** What Kubernetes itself claims of a cluster, against what its members do. Nothing is found elsewhere. */
import { DEFAULT_TIMES } from '../model/loop-times.js';
import { commandLine } from '../model/command-line.js';
import type { Finding, KubernetesClaims, PodClaim, Witnessed } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import { bytesText, durationText, leaderKeySays, list, roleSeen, rowSeen } from './evidence.js';
import { maxLagBytes, type Limits } from './limits.js';
import { isUnfed, standbys } from './streaming.js';

/** Whether Kubernetes claims anything here. */
export function isOnKubernetes({ snapshot }: View): boolean {
  return snapshot.cluster.kubernetes !== undefined;
}

/** The leader's annotation stays when the leader dies: only its age tells. */
export function leaderClaimExpired({ snapshot, primaries }: View): Finding[] {
  const { cluster } = snapshot;
  const { leaderClaim } = cluster;
  if (leaderClaim?.expired !== true) return [];
  const { name, ageMs, ttlSeconds, renewTime } = leaderClaim;
  const leads = primaries.some((one) => one.name === name);
  return [
    {
      code: 'leader_claim_expired',
      severity: 'warning',
      members: [name],
      message:
        `the leader claim of ${name} has expired: it was renewed ${durationText(ageMs ?? 0)} ago ` +
        `by the API server's clock and holds for ${ttlSeconds ?? DEFAULT_TIMES.ttlSeconds} s` +
        (leads ? `; ${name} is a primary anyway` : ''),
      evidence: [
        leaderKeySays(cluster),
        { witness: 'DCS', subject: '/leader renewTime', said: renewTime ?? 'absent' },
        ...primaries.map(roleSeen),
      ],
      next: leads
        ? `check whether Patroni runs on ${name}, and whether its clock is right`
        : `members take the lock within loop_wait if they may; see which member could take over: ${commandLine(cluster, 'quorum')}`,
    },
  ];
}

/** A Pod that serves reads without the data that they expect. */
export function podReadyBehind(view: View, limits: Limits): Finding[] {
  const feedable = new Set(standbys(view));
  return podsOf(view).flatMap(({ pod, one }): Finding[] => {
    if (pod.ready !== true) return [];
    const evidence = [podSays(pod), roleSeen(one)];
    const found = (message: string, more: Witnessed[] = []): Finding[] => [
      {
        code: 'pod_ready_behind',
        severity: 'critical',
        members: [one.name],
        message: `Pod ${one.name} is Ready, so Services send clients to it, but ${message}`,
        evidence: [...evidence, ...more],
        next: `let the readiness probe ask Patroni (GET /readiness?mode=apply on ${one.name}'s REST port)`,
      },
    ];
    if (one.observed === 'not running') {
      const state = one.rest.ok ? one.rest.value.state : (one.member?.state ?? 'not running');
      return found(`its PostgreSQL does not run (${state})`);
    }
    if (!feedable.has(one)) return [];
    if (isUnfed(one)) return found('its PostgreSQL does not stream', [rowSeen(one, view)]);
    const lag = Math.max(one.lagBytes ?? 0, one.replayLagBytes ?? 0);
    const limit = maxLagBytes(view, limits);
    if (lag <= limit) return [];
    return found(
      `its PostgreSQL is ${bytesText(lag)} behind the leader (limit ${bytesText(limit)}, --max-lag)`,
    );
  });
}

/** The label by which Services choose the leader, or the replicas. */
export function roleLabelWrong(view: View): Finding[] {
  const { kubernetes } = view.snapshot.cluster;
  if (!kubernetes) return [];
  return podsOf(view).flatMap(({ pod, one }): Finding[] => {
    const wanted = wantedLabels(one, kubernetes);
    if (wanted === null || (pod.roleLabel !== null && wanted.includes(pod.roleLabel))) return [];
    const { name } = kubernetes.roleLabel;
    const isWrongLeader = leaderLabels(kubernetes).includes(pod.roleLabel ?? '');
    return [
      {
        code: 'role_label_wrong',
        severity: isWrongLeader || one.observed === 'primary' ? 'critical' : 'warning',
        members: [one.name],
        message:
          `Pod ${one.name} has ` +
          (pod.roleLabel === null ? `no label ${name}` : `the label ${name}=${pod.roleLabel}`) +
          `, but its PostgreSQL is a ${one.observed}: Services that select by the label send clients ` +
          (isWrongLeader ? 'writes to it' : 'elsewhere'),
        evidence: [
          {
            witness: 'DCS',
            subject: `Pod ${pod.name} label ${name}`,
            said: pod.roleLabel ?? 'absent',
          },
          roleSeen(one),
        ],
        next: `check whether Patroni runs on ${one.name}: it writes the label in each of its loops`,
      },
    ];
  });
}

/** Where clients of the leader's Service arrive. */
export function leaderEndpointsWrong(view: View): Finding[] {
  const { primaries, snapshot } = view;
  const endpoints = snapshot.cluster.kubernetes?.leaderEndpoints;
  const [primary] = primaries;
  if (!endpoints || primary === undefined || primaries.length > 1) return [];
  const pod = snapshot.cluster.kubernetes?.pods.find(({ name }) => name === primary.name);
  const own = [pod?.ip, primary.member?.host].filter((ip) => typeof ip === 'string');
  const leadsThere = endpoints.addresses.some(
    ({ ip, pod: target }) => own.includes(ip) || target === primary.name,
  );
  if (leadsThere || (own.length === 0 && endpoints.addresses.length > 0)) return [];
  const where = endpoints.addresses.map(({ ip, pod: target }) =>
    target ? `${ip} (${target})` : ip,
  );
  return [
    {
      code: 'leader_endpoints_wrong',
      severity: 'critical',
      members: [primary.name],
      message:
        `the Endpoints ${endpoints.name} point ` +
        (where.length === 0 ? 'nowhere' : `to ${list(where)}`) +
        `, not to the primary ${primary.name} (${own.join(', ')}): clients of the Service do not reach it`,
      evidence: [
        {
          witness: 'DCS',
          subject: `Endpoints ${endpoints.name}`,
          said: where.length === 0 ? 'no addresses' : list(where),
        },
        roleSeen(primary),
      ],
      next: `check whether Patroni runs on ${primary.name}, and kubernetes.pod_ip in its configuration`,
    },
  ];
}

// ---------------------------------------------------------------- small things

function podsOf({ snapshot, members }: View): { pod: PodClaim; one: MemberView }[] {
  return (snapshot.cluster.kubernetes?.pods ?? []).flatMap((pod) => {
    const one = members.find(({ name, member }) => member !== null && name === pod.name);
    return one && !pod.deleting ? [{ pod, one }] : [];
  });
}

function podSays({ name, readySince }: PodClaim): Witnessed {
  const since = readySince === null ? '' : ` since ${readySince}`;
  return { witness: 'DCS', subject: `Pod ${name}`, said: `condition Ready is True${since}` };
}

/** Patroni before 4 wrote `master`. */
function leaderLabels({ roleLabel }: KubernetesClaims): string[] {
  return [roleLabel.leaderValue, 'primary', 'master'];
}

/** The labels that this member may have; null: its role is unknown. */
function wantedLabels(one: MemberView, claims: KubernetesClaims): string[] | null {
  switch (one.observed) {
    case 'primary':
      return leaderLabels(claims);
    case 'standby leader':
      return [claims.roleLabel.standbyLeaderValue, 'standby_leader', ...leaderLabels(claims)];
    case 'replica':
      return [claims.roleLabel.followerValue, 'replica'];
    case 'not running':
    case 'unreachable':
    case 'unknown':
      return null;
  }
}

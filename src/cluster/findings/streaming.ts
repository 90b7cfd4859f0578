/** Which member streams from which server, and its lag. */
import { commandLine } from '../model/command-line.js';
import { sameName } from '../model/member-names.js';
import { formatLsn, lagBytes, type Lsn } from '../model/lsn.js';
import type { Finding, Witnessed } from '../model/model.js';
import { viewOf, type MemberView, type View } from '../roles/view.js';
import { readTags } from '../model/tags.js';
import { truthy } from '../model/patroni-values.js';
import { maxLagBytes, readAtMs, sincePreviousMs, timestampMs, type Limits } from './limits.js';
import { reinitStep } from './next-steps.js';
import { bytesText, durationText, leaderKeySays, roleSeen, rowSeen } from './evidence.js';

/** Running standbys other than the leader, in a cluster whose leader can be streamed from. */
export function standbys({ leader, members }: View): MemberView[] {
  // Without a primary no member can stream; that is another finding.
  if (leader?.observed !== 'primary' && leader?.observed !== 'standby leader') return [];
  return members.filter(
    ({ member, observed, name }) =>
      member !== null && observed === 'replica' && name !== leader.name,
  );
}

/** Whether a standby has no walsender; one in state catchup counts. */
export function isUnfed({ syncState, row, member }: MemberView): boolean {
  if (readTags(member?.tags).nostream) return false;
  if (row === null) return syncState === 'absent';
  return row.state !== 'streaming' && row.state !== 'catchup';
}

const SETTLING_MS = 60_000;

export function notStreaming(view: View): Finding[] {
  return [...standbyLeaderUnfed(view), ...replicasUnfed(view)];
}

function replicasUnfed(view: View): Finding[] {
  return standbys(view)
    .filter(isUnfed)
    .map((one) => ({
      code: 'not_streaming',
      severity: isSettling(one, view) ? 'warning' : 'critical',
      members: [one.name],
      message: `${one.name} does not stream: ${one.row ? `its walsender is in state ${one.row.state ?? 'unknown'}` : 'no walsender has its application_name'}`,
      evidence: [rowSeen(one, view), roleSeen(one)],
      next: `check PostgreSQL's log on ${one.name}; if the WAL it needs is gone: ${reinitStep(view.snapshot, one)}`,
    }));
}

/** The leader of a standby cluster that is to stream from another cluster, and does not. */
function standbyLeaderUnfed(view: View): Finding[] {
  const { leader, snapshot } = view;
  const remote = snapshot.cluster.config?.standbyCluster ?? {};
  const address = [remote['host'], remote['port']].filter(truthy);
  if (leader?.observed !== 'standby leader' || address.length === 0) return [];
  const seen = receiverSeen(leader);
  if (seen === null) return [];
  const where = address.map(String).join(':');
  const restores = truthy(remote['restore_command']);
  return [
    {
      code: 'not_streaming',
      severity: restores || isSettling(leader, view) ? 'warning' : 'critical',
      members: [leader.name],
      message:
        `the standby leader ${leader.name} does not stream from ${where}` +
        (restores
          ? ': it receives WAL only through restore_command'
          : ': this cluster receives no new WAL'),
      evidence: [
        seen,
        { witness: 'DCS', subject: '/config', said: `standby_cluster at ${where}` },
        roleSeen(leader),
      ],
      next: `check PostgreSQL's log on ${leader.name}, and whether ${where} is up and allows the connection`,
    },
  ];
}

/** The evidence that nothing is received; null if it streams or this is unknown. */
function receiverSeen({ name, sql, rest, member }: MemberView): Witnessed | null {
  if (sql.ok) {
    const { walReceiver } = sql.value;
    if (walReceiver?.status === 'streaming') return null;
    const said = walReceiver ? `status ${walReceiver.status ?? 'unknown'}` : 'no row';
    return { witness: 'SQL', subject: `${name} pg_stat_wal_receiver`, said };
  }
  if (!rest.ok || rest.value.replicationState === 'streaming') return null;
  const version = rest.value.patroniVersion ?? member?.version ?? null;
  if (rest.value.replicationState === null && !tellsReplicationState(version)) return null;
  const said = `replication_state ${rest.value.replicationState ?? 'none'}`;
  return { witness: 'REST', subject: name, said };
}

/** Standby leaders that stream or not, which is unknown: SQL was not read, and their Patroni does not say it. */
export function standbyLeaderUntold({ leader, snapshot }: View): string[] {
  const remote = snapshot.cluster.config?.standbyCluster ?? {};
  if (leader?.observed !== 'standby leader' || leader.sql.ok || !leader.rest.ok) return [];
  if (![remote['host'], remote['port']].some(truthy)) return [];
  const { replicationState, patroniVersion } = leader.rest.value;
  const version = patroniVersion ?? leader.member?.version ?? null;
  return replicationState === null && !tellsReplicationState(version) ? [leader.name] : [];
}

/** Patroni says since 3.0.4 whether a standby streams. */
function tellsReplicationState(version: string | null): boolean {
  const [major = 0, minor = 0, patch = 0] = (version ?? '').split('.').map(Number);
  return major > 3 || (major === 3 && (minor > 0 || patch >= 4));
}

/** Within a minute of its own start, or of the leader's promotion. */
export function isSettling({ rest }: MemberView, view: View): boolean {
  const startedMs = rest.ok ? timestampMs(rest.value.raw['postmaster_start_time']) : null;
  const promotedMs = timestampMs(view.snapshot.cluster.history?.at(-1)?.timestamp);
  const now = readAtMs(view);
  return [startedMs, promotedMs].some((at) => at !== null && Math.abs(now - at) < SETTLING_MS);
}

/** The member from which it should stream: replicatefrom when that member exists, else the leader. */
export function wantedUpstream(one: MemberView, view: View): string | null {
  const from = readTags(one.member?.tags).replicatefrom;
  const named =
    from === null
      ? undefined
      : view.members.find(({ name, member }) => member !== null && name === from);
  if (named && named.name !== one.name) return named.name;
  return view.snapshot.cluster.leaderName;
}

export function wrongUpstream(view: View): Finding[] {
  return view.members.flatMap((one): Finding[] => {
    if (!one.member || one.observed !== 'replica' || !one.row) return [];
    const wanted = wantedUpstream(one, view);
    if (wanted === null || one.rows.some(({ upstream }) => sameName(upstream, wanted))) return [];
    return [
      {
        code: 'wrong_upstream',
        severity: 'warning',
        members: [one.name],
        message: `${one.name} streams from ${one.row.upstream}, but it should stream from ${wanted}`,
        evidence: [rowSeen(one, view)],
        next: `check primary_conninfo on ${one.name}`,
      },
    ];
  });
}

export function catchingUp(view: View, limits: Limits): Finding[] {
  const limit = maxLagBytes(view, limits);
  return standbys(view)
    .filter((one) => one.lagBytes !== null && one.lagBytes > limit && !isUnfed(one))
    .map((one) => ({
      code: 'catching_up',
      severity: 'warning',
      members: [one.name],
      message: `${one.name} is ${bytesText(one.lagBytes)} behind the leader${pace(one, view, ({ lagBytes }) => lagBytes)}`,
      evidence: [positionSeen(view.leader, 'written'), positionSeen(one, 'received')].concat(
        rowSeen(one, view),
      ),
      next: `do not send reads to it yet; wait: ${commandLine(view.snapshot.cluster, 'wait', '--for', `caught-up=${one.name}`)}`,
    }));
}

function positionSeen(one: MemberView | null, word: string): Witnessed {
  const at = one?.position ?? null;
  const said = at === null ? 'no position read' : `${word} up to ${formatLsn(at)}`;
  return { witness: one?.witness ?? 'REST', subject: one?.name ?? 'leader', said };
}

/** `, gaining 12 MiB/s, about 40 s left`; '' without an earlier reading. */
export function pace(
  one: MemberView,
  view: View,
  behindOf: (one: MemberView) => number | null,
): string {
  const elapsedMs = sincePreviousMs(view);
  if (view.snapshot.previous === null || elapsedMs === null || elapsedMs <= 0) return '';
  const before = viewOf(view.snapshot.previous).members.find(({ name }) => name === one.name);
  const was = before ? behindOf(before) : null;
  const is = behindOf(one);
  if (was === null || is === null) return '';
  const perSecond = ((was - is) * 1000) / elapsedMs;
  if (perSecond <= 0) return ', and the lag is not decreasing';
  const leftMs = (is / perSecond) * 1000;
  return `, gaining ${bytesText(Math.round(perSecond))}/s, about ${durationText(leftMs)} left`;
}

export function replayPaused(view: View): Finding[] {
  return view.members
    .filter(({ observed }) => observed === 'replica')
    .flatMap((one): Finding[] => {
      const bySql = one.sql.ok ? one.sql.value.replayPaused : null;
      const byRest = one.rest.ok ? one.rest.value.replayPaused : null;
      if (!(bySql ?? byRest)) return [];
      return [
        {
          code: 'replay_paused',
          severity: 'warning',
          members: [one.name],
          message: `${one.name} receives WAL but does not replay it: replay is paused, ${bytesText(one.replayLagBytes)} behind`,
          evidence: [
            {
              witness: bySql === null ? 'REST' : 'SQL',
              subject: one.name,
              said: 'WAL replay is paused',
            },
            roleSeen(one),
          ],
          next: `SELECT pg_wal_replay_resume() on ${one.name}; if Patroni runs there, it does so within one loop`,
        },
      ];
    });
}

export function replayBehind(view: View, limits: Limits): Finding[] {
  const limit = maxLagBytes(view, limits);
  return standbys(view).flatMap((one): Finding[] => {
    const { position, replayed, sql } = one;
    if (position === null || replayed === null) return [];
    const behind = lagBytes(position, replayed);
    const delayMs = sql.ok ? Number(sql.value.settings['recovery_min_apply_delay']?.value ?? 0) : 0;
    const paused =
      (sql.ok && sql.value.replayPaused) || (one.rest.ok && one.rest.value.replayPaused);
    if (behind <= limit || delayMs > 0 || paused) return [];
    return [
      {
        code: 'replay_behind',
        severity: 'warning',
        members: [one.name],
        message: `${one.name} has received ${bytesText(behind)} more than it has replayed`,
        evidence: [
          {
            witness: one.witness ?? 'REST',
            subject: one.name,
            said: `received ${formatLsn(position)}, replayed ${formatLsn(replayed)}`,
          },
        ],
        next: `check for long queries on ${one.name} (max_standby_streaming_delay) and its disk`,
      },
    ];
  });
}

// ---------------------------------------------------------------- timelines

export function timelineBehind(view: View): Finding[] {
  const { leader } = view;
  const current = leader?.timeline ?? null;
  if (current === null || leader === null) return [];
  return standbys(view)
    .filter(({ timeline }) => timeline !== null && timeline < current)
    .filter((one) => {
      const beyond = switchPassed(one, view);
      return one.timelineIsLeast ? beyond === false : beyond !== true;
    })
    .map((one) => ({
      code: 'timeline_behind',
      severity: 'warning',
      members: [one.name],
      message: `${one.name} is on timeline ${one.timeline ?? '?'}, the leader ${leader.name} on ${current}`,
      evidence: [roleSeen(leader), roleSeen(one)],
      next: `find out why ${one.name} does not follow the new timeline; copy it again if it cannot: ${reinitStep(view.snapshot, one)}`,
    }));
}

/** Where the leader's history left a member's timeline; null when it does not tell. */
function switchOf({ timeline }: MemberView, { snapshot }: View): Lsn | null {
  return snapshot.cluster.history?.find((line) => line.timeline === timeline)?.lsn ?? null;
}

/** Whether a member has gone on beyond that point: on another timeline, if not on its own. */
function switchPassed(one: MemberView, view: View): boolean | null {
  const left = switchOf(one, view);
  const at = one.replayed ?? one.position;
  return left === null || at === null ? null : at > left;
}

/** How a member's WAL differs from the leader's; null if it does not, or unknown. */
function forkOf(one: MemberView, current: number, view: View): string | null {
  const { timeline } = one;
  if (timeline === null || timeline === current) return null;
  if (timeline > current) return `the leader is on timeline ${current}`;
  // A control file that names an old timeline says nothing of WAL that came after it.
  if (one.timelineIsLeast || switchPassed(one, view) !== true) return null;
  return `the leader left timeline ${timeline} at ${formatLsn(switchOf(one, view) ?? 0n)}`;
}

export function timelineFork(view: View): Finding[] {
  const { leader, snapshot } = view;
  const current = leader?.timeline ?? null;
  if (leader === null || current === null) return [];
  return standbys(view).flatMap((one): Finding[] => {
    const fork = forkOf(one, current, view);
    if (fork === null) return [];
    return [
      {
        code: 'timeline_fork',
        severity: 'critical',
        members: [one.name],
        message: `${one.name} has WAL that is not in the leader's history: ${fork}`,
        evidence: [leaderKeySays(snapshot.cluster), roleSeen(leader), roleSeen(one)],
        next: `save the data that only ${one.name} has if you need it, then run pg_rewind, or copy it again: ${reinitStep(view.snapshot, one)}`,
      },
    ];
  });
}

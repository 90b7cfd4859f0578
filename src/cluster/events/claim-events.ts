/** Events that Patroni's keys tell: the leader key, members, /sync, /failover, /history, restarts. */
import { formatLsn } from '../model/lsn.js';
import { leaderKeySays, list, syncKeySays } from '../findings/evidence.js';
import type { Claim, Cluster, FailoverKey, HistoryLine, Member, SyncKey } from '../model/model.js';
import { dcsSays, event, type Looking, type NewEvent } from './event-kit.js';

export function claimEvents(a: Looking, b: Looking): NewEvent[] {
  const [before, now] = [a.cluster, b.cluster];
  const parts: [Claim | null, (before: Cluster, now: Cluster) => NewEvent[]][] = [
    ['leader', leaderKey],
    [null, comings],
    ['sync', sync],
    ['failover', failover],
    ['history', history],
    [null, restarts],
  ];
  // What this look cannot tell has not changed; the next one that can is compared with the last known.
  return parts.flatMap(([claim, part]) =>
    claim !== null && now.cannotTell?.[claim] !== undefined ? [] : part(before, now),
  );
}

function leaderKey(before: Cluster, now: Cluster): NewEvent[] {
  const [from, to] = [before.leaderName, now.leaderName];
  if (from === to) return [];
  const shared = { revision: now.revision, evidence: [leaderKeySays(now)] };
  if (to === null) {
    const held = from ?? 'a member';
    return [
      event({
        ...shared,
        code: 'leader_key_lost',
        severity: 'critical',
        members: from === null ? [] : [from],
        message: `the leader key of ${held} is gone`,
      }),
    ];
  }
  return [
    event({
      ...shared,
      code: 'leader_key_taken',
      severity: from === null ? 'info' : 'warning',
      members: [to],
      message:
        from === null
          ? `${to} has taken the leader key`
          : `${to} has taken the leader key; ${from} held it before`,
    }),
  ];
}

function comings(before: Cluster, now: Cluster): NewEvent[] {
  const [was, is] = [before, now].map(
    ({ members }) => new Map(members.map((member) => [member.name, member])),
  ) as [Map<string, Member>, Map<string, Member>];
  const left = before.members.filter(({ name }) => !is.has(name));
  const came = now.members.filter(({ name }) => !was.has(name));
  const retired = new Set(now.retired?.map(({ name }) => name));
  return [
    ...left.map(({ name, role, state }) =>
      event({
        code: 'member_left',
        severity: retired.has(name) ? 'info' : 'warning',
        revision: now.revision,
        members: [name],
        message: retired.has(name)
          ? `${name} was retired: its member key is gone`
          : `the member key of ${name} is gone`,
        evidence: [dcsSays(`/members/${name}`, `no such key; last: ${role}, ${state}`)],
      }),
    ),
    ...came.map(({ name, role, state, modRevision }) =>
      event({
        code: 'member_came',
        revision: modRevision,
        members: [name],
        message: `${name} has a member key: ${role}, ${state}`,
        evidence: [dcsSays(`/members/${name}`, `${role}, ${state}`)],
      }),
    ),
  ];
}

function sync(before: Cluster, now: Cluster): NewEvent[] {
  const [was, is] = [before.sync, now.sync];
  if (syncText(was) === syncText(is)) return [];
  const lost = (was?.standbys ?? []).length > 0 && (is?.standbys ?? []).length === 0;
  return [
    event({
      code: 'sync_changed',
      severity: lost ? 'warning' : 'info',
      revision: is?.modRevision ?? now.revision,
      members: is?.standbys ?? [],
      message: `/sync changed from ${syncText(was)} to ${syncText(is)}`,
      evidence: [syncKeySays(now)],
    }),
  ];
}

/** The order of the standbys, and the case of their names, mean nothing. */
function syncText(key: SyncKey | null): string {
  if (key === null) return 'no such key';
  if (key.unreadable) return 'unreadable';
  const standbys = key.standbys.map((name) => name.toLowerCase()).sort();
  const quorum = key.quorum > 0 ? `, quorum ${key.quorum}` : '';
  return `leader ${key.leader?.toLowerCase() ?? 'none'}, standbys ${standbys.join(', ') || 'none'}${quorum}`;
}

function failover(before: Cluster, now: Cluster): NewEvent[] {
  const [was, is] = [before.failover, now.failover];
  if (requestText(was) === requestText(is)) return [];
  const revision = now.failoverRevision === '0' ? now.revision : now.failoverRevision;
  const evidence = [dcsSays('/failover', is === null ? 'no request' : requestText(is))];
  const members = (key: FailoverKey | null) =>
    [key?.leader, key?.candidate].filter((name) => typeof name === 'string');
  if (is === null) {
    return [
      event({
        code: 'failover_request_gone',
        revision,
        members: members(was),
        message: `the request in /failover is gone (${requestText(was)})`,
        evidence,
      }),
    ];
  }
  return [
    event({
      code: 'failover_requested',
      severity: 'warning',
      revision,
      members: members(is),
      message: `/failover requests a ${requestText(is)}`,
      evidence,
    }),
  ];
}

function requestText(key: FailoverKey | null): string {
  if (key === null) return '';
  const { leader, candidate, scheduledAt } = key;
  const what = leader === null ? 'failover' : `switchover from ${leader}`;
  const to = candidate === null ? '' : ` to ${candidate}`;
  return `${what}${to}${scheduledAt === null ? '' : ` at ${scheduledAt}`}`;
}

function history(before: Cluster, now: Cluster): NewEvent[] {
  const known = new Set((before.history ?? []).map(({ timeline }) => timeline));
  // A key that was not there: all its lines are of the past.
  if (before.history === null) return [];
  return (now.history ?? [])
    .filter(({ timeline }) => !known.has(timeline))
    .map((line) =>
      event({
        code: 'history_added',
        revision: now.historyRevision ?? now.revision,
        members: line.newLeader === null ? [] : [line.newLeader],
        message: `/history: ${historyText(line)}`,
        evidence: [dcsSays('/history', historyText(line))],
      }),
    );
}

function historyText({ timeline, lsn, reason, timestamp, newLeader }: HistoryLine): string {
  const rest = [
    ...(newLeader === null ? [] : [`new leader ${newLeader}`]),
    ...(reason === '' ? [] : [reason]),
    ...(timestamp === null ? [] : [`at ${timestamp}`]),
  ];
  return `timeline ${timeline} ended at ${formatLsn(lsn)}${rest.length > 0 ? ` (${rest.join(', ')})` : ''}`;
}

function restarts(before: Cluster, now: Cluster): NewEvent[] {
  return now.members.flatMap((is) => {
    const was = before.members.find(({ name }) => name === is.name);
    return was === undefined ? [] : [...scheduled(was, is), ...pending(was, is)];
  });
}

function scheduled(was: Member, is: Member): NewEvent[] {
  const [from, to] = [was, is].map(({ scheduledRestart }) =>
    scheduledRestart === null ? null : JSON.stringify(scheduledRestart),
  );
  if (from === to) return [];
  const { name, modRevision: revision } = is;
  const at = (member: Member) => {
    const schedule = member.scheduledRestart?.['schedule'];
    return typeof schedule === 'string' ? ` at ${schedule}` : '';
  };
  const isScheduled = is.scheduledRestart !== null;
  return [
    event({
      code: isScheduled ? 'restart_scheduled' : 'restart_unscheduled',
      revision,
      members: [name],
      message: isScheduled
        ? `a restart of ${name} is scheduled${at(is)}`
        : `the restart of ${name}${at(was)} is no longer scheduled`,
      evidence: [dcsSays(`/members/${name}`, `scheduled_restart: ${to ?? 'none'}`)],
    }),
  ];
}

function pending(was: Member, is: Member): NewEvent[] {
  if (was.pendingRestart === is.pendingRestart) return [];
  const { name, modRevision: revision, pendingRestart } = is;
  const reason = Object.keys(is.pendingRestartReason ?? {});
  const why = reason.length > 0 ? ` to apply ${list(reason)}` : '';
  return [
    event({
      code: pendingRestart ? 'pending_restart' : 'pending_restart_gone',
      revision,
      members: [name],
      message: pendingRestart
        ? `${name} needs a restart${why}`
        : `${name} no longer needs a restart`,
      evidence: [dcsSays(`/members/${name}`, `pending_restart: ${pendingRestart}`)],
    }),
  ];
}

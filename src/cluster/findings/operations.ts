/** Maintenance mode, restarts, states and versions. */
import { commandLine } from '../model/command-line.js';
import type { Finding, Member, Witnessed } from '../model/model.js';
import type { View } from '../roles/view.js';
import { readAtMs, timestampMs, type Limits } from './limits.js';
import { durationText, list } from './evidence.js';

export function paused(view: View): Finding[] {
  if (!isPaused(view)) return [];
  return [
    {
      code: 'paused',
      severity: 'warning',
      members: [],
      message: 'maintenance mode is on: there is no automatic failover',
      evidence: [pauseSeen(view)],
      next: `when maintenance is finished: ${resume(view)}`,
    },
  ];
}

export function pausedTooLong(view: View, { maxPauseMs }: Limits): Finding[] {
  if (!isPaused(view) || maxPauseMs === null) return [];
  const ageMs = pauseAgeMs(view);
  if (ageMs === null) return [pausedUnknown(view, maxPauseMs)];
  if (ageMs <= maxPauseMs) return [];
  return [
    {
      code: 'paused_too_long',
      severity: 'critical',
      members: [],
      message: `maintenance mode has been on for at least ${durationText(ageMs)} (limit ${durationText(maxPauseMs)}, --max-pause)`,
      evidence: [pauseSeen(view), ...sinceSeen(view)],
      next: resume(view),
    },
  ];
}

function resume({ snapshot }: View): string {
  return commandLine(snapshot.cluster, 'resume');
}

/** A limit was given, and it is unknown whether it was reached. */
function pausedUnknown(view: View, maxPauseMs: number): Finding {
  return {
    code: 'paused_too_long',
    severity: 'unknown',
    members: [],
    message: `maintenance mode has been on for an unknown time (limit ${durationText(maxPauseMs)}, --max-pause)`,
    evidence: [pauseSeen(view)],
    next: `when maintenance is finished: ${resume(view)}; with a superuser login the age of the pause is known`,
  };
}

function isPaused({ snapshot }: View): boolean {
  return snapshot.cluster.config?.pause === true;
}

function pauseSeen({ snapshot }: View): Witnessed {
  const revision = snapshot.cluster.config?.modRevision ?? 'unknown';
  return { witness: 'DCS', subject: '/config', said: `pause is true, at revision ${revision}` };
}

/** What proves the age, when a member's file does. */
function sinceSeen({ snapshot }: View): Witnessed[] {
  const { pausedSince } = snapshot;
  if (pausedSince === undefined) return [];
  const said = `reports pause since ${pausedSince}`;
  return [{ witness: 'SQL', subject: 'patroni.dynamic.json', said }];
}

/**
 * How long the configuration surely is what it is. etcd counts revisions and not hours: a change that came
 * before the last line of /history is at least as old as that line's timestamp.
 */
function pauseAgeMs(view: View): number | null {
  const { cluster, pausedSince } = view.snapshot;
  const since = [timestampMs(pausedSince)];
  const { config, history, historyRevision } = cluster;
  if (
    config &&
    historyRevision !== null &&
    historyRevision !== undefined &&
    BigInt(config.modRevision) < BigInt(historyRevision)
  ) {
    since.push(timestampMs(history?.at(-1)?.timestamp));
  }
  const known = since.filter((at) => at !== null);
  return known.length === 0 ? null : readAtMs(view) - Math.min(...known);
}

export function pendingRestart({ members, snapshot }: View): Finding[] {
  return members.flatMap((one): Finding[] => {
    const { name, member, rest } = one;
    if (!member) return [];
    const byRest = rest.ok && rest.value.pendingRestart;
    if (!byRest && !(member.pendingRestart && !rest.ok)) return [];
    const reason =
      (rest.ok ? rest.value.pendingRestartReason : null) ?? member.pendingRestartReason;
    const words = reasonWords(reason);
    return [
      {
        code: 'pending_restart',
        severity: 'warning',
        members: [name],
        message: `${name} needs a restart${words === '' ? '' : `: ${words}`}`,
        evidence: [
          {
            witness: byRest ? 'REST' : 'DCS',
            subject: name,
            said: `pending_restart${words === '' ? '' : `, ${words}`}`,
          },
        ],
        next: `${rest.ok || rest.kind === 'off' ? 'restart it' : 'when its Patroni answers again, restart it'}: ${commandLine(snapshot.cluster, 'restart', name)}; or all that need it, in the right order: ${commandLine(snapshot.cluster, 'restart', '--rolling', '--pending')}`,
      },
    ];
  });
}

function reasonWords(reason: Member['pendingRestartReason']): string {
  return Object.entries(reason ?? {})
    .map(([name, change]) => {
      if (typeof change !== 'object' || change === null || Array.isArray(change)) return name;
      return `${name} ${JSON.stringify(change['old_value'])} -> ${JSON.stringify(change['new_value'])}`;
    })
    .join(', ');
}

/** Names that --expect or --members give and that have no member key. */
export function memberMissing({ snapshot }: View): Finding[] {
  const { cluster, expectedMembers } = snapshot;
  const present = new Set(cluster.members.map(({ name }) => name));
  return (expectedMembers ?? [])
    .filter((name) => !present.has(name))
    .map((name) => ({
      code: 'member_missing',
      severity: 'critical',
      members: [name],
      message: `${name} is expected but has no member key`,
      evidence: [
        { witness: 'DCS', subject: '/members/', said: list([...present]) || 'no member at all' },
      ],
      next: `check whether the host of ${name} and its Patroni run`,
    }));
}

export function versionMixed(view: View): Finding[] {
  const members = view.members.filter(({ member }) => member !== null);
  const patroni = members.map(({ name, rest, member }) => ({
    name,
    version: (rest.ok ? rest.value.patroniVersion : null) ?? member?.version ?? null,
  }));
  const postgres = members.map(({ name, rest, sql }) => ({
    name,
    version: postgresText(
      sql.ok ? sql.value.serverVersion : rest.ok ? rest.value.serverVersion : null,
    ),
  }));
  return [...mixed('Patroni', patroni), ...mixed('PostgreSQL', postgres)];
}

function postgresText(number: number | null): string | null {
  return number === null ? null : `${Math.trunc(number / 10_000)}.${number % 10_000}`;
}

function mixed(what: string, all: { name: string; version: string | null }[]): Finding[] {
  const known = all.filter(({ version }) => version !== null);
  const versions = new Set(known.map(({ version }) => version));
  if (versions.size < 2) return [];
  const majors = new Set([...versions].map((version) => version?.split('.')[0]));
  return [
    {
      code: 'version_mixed',
      severity: majors.size > 1 ? 'warning' : 'info',
      members: [],
      message: `the members run different versions of ${what}: ${known.map(({ name, version }) => `${name} ${version ?? ''}`).join(', ')}`,
      evidence: known.map(({ name, version }) => ({
        witness: what === 'Patroni' ? 'DCS' : 'REST',
        subject: name,
        said: `${what} ${version ?? ''}`,
      })),
      next: 'finish the upgrade; until then members may behave differently',
    },
  ];
}

const DAY_MS = 86_400_000;

export function certExpiring(view: View, limits: Limits): Finding[] {
  return (view.snapshot.certificates ?? []).flatMap((cert): Finding[] => {
    const endsMs = timestampMs(cert.validTo);
    if (endsMs === null) return [];
    const leftMs = endsMs - readAtMs(view);
    if (leftMs > limits.certWarningDays * DAY_MS) return [];
    const when =
      leftMs < 0 ? `ended ${durationText(-leftMs)} ago` : `expires in ${durationText(leftMs)}`;
    return [
      {
        code: 'cert_expiring',
        severity: leftMs > limits.certCriticalDays * DAY_MS ? 'warning' : 'critical',
        members: cert.member === null ? [] : [cert.member],
        message: `the certificate of ${cert.what} at ${cert.address} ${when}`,
        evidence: [
          {
            witness: cert.what === 'etcd' ? 'DCS' : cert.what === 'PostgreSQL' ? 'SQL' : 'REST',
            subject: cert.address,
            said: `certificate of ${cert.subject}, valid to ${cert.validTo}`,
          },
        ],
        next: 'renew it, then reload the server that uses it',
      },
    ];
  });
}

/**
 * Keys that are not JSON, or hold something other than Patroni writes: what depends on them is unknown. Of /config
 * config_rejected and config_ignored speak.
 */
export function dcsUnreadable({ snapshot }: View): Finding[] {
  return snapshot.cluster.problems
    .filter(({ key }) => key.startsWith('/') && !key.endsWith('/config'))
    .map(({ key, problem, partly }) => ({
      code: 'dcs_unreadable',
      severity: partly ? 'warning' : 'unknown',
      members: key.includes('/members/') ? [key.slice(key.lastIndexOf('/') + 1)] : [],
      message: `${key} cannot be read${partly ? ' in part' : ''}`,
      evidence: [{ witness: 'DCS', subject: key, said: problem }],
      next: partly
        ? `let Patroni write the key again, or correct the value: ${commandLine(snapshot.cluster, 'edit-config')}`
        : 'find out what wrote it; Patroni rewrites its own keys within loop_wait',
    }));
}

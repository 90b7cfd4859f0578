/** Maintenance mode, restarts, states and versions. */
import type { Finding, Member, Witnessed } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import { readAtMs, sincePreviousMs, timestampMs, type Limits } from './limits.js';
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
      next: 'patctl resume, when maintenance is finished',
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
      next: 'patctl resume',
    },
  ];
}

/** A limit was given, and nobody can tell whether it has passed. */
function pausedUnknown(view: View, maxPauseMs: number): Finding {
  return {
    code: 'paused_too_long',
    severity: 'unknown',
    members: [],
    message: `maintenance mode has been on for an unknown time (limit ${durationText(maxPauseMs)}, --max-pause)`,
    evidence: [pauseSeen(view)],
    next: 'patctl resume, when maintenance is finished; with a superuser login the age of the pause is known',
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

export function pendingRestart({ members }: View): Finding[] {
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
        next: 'patctl restart CLUSTER --pending (for parameters that a standby must not have lower: raise on the standbys first, lower on the primary first)',
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

const BROKEN = new Set([
  'initdb failed',
  'custom bootstrap failed',
  'start failed',
  'restart failed',
  'stop failed',
  'stopped',
  'crashed',
]);

export function memberState(view: View, { maxCreatingMs }: Limits): Finding[] {
  return view.members.flatMap((one): Finding[] => {
    if (!one.member) return [];
    const state = stateOf(one);
    if (BROKEN.has(state))
      return [stateFinding(one, state, `PostgreSQL on ${one.name} is in state "${state}"`)];
    if (state !== CREATING) return [];
    const ageMs = Math.max(copyingForMs(one, view) ?? 0, seenCreatingForMs(one, view));
    if (ageMs <= maxCreatingMs) return [];
    return [
      stateFinding(one, state, `${one.name} has been in creation for ${durationText(ageMs)}`),
    ];
  });
}

/** Members that are being created, of which nothing tells for how long. */
export function creatingUntold(view: View, limits: Limits): string[] {
  return view.members
    .filter((one) => one.member !== null && stateOf(one) === CREATING)
    .filter((one) => copyingForMs(one, view) === null)
    .filter((one) => seenCreatingForMs(one, view) <= limits.maxCreatingMs)
    .map(({ name }) => name);
}

const CREATING = 'creating replica';

function stateOf({ rest, member }: Pick<MemberView, 'rest' | 'member'>): string {
  return rest.ok ? rest.value.state : (member?.state ?? '');
}

/** Its key says so and has not been written since the reading before; 0 when that cannot be told. */
function seenCreatingForMs({ name, member }: MemberView, view: View): number {
  const before = view.snapshot.previous?.cluster.members.find((one) => one.name === name);
  const isSame = before?.state === CREATING && before.modRevision === member?.modRevision;
  return isSame ? (sincePreviousMs(view) ?? 0) : 0;
}

function stateFinding(one: MemberView, state: string, message: string): Finding {
  return {
    code: 'member_state',
    severity: 'critical',
    members: [one.name],
    message,
    evidence: [
      { witness: one.rest.ok ? 'REST' : 'DCS', subject: one.name, said: `state ${state}` },
    ],
    next: `check Patroni's and PostgreSQL's logs on ${one.name}`,
  };
}

/**
 * By the base backups that run to the member's own address, from whomever; null when none is seen. The
 * youngest counts, for an older one may be somebody else's on the same host.
 */
function copyingForMs({ member }: MemberView, view: View): number | null {
  const addresses = [member?.host ?? null, hostOf(member?.apiUrl ?? null)];
  const starts = view.members
    .flatMap(({ sql }) => (sql.ok ? sql.value.walsenders : []))
    .filter(({ state, clientAddr }) => state === 'backup' && addresses.includes(clientAddr ?? ''))
    .map(({ backendStart }) => timestampMs(backendStart))
    .filter((at) => at !== null);
  return starts.length === 0 ? null : readAtMs(view) - Math.max(...starts);
}

/** `10.0.0.1` of `http://10.0.0.1:8008/patroni`, `::1` of `http://[::1]:8008/`. */
function hostOf(url: string | null): string | null {
  const found = /^https?:\/\/(?:\[([^\]]+)\]|([^:/]+))/.exec(url ?? '');
  return found?.[1] ?? found?.[2] ?? null;
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

/** Keys that are no JSON, or hold something else than Patroni writes: what hangs on them is not known. */
export function dcsUnreadable({ snapshot }: View): Finding[] {
  return snapshot.cluster.problems
    .filter(({ key }) => key.startsWith('/'))
    .map(({ key, problem, partly }) => ({
      code: 'dcs_unreadable',
      severity: partly ? 'warning' : 'unknown',
      members: key.includes('/members/') ? [key.slice(key.lastIndexOf('/') + 1)] : [],
      message: `${key} cannot be read${partly ? ' in part' : ''}`,
      evidence: [{ witness: 'DCS', subject: key, said: problem }],
      next: partly
        ? 'correct the value with patctl edit-config, or let Patroni write the key again'
        : 'find out what wrote it; Patroni rewrites its own keys within loop_wait',
    }));
}

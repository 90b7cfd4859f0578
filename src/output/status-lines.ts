/** What `status` and `top` say of a cluster as a whole: its leader, mode, synchronous mode, votes, what is pending. */
import type { StatusDocument } from '../cluster/documents/status-document.js';

/** A line a fact of the whole cluster, each behind its label of eleven columns. Texts from outside are as they came. */
export function statusLines(document: StatusDocument): string[] {
  const { leader, mode, witnesses: heard } = document;
  const group = document.group === null ? '' : ` group ${document.group}`;
  return [
    `Cluster    ${document.cluster}${group} (${document.systemId || 'no system identifier'})`,
    `Leader     ${leader.name ?? 'none'}${leader.observedRole ? `, seen as ${leader.observedRole}` : ''}` +
      (leader.lsn === null ? '' : `, timeline ${leader.timeline ?? '?'}, at ${leader.lsn}`),
    `Mode       ${modeWords(mode)}`,
    `Sync       ${syncWords(document)}`,
    `Votes      ${document.votes.words}`,
    `Pending    ${pendingWords(document)}`,
    `Witnesses  ${claimsFrom(document)}` +
      `, REST ${heard.rest.answered} of ${heard.rest.asked}, SQL ${heard.sql.answered} of ${heard.sql.asked}` +
      (heard.sql.logins.length === 0 ? '' : ` (login: ${heard.sql.logins.join(', ')})`),
    ...said('Worked out', document.workedOut),
    ...said('Unknown', document.cannotTell),
  ];
}

/** The source of the values that Patroni keeps in the DCS. */
function claimsFrom({ askedMember: asked, dcsRevision, serializable }: StatusDocument): string {
  if (asked === null)
    return `DCS at revision ${dcsRevision}${serializable ? ' (without its majority)' : ''}`;
  return `for the DCS ${asked.answeredBy.join(' and ')} at ${asked.url}`;
}

/** A line for each: the key, and the reason. */
function said(head: string, reasons: Readonly<Record<string, string>>): string[] {
  return Object.entries(reasons).map(
    ([key, why], at) => `${(at === 0 ? head : '').padEnd(11)}${key}: ${why}`,
  );
}

function modeWords(mode: StatusDocument['mode']): string {
  if (mode.paused === null) return 'unknown: /config cannot be read';
  const words = [
    mode.standbyCluster ? 'standby cluster' : '',
    mode.paused ? 'paused' : '',
    mode.failsafeActive ? 'failsafe active' : '',
    mode.failsafeConfigured && !mode.failsafeActive ? 'failsafe configured' : '',
  ].filter((word) => word !== '');
  return words.join(', ') || 'normal';
}

function syncWords(document: StatusDocument): string {
  const { sync, problems } = document;
  const names =
    sync.synchronousStandbyNames === null
      ? 'synchronous_standby_names not read'
      : `synchronous_standby_names '${sync.synchronousStandbyNames}'`;
  if (sync.mode === null) return `unknown: /config cannot be read, ${names}`;
  if (sync.mode === 'off') return `off, ${names}`;
  const { key } = sync;
  const isUnread = document.cannotTell['sync'] !== undefined;
  const said = key
    ? `/sync leader ${key.leader ?? 'none'}, standbys ${key.standbys.join(',') || 'none'}` +
      (sync.mode === 'quorum' ? `, quorum ${key.quorum}` : '')
    : isUnreadable(problems, 'sync')
      ? '/sync cannot be read'
      : isUnread
        ? '/sync is unknown'
        : 'no /sync';
  const waits = sync.numsync === null ? '' : `, a commit waits for ${sync.numsync}`;
  return `${sync.mode}${sync.strict ? ' (strict)' : ''}, ${said}; ${names}${waits}`;
}

function isUnreadable(problems: StatusDocument['problems'], key: string): boolean {
  return problems.some((one) => one.key.endsWith(`/${key}`) && one.partly !== true);
}

function pendingWords(document: StatusDocument): string {
  const { pending, problems } = document;
  const { failover, restarts } = pending;
  const words: string[] = [];
  if (failover === null && isUnreadable(problems, 'failover'))
    words.push('/failover cannot be read');
  if (failover) {
    const to = failover.candidate === null ? '' : ` to ${failover.candidate}`;
    const at = failover.scheduledAt === null ? '' : ` at ${failover.scheduledAt}`;
    words.push(
      `${failover.leader === null ? 'failover' : `switchover from ${failover.leader}`}${to}${at}`,
    );
  }
  if (restarts.length > 0) words.push(`restart of ${restarts.join(', ')}`);
  const isUnread = failover === null && document.cannotTell['failover'] !== undefined;
  return words.join('; ') || (isUnread ? 'nothing scheduled' : 'nothing');
}

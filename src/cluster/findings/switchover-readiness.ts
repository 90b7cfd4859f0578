/** What would stand in the way of a switchover, and what is pending. */
import { loopWaitMs } from '../model/loop-times.js';
import { commandLine } from '../model/command-line.js';
import { plural } from '../model/words.js';
import { formatLsn, lagBytes } from '../model/lsn.js';
import type { Finding, SqlStatus, Walsender, Witnessed } from '../model/model.js';
import { viewOf, type View } from '../roles/view.js';
import { readAtMs, sincePreviousMs, timestampMs } from './limits.js';
import { bytesText, list } from './evidence.js';

interface Logical {
  sender: Walsender;
  upstream: string;
  unconfirmedBytes: number;
}

/** Logical walsenders of the leader: a clean shutdown waits until they have confirmed everything. */
function logicalSenders({ leader }: Pick<View, 'leader'>): Logical[] {
  if (!leader?.sql.ok) return [];
  const { walsenders, slots, currentLsn } = leader.sql.value;
  return walsenders
    .filter(({ slotType }) => slotType === 'logical')
    .map((sender) => {
      const slot = slots.find(({ slotName }) => slotName === sender.slotName);
      const confirmed = sender.flushLsn ?? slot?.confirmedFlushLsn ?? null;
      const sent = sender.sentLsn ?? currentLsn;
      const unconfirmedBytes = sent === null || confirmed === null ? 0 : lagBytes(sent, confirmed);
      return { sender, upstream: leader.name, unconfirmedBytes };
    });
}

function senderSeen({ sender, upstream, unconfirmedBytes }: Logical): Witnessed {
  const { pid, applicationName, clientAddr, slotName, sentLsn, flushLsn, replyAgeMs } = sender;
  const at = (lsn: bigint | null) => (lsn === null ? 'nothing' : formatLsn(lsn));
  const reply =
    replyAgeMs === null ? 'never replied' : `replied ${(replyAgeMs / 1000).toFixed(1)} s ago`;
  return {
    witness: 'SQL',
    subject: `${upstream} pg_stat_replication`,
    said: `pid ${pid}, ${applicationName} from ${clientAddr ?? 'a local socket'}, slot ${slotName ?? 'none'}: sent ${at(sentLsn)}, confirmed ${at(flushLsn)} (${unconfirmedBytes} bytes open), ${reply}`,
  };
}

/** A client that follows confirms at least every 10 s (wal_receiver_status_interval, pg_recvlogical -s). */
const CONFIRMS_WITHIN_MS = 12_000;
const DEFAULT_SENDER_TIMEOUT_MS = 60_000;

export function logicalWalsenderStuck(view: View): Finding[] {
  const { leader, snapshot } = view;
  if (!leader?.sql.ok) return [];
  const sql = leader.sql.value;
  const { config } = snapshot.cluster;
  const guarded = config?.syncMode !== 'off' && (config?.primaryStopTimeoutSeconds ?? 0) > 0;
  return logicalSenders(view).flatMap((one): Finding[] => {
    const why = stuckBecause(one, sql, view);
    if (why === null) return [];
    const { applicationName, pid } = one.sender;
    return [
      {
        code: 'logical_walsender_stuck',
        severity: guarded ? 'warning' : 'critical',
        members: [leader.name],
        message:
          `logical client ${applicationName} (pid ${pid}) ${why}: a switchover would ` +
          (guarded ? 'wait for primary_stop_timeout' : 'be blocked by it, with no writable member'),
        evidence: [senderSeen(one)],
        next: `before any switchover: stop that client, or SELECT pg_terminate_backend(${pid}) on ${leader.name}; once the shutdown has begun, SQL is too late`,
      },
    ];
  });
}

function stuckBecause(one: Logical, sql: SqlStatus, view: View): string | null {
  const { sender, unconfirmedBytes } = one;
  const timeoutMs = Number(sql.settings['wal_sender_timeout']?.value ?? DEFAULT_SENDER_TIMEOUT_MS);
  if (timeoutMs > 0 && sender.replyAgeMs !== null && sender.replyAgeMs > timeoutMs / 2) {
    return `has not replied for ${Math.round(sender.replyAgeMs / 1000)} s`;
  }
  if (unconfirmedBytes === 0) return null;
  const startedMs = timestampMs(sender.backendStart);
  const ageMs = startedMs === null ? 0 : readAtMs(view) - startedMs;
  if (sender.flushLsn === null && ageMs > CONFIRMS_WITHIN_MS) {
    return `has never confirmed anything (${bytesText(unconfirmedBytes)} open)`;
  }
  const before = senderBefore(sender, view);
  const elapsedMs = sincePreviousMs(view) ?? 0;
  const stands = before !== null && before.flushLsn === sender.flushLsn;
  if (stands && elapsedMs >= CONFIRMS_WITHIN_MS) {
    return `confirms nothing (${bytesText(unconfirmedBytes)} open, unmoved for ${Math.round(elapsedMs / 1000)} s)`;
  }
  return null;
}

function senderBefore({ pid }: Walsender, { snapshot, leader }: View): Walsender | null {
  if (snapshot.previous === null) return null;
  const before = viewOf(snapshot.previous).members.find(({ name }) => name === leader?.name);
  if (!before?.sql.ok) return null;
  return before.sql.value.walsenders.find((sender) => sender.pid === pid) ?? null;
}

/** How soon a client under load has confirmed something. */
const FIRST_LOOK_MS = 1000;

/** When to read again so as to tell a stuck logical client from one about to confirm; null: it is told. */
export function logicalLookMs(view: View): number | null {
  const open = logicalSenders(view).filter(({ unconfirmedBytes }) => unconfirmedBytes > 0);
  if (open.length === 0) return null;
  const elapsedMs = sincePreviousMs(view);
  if (elapsedMs === null) return FIRST_LOOK_MS;
  const stands = open.some(
    ({ sender }) => senderBefore(sender, view)?.flushLsn === sender.flushLsn,
  );
  if (!stands || elapsedMs >= CONFIRMS_WITHIN_MS) return null;
  return CONFIRMS_WITHIN_MS - elapsedMs;
}

export function logicalWalsenderPresent(view: View): Finding[] {
  const found = logicalSenders(view);
  if (found.length === 0 || view.leader === null) return [];
  return [
    {
      code: 'logical_walsender_present',
      severity: 'info',
      members: [view.leader.name],
      message: `a clean shutdown of ${view.leader.name} waits for ${plural(found.length, 'logical walsender')}: ${list(found.map(({ sender }) => sender.applicationName))}`,
      evidence: found.map(senderSeen),
      next: 'no action needed while they confirm what they receive',
    },
  ];
}

// ---------------------------------------------------------------- settings and requests

/** Worth knowing where it matters: a logical client could hold a demotion, or the setting has no effect. */
export function stopTimeoutUnset({ snapshot, leader }: View): Finding[] {
  const { config } = snapshot.cluster;
  if (!config) return [];
  const isSet = config.primaryStopTimeoutSeconds > 0;
  const sync = config.syncMode !== 'off';
  if (isSet === sync) return [];
  const slots = leader?.sql.ok ? leader.sql.value.slots : [];
  const logical = slots.filter(({ slotType }) => slotType === 'logical');
  if (sync && logical.length === 0) return [];
  return [
    {
      code: 'stop_timeout_unset',
      severity: 'info',
      members: [],
      message: sync
        ? `primary_stop_timeout is not set: a client of ${list(logical.map(({ slotName }) => slotName))} that confirms nothing can block a demotion for ever`
        : 'primary_stop_timeout is set but has no effect without synchronous_mode',
      evidence: [
        {
          witness: 'DCS',
          subject: '/config',
          said: `primary_stop_timeout ${config.primaryStopTimeoutSeconds}, synchronous_mode ${config.syncMode}`,
        },
        ...logical.map(({ slotName, active }) => ({
          witness: 'SQL' as const,
          subject: `${leader?.name ?? 'leader'} pg_replication_slots`,
          said: `${slotName}: logical, ${active ? 'active' : 'inactive'}`,
        })),
      ],
      next: sync ? 'consider primary_stop_timeout in the dynamic configuration' : 'nothing',
    },
  ];
}

export function staleFailoverKey({ snapshot }: View): Finding[] {
  const { failover } = snapshot.cluster;
  if (failover === null || failover.scheduledAt !== null) return [];
  const to = failover.candidate ?? 'any member';
  return [
    {
      code: 'stale_failover_key',
      severity: 'warning',
      members: [failover.leader, failover.candidate].filter((name) => name !== null),
      message: `a ${failover.leader === null ? 'failover' : `switchover from ${failover.leader}`} to ${to} is requested in the DCS but not carried out`,
      evidence: [
        {
          witness: 'DCS',
          subject: '/failover',
          said: `leader ${failover.leader ?? 'none'}, candidate ${failover.candidate ?? 'none'}, at revision ${failover.modRevision}`,
        },
      ],
      next: `check Patroni's log on ${snapshot.cluster.leaderName ?? failover.candidate ?? 'the members'}; cancel the request: ${commandLine(snapshot.cluster, 'flush', 'switchover', '--stuck')}`,
    },
  ];
}

export function scheduledAction(view: View): Finding[] {
  const { cluster } = view.snapshot;
  const { failover, members } = cluster;
  const graceMs = 1.5 * loopWaitMs(cluster);
  const due = (text: unknown) => {
    const at = timestampMs(text);
    return at !== null && readAtMs(view) - at > graceMs;
  };
  const restarts = members.flatMap(({ name, scheduledRestart }): Finding[] => {
    if (scheduledRestart === null) return [];
    const at = scheduledRestart['schedule'];
    const cancel = commandLine(cluster, 'flush', name, 'restart');
    return [
      scheduledFinding(`restart of ${name}`, [name], at, due(at), `/members/${name}`, cancel),
    ];
  });
  if (!failover || failover.scheduledAt === null) return restarts;
  const to = failover.candidate === null ? '' : ` to ${failover.candidate}`;
  const what = `switchover from ${failover.leader ?? 'the leader'}${to}`;
  return [
    scheduledFinding(
      what,
      [],
      failover.scheduledAt,
      due(failover.scheduledAt),
      '/failover',
      commandLine(cluster, 'flush', 'switchover'),
    ),
    ...restarts,
  ];
}

function scheduledFinding(
  what: string,
  members: string[],
  at: unknown,
  overdue: boolean,
  subject: string,
  cancel: string,
): Finding {
  const when = typeof at === 'string' ? at : 'an unreadable time';
  return {
    code: 'scheduled_action',
    severity: overdue ? 'warning' : 'info',
    members,
    message: overdue
      ? `the ${what} was due at ${when} but has not happened`
      : `a ${what} is scheduled at ${when}`,
    evidence: [{ witness: 'DCS', subject, said: `scheduled at ${when}` }],
    next: overdue
      ? 'Patroni drops a schedule that is more than 1.5 x loop_wait late: schedule it again'
      : `to cancel it: ${cancel}`,
  };
}

export function patroniBugQuorumSwitchover({ snapshot }: View): Finding[] {
  const { members, config } = snapshot.cluster;
  const broken = members.filter(({ version }) => version === '4.0.5').map(({ name }) => name);
  if (config?.syncMode !== 'quorum' || broken.length === 0) return [];
  return [
    {
      code: 'patroni_bug_quorum_switchover',
      severity: 'warning',
      members: broken,
      message: `Patroni 4.0.5 on ${list(broken)} refuses a switchover to a named candidate in quorum mode (patroni#3307)`,
      evidence: broken.map((name) => ({
        witness: 'DCS',
        subject: `/members/${name}`,
        said: 'version 4.0.5',
      })),
      next: 'switch over without naming a candidate, set synchronous_mode to on temporarily, or upgrade to 4.0.6',
    },
  ];
}

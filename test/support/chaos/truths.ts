/** What an operator has to be told: states of a cluster as the judge sees them, and the findings that tell them. */
import type { Finding } from '../../../src/cluster/model/model.js';
import type { Facts } from './facts.js';
import { headOf, primariesOf } from './holds.js';

/** Something that is so and that `check` may not pass over. */
export interface Truth {
  /** What is so; the same words as long as it is. */
  what: string;
  /** The member that a finding has to name; null: the cluster. */
  member: string | null;
  /** Codes that tell it; empty: any finding above info that names the member. */
  codes: readonly string[];
  /** How long it may last before a reading has to show it, ms. */
  graceMs: number;
  /** Whether what was declared is still so: an act may have ended it. Default: always. */
  holds?: (facts: Facts) => boolean;
}

/** A heartbeat may be loop_wait old. */
const GRACE_MS = 3_000;
/** A slow start, a shutdown: states that should pass. */
const PASSING_MS = 45_000;
const LAG_BYTES = 3_145_728;
/** A commit that waits for so long is stuck. */
const STUCK_MS = 4_000;
/** Clients confirm every 10 s, so a shorter time proves nothing; and check must read twice. */
const STUCK_CLIENT_MS = 20_000;
const PASSING_STATES =
  /^(starting|stopping|restarting|creating replica|initializing|running custom)/;

/** Everything that is wrong at one moment. */
export function truthsIn(facts: Facts): Truth[] {
  if (!facts.dcs) return [];
  return [
    ...clusterTruths(facts),
    ...[...facts.members.keys()].flatMap((name) => memberTruths(facts, name)),
  ];
}

function clusterTruths(facts: Facts): Truth[] {
  const truths: Truth[] = [];
  const add = (what: string, codes: string[], graceMs = GRACE_MS): void => {
    truths.push({ what, member: null, codes, graceMs });
  };
  const primaries = primariesOf(facts);
  const head = headOf(facts);
  if (primaries.length === 0 && !facts.standbyCluster) {
    add('no primary', [
      ...['no_leader', 'lock_without_primary', 'leader_unreachable', 'member_state'],
      // A frozen postmaster accepts no new client.
      'postgres_unreachable',
    ]);
  }
  if (primaries.length > 1) add('two primaries', ['two_primaries', 'primary_without_lock']);
  if (facts.paused) add('paused', ['paused', 'paused_too_long']);
  if ((head?.waitedMs ?? 0) > STUCK_MS) {
    add('a commit waits', ['commits_blocked', 'sync_names_overridden']);
  }
  for (const client of head?.unconfirmed ?? []) {
    add(`logical client ${client} confirms nothing`, ['logical_walsender_stuck'], STUCK_CLIENT_MS);
  }
  if (facts.unreadable.length > 0) {
    add(`unreadable ${facts.unreadable.join()}`, ['dcs_unreadable', 'config_rejected']);
  }
  if (head !== null && facts.syncMode !== 'off' && !facts.standbyCluster) {
    if (head.namesFile?.endsWith('auto.conf') === true) {
      add('synchronous_standby_names by ALTER SYSTEM', ['sync_names_overridden']);
    }
    const streams = head.rows.some(({ state }) => state === 'streaming');
    if (facts.standbys.length === 0 && streams && !facts.unreadable.includes('sync')) {
      add('/sync is empty', ['sync_empty', 'sync_names_overridden', 'sync_leader_stale'], 12_000);
    }
  }
  if (/"(leader|member)"/.test(facts.failover ?? '') && !/scheduled/.test(facts.failover ?? '')) {
    add('/failover lies there', ['stale_failover_key'], 6_000);
  }
  return truths;
}

function memberTruths(facts: Facts, name: string): Truth[] {
  const truths: Truth[] = [];
  const add = (what: string, graceMs = GRACE_MS, codes: string[] = []): void => {
    truths.push({ what: `${name}: ${what}`, member: name, codes, graceMs });
  };
  // A member that stopped cleanly may be gone.
  if (!facts.keys.includes(name) && facts.told.get(name) === 'stopped') return [];
  const one = facts.members.get(name) ?? null;
  const head = headOf(facts);
  const rest = facts.patroni.get(name) ?? null;
  const passes = PASSING_STATES.test(rest ?? facts.told.get(name) ?? '');
  if (one === null) add('PostgreSQL does not answer', passes ? PASSING_MS : GRACE_MS);
  if (rest === null) add('Patroni does not answer');
  if (!facts.keys.includes(name)) add('no member key');
  if (one?.isFull === true) add('clients are refused');
  if (one?.recovery === false && name !== facts.leader) add('primary without the key');
  if (one?.replayPaused === true)
    add('replay paused', GRACE_MS, ['replay_paused', 'replay_behind']);
  if (head === null || name === facts.leader) return truths;
  const row = head.rows.find((found) => found.name === name);
  const isFed = row?.state === 'streaming' || row?.state === 'catchup';
  if (one?.recovery === true && !isFed && !passes) add('does not stream');
  if (one !== null && head.lsn - one.lsn > LAG_BYTES) add('far behind');
  const isRegarded = row?.sync === 'sync' || row?.sync === 'quorum';
  if (facts.standbys.includes(name) && facts.syncLeader === facts.leader && !isRegarded) {
    add('in /sync, and PostgreSQL does not wait for it');
  }
  const hasSlot = head.slots.some((slot) => slot.name === name);
  if (!hasSlot && facts.keys.includes(name) && one !== null) add('no slot');
  return truths;
}

/** Whether one of the findings tells it. */
export function isTold(truth: Truth, findings: readonly Finding[]): boolean {
  return findings.some((finding) => {
    if (finding.severity === 'info') return false;
    if (truth.codes.length > 0 && !truth.codes.includes(finding.code)) return false;
    return truth.member === null || names(finding, truth.member);
  });
}

function names({ members, message }: Finding, member: string): boolean {
  return members.includes(member) || new RegExp(`\\b${member}\\b`).test(message);
}

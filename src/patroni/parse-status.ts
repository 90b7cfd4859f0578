/** GET /patroni -> RestStatus. Tolerant: what is missing or of a wrong type becomes null, false or ''. */
import { isTooDeep } from '../cluster/model/json-nesting.js';
import type { JsonObject, JsonValue, RestStatus, RestWalsender } from '../cluster/model/model.js';
import type { Lsn } from '../cluster/model/lsn.js';

/** Text -> JSON value; null when it is not JSON, or nested without end. */
export function parseJson(text: string): JsonValue | null {
  if (isTooDeep(text)) return null;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}

/**
 * null when the answer is not Patroni's: no object, no `patroni.scope` in it, or not both a state and a role,
 * which every version of Patroni sends. `name` is '' when the answer has none.
 */
export function parseRestStatus(httpStatus: number, json: JsonValue | null): RestStatus | null {
  const raw = object(json);
  const patroni = object(raw?.['patroni']);
  const scope = text(patroni?.['scope']);
  if (!raw || !patroni || scope === null) return null;
  const [state, role] = [text(raw['state']), text(raw['role'])];
  if (state === null || role === null) return null;
  // Patroni itself looks for `wal` first [_MemberStatus.from_api_response].
  const xlog = object(raw['wal']) ?? object(raw['xlog']) ?? {};
  return {
    httpStatus,
    name: text(patroni['name']) ?? '',
    scope,
    state,
    role,
    serverVersion: integer(raw['server_version']),
    patroniVersion: text(patroni['version']),
    timeline: integer(raw['timeline']),
    systemId: text(raw['database_system_identifier']),
    location: lsn(xlog['location']),
    receivedLocation: lsn(xlog['received_location']),
    replayedLocation: lsn(xlog['replayed_location']),
    replayedTimestamp: text(xlog['replayed_timestamp']),
    replayPaused: typeof xlog['paused'] === 'boolean' ? xlog['paused'] : null,
    replication: walsenders(raw['replication']),
    replicationState: text(raw['replication_state']),
    syncStandby: raw['sync_standby'] === true,
    quorumStandby: raw['quorum_standby'] === true,
    pause: raw['pause'] === true,
    pendingRestart: raw['pending_restart'] === true,
    pendingRestartReason: object(raw['pending_restart_reason']),
    scheduledRestart: object(raw['scheduled_restart']),
    tags: object(raw['tags']) ?? {},
    watchdogFailed: raw['watchdog_failed'] === true,
    failsafeModeIsActive: raw['failsafe_mode_is_active'] === true,
    dcsLastSeen: number(raw['dcs_last_seen']),
    clusterUnlocked: raw['cluster_unlocked'] === true,
    raw,
  };
}

function walsenders(value: JsonValue | undefined): RestWalsender[] | null {
  if (!Array.isArray(value)) return null;
  return value.flatMap((item) => {
    const row = object(item);
    return row ? [walsender(row)] : [];
  });
}

function walsender(row: JsonObject): RestWalsender {
  return {
    applicationName: text(row['application_name']) ?? '',
    usename: text(row['usename']),
    clientAddr: text(row['client_addr']),
    state: text(row['state']),
    syncState: text(row['sync_state']),
    syncPriority: integer(row['sync_priority']),
  };
}

function object(value: JsonValue | undefined): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
}

function text(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function integer(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

/** Patroni counts WAL positions in bytes. */
function lsn(value: JsonValue | undefined): Lsn | null {
  const bytes = integer(value);
  return bytes === null || bytes < 0 ? null : BigInt(bytes);
}

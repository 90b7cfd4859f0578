/** The dynamic configuration: timing, words that Patroni does not know, and what is not in force. */
import { commandLine } from '../model/command-line.js';
import type { Finding, JsonValue, Setting } from '../model/model.js';
import type { View } from '../roles/view.js';
import { settingNumber } from '../configuration/config-settings.js';
import { COMPARED_TEXTS, gucs } from '../configuration/gucs.js';
import { isObject, parseBool, parseInteger } from '../model/patroni-values.js';

export function configTiming({ snapshot }: View): Finding[] {
  const { config } = snapshot.cluster;
  if (!config) return [];
  const { ttlSeconds: ttl, loopWaitSeconds: loop, retryTimeoutSeconds: retry } = config;
  if (ttl >= loop + 2 * retry) return [];
  return [
    {
      code: 'config_timing',
      severity: 'warning',
      members: [],
      message: `ttl ${ttl} is less than loop_wait ${loop} + 2 * retry_timeout ${retry}: a short outage of the DCS may demote the primary`,
      evidence: [
        {
          witness: 'DCS',
          subject: '/config',
          said: `ttl ${ttl}, loop_wait ${loop}, retry_timeout ${retry}`,
        },
      ],
      next: commandLine(snapshot.cluster, 'edit-config', '-s', `ttl=${loop + 2 * retry}`),
    },
  ];
}

/** Parameters in pg_settings' own units, as settings.ts reads them; those Patroni itself sets are left out. */
const UNITS: Record<string, 'MB' | 'ms' | 'number' | 'switch' | 'text'> = {
  archive_mode: 'text',
  hot_standby: 'switch',
  max_connections: 'number',
  max_locks_per_transaction: 'number',
  max_prepared_transactions: 'number',
  max_replication_slots: 'number',
  max_slot_wal_keep_size: 'MB',
  max_wal_senders: 'number',
  max_worker_processes: 'number',
  recovery_min_apply_delay: 'ms',
  wal_keep_segments: 'number',
  wal_keep_size: 'MB',
  wal_log_hints: 'switch',
  wal_sender_timeout: 'ms',
};

export function configDrift({ members, snapshot }: View): Finding[] {
  const postgresql = snapshot.cluster.config?.raw['postgresql'];
  const parameters = isObject(postgresql) ? postgresql['parameters'] : null;
  if (!isObject(parameters)) return [];
  return members.flatMap(({ name, member, sql, rest }): Finding[] => {
    if (!member || !sql.ok) return [];
    const pending = {
      ...member.pendingRestartReason,
      ...(rest.ok && rest.value.pendingRestartReason),
    };
    return Object.entries(parameters).flatMap(([parameter, wanted]): Finding[] => {
      const setting = sql.value.settings[parameter];
      if (!setting || setting.pendingRestart || parameter in pending) return [];
      if (inForce(parameter, wanted, setting) !== false) return [];
      return [
        {
          code: 'config_drift',
          severity: 'info',
          members: [name],
          message: `${parameter} is ${setting.value} on ${name}, the dynamic configuration says ${JSON.stringify(wanted)}`,
          evidence: [
            {
              witness: 'DCS',
              subject: '/config',
              said: `${parameter} = ${JSON.stringify(wanted)}`,
            },
            {
              witness: 'SQL',
              subject: `${name} pg_settings`,
              said: `${parameter} = ${setting.value} (${setting.sourcefile ?? setting.source ?? 'source unknown'})`,
            },
          ],
          next: setting.sourcefile?.endsWith('.auto.conf')
            ? `ALTER SYSTEM RESET ${parameter}; SELECT pg_reload_conf(); on ${name}`
            : `the file of Patroni on ${name}, ALTER SYSTEM or a minimum of Patroni overrides it`,
        },
      ];
    });
  });
}

/** null when the two cannot be compared. */
function inForce(parameter: string, wanted: JsonValue, setting: Setting): boolean | null {
  const { value } = setting;
  switch (UNITS[parameter]) {
    case 'MB':
    case 'ms': {
      const unit = UNITS[parameter] === 'MB' ? 'MB' : 'ms';
      const number = parseInteger(wanted, unit);
      return number === null ? null : number === Number(value);
    }
    case 'number': {
      const number = parseInteger(wanted);
      return number === null ? null : number === Number(value);
    }
    case 'switch': {
      const flag = parseBool(wanted);
      return flag === null ? null : flag === parseBool(value);
    }
    case 'text':
      return typeof wanted === 'string' ? wanted === value : null;
    case undefined:
      return isOverridden(setting) ? isInForce(parameter, wanted, setting) : null;
    default:
      return null;
  }
}

/**
 * Set by ALTER SYSTEM, or by the file that was there before Patroni's. In Patroni's own file it may lawfully come
 * from the member's local configuration.
 */
function isOverridden({ source, sourcefile }: Setting): boolean {
  return source === 'configuration file' && /[.](auto|base)[.]conf$/.test(sourcefile ?? '');
}

/** Whether a server runs with what is written; null when the two cannot be compared. */
export function isInForce(
  parameter: string,
  wanted: JsonValue,
  { value }: Setting,
): boolean | null {
  const guc = gucs().get(parameter.toLowerCase());
  if (wanted === null || typeof wanted === 'object') return null;
  const isSame = String(wanted).trim() === value.trim();
  if (guc === undefined) return isSame ? true : null;
  const flags = [parseBool(wanted), parseBool(value)];
  switch (guc.type) {
    case 'int':
    case 'real': {
      const [number, is] = [settingNumber(wanted, guc), settingNumber(value, guc)];
      return number === null || is === null ? null : number === is;
    }
    case 'bool':
      return flags.includes(null) ? null : flags[0] === flags[1];
    case 'boolenum':
      if (!flags.includes(null)) return flags[0] === flags[1];
      return String(wanted).toLowerCase() === value.toLowerCase();
    case 'enum':
      return String(wanted).toLowerCase() === value.toLowerCase();
    case 'string':
      // Others PostgreSQL may show in another way, as UTC for utc: only the same text says something.
      if (isSame) return true;
      return COMPARED_TEXTS.includes(guc.name) ? false : null;
  }
}

export function rewindImpossible({ leader, snapshot }: View): Finding[] {
  const { config } = snapshot.cluster;
  if (!config || !leader?.sql.ok) return [];
  const { settings } = leader.sql.value;
  const on = (name: string) => settings[name]?.value === 'on';
  const usable = on('wal_log_hints') || on('data_checksums');
  if (config.usePgRewind && usable) return [];
  return [
    {
      code: 'rewind_impossible',
      severity: 'warning',
      members: [],
      message: `a former primary will need a new base backup: ${config.usePgRewind ? 'neither wal_log_hints nor data checksums are on' : 'use_pg_rewind is off'}`,
      evidence: [
        { witness: 'DCS', subject: '/config', said: `use_pg_rewind ${config.usePgRewind}` },
        {
          witness: 'SQL',
          subject: `${leader.name} pg_settings`,
          said: `wal_log_hints ${settings['wal_log_hints']?.value ?? 'unknown'}, data_checksums ${settings['data_checksums']?.value ?? 'unknown'}`,
        },
      ],
      next: 'if base backups take long, set postgresql.use_pg_rewind and wal_log_hints (or data checksums)',
    },
  ];
}

export function restUnprotected({ snapshot }: View): Finding[] {
  const open = snapshot.openRest ?? [];
  if (open.length === 0) return [];
  return [
    {
      code: 'rest_unprotected',
      severity: 'info',
      members: open,
      message: `every client that can reach the REST API of ${open.join(', ')} can switch over, restart and reconfigure the cluster`,
      evidence: open.map((name) => ({
        witness: 'REST',
        subject: name,
        said: 'accepted PATCH /config (with empty content) without credentials',
      })),
      next: 'set restapi.authentication, or certificates with verify_client',
    },
  ];
}

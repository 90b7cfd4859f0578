/** The settings that decide something, as pg_settings has them: numbers in the setting's own base unit. */
import { COMPARED_TEXTS } from '../cluster/configuration/gucs.js';
import type { Setting } from '../cluster/model/model.js';
import { rowOf, rowsOf, textOf, type Row } from './row.js';

/**
 * Base units: wal_keep_size and max_slot_wal_keep_size MB; wal_sender_timeout and
 * recovery_min_apply_delay ms; wal_receiver_status_interval s.
 * primary_conninfo is left out on purpose: it may hold a password.
 */
export const SETTING_NAMES = [
  'archive_mode',
  'cluster_name',
  'data_checksums',
  'hot_standby',
  'hot_standby_feedback',
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_replication_slots',
  'max_slot_wal_keep_size',
  'max_wal_senders',
  'max_worker_processes',
  'port',
  'primary_slot_name',
  'recovery_min_apply_delay',
  'restore_command',
  'sync_replication_slots',
  'synchronized_standby_slots',
  'synchronous_commit',
  'synchronous_standby_names',
  'wal_keep_segments',
  'wal_keep_size',
  'wal_level',
  'wal_log_hints',
  'wal_receiver_status_interval',
  'wal_sender_timeout',
] as const;

/**
 * restore_command may hold a secret too: 'set' or '' is all that is read. sourcefile is null without
 * pg_read_all_settings. With it, also what comes from a file that Patroni does not write, but for texts.
 */
export const SETTINGS_SQL = `
select name, source, sourcefile, pending_restart,
  case when name <> 'restore_command' then setting when setting = '' then '' else 'set' end as value
from pg_settings
where name in (${quoted(SETTING_NAMES)})
  or sourcefile ~ '[.](auto|base)[.]conf$'
    and (vartype <> 'string' or name in (${quoted(COMPARED_TEXTS)}))`;

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ');
}

/** One row, one column `status`: settings by name, texts too. They may hold secrets: only compared, never printed. */
export function settingsSql(names: readonly string[]): string {
  return `
select json_build_object('settings', coalesce((
  select json_agg(s) from (
    select lower(name) as name, source, sourcefile, pending_restart, setting as value
    from pg_settings where lower(name) in (${quoted(names.map((name) => name.toLowerCase()))})
  ) s), '[]')) as status`;
}

export function namedSettingsOf(document: unknown): Record<string, Setting> {
  return settingsOf(rowsOf(rowOf(document)['settings']));
}

export function settingsOf(rows: Row[]): Record<string, Setting> {
  return Object.fromEntries(rows.map((row) => [textOf(row['name']) ?? '', settingOf(row)]));
}

function settingOf(row: Row): Setting {
  return {
    value: textOf(row['value']) ?? '',
    source: textOf(row['source']),
    sourcefile: textOf(row['sourcefile']),
    pendingRestart: row['pending_restart'] === true,
  };
}

/** All statements in one round trip: a single SELECT whose one value is a JSON document of their rows. */
import type { SqlStatus } from '../cluster/model/model.js';
import { ACTIVITY_SQL, activityOf } from './activity.js';
import { ARCHIVER_SQL, archiverOf } from './archiver.js';
import { RECOVERY_SQL, recoveryOf } from './recovery.js';
import { REPLICATION_SQL, walsenderOf } from './replication.js';
import { rowOf, rowsOf, textOf } from './row.js';
import { SETTINGS_SQL, settingsOf } from './settings.js';
import { SLOTS_SQL, slotOf } from './slots.js';
import { WALRECEIVER_SQL, walReceiverOf } from './walreceiver.js';

const STATEMENTS = {
  recovery: RECOVERY_SQL,
  walsenders: REPLICATION_SQL,
  walreceiver: WALRECEIVER_SQL,
  slots: SLOTS_SQL,
  settings: SETTINGS_SQL,
  activity: ACTIVITY_SQL,
  archiver: ARCHIVER_SQL,
};

/** One row, one column `status`. */
export const STATUS_SQL = `select json_build_object(${Object.entries(STATEMENTS)
  .map(([name, sql]) => `'${name}', (select json_agg(x) from (${sql}) x)`)
  .join(', ')}) as status`;

/** The role that logged in, when it may not see what other backends do; null when it may. */
export function blindRole(document: unknown): string | null {
  const recovery = rowOf(rowsOf(rowOf(document)['recovery'])[0]);
  if (recovery['may_read_stats'] === true) return null;
  return textOf(recovery['role_name']) ?? '';
}

export function statusOf(document: unknown, login: string): SqlStatus {
  const all = rowOf(document);
  const first = (name: keyof typeof STATEMENTS) => rowsOf(all[name])[0];
  return {
    ...recoveryOf(rowOf(first('recovery'))),
    ...activityOf(rowOf(first('activity'))),
    walsenders: rowsOf(all['walsenders']).map(walsenderOf),
    walReceiver: walReceiverOf(first('walreceiver')),
    slots: rowsOf(all['slots']).map(slotOf),
    settings: settingsOf(rowsOf(all['settings'])),
    archiver: archiverOf(first('archiver')),
    login,
  };
}

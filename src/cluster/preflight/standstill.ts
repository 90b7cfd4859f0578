/** What moves between two readings, and what does not. */
import { lagBytes, type Lsn } from '../lsn.js';
import type { Snapshot, Walsender } from '../model.js';
import { plural, type Context } from './context.js';

/** How far a walsender has been confirmed; PostgreSQL takes `write` where the client reports no flush. */
export function confirmedLsn({ flushLsn, writeLsn }: Walsender): Lsn | null {
  return flushLsn === null || flushLsn === 0n ? writeLsn : flushLsn;
}

/** Sent to this client and not confirmed by it; null when either is not known. */
export function unconfirmedBytes(row: Walsender): number | null {
  const confirmed = confirmedLsn(row);
  return row.sentLsn === null || confirmed === null ? null : lagBytes(row.sentLsn, confirmed);
}

/** The same walsender in the reading before; a new client may have got an old pid. */
export function earlier({ before, cluster }: Context, row: Walsender): Walsender | null {
  const readings = before?.members.find(({ name }) => name === cluster.leaderName);
  if (!readings?.sql.ok) return null;
  const found = readings.sql.value.walsenders.find(({ pid }) => pid === row.pid);
  return found?.backendStart === row.backendStart ? found : null;
}

/** true: nothing was confirmed since the reading before although something was sent; null: no such reading. */
export function stands(ctx: Context, row: Walsender): boolean | null {
  const first = earlier(ctx, row);
  if (first === null) return null;
  const confirmed = confirmedLsn(row);
  const waiting = unconfirmedBytes(first);
  if (confirmed === null || waiting === null) return null;
  return waiting > 0 && confirmed === confirmedLsn(first);
}

export function elapsedMs(before: Snapshot | null, now: Snapshot): number {
  return before === null ? 0 : Date.parse(now.takenAt) - Date.parse(before.takenAt);
}

/** In words, when a physical walsender of the leader confirmed nothing between the readings. */
export function stoodStill(ctx: Context, pid: number | null): string | null {
  const row = ctx.leaderSql?.walsenders.find((sender) => sender.pid === pid);
  if (!row || stands(ctx, row) !== true) return null;
  const waited = Math.round(elapsedMs(ctx.before, ctx.now) / 100) / 10;
  return `it has confirmed nothing for ${waited} s while ${plural(unconfirmedBytes(row) ?? 0, 'byte')} wait`;
}

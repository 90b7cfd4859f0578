/** Logical clients of the leader: its clean shutdown waits for every one of them. */
import { strangersIn } from '../model/member-names.js';
import { lagBytes, type Lsn } from '../model/lsn.js';
import type { Walsender, Witnessed } from '../model/model.js';
import type { LogicalHolder, PlanCheck } from './plan-model.js';
import { plural, roundedSeconds } from '../model/words.js';
import { bad, isGone, ok, sqlNotRead, type PlanFacts } from './plan-facts.js';
import { confirmedLsn, elapsedMs, stands, unconfirmedBytes } from './stalled-standby.js';

/**
 * Clients say how far they are every 10 s (wal_receiver_status_interval, pg_recvlogical -s, pgjdbc). One that
 * is stalled for less and has said nothing in the meantime may only be waiting for its turn.
 */
const STATUS_INTERVAL_MS = 10_000;
const GRACE_MS = 2000;

/** What is stalled: proven by a reply that confirms nothing, or by silence that lasts too long. */
export function isStuck(ctx: Pick<PlanFacts, 'now' | 'before'>, row: Walsender): boolean {
  const stood = stands(ctx, row);
  if (stood === false || (unconfirmedBytes(row) ?? 0) === 0) return false;
  const age = row.replyAgeMs;
  const silent = age === null || age > STATUS_INTERVAL_MS + GRACE_MS;
  if (stood === null) return silent;
  const elapsed = elapsedMs(ctx.before, ctx.now);
  return silent || age < elapsed || elapsed >= STATUS_INTERVAL_MS;
}

/** A client that has never confirmed anything reports no position: then its slot tells how far it was. */
export function logicalRows({ leaderSql }: Pick<PlanFacts, 'leaderSql'>): Walsender[] {
  const slots = leaderSql?.slots ?? [];
  const rows = (leaderSql?.walsenders ?? []).filter(({ slotType }) => slotType === 'logical');
  return rows.map((row) => {
    if (confirmedLsn(row) !== null) return row;
    const slot = slots.find(({ slotName }) => slotName === row.slotName);
    return { ...row, flushLsn: slot?.confirmedFlushLsn ?? null };
  });
}

export function logicalHolders(ctx: PlanFacts): LogicalHolder[] {
  return logicalRows(ctx).map((row) => ({
    pid: row.pid,
    applicationName: row.applicationName,
    clientAddr: row.clientAddr,
    slotName: row.slotName,
    unconfirmedBytes: behind(ctx.leader?.position ?? null, row),
    stuck: isStuck(ctx, row),
  }));
}

/** Everything the leader wrote will have to be confirmed, sent already or not. */
function behind(written: Lsn | null, row: Walsender): number | null {
  const confirmed = confirmedLsn(row);
  if (confirmed === null) return null;
  return written === null ? unconfirmedBytes(row) : lagBytes(written, confirmed);
}

export function logicalWalsenders(ctx: PlanFacts): PlanCheck | null {
  const name = 'logical_walsenders';
  if (isGone(ctx) || ctx.leader === null) return null;
  if (ctx.leaderSql === null) return overRest(ctx);
  const rows = logicalRows(ctx);
  if (rows.length === 0) return ok(name, `no logical client is connected to ${ctx.leader.name}`);
  const holders = logicalHolders(ctx);
  const evidence = rows.map((row) => seen(ctx, row));
  const stuck = holders.filter((holder) => holder.stuck);
  if (stuck.length > 0) return stuckOnes(ctx, stuck, evidence);
  const waiting = rows.filter(
    (row) => stands(ctx, row) !== false && (unconfirmedBytes(row) ?? 0) > 0,
  );
  if (waiting.length === 0)
    return ok(
      name,
      `${plural(rows.length, 'logical client')} will hold up the shutdown until they have confirmed it`,
      evidence,
    );
  const next =
    'plan again in 10 s: a client that still confirms nothing blocks the shutdown for ever';
  if (ctx.before === null) {
    const said = `${names(waiting)} has unconfirmed WAL; a second reading is needed to check whether it confirms`;
    return bad(name, 'unknown', said, evidence, next);
  }
  const said = `${names(waiting)} did not confirm or reply between two readings`;
  return bad(name, 'warning', said, evidence, next);
}

function stuckOnes(ctx: PlanFacts, stuck: LogicalHolder[], evidence: Witnessed[]): PlanCheck {
  const name = 'logical_walsenders';
  const limit = ctx.config?.primaryStopTimeoutSeconds ?? 0;
  const isProtected = limit > 0 && ctx.config?.syncMode !== 'off';
  const said = `${names(stuck)} confirms nothing and would block the shutdown for ever`;
  if (ctx.request.terminateLogical)
    return bad(
      name,
      'warning',
      `${said}: it will be terminated first`,
      evidence,
      '--terminate-logical terminates it just before the request',
    );
  if (isProtected)
    return bad(
      name,
      'warning',
      `${said}, unless primary_stop_timeout ends it after ${limit} s`,
      evidence,
      'writes stop for that long; --terminate-logical avoids the wait',
    );
  const idle = limit > 0 ? ' (primary_stop_timeout has no effect without synchronous mode)' : '';
  return bad(
    name,
    'refused',
    `${said}${idle}`,
    evidence,
    'stop that client, or give --terminate-logical: once the shutdown has begun, nothing can be terminated over SQL',
  );
}

function names(
  rows: { applicationName: string; clientAddr: string | null; pid: number }[],
): string {
  return rows
    .map(
      (r) =>
        `${r.applicationName || 'a client without application_name'} from ${r.clientAddr ?? 'a local socket'} (pid ${r.pid})`,
    )
    .join(', ');
}

function seen(ctx: PlanFacts, row: Walsender): Witnessed {
  const slot = row.slotName ?? 'no slot';
  const unconfirmed = behind(ctx.leader?.position ?? null, row);
  const reply =
    row.replyAgeMs === null ? 'never replied' : `replied ${roundedSeconds(row.replyAgeMs)} ago`;
  const said = `logical, pid ${row.pid}, slot ${slot}, ${unconfirmed === null ? 'unknown bytes' : plural(unconfirmed, 'byte')} unconfirmed, ${reply}`;
  return { witness: 'SQL', subject: `${ctx.leader?.name ?? ''} ${row.applicationName}`, said };
}

/** REST shows every walsender but not what it is: other names than members' may be logical clients. */
function overRest(ctx: PlanFacts): PlanCheck {
  const name = 'logical_walsenders';
  const { leader, cluster, view } = ctx;
  if (view.leaderRows === null) return sqlNotRead(name, leader, 'what would block the shutdown');
  const strangers = strangersIn(view.leaderRows, cluster.members);
  const evidence = view.leaderRows.map((row): Witnessed => ({
    witness: 'REST',
    subject: `${row.upstream} pg_stat_replication`,
    said: `${row.applicationName} from ${row.clientAddr ?? 'a local socket'}, ${row.state ?? 'state unknown'}`,
  }));
  if (strangers.length === 0)
    return ok(
      name,
      `only members stream from ${leader?.name ?? 'the leader'}, according to its Patroni`,
      evidence,
    );
  const said = `${strangers.map((row) => row.applicationName || 'a client without application_name').join(', ')} may block the shutdown: REST does not report what it is`;
  return bad(
    name,
    'unknown',
    said,
    evidence,
    'give a database login, so that its positions can be read',
  );
}

/** What else a clean shutdown of the leader waits for, or cuts off. */
import { isSenderOf } from '../model/member-names.js';
import type { Witnessed } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import { plural, roundedSeconds } from '../model/words.js';
import { bad, isGone, ok, sqlNotRead, type PlanFacts } from './plan-facts.js';
import { stillSenders, unconfirmedBytes } from './stalled-standby.js';
import { gateOf } from './vote-check.js';

const LONG_TRANSACTION_MS = 60_000;

/** No leader is shut down if there is none, or if it is down already. */
function stepsDown(ctx: PlanFacts): boolean {
  return !isGone(ctx);
}

function leaderSaid({ leader }: PlanFacts, said: string): Witnessed {
  return { witness: 'SQL', subject: leader?.name ?? '', said };
}

/** Physical clients hold the shutdown too, until wal_sender_timeout: a frozen standby, a stopped pg_receivewal. */
export function physicalWalsenders(ctx: PlanFacts): PlanCheck | null {
  const name = 'physical_walsenders';
  if (!stepsDown(ctx)) return null;
  if (ctx.leaderSql === null) return sqlNotRead(name, ctx.leader, 'whether every standby confirms');
  const rows = ctx.leaderSql.walsenders.filter(
    (row) =>
      row.slotType !== 'logical' &&
      row.state !== 'backup' &&
      !isCandidate(ctx, row.applicationName),
  );
  const still = stillSenders(ctx).filter((row) => rows.includes(row));
  if (still.length === 0)
    return ok(name, `no other standby is stalled (${plural(rows.length, 'other')} connected)`);
  const evidence = still.map((row) =>
    leaderSaid(
      ctx,
      `${row.applicationName} pid ${row.pid}: ${plural(unconfirmedBytes(row) ?? 0, 'byte')} unconfirmed`,
    ),
  );
  const names = still.map((row) => row.applicationName).join(', ');
  if (!keepsLock(ctx))
    return bad(
      name,
      'warning',
      `${names} confirms nothing: the shutdown of the old leader waits until wal_sender_timeout`,
      evidence,
      'check that node first',
    );
  const others =
    ctx.candidate === null ? ', or name a candidate that keeps up (--candidate auto)' : '';
  return bad(
    name,
    'warning',
    `${names} confirms nothing: too few members receive the end of the WAL, so the lock is kept and no member accepts writes ${untilTimeout(ctx)}`,
    evidence,
    `check that node first${others}`,
  );
}

/** Once shut down the leader gives the lock up early only to so many as have everything [Ha.demote, on_shutdown]. */
function keepsLock(ctx: PlanFacts): boolean {
  const { members, needed } = gateOf(ctx);
  const asked = members.filter(({ healthy }) => healthy !== 'no').map(({ name }) => name);
  const following = ctx.input.nodes.filter(
    (node) => asked.includes(node.name) && node.streamsFromLeader === true && !node.standsStill,
  );
  return following.length < needed;
}

function untilTimeout({ leaderSql }: PlanFacts): string {
  const timeoutMs = Number(leaderSql?.settings['wal_sender_timeout']?.value ?? NaN);
  if (timeoutMs === 0) return 'until it continues: wal_sender_timeout is 0';
  if (Number.isNaN(timeoutMs)) return 'for wal_sender_timeout';
  return `for wal_sender_timeout (${roundedSeconds(timeoutMs)})`;
}

function isCandidate({ candidate }: PlanFacts, applicationName: string): boolean {
  return candidate !== null && isSenderOf(applicationName, candidate);
}

/** A shutdown waits until everything is archived; PostgreSQL gives up only after several failures. */
export function archiving(ctx: PlanFacts): PlanCheck | null {
  const name = 'archiving';
  if (!stepsDown(ctx)) return null;
  const sql = ctx.leaderSql;
  if (sql === null) return sqlNotRead(name, ctx.leader, 'whether archiving works');
  const mode = sql.settings['archive_mode']?.value;
  if (mode === undefined || mode === 'off')
    return mode === 'off'
      ? ok(name, 'archiving is off', [leaderSaid(ctx, 'archive_mode off')])
      : sqlNotRead(name, ctx.leader, 'whether archiving is on');
  const { archiver } = sql;
  const failed = archiver?.lastFailedAgeMs ?? null;
  const archived = archiver?.lastArchivedAgeMs ?? null;
  const isFailing = failed !== null && (archived === null || failed < archived);
  if (!isFailing) {
    const last =
      archived === null ? 'nothing archived yet' : `last success ${roundedSeconds(archived)} ago`;
    return ok(name, `archiving does not fail, ${last}`, [
      leaderSaid(ctx, `archive_mode ${mode}, ${last}`),
    ]);
  }
  const evidence = [
    leaderSaid(
      ctx,
      `${archiver?.failedCount ?? 0} failures, the last ${roundedSeconds(failed)} ago`,
    ),
  ];
  return bad(
    name,
    'warning',
    `archiving fails on ${ctx.leader?.name ?? ''}, and a shutdown waits for it`,
    evidence,
    'check archive_command and its target; WAL that is not archived stays on the old leader',
  );
}

/** A fast shutdown ends every session: what was not committed is rolled back. */
export function longTransaction(ctx: PlanFacts): PlanCheck | null {
  const name = 'long_transaction';
  if (!stepsDown(ctx)) return null;
  if (ctx.leaderSql === null)
    return sqlNotRead(name, ctx.leader, 'whether a long transaction runs');
  const age = ctx.leaderSql.oldestXactAgeMs;
  const evidence = [
    leaderSaid(ctx, age === null ? 'no transaction' : `oldest transaction ${roundedSeconds(age)}`),
  ];
  if (age === null || age < LONG_TRANSACTION_MS)
    return ok(name, 'no long transaction would be interrupted', evidence);
  return bad(
    name,
    'warning',
    `a transaction has been open for ${roundedSeconds(age)} and would be rolled back`,
    evidence,
    'wait until it ends, or accept the rollback',
  );
}

export function baseBackup(ctx: PlanFacts): PlanCheck | null {
  const name = 'base_backup';
  if (!stepsDown(ctx)) return null;
  const overRest = ctx.view.leaderRows?.filter(({ state }) => state === 'backup').length ?? null;
  const running = ctx.leaderSql?.baseBackupsRunning ?? overRest;
  if (running === null) return sqlNotRead(name, ctx.leader, 'whether a base backup runs');
  const witness = ctx.leaderSql ? ('SQL' as const) : ('REST' as const);
  const evidence: Witnessed[] = [
    { witness, subject: ctx.leader?.name ?? '', said: `base backups running: ${running}` },
  ];
  if (running === 0) return ok(name, 'no base backup runs on the leader', evidence);
  return bad(
    name,
    'warning',
    `${plural(running, 'base backup')} on the leader would be interrupted`,
    evidence,
    'wait until it ends, or start it again afterwards',
  );
}

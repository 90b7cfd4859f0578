/** Runs SQL on the member that has the role, and looks for that member again in every round. */
import type { Selected } from '../../cluster/select-members.js';
import type { Context } from '../../context.js';
import { ToolError, errorMessage } from '../../errors.js';
import type { RowSink, Session } from '../../postgres/query-session.js';
import { readClusters } from '../../observe/read-keys.js';
import { noSuchMember, suitableMembers, type WhichMember } from '../kit/choose-members.js';

/** What takes the rows of one round. */
export interface RowsOut {
  sink: RowSink;
  flush(): void;
  end(hasRows: boolean): void;
}

export interface QueryRequest {
  scope: string;
  group: number | null;
  which: WhichMember;
  sql: string;
  /** Cancels one statement; null: no limit. */
  deadlineMs: number | null;
  /** From the beginning of one round to the next; null: one round. */
  everyMs: number | null;
  /** Created for each round. */
  rows: () => RowsOut;
  /** A statement without rows has ended: its command tag. */
  onDone: (tag: string) => void;
  /** A round has failed, and another one follows. */
  onFailed: (error: ToolError) => void;
}

/**
 * One round, or rounds until the signal. ToolError `error` (sql_error, no_connection, no_suitable_member),
 * `unreachable` when no member answers, `unconfirmed` (answer_lost) when the connection broke after the statement was
 * sent, `interrupted`.
 */
export async function runQuery(context: Context, request: QueryRequest): Promise<void> {
  const state: State = { context, request, open: null };
  try {
    if (request.everyMs === null) await once(state);
    else await again(state, request.everyMs);
  } finally {
    state.open?.session.close();
  }
}

interface Open {
  member: string;
  session: Session;
}

interface State {
  context: Context;
  request: QueryRequest;
  /** Kept from one round to the next while its member has the role. */
  open: Open | null;
}

/** Until the signal; a round that fails is told, and the next one looks for the role again. */
async function again(state: State, everyMs: number): Promise<void> {
  const { clock, signal } = state.context;
  while (!signal.aborted) {
    const startedMs = clock.nowMs();
    try {
      await once(state);
    } catch (error) {
      if (isAborted(signal)) return;
      if (!(error instanceof ToolError)) throw error;
      state.request.onFailed(error);
    }
    await clock.wait(Math.max(0, everyMs - (clock.nowMs() - startedMs)), signal);
  }
}

/** A function of its own because the compiler excludes an abort that was checked before. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

async function once(state: State): Promise<void> {
  const { context, request } = state;
  const { sql, deadlineMs } = request;
  const open = await sessionFor(state);
  const { LostError, SqlError, withoutStatement } = await import('../../postgres/query-session.js');
  const writer = request.rows();
  const limits = { signal: context.signal, deadlineMs };
  try {
    const ran = await open.session.run(sql, writer.sink, limits);
    writer.end(ran.hasRows);
    if (!ran.hasRows && ran.command !== '') request.onDone(ran.command);
  } catch (error) {
    writer.flush();
    if (context.signal.aborted) {
      throw new ToolError('interrupted', 'interrupted; the statement was cancelled', {
        cause: error,
      });
    }
    if (error instanceof SqlError) {
      const { sqlstate, position } = error;
      const at = position === null ? '' : ` (at character ${position})`;
      const words = withoutStatement(error.message, sql);
      throw new ToolError(
        'error',
        `ERROR, SQLSTATE: ${sqlstate}: ${words}${at}, on ${open.member}`,
        {
          code: 'sql_error',
        },
      );
    }
    if (!(error instanceof LostError)) throw error;
    throw new ToolError('unconfirmed', `the answer of ${open.member} was lost`, {
      code: 'answer_lost',
      hint: 'the statement was sent; it is unknown whether it was executed',
      evidence: [{ witness: 'SQL', subject: open.member, said: error.message }],
    });
  }
}

/** The kept session while its member still has the role, else a new one with the first that lets us in. */
async function sessionFor(state: State): Promise<Open> {
  const { context, request } = state;
  const { scope, group, which } = request;
  const clusters = await readClusters(context, scope, group);
  const candidates = suitableMembers(clusters, which);
  if (candidates.length === 0) throw noSuchMember(clusters, which);
  const known = state.open;
  if (known?.session.alive && candidates.some(({ member }) => member.name === known.member)) {
    if (await hasRole(known.session, which, context.flags.timeoutMs).catch(() => false))
      return known;
  }
  known?.session.close();
  state.open = null;
  return (state.open = await openFirst(context, which, candidates));
}

async function openFirst(
  context: Context,
  which: WhichMember,
  candidates: readonly Selected[],
): Promise<Open> {
  const { openSession, SqlError } = await import('../../postgres/query-session.js');
  const refused: { member: string; said: string; answered: boolean }[] = [];
  for (const { member } of candidates) {
    const { name, host, port } = member;
    const no = (said: string, answered: boolean) => refused.push({ member: name, said, answered });
    if (host === null || port === null) {
      no('its DCS key has no readable conn_url', false);
      continue;
    }
    const { timeoutMs, login } = context.flags;
    try {
      const session = await openSession({ host, port }, login, context.env, timeoutMs);
      if (await hasRole(session, which, timeoutMs)) return { member: name, session };
      session.close();
      no(`is not a ${which.role ?? 'leader'} by pg_is_in_recovery()`, true);
    } catch (error) {
      const words = errorMessage(error);
      const state = error instanceof SqlError ? ` (SQLSTATE ${error.sqlstate})` : '';
      no(words + state, error instanceof SqlError);
    }
  }
  const where =
    which.member === undefined ? roleWanted(context, which.role) : ` to member ${which.member}`;
  const ending = refused.some(({ answered }) => answered) ? 'error' : 'unreachable';
  throw new ToolError(ending, `No connection${where} is available`, {
    code: 'no_connection',
    ...(ending === 'error' && {
      hint: 'log in with -U, --password, PGUSER, PGPASSWORD or ~/.pgpass',
    }),
    evidence: refused.map(({ member, said }) => ({ witness: 'SQL', subject: member, said })),
  });
}

/** patronictl names no role that was not given, and quotes the one that was. */
function roleWanted({ flags }: Context, role: WhichMember['role']): string {
  if (!flags.compat) return ` to role ${role ?? 'leader'}`;
  return role === undefined ? '' : ` to role '${role}'`;
}

/** Only the DCS names the leader; primary and the roles of a standby must be true in PostgreSQL too. */
async function hasRole(
  session: Session,
  { role }: WhichMember,
  timeoutMs: number,
): Promise<boolean> {
  if (role === undefined || role === 'any' || role === 'leader') return true;
  return (await session.inRecovery(timeoutMs)) === (role !== 'primary');
}

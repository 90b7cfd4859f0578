/** `patctl query`: SQL on the member that has the role, followed there when -W asks again and again. */
import { Command, Option } from 'commander';
import type { Selected } from '../cluster/select-members.js';
import { ToolError, type Ending } from '../errors.js';
import { readClusters } from '../actions/kit/choose-members.js';
import { untilNobodyReads } from '../output/io.js';
import { ROW_FORMATS, rowWriter, type RowFormat } from '../output/rows.js';
import { oneLine, plain } from '../output/text.js';
import type { RowSink, Session } from '../postgres/query-session.js';
import type { Run } from '../cli/run-command.js';
import type { Terminal } from '../output/ask.js';
import type { Context } from '../context.js';
import { addWhichMember, noSuchMember, suitableMembers, type WhichMember } from './dsn.js';
import { parseCount, parseSeconds, scopeOrDefault } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';

interface QueryOptions extends WhichMember {
  group?: number;
  format: RowFormat;
  file?: string;
  command?: string;
  username?: string;
  dbname?: string;
  password?: boolean;
  delimiter?: string;
  W?: boolean;
  watch?: number;
  deadline?: number;
}

const WATCH_SECONDS = 2;
/** Rows are written in pieces of this size. */
const PIECE_CHARS = 65_536;

export function queryCommand(run: Run): Command {
  const command = new Command('query')
    .description('Run SQL on a member (default: the leader)')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(new Option('--format <format>', 'Output format').choices(ROW_FORMATS).default('tsv'))
    .option('-f, --file <file>', 'Execute the SQL in this file; - is stdin')
    .addOption(new Option('-c, --command <sql>', 'Execute this SQL').conflicts('file'))
    .option('-U, --username <name>', 'Database user')
    .option('-d, --dbname <name>', 'Database')
    .option('--password', 'Ask for the database password')
    .option('--delimiter <text>', 'Column delimiter (default: tab for tsv, comma for csv)')
    .option('-W', `Query again every ${WATCH_SECONDS} seconds`)
    .option('-w, --watch <seconds>', 'Query again every X seconds', parseSeconds)
    .option('--deadline <time>', 'Cancel the statement at this limit', parseDurationMs);
  return addWhichMember(command).action((cluster: string | undefined, options: QueryOptions) =>
    run((context) => query(context, cluster, options), { password: askLogin }),
  );
}

async function query(
  context: Context,
  name: string | undefined,
  options: QueryOptions,
): Promise<Ending> {
  const scope = await scopeOrDefault(context, name);
  const sql = await sqlText(context, options);
  const signal = untilNobodyReads(context);
  const state: State = { context: { ...context, signal }, scope, options, sql, open: null };
  try {
    const seconds = options.watch ?? (options.W ? WATCH_SECONDS : null);
    if (seconds === null) await once(state);
    else await again(state, seconds * 1000);
    return 'ok';
  } catch (error) {
    if (context.io.outGone?.aborted === true) return 'ok';
    throw error;
  } finally {
    state.open?.session.close();
  }
}

async function sqlText(context: Context, { file, command }: QueryOptions): Promise<string> {
  if (command !== undefined) return command;
  if (file === undefined) {
    throw new ToolError('usage', 'You need to specify either --command or --file');
  }
  const { inputText } = await import('../cli/read-input.js');
  return inputText(context, file);
}

/** patronictl's own prompt; an empty answer is asked again. */
async function askLogin(terminal: Terminal): Promise<string> {
  const { askPassword } = await import('../output/ask.js');
  for (;;) {
    const instead = 'set PGPASSWORD or PGPASSFILE instead of --password';
    const password = await askPassword(terminal, 'Password', instead);
    if (password !== '') return password;
  }
}

interface Open {
  member: string;
  session: Session;
}

interface State {
  context: Context;
  scope: string;
  options: QueryOptions;
  sql: string;
  /** Kept from one round to the next while its member has the role. */
  open: Open | null;
}

/** Until the signal; a round that fails is told, and the next one looks for the role again. */
async function again(state: State, everyMs: number): Promise<void> {
  const { clock, signal, io } = state.context;
  while (!signal.aborted) {
    const startedMs = clock.nowMs();
    try {
      await once(state);
    } catch (error) {
      if (isAborted(signal)) return;
      if (!(error instanceof ToolError)) throw error;
      const at = new Date(clock.nowMs()).toISOString();
      io.err(`${at} ${oneLine(error.message)}\n`);
    }
    await clock.wait(Math.max(0, everyMs - (clock.nowMs() - startedMs)), signal);
  }
}

/** Apart, for the compiler takes an abort for impossible where it was looked for before. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

async function once(state: State): Promise<void> {
  const { context, options, sql } = state;
  const open = await sessionFor(state);
  const { LostError, SqlError, withoutStatement } = await import('../postgres/query-session.js');
  const writer = await rowsOut(context, options);
  const limits = { signal: context.signal, deadlineMs: options.deadline ?? null };
  try {
    const ran = await open.session.run(sql, writer.sink, limits);
    writer.end(ran.hasRows);
    if (!ran.hasRows && ran.command !== '') context.io.err(`${oneLine(ran.command)}\n`);
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

// ---------------------------------------------------------------- where to

/** The kept session while its member still has the role, else a new one with the first that lets us in. */
async function sessionFor(state: State): Promise<Open> {
  const { context, scope, options } = state;
  const clusters = await readClusters(context, scope, options.group ?? null);
  const candidates = suitableMembers(clusters, options);
  if (candidates.length === 0) throw noSuchMember(clusters, options);
  const known = state.open;
  if (known?.session.alive && candidates.some(({ member }) => member.name === known.member)) {
    if (await hasRole(known.session, options, context.flags.timeoutMs).catch(() => false))
      return known;
  }
  known?.session.close();
  state.open = null;
  return (state.open = await openFirst(context, options, candidates));
}

async function openFirst(
  context: Context,
  options: QueryOptions,
  candidates: readonly Selected[],
): Promise<Open> {
  const { openSession, SqlError } = await import('../postgres/query-session.js');
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
      if (await hasRole(session, options, timeoutMs)) return { member: name, session };
      session.close();
      no(`is no ${options.role ?? 'leader'} by pg_is_in_recovery()`, true);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      const state = error instanceof SqlError ? ` (SQLSTATE ${error.sqlstate})` : '';
      no(words + state, error instanceof SqlError);
    }
  }
  const wanted =
    options.member === undefined
      ? roleWanted(context, options.role)
      : ` to member ${options.member}`;
  const ending = refused.some(({ answered }) => answered) ? 'error' : 'unreachable';
  throw new ToolError(ending, `No connection${wanted} is available`, {
    code: 'no_connection',
    ...(ending === 'error' && {
      hint: 'log in with -U, --password, PGUSER, PGPASSWORD or ~/.pgpass',
    }),
    evidence: refused.map(({ member, said }) => ({ witness: 'SQL', subject: member, said })),
  });
}

/** patronictl names no role that was not given, and quotes the one that was. */
function roleWanted({ flags }: Context, role: QueryOptions['role']): string {
  if (!flags.compat) return ` to role ${role ?? 'leader'}`;
  return role === undefined ? '' : ` to role '${role}'`;
}

/** Leader and any are the DCS's word, and a member is who it is; the other roles are PostgreSQL's too. */
async function hasRole(
  session: Session,
  { role }: QueryOptions,
  timeoutMs: number,
): Promise<boolean> {
  if (role === undefined || role === 'any' || role === 'leader') return true;
  return (await session.inRecovery(timeoutMs)) === (role !== 'primary');
}

// ---------------------------------------------------------------- what comes out

interface RowsOut {
  sink: RowSink;
  flush(): void;
  end(hasRows: boolean): void;
}

async function rowsOut(context: Context, { format, delimiter }: QueryOptions): Promise<RowsOut> {
  const { io } = context;
  const { valueOf } = await import('../postgres/patronictl-values.js');
  const writer = rowWriter(format, {
    delimiter: delimiter ?? (format === 'csv' ? ',' : '\t'),
    harmless: io.stdoutIsTty,
    asPatronictl: context.flags.compat,
  });
  let pending = '';
  const flush = (): void => {
    // A pipe gets what PostgreSQL gave: it may be read back in.
    if (pending !== '' && io.stdoutIsTty) io.out(pending);
    else if (pending !== '') io.data(pending);
    pending = '';
  };
  const pass = (): Promise<void> | undefined => {
    if (pending.length < PIECE_CHARS) return undefined;
    flush();
    return io.drained?.();
  };
  let types: number[] = [];
  return {
    sink: {
      start: (fields) => {
        types = fields.map(({ typeOid }) => typeOid);
        pending += writer.start(fields.map(({ name }) => name));
      },
      row: (texts) => {
        pending += writer.row(
          texts.map((text, at) => valueOf(types[at] ?? 0, text)),
          texts,
        );
        return pass();
      },
      // In its own format, whatever --format says.
      copy: (text) => {
        pending += io.stdoutIsTty ? plain(text) : text;
        return pass();
      },
    },
    flush,
    end: (hasRows) => {
      if (hasRows) pending += writer.end();
      flush();
    },
  };
}

/** `patctl query`: SQL on the member that has the role, followed there when -W asks again and again. */
import { Command, Option } from 'commander';
import { ToolError, type Ending } from '../errors.js';
import type { WhichMember } from '../actions/kit/choose-members.js';
import type { QueryRequest, RowsOut } from '../actions/query/run-query.js';
import { untilNobodyReads } from '../output/io.js';
import { ROW_FORMATS, rowWriter, type RowFormat } from '../output/rows.js';
import { oneLine, plain } from '../output/text.js';
import type { valueOf as ValueOf } from '../postgres/patronictl-values.js';
import type { Run } from '../cli/run-command.js';
import type { Terminal } from '../output/ask.js';
import type { Context } from '../context.js';
import { addWhichMember } from './dsn.js';
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
  const { io, clock } = context;
  const seconds = options.watch ?? (options.W ? WATCH_SECONDS : null);
  const [{ runQuery }, rows] = await Promise.all([
    import('../actions/query/run-query.js'),
    rowsOut(context, options),
  ]);
  const request: QueryRequest = {
    scope,
    group: options.group ?? null,
    which: options,
    sql,
    deadlineMs: options.deadline ?? null,
    everyMs: seconds === null ? null : seconds * 1000,
    rows,
    onDone: (tag) => io.err(`${oneLine(tag)}\n`),
    onFailed: ({ message }) =>
      io.err(`${new Date(clock.nowMs()).toISOString()} ${oneLine(message)}\n`),
  };
  try {
    await runQuery({ ...context, signal: untilNobodyReads(context) }, request);
  } catch (error) {
    if (io.outGone?.aborted !== true) throw error;
  }
  return 'ok';
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

/** Writes the rows of each round to stdout, in pieces. */
async function rowsOut(context: Context, options: QueryOptions): Promise<() => RowsOut> {
  const { valueOf } = await import('../postgres/patronictl-values.js');
  return () => rowsOfOneRound(context, options, valueOf);
}

function rowsOfOneRound(
  context: Context,
  { format, delimiter }: QueryOptions,
  valueOf: typeof ValueOf,
): RowsOut {
  const { io } = context;
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

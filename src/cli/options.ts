/** Options that several commands share, and how their values are read. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Snapshot, VerifyMode } from '../cluster/model/model.js';
import { ToolError } from '../errors.js';
import type { SnapshotRequest } from '../observe/read-snapshot.js';
import type { HostPort } from '../observe/read-witnesses.js';
import type { Context } from '../context.js';
import { parseTimeoutMs } from './units.js';

export function parseCount(text: string): number {
  if (!/^[0-9]+$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

/** patronictl's -w takes seconds, fractions too. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds <= 0) {
    throw new InvalidArgumentError('expected a number of seconds.');
  }
  return seconds;
}

/** HOST:PORT, or [::1]:5432: the port is required because a single word is probably a mistake. */
export function collectHostPort(text: string, before: HostPort[] = []): HostPort[] {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/@]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65535) {
    throw new InvalidArgumentError('expected HOST:PORT.');
  }
  return [...before, { host, port }];
}

/** --route, which is read by observe/ask-routes.ts: an error of commander would print the value, and its password. */
export function addRouteOption(command: Command): Command {
  const collect = (text: string, before: string[] = []): string[] => [...before, text];
  return command.option(
    '--route <kind=where>',
    'Where clients connect: rw=HOST:PORT or ro=HOST:PORT, or a connection string (repeatable; default patctl.routes)',
    collect,
  );
}

/** The help of --strict, as docs/exit-codes.md has it. */
export const STRICT = 'Exit 4 if a claim is false or cannot be checked';

/** The help of --wide. */
export const WIDE = 'Print every column, however narrow the terminal is';

/** Options of every command that listens to the witnesses. */
export interface WitnessOptions {
  verify: VerifyMode;
  timeout?: number;
  serializable?: boolean;
  also?: HostPort[];
  username?: string;
  dbname?: string;
  password?: boolean;
  snapshot?: string;
  at?: string;
}

export function addWitnessOptions(command: Command): Command {
  return addLiveOptions(command)
    .option(
      '--snapshot <file>',
      'Read a recording (patctl snapshot or record) instead of the cluster',
    )
    .option('--at <time>', 'With --snapshot of patctl record: the moment, such as 02:15 or -5m');
}

/** The same without a recording. */
export function addLiveOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--verify <how>', 'Witnesses to ask in addition to the DCS')
        .choices(['auto', 'sql', 'rest', 'off'])
        .default('auto'),
    )
    .option('--timeout <time>', 'Limit of one call to one node (default 3s)', parseTimeoutMs)
    .option('--serializable', 'Read etcd even without a majority; the answer may be stale')
    .option('--also <host:port>', 'Also ask this PostgreSQL server (repeatable)', collectHostPort)
    .option('-U, --username <name>', 'Database user')
    .option('-d, --dbname <name>', 'Database')
    .option('--password', 'Ask for the database password');
}

/** Which witnesses are asked, as the options say. */
export function askingOf(options: WitnessOptions): Omit<SnapshotRequest, 'scope' | 'group'> {
  if (options.at !== undefined && options.snapshot === undefined) {
    throw new ToolError('usage', '--at needs --snapshot FILE: a recording of patctl record');
  }
  return {
    verify: options.verify,
    serializable: options.serializable ?? false,
    also: options.also ?? [],
  };
}

/** The snapshot of the one cluster that is named or configured, asked as the options say. */
export async function snapshotMeant(
  context: Context,
  cluster: string | undefined,
  options: WitnessOptions & { group?: number },
): Promise<Snapshot> {
  const meant = await clusterMeant(context, cluster, options.group);
  const { readSnapshotSettled } = await import('../observe/read-snapshot.js');
  return readSnapshotSettled(context, { ...meant, ...askingOf(options) });
}

/** -f of the commands that print a document of patctl's own. */
export function prettyOrJson(): Option {
  return new Option('-f, --format <format>', 'Output format')
    .choices(['pretty', 'json'])
    .default('pretty');
}

/** The one cluster that the DCS leads to (a recording, a member's address); null: it leads to any. */
async function ownScope(context: Context): Promise<string | null> {
  try {
    const dcs = await context.dcs();
    return dcs.ownScope ? await dcs.ownScope() : null;
  } catch (error) {
    // A missing cluster name is reported first.
    if (error instanceof ToolError && error.code === 'no_dcs') return null;
    throw error;
  }
}

/** The cluster that is named, or the configured scope; ToolError `usage` when neither is there. */
export async function scopeOrDefault(context: Context, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const own = await ownScope(context);
  if (own !== null) return own;
  const config = await context.config();
  const { scope } = config;
  if (scope !== null) return scope;
  const { notFound } = await import('../dcs/dcs-registry.js');
  const isTold = config.etcd ?? config.kubernetes ?? config.memberUrls;
  const absent = isTold === null ? notFound(config) : null;
  if (absent) throw new ToolError('usage', absent.message, { code: 'no_scope', hint: absent.hint });
  throw new ToolError('usage', 'no cluster is named, and the configuration has no scope', {
    code: 'no_scope',
    hint: 'name the cluster, or set scope in the configuration file or PATRONI_SCOPE',
  });
}

/** The one cluster that is meant: named or configured, and its Citus group likewise. */
export async function clusterMeant(
  context: Context,
  name: string | undefined,
  group: number | undefined,
): Promise<{ scope: string; group: number | null }> {
  const scope = await scopeOrDefault(context, name);
  return { scope, group: group ?? (await context.config()).group };
}

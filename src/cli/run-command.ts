/** What a command is made with: the context comes when the command line has been read, and is not changed then. */
import type { Env } from '../config/environment.js';
import type { Command } from 'commander';
import type { Context, GlobalFlags } from '../context.js';
import type { Ending } from '../errors.js';
import type { Terminal } from '../output/ask.js';
import type { LoginFlags } from '../postgres/login-flags.js';

/** What a command does; a number is for `check`, which has codes of its own. */
export type Work = (context: Context) => Promise<Ending | number>;

/** What a command says of its own context, beside what it is told by its options. */
export interface Own {
  readonly flags?: (env: Env) => Partial<GlobalFlags>;
  /** Asks for the password of --password; without it as every command. */
  readonly password?: (terminal: Terminal) => Promise<string>;
}

/** Called once, by the action of a command: makes the context, does the work and says how it ended. */
export type Run = (work: Work, own?: Own) => Promise<void>;

export type MakeCommand = (run: Run) => Command;

/** Options that some commands have and that the context is made of. */
export interface LocalOptions {
  /** Of one call to one node, ms; `restart` has a text of its own there. */
  timeout?: unknown;
  username?: string;
  dbname?: string;
  password?: boolean;
  snapshot?: string;
  at?: string;
  compat?: boolean;
  format?: unknown;
  color?: boolean;
}

/** -U, -d and --password as the command has them. */
export async function loginOf(
  terminal: Terminal,
  { username, dbname: database, password: asks }: LocalOptions,
  ask: (terminal: Terminal) => Promise<string> = askPlainly,
): Promise<LoginFlags> {
  return { username, database, password: asks === true ? await ask(terminal) : undefined };
}

async function askPlainly(terminal: Terminal): Promise<string> {
  const { askPassword } = await import('../output/ask.js');
  const instead = 'set PGPASSWORD or PGPASSFILE instead of --password';
  return askPassword(terminal, 'Database password', instead);
}

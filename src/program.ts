/** The commander program: global options and the list of commands. */
import { Command, CommanderError } from 'commander';
import { COMMANDS, GROUPS, nameOf, type ListedCommand } from './commands/registry.js';
import { exitCodesHelp } from './cli/exit-codes.js';
import { withHelp } from './cli/help.js';
import { loginOf, type LocalOptions, type Run, type Work } from './cli/run-command.js';
import type { Env } from './config/environment.js';
import { oneLine } from './output/text.js';
import type { Terminal } from './output/ask.js';
import { addGlobalOptions, givenFlags } from './cli/global-options.js';
import type { GlobalFlags } from './context.js';
import { VERSION } from './build-info.js';

/** Does the work of a command with the context that these flags make. */
export type Start = (flags: Partial<GlobalFlags>, work: Work) => Promise<void>;

/** What the process gives to the command line. */
export interface ProcessTerminal {
  readonly env: Env;
  readonly calledAs: string;
  /** Its streams as these flags have them. */
  with(flags: Partial<GlobalFlags>): Terminal;
}

/**
 * The program for a command line of these words; with null, every command is there. Where the words name no
 * command none is loaded: each is a line of `--help`.
 */
export async function buildProgram(
  terminal: ProcessTerminal,
  start: Start,
  words: readonly string[] | null = null,
  version = VERSION,
): Promise<Command> {
  const { io } = terminal.with({});
  const program = addGlobalOptions(new Command(terminal.calledAs), version)
    .description(
      'List Patroni clusters as they really are, and change them with a verified outcome.',
    )
    .enablePositionalOptions()
    .addHelpText('after', () => VARIABLES + exitCodesHelp())
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
      getOutHasColors: () => io.outColor,
      getErrHasColors: () => io.errColor,
    })
    .exitOverride()
    .allowExcessArguments()
    .action(async () => {
      const [word] = program.args;
      const [, about] = program.args;
      if (word === 'help' && about !== undefined) return helpAbout(program, about);
      if (word !== undefined && word !== 'help') await unknownCommand(program, word);
      io.out(program.helpInformation() + VARIABLES + exitCodesHelp());
    });
  let local: LocalOptions = {};
  let name = '';
  program.hook('preAction', (_, command) => {
    local = command.opts();
    name = command.name();
  });
  const run: Run = async (work, own = {}) => {
    const given = { ...givenFlags(program, terminal.env, local), command: name };
    const login = await loginOf(terminal.with(given), local, own.password);
    await start({ ...given, login, ...own.flags?.(terminal.env) }, work);
  };
  const named = words === null ? COMMANDS : wanted(words);
  for (const one of named) program.addCommand(await loaded(one, program, run));
  if (named.length === 0) for (const one of byGroup()) program.addCommand(unloaded(one));
  // A command that is not loaded cannot list its options.
  const usage = new Map(COMMANDS.map((one) => [nameOf(one), one.usage]));
  program.configureHelp({
    subcommandTerm: (command) => usage.get(command.name()) ?? '',
  });
  return program;
}

const VARIABLES = `
help COMMAND shows what a command does, its options and examples.
Every option above has a variable: PATCTL_TIMEOUT=5s is --timeout 5s, PATCTL_NO_INPUT=1 is --no-input.
timeout, color, no_input and quiet can stand below patctl: in the configuration file.
`;

/** The commands that the words of the command line may mean; all of them where it completes others. */
function wanted(words: readonly string[]): readonly ListedCommand[] {
  if (words.includes('completion')) return COMMANDS;
  return COMMANDS.filter((one) => words.includes(nameOf(one)));
}

async function loaded(one: ListedCommand, program: Command, run: Run): Promise<Command> {
  const make = await one.load();
  const command = make(run);
  for (const each of [command, ...command.commands]) {
    // Surplus arguments are refused: `switchover demo pg2` would otherwise ignore pg2.
    each.copyInheritedSettings(program).allowExcessArguments(false);
  }
  if (command.name() === 'check') {
    const { CHECK_EXITS } = await import('./cluster/documents/check-document.js');
    // A wrong command line is not a critical cluster, which 2 means there.
    command.exitOverride(({ exitCode, code, message }) => {
      throw new CommanderError(exitCode === 0 ? 0 : CHECK_EXITS.unknown, code, message);
    });
  }
  return withHelp(command.helpGroup(GROUPS[one.group]));
}

function byGroup(): ListedCommand[] {
  return Object.keys(GROUPS).flatMap((group) => COMMANDS.filter((one) => one.group === group));
}

function unloaded(one: ListedCommand): Command {
  return new Command(nameOf(one)).description(one.summary).helpGroup(GROUPS[one.group]);
}

async function helpAbout(program: Command, name: string): Promise<void> {
  const command = program.commands.find((one) => one.name() === name);
  if (command) command.outputHelp();
  else await unknownCommand(program, name);
}

async function unknownCommand(program: Command, word: string): Promise<never> {
  const { nearest } = await import('./cluster/configuration/nearest.js');
  const known = program.commands.map((command) => command.name());
  const meant = nearest(word, known);
  const hint = meant === null ? '' : `\nDid you mean ${meant}?`;
  program.error(`error: unknown command '${oneLine(word)}'${hint}`);
}

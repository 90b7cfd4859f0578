/** The commander program: global options and the list of commands. */
import { Command, CommanderError, Option } from 'commander';
import { CHECK_EXITS } from './cluster/checkdoc.js';
import { checkCommand } from './commands/check.js';
import { completionCommand } from './commands/completion.js';
import { configCommand } from './commands/config.js';
import { dsnCommand } from './commands/dsn.js';
import { editConfigCommand } from './commands/edit-config.js';
import { failoverCommand } from './commands/failover.js';
import { historyCommand } from './commands/history.js';
import { flushCommand } from './commands/flush.js';
import { leaderCommand, membersCommand } from './commands/leader.js';
import { readyCommand } from './commands/ready.js';
import { waitCommand } from './commands/wait.js';
import { listCommand, topologyCommand } from './commands/list.js';
import { parseDurationMs } from './commands/options.js';
import { pauseCommand, resumeCommand } from './commands/pause.js';
import { showConfigCommand } from './commands/show-config.js';
import { reinitCommand } from './commands/reinit.js';
import { reloadCommand } from './commands/reload.js';
import { removeCommand } from './commands/remove.js';
import { restartCommand } from './commands/restart.js';
import { queryCommand } from './commands/query.js';
import { quorumCommand } from './commands/quorum.js';
import { snapshotCommand } from './commands/snapshot.js';
import { statusCommand } from './commands/status.js';
import { whyNotCommand } from './commands/why-not.js';
import { switchoverCommand } from './commands/switchover.js';
import { versionCommand } from './commands/version.js';
import { demoteClusterCommand } from './commands/demote-cluster.js';
import { promoteClusterCommand } from './commands/promote-cluster.js';
import { exitCodesHelp } from './commands/exit-codes.js';
import { withHelp } from './commands/help.js';
import { nearest } from './cluster/config-check.js';
import type { Ending } from './errors.js';
import { oneLine } from './output/text.js';
import type { Tool } from './tool.js';
import { VERSION } from './version.js';

/** Told by a command how it ended; a number is for `check`, which has codes of its own. */
export type Finish = (how: Ending | number) => void;

interface GlobalOptions {
  configFile?: string;
  dcsUrl?: string;
  dcs?: string;
  insecure?: boolean;
  compat?: boolean;
  color: boolean;
  debug?: boolean;
  timeout?: number;
}

/** In the order of `--help`. */
const COMMANDS: readonly [string, (tool: Tool, finish: Finish) => Command][] = [
  ['list', listCommand],
  ['topology', topologyCommand],
  ['status', statusCommand],
  ['check', checkCommand],
  ['wait', waitCommand],
  ['ready', readyCommand],
  ['snapshot', snapshotCommand],
  ['leader', leaderCommand],
  ['members', membersCommand],
  ['quorum', quorumCommand],
  ['why-not', whyNotCommand],
  ['switchover', switchoverCommand],
  ['failover', failoverCommand],
  ['flush', flushCommand],
  ['pause', pauseCommand],
  ['resume', resumeCommand],
  ['restart', restartCommand],
  ['reload', reloadCommand],
  ['reinit', reinitCommand],
  ['remove', removeCommand],
  ['demote-cluster', demoteClusterCommand],
  ['promote-cluster', promoteClusterCommand],
  ['history', historyCommand],
  ['show-config', showConfigCommand],
  ['edit-config', editConfigCommand],
  ['version', versionCommand],
  ['dsn', dsnCommand],
  ['query', queryCommand],
  ['config', configCommand],
  ['completion', completionCommand],
];

/**
 * The commands that the words of the command line may mean: making every option of every command costs
 * more than a small command itself. Without any, and for what lists commands, it is all of them.
 */
function wanted(words: readonly string[]): typeof COMMANDS {
  const named = COMMANDS.filter(([name]) => words.includes(name));
  return named.length === 0 || words.includes('completion') ? COMMANDS : named;
}

/** The program for a command line of these words; with none, every command is there. */
export function buildProgram(tool: Tool, finish: Finish, words: readonly string[] = []): Command {
  const program = new Command('patctl')
    .description('Lists Patroni clusters as they are, and changes them with the outcome proven.')
    .version(VERSION, '--version')
    .option('-c, --config-file <file>', 'Configuration file (PATRONICTL_CONFIG_FILE)')
    .option('-d, --dcs-url <url>', 'The DCS, as etcd3://host:port/namespace (DCS_URL); also --dcs')
    .addOption(new Option('--dcs <url>').hideHelp())
    .option('-k, --insecure', 'Do not verify the certificates of the REST API')
    .option('--timeout <time>', 'Limit of one call to one node (default 3s)', parseDurationMs)
    .option('--compat', 'Print byte for byte what patronictl 4.1.4 prints')
    .option('--no-color', 'No colour (NO_COLOR)')
    .option('--debug', 'Say more when patctl itself fails')
    .enablePositionalOptions()
    .addHelpText('after', exitCodesHelp)
    .configureOutput({
      writeOut: (text) => tool.io.out(text),
      writeErr: (text) => tool.io.err(text),
      getOutHelpWidth: () => tool.io.columns,
      getErrHelpWidth: () => tool.io.columns,
      getOutHasColors: () => tool.io.outColor,
      getErrHasColors: () => tool.io.errColor,
    })
    .exitOverride()
    .allowExcessArguments()
    .action(() => {
      const [word] = program.args;
      if (word !== undefined) unknownCommand(program, word);
      tool.io.out(program.helpInformation() + exitCodesHelp());
    });
  program.hook('preAction', (_, command) => takeGlobals(tool, program.opts(), command.opts()));
  for (const [, make] of wanted(words)) {
    const command = make(tool, finish).copyInheritedSettings(program);
    for (const sub of command.commands) sub.copyInheritedSettings(program);
    if (command.name() === 'check') command.exitOverride(unknownToMonitoring);
    program.addCommand(withHelp(command));
  }
  return program;
}

function unknownCommand(program: Command, word: string): never {
  const known = program.commands.map((command) => command.name());
  const meant = nearest(word, known);
  const hint = meant === null ? '' : `\nDid you mean ${meant}?`;
  program.error(`error: unknown command '${oneLine(word)}'${hint}`);
}

/** A command line that `check` cannot read is no critical cluster, which is what 2 means there. */
function unknownToMonitoring({ exitCode, code, message }: CommanderError): never {
  throw new CommanderError(exitCode === 0 ? 0 : CHECK_EXITS.unknown, code, message);
}

function takeGlobals(tool: Tool, global: GlobalOptions, local: Record<string, unknown>): void {
  const { flags } = tool;
  flags.configFile = global.configFile;
  flags.dcsUrl = global.dcsUrl ?? global.dcs;
  flags.insecure = global.insecure ?? false;
  flags.compat ||= global.compat === true || local['compat'] === true;
  flags.color = global.color && local['color'] !== false;
  flags.debug = global.debug ?? false;
  flags.jsonErrors = local['format'] === 'json';
  if (global.timeout !== undefined) flags.timeoutMs = global.timeout;
}

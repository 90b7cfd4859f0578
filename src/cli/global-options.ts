/**
 * The global options: as given, else as their variables PATCTL_* say, else as `patctl:` in the configuration file does.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { PatctlSection } from '../config/effective.js';
import type { GlobalFlags } from '../context.js';
import { ToolError } from '../errors.js';
import type { LocalOptions } from './run-command.js';
import { parseTimeoutMs } from './units.js';
import { withoutPassword } from './without-password.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Those that are flags of the context as they are, and three that are not. */
type GlobalOptions = Partial<
  Pick<
    GlobalFlags,
    | (
        | 'configFile'
        | 'dcsUrl'
        | 'rest'
        | 'kubeContext'
        | 'kubeNamespace'
        | 'kubeProxy'
        | 'kubeLabels'
      )
    | ('insecure' | 'compat' | 'color' | 'quiet' | 'debug')
  >
> & { dcs?: string; input?: boolean; timeout?: number };

export function addGlobalOptions(program: Command, version: string): Command {
  return program
    .version(version, '--version', 'Print the versions of patctl and Node.js, commit and platform')
    .option('-c, --config-file <file>', 'Configuration file (PATRONICTL_CONFIG_FILE)')
    .option('-d, --dcs-url <url>', 'DCS as etcd3://host:port/namespace (DCS_URL); also --dcs')
    .addOption(new Option('--dcs <url>').hideHelp())
    .option('--rest <urls>', 'Ask members (http://host:8008[,…]) instead of the DCS (PATCTL_REST)')
    .option('--kube-context <name>', 'Kubernetes is the DCS: this context of the kubeconfig')
    .option('--kube-namespace <name>', 'Kubernetes is the DCS: this namespace')
    .addOption(
      new Option(
        '--kube-labels <operator>',
        'Kubernetes is the DCS: labels of this operator',
      ).choices(['zalando', 'crunchy', 'percona', 'stackgres']),
    )
    .addOption(
      new Option(
        '--kube-proxy <when>',
        "REST API of Pods through the API server's proxy (default auto)",
      ).choices(['auto', 'always', 'never']),
    )
    .option('-k, --insecure', 'Do not verify the certificates of the REST API')
    .option('--timeout <time>', 'Limit of one call to one node (default 3s)', parseTimeoutMs)
    .option('--compat', 'Print byte for byte what patronictl 4.1.5 prints')
    .option('--no-color', 'No colour (NO_COLOR)')
    .option('--no-input', 'Never ask; exit 2 where an answer is needed')
    .option('-q, --quiet', 'Print only errors and questions on stderr, no notes and no progress')
    .option('--debug', 'Print details of internal errors');
}

/** What was given, and nothing of what was not: the rest is the file's, or the default. */
export function givenFlags(program: Command, env: Env, local: LocalOptions): Partial<GlobalFlags> {
  const { dcs, input, timeout, compat, ...said }: GlobalOptions = withVariables(program, env);
  const timeoutMs = typeof local.timeout === 'number' ? local.timeout : timeout;
  return {
    ...said,
    dcsUrl: said.dcsUrl ?? dcs,
    wayIn: wayIn(program),
    recording: local.snapshot,
    recordedAt: local.at,
    asJson: local.format === 'json',
    ...(input !== undefined && { noInput: !input }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(local.color === false && { color: false }),
    ...((compat === true || local.compat === true) && { compat: true }),
  };
}

/** Global options that say how to print, not where the cluster is. */
const NOT_THE_WAY = ['compat', 'color', 'debug', 'version', 'timeout', 'input', 'quiet'];

/** The options that lead to the cluster as they were given, for the next command. */
function wayIn(program: Command): string[] {
  return program.options.flatMap((option) => {
    const name = option.attributeName();
    if (NOT_THE_WAY.includes(name) || program.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = program.getOptionValue(name);
    const flag = option.short ?? option.long ?? '';
    return typeof value === 'string' ? [flag, withoutPassword(value)] : [flag];
  });
}

/** PATCTL_NO_INPUT for --no-input. */
function variableOf({ long }: Option): string {
  return `PATCTL_${(long ?? '').slice(2).replaceAll('-', '_').toUpperCase()}`;
}

/**
 * The options as given, and where they were not, as their variables say; nothing of what neither says. ToolError
 * `usage` names a wrong one.
 */
function withVariables(program: Command, env: Env): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const typed: Record<string, unknown> = program.opts();
  for (const option of program.options) {
    const name = option.attributeName();
    const text = env[variableOf(option)];
    const isGiven = program.getOptionValueSource(name) === 'cli';
    if (isGiven) values[name] = typed[name];
    else if (text && option.long !== '--version') values[name] = valueOf(option, text);
  }
  return values;
}

function valueOf(option: Option, text: string): unknown {
  const wrong = (why: string) =>
    new ToolError('usage', `environment ${variableOf(option)}: ${why}`, { code: 'environment' });
  if (option.required) {
    if (option.argChoices && !option.argChoices.includes(text)) {
      throw wrong(`must be one of ${option.argChoices.join(', ')}`);
    }
    try {
      return option.parseArg ? option.parseArg(text, undefined) : text;
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw wrong(error.message);
      throw error;
    }
  }
  // The words of `parseBool`, which is not loaded at start-up.
  const word = text.toLowerCase();
  const isOn = ['on', 'true', 'yes', '1'].includes(word);
  if (!isOn && !['off', 'false', 'no', '0'].includes(word)) throw wrong('must be true or false');
  return option.negate ? !isOn : isOn;
}

/** What `patctl:` in the file says; the command line and the environment are stronger. */
export function sectionFlags(section: PatctlSection): Partial<GlobalFlags> {
  const { timeout, color, noInput, quiet } = section;
  return {
    ...(timeout && { timeoutMs: timeoutOf(timeout) }),
    ...(color && { color: color.value }),
    ...(noInput && { noInput: noInput.value }),
    ...(quiet && { quiet: quiet.value }),
  };
}

function timeoutOf({ value, from }: { value: string; from: string }): number {
  try {
    return parseTimeoutMs(value);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    const message = `${from}: patctl.timeout: ${error.message}`;
    throw new ToolError('error', message, { code: 'bad_configuration' });
  }
}

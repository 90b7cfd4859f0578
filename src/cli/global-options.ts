/** What a global option says when it is not given: its variable PATCTL_*, then `patctl:` in the configuration file. */
import type { Command, Option } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { PatctlSection } from '../config/effective.js';
import type { GlobalFlags } from '../context.js';
import { ToolError } from '../errors.js';
import { parseTimeoutMs } from './units.js';

type Env = Readonly<Record<string, string | undefined>>;

/** PATCTL_NO_INPUT for --no-input. */
export function variableOf({ long }: Option): string {
  return `PATCTL_${(long ?? '').slice(2).replaceAll('-', '_').toUpperCase()}`;
}

/**
 * The options as given, and where they were not, as their variables say; nothing of what neither says. ToolError
 * `usage` names a wrong one.
 */
export function withVariables(program: Command, env: Env): Record<string, unknown> {
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

/** Which output format a command line asks for, also one that is too wrong to be run. */
import type { Command, Option } from 'commander';

/**
 * The value of --format of the command that the words name; null when none is given there. It goes by the options
 * that program and command define: neither a cluster called check nor `query -f FILE` is taken for a format.
 */
export function formatAsked(
  program: Command,
  words: readonly string[],
): { command: string; format: string | null } | null {
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (!word.startsWith('-')) break;
    if (takesNext(optionIn(program, word), word)) at += 1;
  }
  let command = program.commands.find((one) => one.name() === words[at]);
  if (!command) return null;
  const name = command.name();
  let format: string | null = null;
  for (at += 1; at < words.length && words[at] !== '--'; at++) {
    const word = words[at] ?? '';
    const below: Command | undefined = command.commands.find((one) => one.name() === word);
    if (below) {
      command = below;
      continue;
    }
    const option = optionIn(command, word);
    if (!option) continue;
    const next = takesNext(option, word);
    if (option.attributeName() === 'format')
      format = next ? (words[at + 1] ?? null) : attached(word);
    if (next) at += 1;
  }
  return { command: name, format };
}

function optionIn(command: Command, word: string): Option | undefined {
  const flag = word.startsWith('--') ? word.replace(/=.*$/, '') : word.slice(0, 2);
  return command.options.find(({ long, short }) => flag === long || flag === short);
}

/** Whether the option's value is the word behind it. */
function takesNext(option: Option | undefined, word: string): boolean {
  return option?.required === true && (word === option.long || word === option.short);
}

/** `--format=json` and `-fjson` */
function attached(word: string): string {
  return word.startsWith('--') ? word.replace(/^[^=]*=?/, '') : word.slice(2);
}

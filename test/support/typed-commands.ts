/** The commands of patctl in what it prints: each is read by the program's own definitions, as if it were typed. */
import type { Command } from 'commander';
import { buildProgram } from '../../src/program.js';
import { noTerminal } from './no-terminal.js';

/** A command line as a person would type it, and its words as a shell would pass them on. */
export interface Typed {
  line: string;
  words: string[];
}

const WORD = /(?:'[^']*'|\\'|[^\s';`"])+/;
/** As docs/architecture.md has it: a command begins a line or stands behind a colon, and `;` or the end ends it. */
const LINE = new RegExp(`(?<=^|: |; |or |\`)patctl(?: ${WORD.source})+`, 'gm');

/** Every command in a text; lines that end with a backslash go on, as in a shell. */
export function commandsIn(text: string): Typed[] {
  const whole = text.replace(/ \\\n +/g, ' ');
  return [...whole.matchAll(LINE)].map(([line]) => ({ line, words: shellWords(line).slice(1) }));
}

function shellWords(line: string): string[] {
  return [...line.matchAll(new RegExp(WORD, 'g'))].map(([word]) =>
    word.replace(
      /'([^']*)'|\\(.)/g,
      (_, quoted?: string, escaped?: string) => quoted ?? escaped ?? '',
    ),
  );
}

/** Why the program refuses a command line; null: it accepts it. Nothing is carried out. */
export async function refusalOf(words: readonly string[]): Promise<string | null> {
  const key = words.join('\0');
  const known = refusals.get(key) ?? parsed(words);
  refusals.set(key, known);
  return known;
}

const refusals = new Map<string, Promise<string | null>>();

async function parsed(words: readonly string[]): Promise<string | null> {
  let said = '';
  let started = 0;
  const io = { columns: 100, out: () => undefined, err: (text: string) => void (said += text) };
  const start = () => {
    started += 1;
    return Promise.resolve();
  };
  try {
    const program: Command = await buildProgram(noTerminal(io), start, words);
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    return said.trim() || (error as Error).message;
  }
  return started === 1 ? null : said.trim() || 'no command';
}

/** Lines in which patctl names itself without a command to type. */
const NOT_TYPED =
  /\[options\]|^patctl (?:dev|ended with \d+|\d[\w.]*)$|\.\.\.|> |\)$|\bCLUSTER\b|OLD_SITE\.yml/;

/** Commands that name no cluster. */
const WITHOUT_CLUSTER = /--list|--write-expect|--while|completion|snapshot|\b(?:config|version)\b/;

/**
 * Every command in what a run printed is one that the program takes. One that the run was asked about by name has that
 * name, its group and the way to the DCS in it.
 */
export async function holdsCommands(args: readonly string[], printed: string): Promise<void> {
  if (args.some((word) => ['--help', 'help', 'completion', 'config'].includes(word))) return;
  const text = printed.replaceAll('\\n', '\n').replaceAll('\\"', '"');
  const typed = commandsIn(text).filter(({ line }) => !NOT_TYPED.test(line));
  for (const { line, words } of typed) {
    const refusal = await refusalOf(words);
    if (refusal !== null) throw wrong(args, line, refusal);
    const absent = wayOf(args).find((word) => !words.includes(word));
    if (absent !== undefined) throw wrong(args, line, `it has to have ${absent}`);
    if (WITHOUT_CLUSTER.test(line)) continue;
    if (args.includes('demo') && !words.includes('demo'))
      throw wrong(args, line, 'it names no cluster');
    const group = args.indexOf('--group');
    if (group !== -1 && !words.join(' ').includes(`--group ${args[group + 1]}`))
      throw wrong(args, line, 'it names no group');
  }
}

function wrong(args: readonly string[], line: string, why: string): Error {
  return new Error(`\`patctl ${args.join(' ')}\` printed \`${line}\`: ${why}`);
}

/** The options before the command that lead to the DCS. */
function wayOf(args: readonly string[]): string[] {
  const own = [
    '-c',
    '-d',
    '--rest',
    '--dcs-url',
    '--config-file',
    '--kube-context',
    '--kube-namespace',
  ];
  const [first = '', value = ''] = args;
  return own.includes(first) && !value.includes('@') ? [value] : [];
}

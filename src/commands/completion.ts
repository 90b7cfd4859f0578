/**
 * `patctl completion`: scripts for shells, and the words that they ask for, live names of clusters and members among
 * them.
 */
import { Argument, Command, type Option } from 'commander';
import type { Dcs } from '../dcs/dcs.js';
import type { Run } from '../cli/run-command.js';
import type { Env } from '../config/environment.js';
import type { Context, GlobalFlags } from '../context.js';
import { FILES, SCRIPTS, SHELLS, type Shell } from '../cli/completion-scripts.js';

/** The limit of one completion. */
const PATIENCE_MS = 800;

export function completionCommand(run: Run): Command {
  const command = new Command('completion')
    .description('Print the completion script of a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .argument('[words...]', 'the words typed so far, passed by the completion script')
    .action((shell: Shell, words: string[]) => {
      const at = wantedAt(command.parent ?? command, words.map(plainWord));
      const flags = (env: Env) => (words.length === 0 ? {} : typedFlags(at, env));
      return run(
        async (context) => {
          context.io.out(words.length === 0 ? SCRIPTS[shell] : await completions(context, at));
          return 'ok';
        },
        { flags },
      );
    });
  return command;
}

/** The clusters are where the global options that were typed say; Tab must be answered quickly. */
function typedFlags({ globals }: At, env: Env): Partial<GlobalFlags> {
  const configFile = globals['configFile']?.replace(/^~(?=\/)/, env['HOME'] ?? '');
  const dcsUrl = globals['dcsUrl'] ?? globals['dcs'];
  return {
    ...(configFile === undefined ? {} : { configFile }),
    ...(dcsUrl === undefined ? {} : { dcsUrl }),
    timeoutMs: PATIENCE_MS,
  };
}

async function completions(context: Context, { wanted, typed, before }: At): Promise<string> {
  if (wanted.kind === 'files') return `${FILES}\n`;
  // A name that a shell would split is useless as a completion.
  const found = (await candidates(context, wanted))
    .filter((word) => word.startsWith(typed) && /^[\w.:@%+,/=-]+$/.test(word))
    .map((word) => `${before}${word}\n`);
  return found.join('');
}

/** bash and zsh hand a word on as it was typed, with quotes and backslashes. */
function plainWord(word: string): string {
  return word.replace(/\\(.)|["']/g, '$1');
}

/** What can stand at the cursor. */
type Wanted =
  | { kind: 'words'; words: readonly string[] }
  | { kind: 'files' }
  | { kind: 'clusters' }
  | { kind: 'values'; of: () => Promise<readonly string[]> }
  | { kind: 'conditions'; cluster: string | null }
  | { kind: 'members'; cluster: string | null; orWords: readonly string[] };

interface At {
  wanted: Wanted;
  /** What is to be completed, and what stands before it in the same word: `--role=`. */
  typed: string;
  before: string;
  /** Global options that were typed; they tell where the names are. */
  globals: Record<string, string>;
}

/** What was typed after the command. */
interface Given {
  /** Its arguments. */
  words: string[];
  /** The value of --cluster, which some commands have in place of an argument. */
  cluster: string | null;
}

/** Pure: from the words before the cursor and the program's own description. */
export function wantedAt(root: Command, words: readonly string[]): At {
  const last = words.at(-1) ?? '';
  const globals: Record<string, string> = {};
  let command = root;
  const given: Given = { words: [], cluster: null };
  let pending: Option | undefined;
  const optionOf = (word: string): Option | undefined =>
    command.options.find(({ short, long }) => short === word || long === word);
  const take = (option: Option, value: string): void => {
    if (command === root) globals[option.attributeName()] = value;
    else if (option.long === '--cluster') given.cluster = value;
  };
  let more: Option | undefined;
  for (const word of words.slice(0, -1)) {
    const [, name, value] = WITH_VALUE.exec(word) ?? [];
    if (word.startsWith('-')) more = undefined;
    if (pending) {
      take(pending, word);
      // Commander gives `--only A B` both words.
      more = pending.variadic ? pending : undefined;
      pending = undefined;
    } else if (more) {
      continue;
    } else if (name !== undefined && value !== undefined) {
      const option = optionOf(name);
      if (option) take(option, value);
    } else if (/^-[^-]/.test(word)) {
      const { option, value: attached } = inCluster(word, optionOf);
      if (option && attached !== '') take(option, attached);
      else pending = option;
    } else if (word.startsWith('--')) {
      const option = optionOf(word);
      if (option?.required) pending = option;
    } else {
      const below = command.commands.find((one) => one.name() === word);
      if (below && given.words.length === 0) command = below;
      else given.words.push(word);
    }
  }
  if (!last.startsWith('-')) pending ??= more;
  if (pending)
    return { wanted: valueOf(pending, command, given), typed: last, before: '', globals };
  const [, name = '', value] = WITH_VALUE.exec(last) ?? [];
  const option = value === undefined ? undefined : optionOf(name);
  if (option && value !== undefined) {
    return { wanted: valueOf(option, command, given), typed: value, before: `${name}=`, globals };
  }
  return { wanted: wordAt(command, last, given), typed: last, before: '', globals };
}

/** Short options in one word: -kc and -cFILE. The first that takes a value takes what is left of the word. */
function inCluster(
  word: string,
  optionOf: (word: string) => Option | undefined,
): { option: Option | undefined; value: string } {
  for (let at = 1; at < word.length; at++) {
    const option = optionOf(`-${word.charAt(at)}`);
    if (option?.required) return { option, value: word.slice(at + 1) };
  }
  return { option: undefined, value: '' };
}

const WITH_VALUE = /^(--[^=]+)=(.*)$/;

const MEMBER_OPTIONS = [
  '--member',
  '--candidate',
  '--leader',
  '--primary',
  '--avoid',
  '--lose',
  '--confirm-leader',
];

/** Words that an option takes and does not list itself. */
const OPTION_WORDS: Record<string, () => Promise<readonly string[]>> = {
  '--explain': findingCodes,
  '--only': findingCodes,
  '--ignore': findingCodes,
  '--warn': findingCodes,
  '--critical': findingCodes,
  '--skip-check': async () => (await import('../cluster/preflight/plan.js')).CHECK_NAMES,
};

/** Conditions of `wait` behind which a member stands. */
const OF_MEMBERS = ['leader=', 'caught-up=', 'gone='];

async function findingCodes(): Promise<readonly string[]> {
  const { CATALOGUE } = await import('../cluster/findings/catalogue.js');
  return CATALOGUE.map(({ code }) => code);
}

const CLUSTER_OPTIONS = ['--confirm-name', '--cluster'];

function valueOf(option: Option, command: Command, given: Given): Wanted {
  if (option.argChoices) return { kind: 'words', words: option.argChoices };
  const long = option.long ?? '';
  if (option.flags.includes('<file>')) return { kind: 'files' };
  if (long === '--candidate') return membersOf(command, given, ['auto']);
  if (MEMBER_OPTIONS.includes(long)) return membersOf(command, given);
  if (long === '--for') return { kind: 'conditions', cluster: clusterIn(command, given) };
  const words = OPTION_WORDS[long];
  if (words) return { kind: 'values', of: words };
  if (CLUSTER_OPTIONS.includes(long)) return { kind: 'clusters' };
  return { kind: 'words', words: [] };
}

function wordAt(command: Command, typed: string, given: Given): Wanted {
  if (typed.startsWith('-')) {
    const shown = command.options.filter(({ hidden }) => !hidden);
    return { kind: 'words', words: [...shown.flatMap(({ long }) => long ?? []), '--help'] };
  }
  if (command.commands.length > 0) {
    const names = command.commands.map((one) => one.name());
    const isFirst = given.words.length === 0 && command.parent === null;
    return { kind: 'words', words: isFirst ? [...names, 'help'] : names };
  }
  const known = command.registeredArguments;
  const last = known.at(-1);
  const argument = known[given.words.length] ?? (last?.variadic ? last : undefined);
  const name = argument?.name() ?? '';
  if (name.startsWith('cluster')) return { kind: 'clusters' };
  // flush CLUSTER [MEMBERS…] restart|switchover
  const either = command.name() === 'flush' ? ['restart', 'switchover'] : [];
  if (name.startsWith('member')) return membersOf(command, given, either);
  return { kind: 'words', words: argument?.argChoices ?? [] };
}

function membersOf(command: Command, given: Given, orWords: readonly string[] = []): Wanted {
  return { kind: 'members', cluster: clusterIn(command, given), orWords };
}

/** The cluster that has been typed; null: the configured one. */
function clusterIn(command: Command, given: Given): string | null {
  const at = command.registeredArguments.findIndex((one) => one.name().startsWith('cluster'));
  return given.cluster ?? (at < 0 ? null : (given.words[at] ?? null));
}

/** Silent when nothing answers: an error would only stand in the line that is being typed. */
async function candidates(context: Context, wanted: Wanted): Promise<readonly string[]> {
  switch (wanted.kind) {
    case 'words':
      return wanted.words;
    case 'files':
      return [];
    case 'clusters':
      return (await live(context, (dcs) => dcs.scopes())) ?? [];
    case 'values':
      return wanted.of();
    case 'conditions': {
      const { CONDITION_WORDS } = await import('../cluster/conditions.js');
      const names = await memberNames(context, wanted.cluster);
      return [
        ...CONDITION_WORDS,
        ...OF_MEMBERS.flatMap((word) => names.map((name) => `${word}${name}`)),
      ];
    }
    case 'members':
      return [...(await memberNames(context, wanted.cluster)), ...wanted.orWords];
  }
}

async function memberNames(context: Context, cluster: string | null): Promise<string[]> {
  const names = await live(context, async (dcs) => {
    const scope = cluster ?? (await context.config()).scope;
    if (scope === null) return [];
    const clusters = await dcs.read({ scope, group: null });
    return clusters.flatMap(({ members }) => members.map(({ name }) => name));
  });
  return names ?? [];
}

/** What the DCS says; null: it does not answer. */
async function live<T>(context: Context, ask: (dcs: Dcs) => Promise<T>): Promise<T | null> {
  try {
    return await ask(await context.dcs());
  } catch {
    return null;
  }
}

/** `patctl completion`: scripts for shells, and the words that they ask for, live names of clusters and members among them. */
import { Argument, Command, type Option } from 'commander';
import { clusterNames, clusterPrefix, parseFleet } from '../cluster/parse.js';
import type { Finish } from '../program.js';
import type { Tool } from '../tool.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** Nobody waits longer for a Tab. */
const PATIENCE_MS = 1000;

export function completionCommand(tool: Tool, finish: Finish): Command {
  const command = new Command('completion')
    .description('Print the completion script of a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .argument('[words...]', 'what the script asks with: the words typed so far')
    .action(async (shell: Shell, words: string[]) => {
      if (words.length === 0) tool.io.out(SCRIPTS[shell]);
      else await complete(tool, command.parent ?? command, words);
      finish('ok');
    });
  return command;
}

async function complete(tool: Tool, root: Command, words: string[]): Promise<void> {
  const typed = words.at(-1) ?? '';
  const { wanted, globals } = wantedAt(root, words);
  const { flags } = tool;
  Object.assign(flags, { configFile: globals['configFile'] ?? flags.configFile });
  Object.assign(flags, { dcsUrl: globals['dcsUrl'] ?? globals['dcs'] ?? flags.dcsUrl });
  flags.timeoutMs = PATIENCE_MS;
  // A name that a shell would take to pieces is no use as a completion.
  const found = (await candidates(tool, wanted))
    .filter((word) => word.startsWith(typed) && /^[\w.:@%+,/-]+$/.test(word))
    .map((word) => `${word}\n`);
  tool.io.out(found.join(''));
}

/** What can stand at the cursor. */
type Wanted =
  | { kind: 'words'; words: readonly string[] }
  | { kind: 'clusters' }
  | { kind: 'members'; cluster: string | null };

interface At {
  wanted: Wanted;
  /** Global options that were typed; they tell where the names are. */
  globals: Record<string, string>;
}

/** Pure: from the words before the cursor and the program's own description. */
export function wantedAt(root: Command, words: readonly string[]): At {
  const before = words.slice(0, -1);
  const typed = words.at(-1) ?? '';
  const globals: Record<string, string> = {};
  let command = root;
  let given: string[] = [];
  let pending: Option | undefined;
  for (const word of before) {
    if (pending) {
      if (command === root) globals[pending.attributeName()] = word;
      pending = undefined;
    } else if (word.startsWith('-') && word !== '-') {
      const option = command.options.find(({ short, long }) => short === word || long === word);
      if (option?.required) pending = option;
    } else {
      const below = command.commands.find((one) => one.name() === word);
      if (below && given.length === 0) [command, given] = [below, []];
      else given = [...given, word];
    }
  }
  const wanted = pending ? valueOf(pending, command, given) : wordAt(command, typed, given);
  return { wanted, globals };
}

const MEMBER_OPTIONS = [
  '--member',
  '--candidate',
  '--leader',
  '--primary',
  '--avoid',
  '--confirm-leader',
];
const CLUSTER_OPTIONS = ['--confirm-name', '--cluster'];

function valueOf(option: Option, command: Command, given: readonly string[]): Wanted {
  if (option.argChoices) return { kind: 'words', words: option.argChoices };
  const long = option.long ?? '';
  if (MEMBER_OPTIONS.includes(long)) return { kind: 'members', cluster: clusterIn(command, given) };
  if (CLUSTER_OPTIONS.includes(long)) return { kind: 'clusters' };
  return { kind: 'words', words: [] };
}

function wordAt(command: Command, typed: string, given: readonly string[]): Wanted {
  if (typed.startsWith('-')) {
    const shown = command.options.filter(({ hidden }) => !hidden);
    return { kind: 'words', words: [...shown.flatMap(({ long }) => long ?? []), '--help'] };
  }
  if (command.commands.length > 0) {
    return { kind: 'words', words: command.commands.map((one) => one.name()) };
  }
  const known = command.registeredArguments;
  const last = known.at(-1);
  const argument = known[given.length] ?? (last?.variadic ? last : undefined);
  const name = argument?.name() ?? '';
  if (name.startsWith('cluster')) return { kind: 'clusters' };
  if (name.startsWith('member')) return { kind: 'members', cluster: clusterIn(command, given) };
  return { kind: 'words', words: argument?.argChoices ?? [] };
}

/** The cluster that has been typed; null: the configured one. */
function clusterIn(command: Command, given: readonly string[]): string | null {
  const at = command.registeredArguments.findIndex((one) => one.name().startsWith('cluster'));
  return at < 0 ? null : (given[at] ?? null);
}

/** Silent when nothing answers: an error would only stand in the line that is being typed. */
async function candidates(tool: Tool, wanted: Wanted): Promise<readonly string[]> {
  if (wanted.kind === 'words') return wanted.words;
  try {
    const { namespace, scope } = await tool.config();
    const dcs = await tool.dcs();
    if (wanted.kind === 'clusters') {
      return clusterNames(await dcs.range(clusterPrefix(namespace, '', null)), namespace);
    }
    const cluster = wanted.cluster ?? scope;
    if (cluster === null) return [];
    const read = await dcs.range(clusterPrefix(namespace, cluster, null));
    return parseFleet(read, namespace).flatMap(({ members }) => members.map(({ name }) => name));
  } catch {
    return [];
  }
}

const SCRIPTS: Record<Shell, string> = {
  bash: `# bash completion of patctl: source <(patctl completion bash)
_patctl() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <("$1" completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _patctl patctl
`,
  zsh: `#compdef patctl
# zsh completion of patctl: patctl completion zsh > a file _patctl in $fpath, or source it
_patctl() {
  local -a found
  found=(\${(f)"$(patctl completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
if [[ \${funcstack[1]} == _patctl ]]; then _patctl "$@"; else compdef _patctl patctl; fi
`,
  fish: `# fish completion of patctl: patctl completion fish > ~/.config/fish/completions/patctl.fish
function __patctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    patctl completion fish -- $words[2..-1] "$current" 2>/dev/null
end
complete -c patctl -a '(__patctl_complete)'
`,
};

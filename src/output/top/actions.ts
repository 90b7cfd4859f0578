/** Which command of patctl a key of `top` opens, as its command line. Pure. */
import type { StatusDocument, StatusMember } from '../../cluster/documents/status-document.js';
import { shellWord } from '../../cluster/model/command-line.js';
import type { Key } from './keys.js';

export interface OpenedCommand {
  /** What it is for, as a sentence. */
  readonly title: string;
  /** The words behind `patctl`: `['switchover', 'demo', '--candidate', 'pg2']`; null: it cannot be opened now. */
  readonly args: readonly string[] | null;
  /** The whole line, to be copied into a runbook; why there is none, where `args` is null. */
  readonly line: string;
  /** The namespace of Kubernetes that it is for; absent: the one that is configured. */
  readonly place?: string | undefined;
}

/** The keys that change something, with a word for the last line of the screen. */
export const ACTING_KEYS: readonly (readonly [Key, string])[] = [
  ['s', 'switchover'],
  ['f', 'failover'],
  ['r', 'restart'],
  ['R', 'reinit'],
  ['p', 'pause'],
  ['e', 'config'],
];

/** What the key opens for this cluster and the member at the pointer; null: it is not such a key. */
export function actionOf(
  key: Key,
  document: StatusDocument,
  member: StatusMember | null,
  command: string,
): OpenedCommand | null {
  const { cluster, group } = document;
  const name = member === null || member.departed ? null : member.name;
  const isLeader = name !== null && name === document.leader.name;
  const candidate = name === null || isLeader ? [] : ['--candidate', name];
  const to = name === null || isLeader ? '' : ` to ${name}`;
  const open = (
    title: string,
    verb: string,
    options: readonly string[],
    names: readonly string[] = [],
  ): OpenedCommand => {
    const args = argsOf(
      verb,
      [...(group === null ? [] : ['--group', String(group)]), ...options],
      [cluster, ...names],
    );
    return { title, args, line: [command, ...args.map(shellWord)].join(' ') };
  };
  const closed = (title: string, why: string): OpenedCommand => ({ title, args: null, line: why });
  switch (key) {
    case 's':
      return open(`Switch over ${cluster}${to}`, 'switchover', candidate);
    case 'f':
      return open(`Fail over ${cluster}${to}`, 'failover', candidate);
    case 'r':
      if (name === null) return closed('Restart a member', 'choose a member that is in the DCS');
      return open(`Restart PostgreSQL on ${name}`, 'restart', ['--wait'], [name]);
    case 'R':
      if (name === null)
        return closed('Reinitialize a member', 'choose a member that is in the DCS');
      if (isLeader)
        return closed(
          `Reinitialize ${name}`,
          `${name} holds the leader key: only replicas can be reinitialized`,
        );
      return open(
        `Reinitialize ${name}: delete its data and copy it again`,
        'reinit',
        ['--wait'],
        [name],
      );
    case 'p':
      if (document.mode.paused === null)
        return closed(
          `Pause ${cluster}`,
          '/config cannot be read: whether the cluster is paused is unknown',
        );
      return document.mode.paused
        ? open(`Resume auto failover of ${cluster}`, 'resume', ['--wait'])
        : open(`Disable auto failover of ${cluster}`, 'pause', ['--wait']);
    case 'e':
      return open(`Edit the dynamic configuration of ${cluster}`, 'edit-config', ['--wait']);
    default:
      return null;
  }
}

/** `VERB NAMES OPTIONS`; names that look like an option stand behind `--`, because they come from outside. */
function argsOf(verb: string, options: readonly string[], names: readonly string[]): string[] {
  const joined = joinedValues(options);
  return names.some((name) => name.startsWith('-'))
    ? [verb, ...joined, '--', ...names]
    : [verb, ...names, ...joined];
}

/** `--candidate=-x` where the value looks like an option. */
function joinedValues(options: readonly string[]): string[] {
  const words: string[] = [];
  for (const word of options) {
    const before = words.at(-1);
    if (word.startsWith('-') && before === '--candidate')
      words[words.length - 1] = `${before}=${word}`;
    else words.push(word);
  }
  return words;
}

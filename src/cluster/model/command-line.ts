/** Commands of patctl inside a sentence, to be copied: whole, with the cluster, quoted for a shell. */
import type { Cluster } from './model.js';

/** The word as a shell takes it: quoted where it holds anything but letters, digits and _ @ % + = : , . / - */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The cluster as a command to be typed names it. */
export function argumentOf({ scope, group }: Pick<Cluster, 'scope' | 'group'>): string {
  return group === null ? shellWord(scope) : `${shellWord(scope)} --group ${group}`;
}

/**
 * `patctl VERB CLUSTER [--group N] WORDS`. In a sentence it stands behind a colon or at the start, and a semicolon
 * or the end of the sentence ends it.
 */
export function commandLine(
  cluster: Pick<Cluster, 'scope' | 'group'>,
  verb: string,
  ...words: string[]
): string {
  return ['patctl', verb, argumentOf(cluster), ...words.map(shellWord)].join(' ');
}

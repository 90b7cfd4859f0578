/** Whether a command can be split into words as Python's shlex does it, which Patroni runs its commands through. */

/** null if it can be; otherwise what is wrong with it. */
export function shellProblem(text: string): string | null {
  const left = text.replace(/\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"/g, '');
  if (left.includes('\\')) return 'ends with a backslash';
  return /['"]/.test(left) ? 'has a quote that is not closed' : null;
}

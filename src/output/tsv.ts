/** Tab-separated values as patronictl writes them: a header, nothing quoted. */

/** Lines of cells, each with its line feed. */
export function tsv(lines: readonly (readonly string[])[]): string {
  return lines.map((cells) => `${cells.join('\t')}\n`).join('');
}

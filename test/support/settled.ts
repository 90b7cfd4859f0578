/**
 * What two looks at one cluster have in common: without positions, lags and timelines, the width they
 * give a table, the time of day, colours, and how often a waiting command has looked.
 */
export function settledLines(text: string): string[] {
  const lines = text
    .replace(/\x1b\[[\d;?]*[A-Za-z]/g, '')
    .replace(/\(e\.g\. \d{4}-\d\d-\d\dT\d\d:\d\d ?\)/g, '(e.g. NEXT HOUR)')
    .split('\n')
    .map((line) => {
      if (line.startsWith('+ ')) return line.replace(/\).*/, ')');
      if (line.startsWith('+')) return line.replace(/-+/g, '-');
      if (!line.startsWith('|')) return line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*/, 'TIME');
      const cells = line.split('|').map((cell) => cell.trim());
      return cells.map((cell) => cell.replace(/^([\dA-F]+\/[\dA-F]+|\d+)$/, 'N')).join('|');
    });
  return lines.filter((line) => !/^TIME cluster is unlocked: \w+, leader role: /.test(line));
}

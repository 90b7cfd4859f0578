/** The known word that is meant by a misspelt one. */

/**
 * The known word that a typing error turned into this one; null when none is. Of a dotted name only the last word
 * counts, and the first of equally near names is taken.
 */
export function nearest(word: string, known: readonly string[]): string | null {
  const limit = word.length < 5 ? 1 : word.length < 12 ? 2 : 3;
  let best: string | null = null;
  let least = limit + 1;
  for (const candidate of known) {
    const last = candidate.slice(candidate.lastIndexOf('.') + 1);
    if (Math.abs(last.length - word.length) >= least) continue;
    const distance = editDistance(word.toLowerCase(), last);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters to insert, delete, replace or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  let [previous, row]: [number[], number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, i) => i),
  ];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, (previous[j - 2] ?? 0) + 1);
      next.push(least);
    }
    [previous, row] = [row, next];
  }
  return row[b.length] ?? 0;
}

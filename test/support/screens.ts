/** What patctl and the real patronictl show on a terminal, made comparable. */
import type { Lab } from './lab/cluster.js';
import { PATCTL } from './run.js';

export const theirs = (lab: Lab, args: string[]) => [lab.patronictl, '-c', lab.config, ...args];
export const ours = (lab: Lab, args: string[]) => [
  ...[...PATCTL, '-c', lab.config, '--compat'],
  ...args,
];

const STAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{5} (?=Success|Switch|Fail)/m;

/** The text without what no two runs have in common: times, WAL positions, timelines, lags. */
export function timeless(text: string): string {
  return text
    .replace(STAMP, 'STAMP ')
    .replace(/\(e\.g\. \d{4}-\d\d-\d\dT\d\d:\d\d \)/, '(e.g. NEXT HOUR )')
    .replace(/[0-9A-F]+\/[0-9A-F]+ \|/g, (lsn) => `${'x'.repeat(lsn.length - 2)} |`)
    .replace(/\| +\d+ \|/g, (cell) => cell.replace(/\d/g, 'n'));
}

/** The last table is of a cluster in motion: two runs share only the members and the leader. */
export function finished(text: string): string {
  const at = text.indexOf('STAMP ');
  const tail = text.slice(at).split('\n');
  const rows = tail.slice(1).flatMap((line) => {
    const [, member = '', host = '', role = ''] = line.split('|').map((cell) => cell.trim());
    return member.startsWith('pg')
      ? [`${member} ${host}${role.endsWith('Leader') ? ' leads' : ''}`]
      : [];
  });
  return [text.slice(0, at) + (tail[0] ?? ''), ...rows].join('\n');
}

/** What the same would look like with one member in the place of another: rows stay sorted by name. */
export function mirrored(lab: Lab, text: string, a = 'pg1', b = 'pg2'): string {
  const one = [a, String(lab.member(a).port)];
  const two = [b, String(lab.member(b).port)];
  const swap = new Map(
    [0, 1].flatMap(
      (i) =>
        [
          [one[i] ?? '', two[i] ?? ''],
          [two[i] ?? '', one[i] ?? ''],
        ] as [string, string][],
    ),
  );
  const words = new RegExp([...swap.keys()].join('|'), 'g');
  const swapped = text
    .replace(words, (word) => swap.get(word) ?? word)
    .replace(/\['.*'\]/g, (list) => `[${list.slice(1, -1).split(', ').sort().join(', ')}]`)
    .split('\n');
  const isRow = (line: string) => /^(\| )?pg\d /.test(line);
  return swapped
    .flatMap((line, i) => {
      if (!isRow(line)) return [line];
      if (isRow(swapped[i - 1] ?? '')) return [];
      const rest = swapped.slice(i);
      const end = rest.findIndex((one) => !isRow(one));
      return rest.slice(0, end < 0 ? undefined : end).sort();
    })
    .join('\n');
}

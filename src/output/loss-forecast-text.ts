/** What a loss of members would do, for people. */
import type { LossForecastDocument } from '../cluster/documents/loss-forecast-document.js';
import { plural } from '../cluster/model/words.js';
import type { LossStep } from '../cluster/votes/loss-model.js';
import { grid } from './grid.js';
import { oneLine } from './text.js';

export async function lossForecastText(document: LossForecastDocument): Promise<string> {
  const { cluster, group, lost, choices, writes, writesBecause, heirs, steps } = document;
  const chosen = choices === null ? '' : ` (the worst of ${plural(choices, 'choice')})`;
  const heads = [
    `Cluster  ${cluster}${group === null ? '' : ` group ${group}`}`,
    `Lost     ${lost.join(', ') || 'no member'}${chosen}`,
    `Leader   ${leaderWords(document)}`,
    `Writes   ${WRITES[writes]}: ${writesBecause}`,
    `Commits  ${commitWords(document)}`,
  ];
  const rows = heirs.map(({ name, mayWin, counted, needed, reasons }) => [
    name,
    mayWin,
    needed === 0 ? '-' : `${counted} of ${needed}`,
    reasons.join('; '),
  ]);
  return [
    lines(heads),
    heirs.length === 0 ? '' : lines(['', 'In the race for the lock']),
    heirs.length === 0 ? '' : await grid(['Member', 'Can win', 'Votes', 'Why'], rows),
    steps.length === 0 ? '' : lines(['', 'What Patroni does']),
    steps.length === 0
      ? ''
      : await grid(
          ['After', 'Where', 'What'],
          steps.map((step) => [timeWords(step), step.where, step.what]),
        ),
  ].join('');
}

const WRITES: Record<LossForecastDocument['writes'], string> = {
  continue: 'go on',
  pause: 'wait for a moment',
  wait: 'wait',
  stop: 'stop',
  none: 'none',
  unknown: 'unknown',
};

function leaderWords({ leader, leaderLost, leadership, heirs }: LossForecastDocument): string {
  const before = leader ?? 'no member';
  if (leadership === 'stays') return `${before} stays`;
  const lost =
    leader === null ? 'no member holds the lock' : leaderLost ? `${before} is lost` : before;
  if (leadership === 'none') return `${lost}, and no member takes over`;
  if (leadership === 'unknown') return `${lost}; it is unknown whether a member takes over`;
  const winners = heirs.filter(({ mayWin }) => mayWin !== 'no').map(({ name }) => name);
  return `${lost}; ${winners.join(' or ')} takes over`;
}

function commitWords({ dataLoss }: LossForecastDocument): string {
  const { verdict, words, because } = dataLoss;
  return verdict === 'unknown' ? `data loss is ${words}` : `${words}: ${because}`;
}

function timeWords({ fromSeconds, toSeconds }: LossStep): string {
  if (toSeconds === null) return fromSeconds === 0 ? 'at once' : `from ${fromSeconds} s`;
  return fromSeconds === toSeconds ? `${toSeconds} s` : `${fromSeconds} to ${toSeconds} s`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${oneLine(text)}\n`).join('');
}

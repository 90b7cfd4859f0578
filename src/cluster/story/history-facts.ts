/** Facts from /history, which every DCS has: one a timeline that ended. */
import { formatLsn } from '../model/lsn.js';
import type { HistoryLine } from '../model/model.js';
import type { StoryFact } from './story-model.js';

export function historyFacts(lines: readonly HistoryLine[]): StoryFact[] {
  return lines.map(({ timeline, lsn, timestamp, newLeader, reason }) => {
    const who = newLeader === null ? '' : `, ${newLeader} leads`;
    const isUsual = reason === '' || reason === 'no recovery target specified';
    const why = isUsual ? '' : ` (${reason})`;
    const ms = Date.parse(timestamp ?? '');
    return {
      at: Number.isNaN(ms) ? null : new Date(ms).toISOString(),
      revision: null,
      source: 'history',
      member: newLeader,
      what: 'history_written',
      message: `timeline ${timeline} ended at ${formatLsn(lsn)}; timeline ${timeline + 1} began${who}${why}`,
      sure: 'said',
      data: { timeline, lsn, timestamp },
    };
  });
}

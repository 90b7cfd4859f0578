/** Why a leader changed, in words, as far as it can be known. */
import type { FailoverKey, HistoryLine } from '../model/model.js';

/** How the leader lock changed hands: what /failover had when it was let go, and when it was taken. */
export interface PastLeaderChange {
  /** The timeline that ended, as the line of /history has it. */
  timeline: number;
  from: string | null;
  to: string;
  atRelease: FailoverKey | null;
  atTaking: FailoverKey | null;
}

export const NOT_KNOWN = 'not known';

/**
 * `switchover from pg1 to pg2`, `manual failover to pg2`, `pg1 lost the lock`. A request that does not fit what
 * happened (another leader, another candidate, a later time) explains nothing.
 */
export function causeOf(line: HistoryLine, changes: readonly PastLeaderChange[]): string {
  const change = changes.find(({ timeline }) => timeline === line.timeline);
  if (!change?.from) return NOT_KNOWN;
  const requests = [change.atRelease, change.atTaking].filter((one) => one !== null);
  const due = requests.filter((one) => !isLater(one, line.timestamp));
  const [request] = due;
  if (!request) {
    const isSame = change.from === change.to;
    return isSame
      ? `${change.from} lost the lock and took it again`
      : `${change.from} lost the lock`;
  }
  const { leader, candidate, scheduledAt } = request;
  if (candidate !== null && candidate !== change.to) return NOT_KNOWN;
  if (leader === null) return candidate === null ? NOT_KNOWN : `manual failover to ${candidate}`;
  if (leader !== change.from) return NOT_KNOWN;
  const when = scheduledAt === null ? '' : `, scheduled for ${scheduledAt}`;
  return `switchover from ${leader}${candidate === null ? '' : ` to ${candidate}`}${when}`;
}

/** Scheduled for a time that had not come; one that cannot be compared is taken for due. */
function isLater({ scheduledAt }: FailoverKey, timestamp: string | null): boolean {
  if (scheduledAt === null || timestamp === null) return false;
  return Date.parse(scheduledAt) > Date.parse(timestamp);
}

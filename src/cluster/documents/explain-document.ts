/** `patctl explain -f json`: why a cluster changed its leader. */
import { formatLsn } from '../model/lsn.js';
import type {
  CauseCode,
  FactCode,
  LeaderStory,
  SourceRead,
  StoryFact,
  StorySource,
  Sure,
} from '../story/story-model.js';

export interface ExplainDocument {
  schemaVersion: 1;
  /** null: no source names it. */
  cluster: string | null;
  group: number | null;
  sources: SourceRead[];
  /** Changes of leader that the sources know in all. */
  known: number;
  /** Oldest first; empty when nothing of what was asked for is known. */
  stories: StoryDocument[];
}

export interface StoryDocument {
  /** The timeline that ended, as in `patctl history`; null: none, or not known. */
  timeline: number | null;
  from: string | null;
  to: string | null;
  /** ISO 8601 UTC; null: no source has a time. */
  at: string | null;
  verdict: {
    /** null: the sources do not settle it. */
    cause: CauseCode | null;
    /** The causes that are left then, the likelier first. */
    fits: CauseCode[];
    sure: Sure | null;
    message: string;
    missing: string | null;
    next: string[];
  };
  /** How long no member accepted writes, ms; null: not bounded by what is known. */
  writes: {
    atLeastMs: number | null;
    atMostMs: number | null;
    lastWrite: { from: string | null; to: string | null };
    firstWrite: { from: string | null; to: string | null };
    /** The old leader may have gone on accepting writes: those are not in the new timeline. */
    oldLeaderWentOn: boolean;
  };
  /** What may have been lost; null: no timeline ended. Positions as PostgreSQL writes them. */
  loss: {
    newTimelineStart: string | null;
    lastKnown: string | null;
    lastKnownSource: StorySource | null;
    /** At least so many bytes of WAL of the old leader are not in the new timeline; null: not known. */
    lostBytes: number | null;
    message: string;
  } | null;
  lines: LineDocument[];
}

export interface LineDocument {
  at: string | null;
  /** Said again until then, so often in all. */
  until: string | null;
  times: number;
  revision: string | null;
  source: StorySource;
  member: string | null;
  code: FactCode;
  sure: Sure;
  message: string;
}

export function storyDocument({ verdict, loss, lines, ...story }: LeaderStory): StoryDocument {
  const { advice, ...rest } = verdict;
  return {
    ...story,
    verdict: { ...rest, next: advice },
    loss: loss && {
      ...loss,
      newTimelineStart: loss.newTimelineStart === null ? null : formatLsn(loss.newTimelineStart),
      lastKnown: loss.lastKnown === null ? null : formatLsn(loss.lastKnown),
    },
    lines: lines.map(lineDocument),
  };
}

function lineDocument({
  at,
  until,
  times,
  revision,
  source,
  member,
  what,
  sure,
  message,
}: StoryFact): LineDocument {
  return {
    at,
    until: until ?? null,
    times: times ?? 1,
    revision,
    source,
    member,
    code: what,
    sure,
    message,
  };
}

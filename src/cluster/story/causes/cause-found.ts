/** What a rule finds of why a leader's term ended, and the words that several rules use. */
import type { StoryEvidence } from '../story-evidence.js';
import type { CauseCode, StoryFact, Sure } from '../story-model.js';

export interface CauseFound {
  fits: CauseCode[];
  sure: Sure;
  message: string;
  missing?: string;
}

export type CauseRule = (evidence: StoryEvidence) => CauseFound | null;

export const MISSING_ALL = 'the logs of Patroni and PostgreSQL of the old leader';

export const oldLeader = ({ change }: StoryEvidence): string => change.from ?? 'the old leader';

export const saidCause = (cause: CauseCode, message: string): CauseFound => ({
  fits: [cause],
  sure: 'said',
  message,
});

export const seenCause = (cause: CauseCode, message: string): CauseFound => ({
  fits: [cause],
  sure: 'seen',
  message,
});

export const isPostgres = ({ data }: StoryFact): boolean =>
  /^post(?:gres|master)/.test(data?.mode ?? '');

export const wholeSeconds = (ms: number | undefined): string =>
  `${((ms ?? 0) / 1000).toFixed(0)} s`;

/** The least ttl is 20 s, and the lock may have been renewed up to a loop before: no lock ends in less with its lease. */
export const SHORTEST_LOSS_MS = 8_000;

/** PostgreSQL of the leader ended, and Patroni gave up the lock. */
export const POSTGRES_LOST = ['postgres_crashed', 'disk_full', 'out_of_memory'] as const;

/** A running leader's key is gone, and its lease has not ended. */
export const deletedKey = (name: string): CauseFound => ({
  fits: ['key_deleted', ...POSTGRES_LOST, 'patroni_stopped', 'watchdog'],
  sure: 'inferred',
  message: `The leader key of ${name} was deleted, and not by its lease: by Patroni there, or manually.`,
  missing: MISSING_ALL,
});

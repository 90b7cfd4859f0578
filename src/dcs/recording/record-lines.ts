/**
 * The lines of what `patctl record` writes: one JSON object a line, in the order in which it was seen. The first line
 * of each run and of each file is `start`, then for every cluster one `snapshot`; afterwards only what changed. A run
 * that was ended properly ends with `end`. WAL positions are `{"$lsn": "0/5000060"}`, as in a snapshot.
 */
import type { ClusterEvent } from '../../cluster/events/event-model.js';
import type { Snapshot } from '../../cluster/model/model.js';

/** One step of JSON Patch (RFC 6902). */
export type Change =
  { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string };

interface Line {
  /** By the clock of the machine that records, ISO 8601 UTC. */
  at: string;
}

export interface OfCluster extends Line {
  scope: string;
  group: number | null;
}

export interface StartLine extends Line {
  kind: 'start';
  schemaVersion: 1;
  /** Version that wrote it. */
  patctl: string;
  intervalMs: number;
  /** The file before this one ended here because of its size. */
  rotated: boolean;
}

export interface SnapshotLine extends OfCluster {
  kind: 'snapshot';
  /** Without secrets; `previous` is null. */
  snapshot: Snapshot;
}

/** What is different in the snapshot since the line before of the same cluster. */
export interface ChangeLine extends OfCluster {
  kind: 'change';
  changes: Change[];
}

export interface EventLine extends OfCluster {
  kind: 'event';
  event: ClusterEvent;
}

export interface EndLine extends Line {
  kind: 'end';
  reason: string;
}

export type RecordLine = StartLine | SnapshotLine | ChangeLine | EventLine | EndLine;

/** Not a line of the file: what is missing there, found while it is read. */
export interface Gap extends Line {
  kind: 'gap';
  /** Why something is missing after `at`, as a clause. */
  reason: string;
}

/**
 * A recording read line by line: each snapshot put together again from the changes, and never changed afterwards;
 * `previous` is the one before it of the same cluster, whose own is null.
 */
export type Recorded =
  (OfCluster & { kind: 'snapshot'; snapshot: Snapshot }) | EventLine | StartLine | EndLine | Gap;

/** At rest each cluster has a line so often: a recording without one for longer has stopped. */
export const ALIVE_MS = 60_000;

/** The first line of every file begins with it. */
export const RECORD_BEGINS = '{"kind":"start"';

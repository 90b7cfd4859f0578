/** Follows clusters and writes what they show, to a file or to stdout, until it is ended. Changes nothing in them. */
import { setMaxListeners } from 'node:events';
import type { Cluster } from '../cluster/model/model.js';
import type { Context } from '../context.js';
import type { ClusterName } from '../dcs/dcs.js';
import { keepRecord, type RecordKeeper } from '../dcs/recording/keep-record.js';
import {
  openRecordWriter,
  type RecordWriter,
  type WriterLimits,
} from '../dcs/recording/record-writer.js';
import { errorMessage, ToolError } from '../errors.js';
import { oneLine } from '../output/text.js';
import { followCluster, type ClusterReading } from './follow-cluster.js';
import type { SnapshotRequest } from './read-snapshot.js';
import { noClusterAtAll } from './unknown-cluster.js';

export interface RecordRequest {
  /** null: every cluster of the namespace, also those that come later. */
  clusters: ClusterName[] | null;
  asked: Omit<SnapshotRequest, 'scope' | 'group'>;
  intervalMs: number;
  /** null: until a signal. */
  forMs: number | null;
  /** null: stdout. */
  file: string | null;
  limits: WriterLimits;
}

/**
 * Returns once it was ended: by the time that was given, a signal, or because the reader of stdout is gone. ToolError
 * `error` (not_written) when the file cannot be written at the beginning or was not written whole at the end,
 * (unknown_cluster) when the DCS does not have a cluster.
 */
export async function recordClusters(context: Context, request: RecordRequest): Promise<void> {
  const ending = waitForEnd(context, request.forMs);
  try {
    const sink = await openSink(context, request);
    try {
      const { clusters } = request;
      const all =
        clusters === null
          ? [recordAll(context, request, sink, ending)]
          : (await groupsOf(context, { ...request, clusters }, sink, ending.signal)).map((name) =>
              recordOne(context, request, name, sink, ending),
            );
      const failed = (await Promise.allSettled(all)).find(({ status }) => status === 'rejected');
      await sink.end(ending.reason());
      if (failed?.status === 'rejected') throw failed.reason;
    } finally {
      ending.stop();
      await sink.close();
    }
  } finally {
    ending.stop();
  }
}

// ---------------------------------------------------------------- when it ends

interface EndOfRecord {
  signal: AbortSignal;
  /** Why it ended, as a noun. */
  reason(): string;
  /** Ends it because of an error. */
  fail(message: string): void;
  /** Ends everything that is still under way. Idempotent. */
  stop(): void;
}

function waitForEnd(context: Context, forMs: number | null): EndOfRecord {
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  let why = 'the end of the run';
  const end = (reason: string): void => {
    if (over.signal.aborted) return;
    why = reason;
    over.abort();
  };
  const release = context.holdSignals((name) => end(name));
  // The name of the signal comes right after.
  const interrupted = (): void => queueMicrotask(() => end('an interrupt'));
  const unread = (): void => end('the reader of stdout, which is gone');
  context.signal.addEventListener('abort', interrupted);
  context.io.outGone?.addEventListener('abort', unread);
  if (context.signal.aborted) interrupted();
  const timer = forMs === null ? null : setTimeout(() => end('--for'), forMs);
  return {
    signal: over.signal,
    reason: () => why,
    fail: (message) => end(`an error: ${message}`),
    stop() {
      if (timer !== null) clearTimeout(timer);
      context.signal.removeEventListener('abort', interrupted);
      context.io.outGone?.removeEventListener('abort', unread);
      release();
      over.abort();
    },
  };
}

// ---------------------------------------------------------------- reading

/** How often clusters that are new are looked for. */
const NEW_CLUSTERS_MS = 30_000;

/** Begins with each cluster as it comes. One that goes stays in it: as one without a key. */
async function recordAll(
  context: Context,
  request: RecordRequest,
  sink: Sink,
  ending: EndOfRecord,
): Promise<void> {
  const { signal } = ending;
  const begun = new Map<string, Begun>();
  const isOver = (): boolean => signal.aborted;
  let told = false;
  while (!isOver()) {
    const found = await clustersNow(context, request, begun.size === 0);
    if (found === null && !told && begun.size === 0)
      context.io.must('Warning: the DCS does not answer; it is tried again\n');
    told ||= found === null;
    for (const { scope, group, kubernetes } of found ?? []) {
      const key = JSON.stringify([scope, group]);
      const place = kubernetes?.namespace;
      const other = begun.get(key);
      if (other !== undefined) {
        if (other.place !== place) warnOfNamesake(context, other, scope, place);
        continue;
      }
      const work = recordOne(context, request, { scope, group, place }, sink, ending);
      begun.set(key, { place, work, warned: new Set() });
      // A failure ends the loop, and is thrown below.
      work.then(
        () => begun.delete(key),
        () => undefined,
      );
    }
    const isWaiting = found === null && begun.size === 0;
    await context.clock.wait(isWaiting ? request.intervalMs : NEW_CLUSTERS_MS, signal);
  }
  await Promise.all([...begun.values()].map(({ work }) => work));
}

/** A cluster that is recorded. */
interface Begun {
  place: string | undefined;
  work: Promise<void>;
  /** Places with another cluster of its name. */
  warned: Set<string>;
}

/** A recording tells clusters apart by name and group: of one name only the first is in it. */
function warnOfNamesake(
  { io }: Context,
  { place, warned }: Begun,
  scope: string,
  other = 'unknown',
): void {
  if (warned.has(other)) return;
  warned.add(other);
  io.must(
    oneLine(
      `Warning: ${scope} in namespace ${other} is not recorded: ${scope} in namespace ${place} is in this recording`,
    ) + '\n',
  );
}

/** null: they cannot be read. ToolError when `isFirst`, and not because the DCS is silent: there is none at all. */
async function clustersNow(
  context: Context,
  { asked }: RecordRequest,
  isFirst: boolean,
): Promise<Cluster[] | null> {
  const dcs = await context.dcs();
  try {
    const clusters = await dcs.readAll(asked);
    if (isFirst && clusters.length === 0) throw noClusterAtAll(dcs.where);
    return clusters;
  } catch (error) {
    const isTriedAgain = error instanceof ToolError && (!isFirst || error.ending === 'unreachable');
    if (isTriedAgain) return null;
    throw error;
  }
}

/** One cluster, or each of its Citus groups. While the DCS is silent, it is waited for. */
async function groupsOf(
  context: Context,
  { clusters, asked, intervalMs }: RecordRequest & { clusters: ClusterName[] },
  sink: Sink,
  signal: AbortSignal,
): Promise<ClusterName[]> {
  const found = clusters.map(async ({ scope, group }): Promise<ClusterName[]> => {
    if (group !== null) return [{ scope, group }];
    let told = false;
    for (;;) {
      try {
        const all = await (await context.dcs()).read({ scope, group }, asked);
        return all.length > 1
          ? all.map((one) => ({ scope, group: one.group }))
          : [{ scope, group: all[0]?.group ?? null }];
      } catch (error) {
        if (!(error instanceof ToolError) || error.ending !== 'unreachable') throw error;
        if (!told) await sink.take({ scope, group }, { at: sink.now(), error });
        told = true;
      }
      await context.clock.wait(intervalMs, signal);
      if (signal.aborted) return [];
    }
  });
  return (await Promise.all(found)).flat();
}

async function recordOne(
  context: Context,
  { clusters, asked, intervalMs }: RecordRequest,
  { scope, group, place }: ClusterName,
  sink: Sink,
  ending: EndOfRecord,
): Promise<void> {
  const request = { scope, group, place, ...asked, intervalMs, signal: ending.signal };
  try {
    for await (const reading of followCluster(context, request)) {
      await sink.take({ scope, group }, reading);
    }
  } catch (error) {
    const isUnknown = error instanceof ToolError && error.code === 'unknown_cluster';
    // With --all it was found, and went before it was read.
    if (clusters === null && isUnknown) return;
    // The others need not go on.
    ending.fail(errorMessage(error));
    throw error;
  }
}

// ---------------------------------------------------------------- writing

interface Sink {
  now(): string;
  take(of: ClusterName & { group: number | null }, reading: ClusterReading): Promise<void>;
  /** The last line. */
  end(reason: string): Promise<void>;
  close(): Promise<void>;
}

/** Only a line shows that the reader of stdout is gone: at rest there is one so often. */
const PIPE_ALIVE_MS = 5000;

async function openSink(context: Context, request: RecordRequest): Promise<Sink> {
  const aliveMs = request.file === null ? PIPE_ALIVE_MS : undefined;
  const keeper = keepRecord(request.intervalMs, aliveMs);
  const now = (): string => new Date(context.clock.nowMs()).toISOString();
  const { file, limits } = request;
  if (file === null) return streamSink(context, keeper, now);
  const writer = await openRecordWriter(file, limits);
  return fileSink({ context, keeper, now, writer });
}

/** One batch at a time: the beginning is written once, and has all clusters that were read by then. */
function streamSink(context: Context, keeper: RecordKeeper, now: () => string): Sink {
  let turn: Promise<void> = Promise.resolve();
  let isFirst = true;
  const write = async (text: string): Promise<void> => {
    if (text === '') return;
    context.io.out(text);
    await context.io.drained?.();
  };
  const put = async (of: ClusterName, reading: ClusterReading): Promise<void> => {
    const lines = keeper.seen(of, reading);
    await write(isFirst ? keeper.begin(reading.at, false) : lines);
    keeper.wrote();
    isFirst = false;
  };
  return {
    now,
    take(of, reading) {
      turn = turn.then(() => put(of, reading));
      return turn;
    },
    async end(reason) {
      await turn;
      await write(keeper.end(now(), reason));
    },
    close: () => Promise.resolve(),
  };
}

interface FileSinkParts {
  context: Context;
  keeper: RecordKeeper;
  now: () => string;
  writer: RecordWriter;
}

/** One batch at a time. A disk that is full is told once, and tried again with every batch. */
function fileSink({ context, keeper, now, writer }: FileSinkParts): Sink {
  let turn: Promise<void> = Promise.resolve();
  let isFirst = true;
  let failed: { at: string; error: ToolError } | null = null;

  const put = async (lines: string, at: string, isEnd = false): Promise<void> => {
    if (lines === '' && failed === null && !isFirst) return;
    const begin = (isRotated: boolean): string =>
      keeper.begin(at, isRotated && failed === null) + (isEnd ? lines : '');
    // What was lost cannot be told as changes: that run ends, and a new one begins.
    const batch =
      failed === null ? lines : keeper.end(failed.at, failed.error.message) + begin(false);
    try {
      await writer.write(batch, begin);
      keeper.wrote();
      if (failed !== null)
        context.io.err(`recording again; nothing was recorded from ${failed.at} to ${at}\n`);
      failed = null;
    } catch (error) {
      if (!(error instanceof ToolError) || error.code !== 'not_written' || isFirst) throw error;
      if (failed === null)
        context.io.must(`Warning: ${oneLine(error.message)}; it is tried again\n`);
      failed ??= { at, error };
    }
    isFirst = false;
  };
  return {
    now,
    take(of, reading) {
      turn = turn.then(() => put(keeper.seen(of, reading), reading.at));
      return turn;
    },
    async end(reason) {
      await turn;
      const at = now();
      if (!isFirst) await put(keeper.end(at, reason), at, true);
      if (failed !== null) throw (failed as { error: ToolError }).error;
    },
    close: () => writer.close(),
  };
}

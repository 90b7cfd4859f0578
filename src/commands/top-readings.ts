/** What `top` is fed with: every cluster that is shown is followed, and with --all the fleet where no cluster is. */
import { dcsAnswers, dcsSilent, eventsOf } from '../cluster/events/events-of.js';
import type { Snapshot } from '../cluster/model/model.js';
import type { Context } from '../context.js';
import { ToolError } from '../errors.js';
import { followCluster, type FollowRequest } from '../observe/follow-cluster.js';
import { followFleet } from '../observe/follow-fleet.js';
import { rowMaker, rowName, type FleetRow } from '../output/top/fleet-row.js';
import type { PaneName, TopInput } from '../output/top/state.js';

/** How clusters are read: which witnesses, and how often. */
export type TopRequest = Omit<FollowRequest, 'scope' | 'group' | 'signal'>;

export interface TopReadings {
  /** Follows exactly these clusters from now on; null: the fleet. */
  follow(names: readonly PaneName[] | null): void;
  /** Stops all reading. */
  stop(): void;
}

interface Told {
  /** What was read. */
  take: (input: TopInput) => void;
  /** It cannot go on: the first reading of what top began with failed, or there is a fault of ours. */
  fail: (error: unknown) => void;
}

/** Of what top began with, the first reading has to succeed; what is entered later may fail to be read, as ever. */
interface Reader extends Told {
  isFirst: boolean;
}

const FLEET = '';

/** Reads what `follow` names, until it is stopped. `ignored`: codes that `check` ignores. */
export function openReadings(
  context: Context,
  reading: TopRequest,
  ignored: readonly string[],
  told: Told,
): TopReadings {
  const running = new Map<string, AbortController>();
  let isFirst = true;
  const take = (input: TopInput): void => {
    try {
      told.take(input);
    } catch (error) {
      told.fail(error);
    }
  };
  const keyOf = ({ scope, group, place }: PaneName): string =>
    JSON.stringify([scope, group, place]);
  const begin = (key: string, work: (inside: Context) => Promise<void>): void => {
    const end = new AbortController();
    running.set(key, end);
    const signal = AbortSignal.any([context.signal, end.signal]);
    work({ ...context, signal }).catch((error: unknown) => {
      if (!signal.aborted) told.fail(error);
    });
  };
  return {
    follow: (names) => {
      const wanted = new Map<string, PaneName | null>(
        (names ?? []).map((name) => [keyOf(name), name]),
      );
      if (names === null) wanted.set(FLEET, null);
      for (const [key, end] of running) {
        if (wanted.has(key)) continue;
        end.abort();
        running.delete(key);
      }
      const reader: Reader = { take, fail: told.fail, isFirst };
      isFirst = false;
      for (const [key, name] of wanted) {
        if (running.has(key)) continue;
        begin(key, (inside) =>
          name === null
            ? followRows(inside, reading, ignored, reader)
            : followPane(inside, reading, name, reader),
        );
      }
    },
    stop: () => {
      for (const end of running.values()) end.abort();
      running.clear();
    },
  };
}

/** One cluster; one that is gone when it is entered is said to be. */
async function followPane(
  context: Context,
  reading: TopRequest,
  pane: PaneName,
  reader: Reader,
): Promise<void> {
  try {
    await followLooks(context, reading, pane, reader);
  } catch (error) {
    if (reader.isFirst || !(error instanceof ToolError) || context.signal.aborted) throw error;
    const atMs = context.clock.nowMs();
    reader.take({ kind: 'trouble', pane, atMs, reason: error.message, events: [] });
  }
}

/** Look by look, each with what has happened since the one before. */
async function followLooks(
  context: Context,
  reading: TopRequest,
  pane: PaneName,
  { take, isFirst }: Reader,
): Promise<void> {
  let before: Snapshot | null = null;
  /** Why the DCS is silent; null: it is not. */
  let silence: string | null = null;
  for await (const look of followCluster(context, { ...reading, ...pane })) {
    if (context.signal.aborted) return;
    const { at } = look;
    const atMs = Date.parse(at);
    if ('error' in look) {
      if (before === null && isFirst) throw look.error;
      silence = look.error.message;
      take({ kind: 'trouble', pane, atMs, reason: silence, events: [dcsSilent(silence, at)] });
      continue;
    }
    const { snapshot, isStale } = look;
    const again = silence !== null && !isStale ? [dcsAnswers(snapshot, at)] : [];
    if (!isStale) silence = null;
    const events = [...again, ...eventsOf(before, snapshot, at)];
    take({ kind: 'look', pane, atMs, snapshot, events, stale: silence });
    before = snapshot;
  }
}

/** Rows of the fleet are told together: a screen need not be drawn for each. */
const TOGETHER_MS = 250;

async function followRows(
  context: Context,
  reading: TopRequest,
  ignored: readonly string[],
  { take, isFirst }: Reader,
): Promise<void> {
  const { clock, signal } = context;
  let rows: FleetRow[] = [];
  let names: ReadonlySet<string> | null = null;
  const made = rowMaker(ignored);
  const flush = (): void => {
    if (rows.length > 0 || names !== null) take({ kind: 'fleet', rows, names });
    rows = [];
    names = null;
  };
  const timer = setInterval(flush, TOGETHER_MS);
  const collect = await collectorOf();
  const collector = setInterval(collect, COLLECT_MS);
  const early = setTimeout(collect, FIRST_COLLECT_MS);
  try {
    // As it was asked for, or by REST alone: SQL sessions to every member of a fleet are too many.
    const verify = reading.verify === 'auto' ? 'rest' : reading.verify;
    await followFleet(context, { ...reading, verify, isFirst }, (change) => {
      if (signal.aborted) return;
      if (change.kind === 'snapshot') rows.push(made.row(change.snapshot, clock.nowMs()));
      else if (change.kind === 'clusters') made.keep((names = new Set(change.names.map(rowName))));
      else take({ kind: 'fleet trouble', atMs: clock.nowMs(), reason: change.reason });
    });
  } finally {
    clearInterval(timer);
    clearInterval(collector);
    clearTimeout(early);
  }
}

/** 200 clusters leave 20 MB that live and 15 MB a second that do not: V8 would let 100 MB of them gather. */
const COLLECT_MS = 5000;

/** The first round, in which every cluster is read at once and for the first time, leaves the most. */
const FIRST_COLLECT_MS = 1500;

/** V8's own collector, which Node.js hides. */
async function collectorOf(): Promise<() => void> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([
    import('node:v8'),
    import('node:vm'),
  ]);
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

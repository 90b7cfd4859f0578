/** When no member accepted writes, as looks at the cluster show it. */
import type { MemberView, View } from '../roles/view.js';
import type { SeenOutage } from './report-model.js';

/** One look: who accepts writes, and who could not be asked. */
export interface WritesSeen {
  /** When the first member was asked, and when the last one had answered; ms since 1970. */
  askedMs: number;
  atMs: number;
  primaries: string[];
  silent: string[];
}

export interface Outages {
  /**
   * `holdMs`: what was seen before still held so long before this look, because each look is recorded in which
   * something changed; null: the looks before this one are all that is known.
   */
  see(seen: WritesSeen, holdMs: number | null): void;
  /** Nothing is known from here on: an outage that is under way has no end. */
  close(): void;
  outages(): SeenOutage[];
  leftOut(): number;
}

/** null: nothing can be said: no member was asked, or a standby cluster accepts no writes by design. */
export function writesSeen(view: View, askedMs: number, atMs: number): WritesSeen | null {
  const { verify, cluster } = view.snapshot;
  if (verify === 'off' || (cluster.config?.standbyCluster ?? null) !== null) return null;
  return {
    askedMs,
    atMs,
    primaries: view.primaries.map(({ name }) => name),
    silent: view.members.filter(mayAcceptWrites).map(({ name }) => name),
  };
}

/** It did not answer, and its PostgreSQL did not say that it cannot serve. */
function mayAcceptWrites({ observed, sql }: MemberView): boolean {
  const isSilent = observed === 'unreachable' || observed === 'unknown';
  return isSilent && (sql.ok || sql.cannotServe !== true);
}

/** What is known of an outage that is under way. */
interface Under {
  lastYes: WritesSeen | null;
  firstMs: number;
  /** Looks at which every member answered and none was a primary: the first one's end, the last one's begin. */
  firstSure: number | null;
  lastSure: number | null;
  lastMs: number;
  /** At the last look of it every member answered. */
  isSure: boolean;
  silent: Set<string>;
}

function heldUntil(seen: WritesSeen, untilMs: number): WritesSeen {
  const { askedMs, atMs } = seen;
  return { ...seen, askedMs: Math.max(askedMs, untilMs), atMs: Math.max(atMs, untilMs) };
}

/** The last `most` outages are kept. */
export function openOutages(most: number): Outages {
  const found: SeenOutage[] = [];
  let lastYes: WritesSeen | null = null;
  let under: Under | null = null;
  let leftOut = 0;
  const keep = (outage: SeenOutage): void => {
    found.push(outage);
    if (found.length <= most) return;
    found.shift();
    leftOut += 1;
  };
  const seeNone = (seen: WritesSeen): void => {
    under ??= {
      lastYes,
      firstMs: seen.atMs,
      firstSure: null,
      lastSure: null,
      lastMs: seen.atMs,
      isSure: true,
      silent: new Set(),
    };
    under.lastMs = seen.atMs;
    under.isSure = seen.silent.length === 0;
    for (const name of seen.silent) under.silent.add(name);
    if (seen.silent.length > 0) return;
    under.firstSure ??= seen.atMs;
    under.lastSure = seen.askedMs;
  };
  const hold = (untilMs: number): void => {
    if (under === null) lastYes = lastYes && heldUntil(lastYes, untilMs);
    else if (under.isSure && under.lastSure !== null) {
      under.lastSure = Math.max(under.lastSure, untilMs);
    }
  };
  return {
    see: (seen, holdMs) => {
      if (holdMs !== null) hold(seen.askedMs - holdMs);
      if (seen.primaries.length === 0) return seeNone(seen);
      if (under !== null) keep(ended(under, seen));
      else if (lastYes !== null && areOthers(lastYes, seen)) keep(between(lastYes, seen));
      under = null;
      lastYes = seen;
    },
    close: () => {
      if (under !== null) keep(ended(under, null));
      under = null;
      lastYes = null;
    },
    outages: () => found,
    leftOut: () => leftOut,
  };
}

function areOthers(before: WritesSeen, after: WritesSeen): boolean {
  return !before.primaries.some((name) => after.primaries.includes(name));
}

/** From one primary to another one between two looks. */
function between(before: WritesSeen, after: WritesSeen): SeenOutage {
  return {
    fromMs: before.atMs,
    toMs: after.atMs,
    isOver: true,
    atLeastMs: 0,
    atMostMs: Math.max(0, after.atMs - before.askedMs),
    before: before.primaries,
    after: after.primaries,
    silent: [],
  };
}

function ended(under: Under, after: WritesSeen | null): SeenOutage {
  const { lastYes, firstSure, lastSure } = under;
  const sureMs = firstSure === null || lastSure === null ? 0 : lastSure - firstSure;
  return {
    fromMs: lastYes?.atMs ?? under.firstMs,
    toMs: after?.atMs ?? under.lastMs,
    isOver: after !== null,
    atLeastMs: Math.max(0, sureMs),
    atMostMs: lastYes && after ? Math.max(0, after.atMs - lastYes.askedMs) : null,
    before: lastYes?.primaries ?? [],
    after: after?.primaries ?? [],
    silent: [...under.silent],
  };
}

/** How long clients could not write, bracketed by what was seen of the old and of the new leader. */

/** One question to one member, whether it takes writes. */
export interface Probe {
  member: string;
  witness: 'SQL' | 'REST';
  askedMs: number;
  atMs: number;
  takesWrites: boolean;
}

/** Evaluates the probes of one member by one witness. */
interface Track {
  /** The last one it took writes at, and the first after that it did not. */
  lastYes: Probe | null;
  noAfter: Probe | null;
  /** The first one it took writes at, and the last before that it did not. */
  firstYes: Probe | null;
  noBefore: Probe | null;
}

/** By `member witness`. */
export type Tracks = ReadonlyMap<string, Track>;

const NOTHING: Track = { lastYes: null, noAfter: null, firstYes: null, noBefore: null };

export function withProbe(tracks: Tracks, probe: Probe): Tracks {
  const key = keyOf(probe.member, probe.witness);
  const before = tracks.get(key) ?? NOTHING;
  const now: Track = { ...before };
  if (probe.takesWrites) {
    now.firstYes ??= probe;
    now.lastYes = probe;
    now.noAfter = null;
  } else {
    if (now.firstYes === null) now.noBefore = probe;
    if (now.lastYes !== null) now.noAfter ??= probe;
  }
  return new Map(tracks).set(key, now);
}

/** One end of the outage: between these two moments, ms since 1970. */
export interface End {
  member: string;
  witness: 'SQL' | 'REST' | 'DCS';
  fromMs: number;
  toMs: number;
}

export interface WriteOutage {
  atLeastMs: number;
  /** null: the old leader was not seen to take a write. */
  atMostMs: number | null;
  /** Between the last time the old leader was seen to take writes and the first that it did not. */
  last: End | null;
  /** Between the last time the new leader was seen not to take writes and the first that it did. */
  first: End;
}

/**
 * null: no member was seen to accept writes in the end. `releasedMs`: when the lock was seen free, `lockedMs` when the
 * new leader had it: before the one the old leader had stopped, before the other the new one was not promoted.
 */
export function writeOutage(
  tracks: Tracks,
  oldLeader: string | null,
  newLeader: string,
  {
    beganMs,
    releasedMs,
    lockedMs,
  }: { beganMs: number; releasedMs: number | null; lockedMs: number },
): WriteOutage | null {
  const next = trackOf(tracks, newLeader, ({ firstYes }) => firstYes !== null);
  const { firstYes, noBefore } = next ?? NOTHING;
  if (firstYes === null) return null;
  const first: End = {
    member: newLeader,
    witness: firstYes.witness,
    fromMs: Math.min(Math.max(noBefore?.askedMs ?? 0, lockedMs), firstYes.atMs),
    toMs: firstYes.atMs,
  };
  const old =
    oldLeader === null ? null : trackOf(tracks, oldLeader, ({ lastYes }) => lastYes !== null);
  const { lastYes, noAfter } = old ?? NOTHING;
  if (oldLeader === null || lastYes === null) {
    return { atLeastMs: Math.max(0, first.fromMs - beganMs), atMostMs: null, last: null, first };
  }
  const ends = [noAfter?.atMs, releasedMs].filter((at) => typeof at === 'number');
  const last: End = {
    member: oldLeader,
    witness: lastYes.witness,
    fromMs: lastYes.askedMs,
    toMs: Math.max(lastYes.askedMs, Math.min(first.fromMs, ...ends)),
  };
  return {
    atLeastMs: Math.max(0, first.fromMs - last.toMs),
    atMostMs: Math.max(0, first.toMs - last.fromMs),
    last,
    first,
  };
}

/** Whether SQL has seen this member take a write. */
export function tookWrites(tracks: Tracks, member: string): boolean {
  const track = tracks.get(keyOf(member, 'SQL'));
  return track !== undefined && track.firstYes !== null;
}

/** SQL before REST. */
function trackOf(
  tracks: Tracks,
  member: string,
  isEnough: (track: Track) => boolean,
): Track | null {
  const found = (['SQL', 'REST'] as const).map((witness) => tracks.get(keyOf(member, witness)));
  return found.find((track) => track !== undefined && isEnough(track)) ?? null;
}

function keyOf(member: string, witness: string): string {
  return `${witness} ${member}`;
}

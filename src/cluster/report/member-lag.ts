/** The lag of every replica over time. */
import type { View } from '../roles/view.js';
import { openBins, type LagBins } from './lag-bins.js';
import type { MemberLag } from './report-model.js';

export interface Lags {
  /** What was seen before held until now: a recording has a look only where something changed. */
  see(view: View, ms: number): void;
  /** Nothing is known from here on. */
  close(ms: number): void;
  lags(): MemberLag[];
  /** Members for which there was no room. */
  leftOut(): number;
}

interface Track {
  received: LagBins;
  replayed: LagBins;
  peak: MemberLag['peak'];
  lastReceived: number | null;
  lastReplayed: number | null;
}

export function openLags(mostMembers: number, mostBins: number): Lags {
  const tracks = new Map<string, Track>();
  let sinceMs: number | null = null;
  const holdUntil = (ms: number): void => {
    if (sinceMs === null || ms < sinceMs) return;
    for (const { received, replayed, lastReceived, lastReplayed } of tracks.values()) {
      if (lastReceived !== null) received.hold(sinceMs, ms, lastReceived);
      if (lastReplayed !== null) replayed.hold(sinceMs, ms, lastReplayed);
    }
  };
  const without = new Set<string>();
  const trackOf = (member: string): Track | null => {
    const known = tracks.get(member);
    if (known) return known;
    if (tracks.size >= mostMembers) {
      if (without.size < MOST_COUNTED) without.add(member);
      return null;
    }
    const made: Track = {
      received: openBins(mostBins),
      replayed: openBins(mostBins),
      peak: null,
      lastReceived: null,
      lastReplayed: null,
    };
    tracks.set(member, made);
    return made;
  };
  return {
    see: (view, ms) => {
      holdUntil(ms);
      sinceMs = ms;
      for (const track of tracks.values()) track.lastReceived = track.lastReplayed = null;
      for (const one of view.members) {
        // A primary writes on its own: it is not behind the leader.
        if (one === view.leader || one.observed === 'primary') continue;
        const { lagBytes, replayLagBytes } = one;
        if (lagBytes === null && replayLagBytes === null) continue;
        const track = trackOf(one.name);
        if (track !== null) addLag(track, ms, lagBytes, replayLagBytes);
      }
    },
    close: (ms) => {
      holdUntil(ms);
      sinceMs = null;
    },
    lags: () => [...tracks].map(([member, track]) => lagOf(member, track)),
    leftOut: () => without.size,
  };
}

const MOST_COUNTED = 10_000;

function addLag(track: Track, ms: number, received: number | null, replayed: number | null): void {
  if (received !== null) track.received.add(ms, received);
  if (replayed !== null) track.replayed.add(ms, replayed);
  track.lastReceived = received;
  track.lastReplayed = replayed;
  const bytes = replayed ?? received ?? 0;
  if (track.peak === null || bytes > track.peak.bytes) track.peak = { bytes, ms };
}

function lagOf(member: string, track: Track): MemberLag {
  const { peak, lastReceived, lastReplayed } = track;
  return {
    member,
    received: track.received.bins(),
    replayed: track.replayed.bins(),
    peak,
    lastReceived,
    lastReplayed,
  };
}

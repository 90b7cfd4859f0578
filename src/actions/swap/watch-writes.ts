/** Asks both leaders again and again whether they take writes, as a client would: how long clients could not write. */
import type { Member } from '../../cluster/model/model.js';
import {
  tookWrites,
  withProbe,
  writeOutage,
  type Tracks,
  type WriteOutage,
} from '../../cluster/progress/write-outage.js';
import type { Context } from '../../context.js';
import { untilAborted } from '../kit/until.js';

const CALL_MS = 1000;
const PROBE_MS = 50;

export interface AskedLeader {
  context: Context;
  /** By which the outage names it: member and site. */
  name: string;
  member: Member;
}

export interface WriteWatch {
  /** Resolves once each has been asked. */
  begun: Promise<void>;
  /** Ends the watch. `promotedMs`: when the promotion was asked for. */
  stop(promotedMs: number): Promise<WriteOutage | null>;
  /** The new one was seen to take a write, or no login of ours could see that. */
  isOver(): boolean;
}

export function watchWrites(old: AskedLeader, next: AskedLeader): WriteWatch {
  const end = new AbortController();
  const beganMs = old.context.clock.nowMs();
  let tracks: Tracks = new Map();
  const asking = async (
    { context, name, member }: AskedLeader,
    first: () => void,
  ): Promise<void> => {
    const postgres = await context.postgres();
    const { host, port } = member;
    if (!postgres.hasLogin || host === null || port === null) return;
    while (!end.signal.aborted) {
      const askedMs = context.clock.nowMs();
      const said = await untilAborted(postgres.takesWrites({ host, port }, CALL_MS), end.signal);
      if (said === null) return;
      const atMs = context.clock.nowMs();
      // A login that is refused says nothing about writes.
      if (said.ok || said.kind === 'unreachable')
        tracks = withProbe(tracks, {
          ...{ member: name, witness: 'SQL', askedMs, atMs },
          takesWrites: said.ok && said.value,
        });
      first();
      await context.clock.wait(PROBE_MS, end.signal);
    }
  };
  const running: Promise<void>[] = [];
  const firsts = [old, next].map(
    (one) =>
      new Promise<void>((resolve) => {
        running.push(asking(one, resolve).finally(resolve));
      }),
  );
  return {
    begun: Promise.all(firsts).then(() => undefined),
    isOver: () => tracks.size === 0 || tookWrites(tracks, next.name),
    stop: async (promotedMs) => {
      end.abort();
      await Promise.allSettled(running);
      const times = { beganMs, releasedMs: null, lockedMs: promotedMs };
      return writeOutage(tracks, old.name, next.name, times);
    },
  };
}

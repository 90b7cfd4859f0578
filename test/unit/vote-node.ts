import type { VoteNode } from '../../src/cluster/votes/vote-rules.js';

/** A replica on timeline 5 that streams and may be promoted, but for what `facts` say. */
export function node(name: string, facts: Partial<VoteNode> = {}): VoteNode {
  return {
    name,
    reachable: true,
    running: true,
    primary: false,
    walPosition: 100n,
    timeline: 5,
    nofailover: false,
    watchdogFailed: false,
    failoverPriority: 1,
    streamsFromLeader: true,
    standsStill: false,
    streams: true,
    ...facts,
  };
}

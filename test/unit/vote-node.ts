import type { VoteInput, VoteNode } from '../../src/cluster/votes/vote-rules.js';

/** A replica on timeline 5 that streams and may be promoted, but for what `facts` say. */
export function node(name: string, facts: Partial<VoteNode> = {}): VoteNode {
  return {
    name,
    version: '4.1.4',
    hasApiUrl: true,
    reachable: true,
    starting: false,
    running: true,
    primary: false,
    walPosition: 100n,
    timeline: 5,
    nofailover: false,
    keyNofailover: facts.nofailover ?? false,
    ownSystem: true,
    watchdogFailed: false,
    failoverPriority: 1,
    streamsFromLeader: true,
    standsStill: false,
    streams: true,
    ...facts,
  };
}

/** Three members in quorum mode, synchronous_node_count 1, as in the lab. */
export function cluster(facts: Partial<VoteInput> = {}): VoteInput {
  return {
    nodes: [node('pg1', { primary: true, streams: false }), node('pg2'), node('pg3')],
    leader: 'pg1',
    formerLeader: null,
    leaderVersion: '4.1.4',
    mode: 'quorum',
    syncLeader: 'pg1',
    voters: ['pg2', 'pg3'],
    quorum: 1,
    syncNames: null,
    synchronousCommit: null,
    optime: 100n,
    maximumLagOnFailoverBytes: 1048576,
    checkTimeline: false,
    clusterTimeline: 5,
    standbyCluster: false,
    paused: false,
    failsafeMembers: null,
    failsafeNodes: [],
    departedPrimaries: [],
    departedUnread: [],
    ...facts,
  };
}

/** The facts as they are once some members are lost at once, with Patroni, PostgreSQL and their host. */
import type { VoteInput, VoteNode } from './vote-rules.js';

/**
 * `input` without these members: their keys stay until ttl, and nothing answers there. The leader may be one of them.
 */
export function without(input: VoteInput, lost: readonly string[]): VoteInput {
  const isLost = (name: string): boolean => lost.includes(name);
  const after = (nodes: VoteNode[]): VoteNode[] =>
    nodes.map((node) => (isLost(node.name) ? silenced(node) : node));
  const primary = locklessPrimary(input);
  // Without the lock only this primary can be what the others stream from.
  const isUpstreamLost = primary !== null && isLost(primary);
  const nodes = after(input.nodes);
  return {
    ...input,
    nodes: isUpstreamLost ? nodes.map((node) => ({ ...node, streams: false })) : nodes,
    failsafeNodes: after(input.failsafeNodes),
    departedPrimaries: input.departedPrimaries.filter((name) => !isLost(name)),
    departedUnread: input.departedUnread.filter((name) => !isLost(name)),
  };
}

function silenced(node: VoteNode): VoteNode {
  return {
    ...node,
    reachable: false,
    running: false,
    starting: false,
    primary: null,
    walPosition: null,
    streamsFromLeader: false,
    streams: false,
  };
}

/**
 * The primary that keeps the lock from the others although it does not hold it, as a leader does that has lost the
 * DCS only (failsafe_mode); null: there is none, or more than one.
 */
export function locklessPrimary({ leader, nodes, failsafeNodes }: VoteInput): string | null {
  if (leader !== null) return null;
  const primaries = [...nodes, ...failsafeNodes].filter(({ primary }) => primary === true);
  return primaries.length === 1 ? (primaries[0]?.name ?? null) : null;
}

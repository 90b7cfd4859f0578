/** The tree of the real streaming replication. */
import { remembered } from '../model/remembered.js';
import { wantedUpstream } from '../findings/streaming.js';
import type { TreeNode } from './dcs-roles.js';
import { type MemberView, type View } from './view.js';

/** Every member once, children below the node on which their walsender row was seen; members in a circle are kept. */
export function observedTree(view: View): TreeNode<MemberView>[] {
  const order: TreeNode<MemberView>[] = [];
  const seen = new Set<MemberView>();
  const below = new Map<string, MemberView[]>();
  for (const one of view.members) {
    const upstream = upstreamOf(one, view);
    if (upstream !== null) remembered(below, upstream.toLowerCase(), () => []).push(one);
  }
  const visit = (item: MemberView, depth: number): void => {
    if (seen.has(item)) return;
    seen.add(item);
    order.push({ item, depth });
    for (const child of below.get(item.name.toLowerCase()) ?? []) visit(child, depth + 1);
  };
  if (view.leader) visit(view.leader, 0);
  for (const one of view.members) if (one.observed === 'primary') visit(one, 0);
  for (const one of view.members) visit(one, one.departed ? 0 : 1);
  return order;
}

/** Where it is seen to stream from; if unseen, where it should. */
function upstreamOf(one: MemberView, view: View): string | null {
  if (one === view.leader || one.observed === 'primary') return null;
  return one.row?.upstream ?? (one.departed ? null : wantedUpstream(one, view));
}

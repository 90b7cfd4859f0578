/** Streaming replication at the last look, as a tree from left to right. */
import { observedTree } from '../../cluster/roles/topology.js';
import type { TreeNode } from '../../cluster/roles/dcs-roles.js';
import type { MemberView, View } from '../../cluster/roles/view.js';
import { bytes } from '../bytes.js';
import { tag, type Element } from './markup.js';
import { shortened } from './plain-words.js';

const BOX = { width: 290, height: 62 };
const STEP = { x: 340, y: 80 };
const MARGIN = 6;

interface Placed {
  one: MemberView;
  depth: number;
  row: number;
  /** PageRow of the node above; null: it stands alone. */
  parentRow: number | null;
}

/** The SVG; its boxes hold text only. */
export function topologyPicture(view: View): Element {
  const placed = placedOf(observedTree(view));
  const deepest = Math.max(0, ...placed.map(({ depth }) => depth));
  const width = deepest * STEP.x + BOX.width + 2 * MARGIN;
  const height = placed.length * STEP.y - (STEP.y - BOX.height) + 2 * MARGIN;
  return tag(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, 'font-size': 12, fill: 'currentColor' },
    placed.map((each) => edgeOf(each)),
    placed.map((each) => boxOf(each, view)),
  );
}

/** A row each, in the order of the tree. */
function placedOf(tree: readonly TreeNode<MemberView>[]): Placed[] {
  const above: number[] = [];
  return tree.map(({ item, depth }, row) => {
    above[depth] = row;
    const parentRow = depth === 0 ? null : (above[depth - 1] ?? null);
    return { one: item, depth, row, parentRow };
  });
}

function leftOf(depth: number): number {
  return MARGIN + depth * STEP.x;
}

function topOf(row: number): number {
  return MARGIN + row * STEP.y;
}

/** Whole where the row of a walsender was seen, dashed where the member should stream. */
function edgeOf({ one, depth, row, parentRow }: Placed): Element | null {
  if (parentRow === null) return null;
  const from = { x: leftOf(depth - 1) + BOX.width, y: topOf(parentRow) + BOX.height / 2 };
  const to = { x: leftOf(depth), y: topOf(row) + BOX.height / 2 };
  const middle = from.x + 18;
  return tag('path', {
    d: `M${from.x},${from.y}H${middle}V${to.y}H${to.x}`,
    fill: 'none',
    stroke: one.row === null ? 'var(--soft)' : 'var(--ink)',
    'stroke-width': 1.5,
    'stroke-dasharray': one.row === null ? '4,4' : null,
  });
}

function boxOf({ one, depth, row }: Placed, view: View): Element {
  const [x, y] = [leftOf(depth), topOf(row)];
  const isLeader = one === view.leader;
  const line = (at: number, text: string, attributes = {}) =>
    tag('text', { x: x + 10, y: y + at, ...attributes }, text);
  return tag(
    'g',
    {},
    tag('rect', {
      x,
      y,
      ...BOX,
      rx: 6,
      fill: 'var(--shade)',
      stroke: isLeader ? 'var(--leader)' : 'var(--soft)',
      'stroke-width': isLeader ? 3 : 1,
    }),
    line(20, shortened(one.name, 32), { 'font-weight': 700, 'font-size': 13 }),
    line(37, roleLine(one, isLeader)),
    line(53, streamLine(one), { fill: 'var(--soft)' }),
  );
}

/** `replica, timeline 3` */
export function roleLine(one: MemberView, isLeader: boolean): string {
  const key = isLeader ? ', holds the leader key' : '';
  const timeline = one.timeline === null ? '' : `, timeline ${one.timeline}`;
  return `${one.observed}${key}${timeline}`;
}

/** `streaming, sync, replay lag 0 B` */
function streamLine(one: MemberView): string {
  if (one.departed) return 'no longer in the DCS';
  const lag = one.replayLagBytes ?? one.lagBytes;
  const state = shortened(
    one.row?.state ?? one.member?.replicationState ?? one.member?.state ?? '',
    16,
  );
  const isBehind = one.syncState !== '' && lag !== null;
  const parts = [state, one.syncState, isBehind ? `lag ${bytes(lag)}` : ''];
  return parts.filter((part) => part !== '').join(', ');
}

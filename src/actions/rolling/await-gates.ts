/** Waits until the gates of a rolling change hold: the rest of the cluster can do without one member, or all are back. */
import type { Lsn } from '../../cluster/model/lsn.js';
import { farther } from '../../cluster/model/lsn.js';
import type { Cluster, Snapshot, VerifyMode } from '../../cluster/model/model.js';
import type { PlanCheck } from '../../cluster/preflight/plan-model.js';
import {
  areOpen,
  closedGates,
  gatesOf,
  type GatesRequest,
} from '../../cluster/preflight/roll-gates.js';
import { viewOf, type View } from '../../cluster/roles/view.js';
import type { Context } from '../../context.js';
import { snapshotNow } from '../../observe/read-snapshot.js';
import type { Tell } from '../kit/report.js';
import { until } from '../kit/until.js';

const LOOK_MS = 500;

export interface GateWait {
  readonly cluster: Pick<Cluster, 'scope' | 'group'>;
  readonly verify: VerifyMode;
  /** All but the target, which is what the leader had written at the first look. */
  readonly request: Omit<GatesRequest, 'target'>;
  readonly limitMs: number;
  /** What was done before, and stays whatever becomes of the wait. */
  readonly goesOn: string;
  readonly tell: Tell;
  /** What must be so besides the gates: what is missing, or null. */
  readonly besides?: (view: View) => string | null;
  /** Told of each look that finds something missing. */
  readonly onMissing?: (said: string) => void;
}

/** What a wait came to; `closed`: what was missing at the last look, none: all of it holds. */
export interface GatesSeen {
  view: View | null;
  closed: PlanCheck[];
}

/** The gates when they hold, or as they were at the limit. ToolError `interrupted`. */
export async function awaitGates(context: Context, wait: GateWait): Promise<GatesSeen> {
  let seen: GatesSeen = { view: null, closed: [] };
  let target: Lsn | null = null;
  let before: Snapshot | null = null;
  const atMs = context.clock.nowMs() + wait.limitMs;
  const awaits = (): string => closedWords(seen.closed);
  const limit = { atMs, everyMs: LOOK_MS, goesOn: wait.goesOn, awaits, tell: wait.tell };
  await until(context, limit, async () => {
    const snapshot = await snapshotNow(context, wait.cluster, wait.verify);
    if (snapshot === null) {
      seen = { view: null, closed: [unread()] };
      wait.onMissing?.(awaits());
      return null;
    }
    const view = viewOf({ ...snapshot, previous: before });
    before = snapshot;
    target ??= written(view);
    const gates = gatesOf(view, { ...wait.request, target });
    const missing = wait.besides?.(view) ?? null;
    const closed = closedGates(gates);
    seen = { view, closed: missing === null ? closed : [besidesGate(missing), ...closed] };
    if (missing === null && areOpen(gates)) return true;
    wait.onMissing?.(awaits());
    return null;
  });
  return seen;
}

/** What the leader has written; null: unknown. */
export function written({ leader }: View): Lsn | null {
  if (leader === null) return null;
  return leader.position ?? farther(leader.member?.receiveLsn ?? null, leader.replayed);
}

export function closedWords(closed: readonly PlanCheck[]): string {
  return closed.map(({ name, said }) => `${name} (${said})`).join(', ');
}

function unread(): PlanCheck {
  const evidence = [{ witness: 'DCS', subject: 'DCS', said: 'could not be read' } as const];
  return {
    name: 'dcs',
    result: 'unknown',
    said: 'the DCS could not be read',
    evidence,
    next: null,
  };
}

function besidesGate(said: string): PlanCheck {
  return { name: 'node', result: 'refused', said, evidence: [], next: null };
}

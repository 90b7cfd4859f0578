/** What the parts of eventsOf share: a snapshot joined and looked over once, and how an event is made. */
import { look, type Looked } from '../findings/find.js';
import { DEFAULT_LIMITS } from '../findings/limits.js';
import type { Cluster, Severity, Snapshot, Witnessed } from '../model/model.js';
import { remembered } from '../model/remembered.js';
import { viewOf, type MemberView, type View } from '../roles/view.js';
import type { ClusterEvent, EventCode } from './event-model.js';

/** A snapshot with what follows from it. */
export interface Looking {
  snapshot: Snapshot;
  cluster: Cluster;
  view: View;
  looked: Looked;
  /** By name; departed members are left out. */
  members: ReadonlyMap<string, MemberView>;
}

const looks = new WeakMap<Snapshot, Looking>();

/** Worked out once for each snapshot, however often it is asked for: a snapshot never changes. */
export function lookedAt(snapshot: Snapshot): Looking {
  return remembered(looks, snapshot, () => {
    const view = viewOf(snapshot);
    return {
      snapshot,
      cluster: snapshot.cluster,
      view,
      looked: look(view, DEFAULT_LIMITS, () => true),
      members: new Map(
        view.members.filter(({ member }) => member !== null).map((one) => [one.name, one]),
      ),
    };
  });
}

export type NewEvent = Omit<ClusterEvent, 'at'>;

interface Told {
  code: EventCode;
  severity?: Severity;
  revision?: string | null;
  members?: string[];
  message: string;
  evidence: Witnessed[];
  finding?: string;
}

/** An event of severity info about the whole cluster that no key of the DCS tells, unless `told` says otherwise. */
export function event(told: Told): NewEvent {
  return { severity: 'info', revision: null, members: [], ...told };
}

/** What a key of the DCS says. */
export function dcsSays(subject: string, said: string): Witnessed {
  return { witness: 'DCS', subject, said };
}

/** Members that are in both looks. */
export function inBoth(a: Looking, b: Looking): [MemberView, MemberView][] {
  return [...b.members].flatMap(([name, now]): [MemberView, MemberView][] => {
    const before = a.members.get(name);
    return before === undefined ? [] : [[before, now]];
  });
}

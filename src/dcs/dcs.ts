/**
 * The port to the first witness: what the DCS claims of clusters, and the few things that are written there. Commands
 * know it in Patroni's words only; where the keys lie is each implementation's own business (dcs-registry.ts lists
 * them, docs/dcs.md says how another one is added, test/contract/dcs-contract.ts holds all of them to one suite).
 */
import type { PastLeaderChange } from '../cluster/documents/history-cause.js';
import type { Cluster, LastWord, Member, Snapshot } from '../cluster/model/model.js';
import type { KeyChange, KeyPast } from '../cluster/story/key-past-model.js';

/** A cluster by name; `group` is the Citus group, null outside Citus. */
export interface ClusterName {
  scope: string;
  group: number | null;
  /** Where several places are read at once (Kubernetes' namespaces): the one that is meant. */
  place?: string | undefined;
}

export interface ReadOptions {
  /** Take an answer that may be stale when the DCS has lost its majority. Default false. */
  serializable?: boolean;
  /** Told once, as soon as there is more to read than one answer holds. */
  large?: () => void;
}

/** A cluster as it is now, and from there on every change. */
export interface Followable {
  /** Empty (no members, no configuration) when the DCS holds nothing of it. */
  cluster: Cluster;
  /**
   * The cluster again after every change since `cluster` was read, in order; a change may come together with
   * the next ones after a lost connection. Ends when the signal aborts; throws ToolError when it cannot go on.
   */
  changes: (signal: AbortSignal) => AsyncIterable<Cluster>;
}

/** How far back the past is searched. */
export interface PastLimit {
  ms: number;
  /** Moments of the past to look at; without it as many as the time allows. */
  looks?: number;
}

/** Members whose key was deleted, each with its last heartbeat. */
export interface GoneMembers {
  members: Member[];
  /** Names of those whose last value was not reached in time: a later one may say more. */
  unsure?: string[];
  /** Why members may be missing here, as a clause ("etcd's history is too long …"); null: none is missing. */
  incomplete: string | null;
}

/** A request in /failover. Patroni reads a null as absent. */
export interface FailoverRequest {
  leader: string | null;
  candidate: string | null;
  /** ISO 8601 with an offset; null: now. */
  scheduledAt: string | null;
}

/**
 * `done: false`: it has changed since it was read, and nothing was written. `current`: as it is now, null when gone.
 */
export type Written = { done: true } | { done: false; current: string | null };

/**
 * What became of a member that was to be noted as retired. `leased`: its key has a lease, which something still renews
 * or which has yet to end; `changed`: its key is not what was read. Nothing was written then.
 */
export type Retired = 'noted' | 'leased' | 'changed';

/** Taking a cluster out of the DCS: what would go, and the act itself. */
export interface Removal {
  /** As `Dcs.read` has them. */
  clusters: Cluster[];
  /** What would be taken out. */
  cluster: Cluster;
  /** Names of other keys below it that are not Patroni's: they stay. */
  foreign: string[];
  /**
   * Takes it out, if it is still the cluster that was read; gives the number of keys or objects. `progress` is told
   * what an operator has to know on the way. ToolError `error` (changed_meanwhile) when it is another by now,
   * `failed` when part of it is gone.
   */
  run(progress: (line: string) => void): Promise<number>;
}

/**
 * Errors of every call are ToolError: `unreachable` when nothing answered within the deadline, `error` when the
 * DCS answered and refused (a right that is missing is named), and, for writes only, `unconfirmed` when the answer
 * was lost and reading back did not settle whether it was written. Writes are sent once, never retried.
 */
export interface Dcs {
  /** As messages name it: `etcd`, `Kubernetes`. */
  readonly name: string;
  /** Where clusters are looked for, as in "no cluster x in …": `/service`, `namespace default`. */
  readonly where: string;
  /** Set for a recording, where no member can be asked: what all three witnesses reported. */
  readonly recorded?: {
    snapshots(scope: string, group: number | null): Promise<Snapshot[]>;
    all(): Promise<Snapshot[]>;
  };
  /**
   * Why its guard of the dynamic configuration is weaker than a compare of the revision, as a clause; absent: it is
   * not.
   */
  readonly weakGuard?: string;
  /** What is thrown before anything is read, where /failover cannot be written; absent: it can. */
  readonly noRequests?: () => Error;
  /**
   * `cluster` with the claims of the other members beside it, where they differ. Only where claims are a member's
   * answers; never throws, and a member that does not answer has no claims.
   */
  compareViews?(cluster: Cluster): Promise<Cluster>;
  /** The scope of the one cluster that this way leads to, whatever the configuration says; absent: of any cluster. */
  ownScope?(): Promise<string>;

  /**
   * The same DCS, where a name without a place means one at this place; it is closed with this one. Absent: there is
   * one place.
   */
  at?(place: string): Dcs;

  /** The cluster of this name, or each of its Citus groups when no group is named; [] when nothing is there. */
  read(name: ClusterName, options?: ReadOptions): Promise<Cluster[]>;
  /** Every cluster within reach, by scope and then group. */
  readAll(options?: ReadOptions): Promise<Cluster[]>;
  /** Every scope within reach, sorted. */
  scopes(): Promise<string[]>;
  /** One cluster, and a way to be told of every change. Without a group: changes of every group wake it. */
  follow(name: ClusterName): Promise<Followable>;
  /**
   * Members of the cluster whose key is gone, from the DCS's own past, until `enough` of them were found, or the
   * limit is reached. A past that cannot be read is a ToolError. `modRevision` is where each was found to be gone.
   */
  goneMembers(
    cluster: Cluster,
    limit: PastLimit,
    enough?: (found: readonly Member[]) => boolean,
  ): Promise<GoneMembers>;
  /** The keys around a member of `goneMembers` at its last heartbeat; null where the history does not show them. */
  lastWord(cluster: Cluster, member: Member): Promise<LastWord | null>;
  /** How the leader lock changed hands, newest first, from the DCS's own past; absent: it has none. */
  leaderChanges?(cluster: Cluster, limit: PastLimit): Promise<PastLeaderChange[]>;
  /**
   * Every change of the cluster's keys that the DCS still remembers, oldest first, each handed to `fold`; absent: it
   * has no past. `limit.looks` does not apply.
   */
  keyPast?(
    name: ClusterName,
    limit: PastLimit,
    fold: (change: KeyChange) => void,
  ): Promise<KeyPast>;
  /** Writes the dynamic configuration (JSON text), if it is still what `cluster` has. */
  writeConfig(cluster: Cluster, text: string): Promise<Written>;
  /** Writes a request into /failover, or clears it with null, if it is still what `cluster` has. */
  writeFailover(cluster: Cluster, request: FailoverRequest | null): Promise<Written>;
  /**
   * Notes that a member was taken out on purpose, and deletes its key where it has no lease that ends it; both only
   * while its key is what `cluster` has. Absent: members cannot be noted here.
   */
  retireMember?(cluster: Cluster, name: string): Promise<Retired>;
  /** What `remove` would take out. */
  removal(name: ClusterName): Promise<Removal>;
  /** Ends every connection and every `changes`. Idempotent. */
  close(): Promise<void>;
}

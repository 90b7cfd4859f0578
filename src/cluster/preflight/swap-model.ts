/** What a swap of two sites is planned from, and what the plan consists of. */
import { argumentOf, shellWord } from '../model/command-line.js';
import type { Cluster } from '../model/model.js';
import type { View } from '../roles/view.js';
import type { HbaRule } from './hba-rules.js';
import type { PlanCheck } from './plan-model.js';

/** standby_cluster as it is written. */
export type StandbySource = {
  host: string;
  port: number;
  primary_slot_name?: string;
};

export type SiteSide = 'here' | 'there';

/** One of the two clusters as it was read. */
export interface Site {
  side: SiteSide;
  /** The cluster's name, or `this site` and `the other site` where both have one name. */
  label: string;
  view: View;
  /** The options that lead to it, where they are not those of this run: `-c`, FILE. */
  way: readonly string[];
}

/** Whether a server of this site reaches the other site's leader. */
export interface Reach {
  member: string;
  /** null: unknown; `said` has the reason. */
  reached: boolean | null;
  /** Whether pg_hba.conf there let it in, where the member tried; null: unknown. */
  admitted: boolean | null;
  said: string;
}

/** Which server answers at an address, asked from this machine and compared with the leader of a site; null: unknown. */
export type Answering = 'leader' | 'another server' | 'another database' | null;

/** How the other site lets in what connects to it. */
export interface SiteAccess {
  /** The role that this site replicates with; null: not seen. */
  user: string | null;
  /** pg_hba.conf of the leader there; null: not read, and `why`. */
  rules: readonly HbaRule[] | null;
  why: string;
  /** At the address that will be used, compared with the leader there. */
  answers: Answering;
}

export interface SwapRequest {
  /** Where this site streams from afterwards; null: the address in the other leader's member key. */
  host: string | null;
  port: number | null;
  /** null: the slot that the other site uses now, if it has one of that name too. */
  primarySlotName: string | null;
  /** How far the other site may be behind when the writes end, bytes. */
  maxLagBytes: number;
  skipChecks: readonly string[];
}

/** Whether a Patroni takes changes from here. */
export interface RestTaken {
  /** null: unknown. */
  taken: boolean | null;
  /** Why it does not, where its answer says so. */
  lacks: 'login' | 'certificate' | 'address' | null;
  said: string;
}

/** What is asked beside the two snapshots. */
export interface SwapEvidence {
  /** Every address of each host. */
  addresses: ReadonlyMap<string, readonly string[]>;
  /** Of the members here, to the address that will be used. */
  reach: readonly Reach[];
  /** At the address that the leader there streams from, compared with the leader here. */
  upstream: Answering;
  /** What Patroni of the leader there says to an empty change; null: not asked. */
  restThere: RestTaken | null;
  access: SiteAccess;
}

export interface PlannedSite {
  label: string;
  cluster: string;
  group: number | null;
  leader: string | null;
  timeline: number | null;
}

export interface SwapPlan {
  here: PlannedSite;
  there: PlannedSite;
  checks: PlanCheck[];
  /** Names of the checks for which it is refused. */
  refusedBy: string[];
  /** What standby_cluster of this site becomes; null: not known. */
  standbyCluster: StandbySource | null;
}

/** The names of the two sites in every text. */
export function siteLabels(
  here: Pick<Cluster, 'scope'>,
  there: Pick<Cluster, 'scope'>,
): Record<SiteSide, string> {
  if (here.scope !== there.scope) return { here: here.scope, there: there.scope };
  return { here: 'this site', there: 'the other site' };
}

/** `pg1 of sb` */
export function memberOf({ label }: Pick<Site, 'label'>, member: string | null): string {
  return `${member ?? 'the leader'} of ${label}`;
}

/** A command on one of the sites, whole and with the options that lead there. */
export function siteCommand(
  { way, view }: Pick<Site, 'way' | 'view'>,
  verb: string,
  ...words: string[]
): string {
  const parts = [verb, argumentOf(view.snapshot.cluster), ...words.map(shellWord)];
  return ['patctl', ...way.map(shellWord), ...parts].join(' ');
}

export function plannedSite({ label, view }: Site): PlannedSite {
  const { scope, group, leaderName } = view.snapshot.cluster;
  const timeline = view.leader?.timeline ?? null;
  return { label, cluster: scope, group, leader: leaderName, timeline };
}

/** SQL of the leader before the DCS, and that before REST. */
export function systemIdOf({ view }: Pick<Site, 'view'>): string | null {
  const { leader, snapshot } = view;
  if (leader?.sql.ok && leader.sql.value.systemId !== null) return leader.sql.value.systemId;
  return snapshot.cluster.systemId ?? (leader?.rest.ok ? leader.rest.value.systemId : null);
}

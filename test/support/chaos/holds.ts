/** What each finding of `check` is worth in the light of what the judge saw at one moment. */
import type { Finding } from '../../../src/cluster/model/model.js';
import type { Facts, MemberFacts } from './facts.js';

/** What the rules ask of the facts. */
interface Scene {
  facts: Facts;
  /** The leader's own words. */
  head: MemberFacts | null;
  primaries: string[];
  /** The finding is about these. */
  about: string[];
  isUp: (name: string) => boolean;
  isFed: (name: string) => boolean;
  isRegarded: (name: string) => boolean;
  behind: (name: string) => number;
}

type Rule = (scene: Scene, name: string) => boolean;

const LAG_LIMIT = 1_048_576;

const some =
  (test: Rule): ((scene: Scene) => boolean) =>
  (scene) =>
    scene.about.some((name) => test(scene, name));

const isSilent: Rule = ({ facts }, name) =>
  (facts.patroni.get(name) ?? null) === null || facts.slow.has(name);
const hasLeft: Rule = (scene, name) =>
  !scene.facts.keys.includes(name) || isSilent(scene, name) || !scene.isUp(name);
const isUnfed: Rule = (scene, name) => !scene.isFed(name) || !scene.isUp(name);
const isExcluded: Rule = (scene, name) =>
  isUnfed(scene, name) ||
  isSilent(scene, name) ||
  scene.facts.nofailover.includes(name) ||
  scene.behind(name) > LAG_LIMIT ||
  (scene.facts.syncMode !== 'off' && !scene.facts.standbys.includes(name));
const slotOf = ({ head }: Scene, name: string) => head?.slots.find((slot) => slot.name === name);
const isBeyondWal: Rule = (scene, name) =>
  isUnfed(scene, name) &&
  scene.head !== null &&
  (scene.facts.members.get(name)?.lsn ?? 0) < scene.head.oldest;

/**
 * By code: whether it holds at this moment. A critical one without a rule never does, so that a developer looks at it.
 * pending_restart has none: after a start with the larger value of its primary only Patroni knows of it.
 */
const RULES: Record<string, (scene: Scene) => boolean> = {
  no_leader: ({ facts, primaries }) => facts.leader === null && primaries.length === 0,
  two_primaries: ({ primaries }) => primaries.length > 1,
  primary_without_lock: some(
    ({ facts, primaries }, name) => primaries.includes(name) && name !== facts.leader,
  ),
  lock_without_primary: ({ facts, primaries, isUp }) =>
    facts.leader !== null &&
    (facts.standbyCluster ? !isUp(facts.leader) : !primaries.includes(facts.leader)),
  leader_unreachable: (scene) => scene.head === null && isSilent(scene, scene.facts.leader ?? ''),
  member_unreachable: some(isSilent),
  member_left: some(hasLeft),
  member_missing: some(hasLeft),
  postgres_unreachable: some(({ isUp }, name) => !isUp(name)),
  connections_exhausted: some(({ facts }, name) => facts.members.get(name)?.isFull === true),
  member_state: some(({ isUp }, name) => !isUp(name)),
  not_streaming: some(isUnfed),
  wrong_upstream: some(isUnfed),
  catching_up: some(({ behind }, name) => behind(name) > LAG_LIMIT),
  replay_behind: some(({ facts }, name) => {
    const one = facts.members.get(name);
    return (one?.lsn ?? 0) - (one?.replayed ?? 0) > LAG_LIMIT;
  }),
  replay_paused: some(({ facts }, name) => facts.members.get(name)?.replayPaused === true),
  timeline_behind: some(isUnfed),
  timeline_fork: some(isUnfed),
  slot_missing: some((scene, name) => scene.head !== null && slotOf(scene, name) === undefined),
  slot_unreserved: some((scene, name) => {
    const slot = slotOf(scene, name);
    return slot !== undefined && (slot.restart === null || slot.status === 'unreserved');
  }),
  slot_lost: some(isBeyondWal),
  wal_gone: some(isBeyondWal),
  sync_role_mismatch: some(
    (scene, name) => scene.facts.standbys.includes(name) && !scene.isRegarded(name),
  ),
  sync_unclaimed: some(
    (scene, name) => !scene.facts.standbys.includes(name) && scene.isRegarded(name),
  ),
  sync_empty: ({ facts }) => facts.standbys.length === 0,
  sync_leader_stale: ({ facts }) => facts.syncLeader !== null && facts.syncLeader !== facts.leader,
  sync_names_overridden: ({ head }) => head?.namesFile?.endsWith('auto.conf') === true,
  sync_names_differ: ({ head, facts }) =>
    head !== null && (!sameNames(head.names, facts.standbys) || !countsFit(head.names, facts)),
  commits_blocked: ({ head, isRegarded, facts }) =>
    head !== null &&
    head.names !== '' &&
    (head.waiters > 0 || ![...facts.members.keys()].some((name) => isRegarded(name))),
  quorum_lost: (scene) =>
    scene.facts.standbys.length === 0 ||
    scene.facts.standbys.some((name) => isExcluded(scene, name)),
  quorum_at_risk: (scene) =>
    scene.facts.standbys.some((name) => isUnfed(scene, name) || isSilent(scene, name)),
  no_failover_candidate: (scene) =>
    [...scene.facts.members.keys()]
      .filter((name) => name !== scene.facts.leader)
      .every((name) => isExcluded(scene, name)),
  stale_failover_key: ({ facts }) => /leader|member/.test(facts.failover ?? ''),
  paused: ({ facts }) => facts.paused,
  dcs_unreadable: ({ facts }) => facts.unreadable.length > 0,
};

/** Whether there is a rule for the code at all. */
export const isJudged = (code: string): boolean => code in RULES;

/** Whether a finding holds by these facts. */
export function holds(
  { code, members: about }: Pick<Finding, 'code' | 'members'>,
  facts: Facts,
): boolean {
  return RULES[code]?.(sceneOf(facts, about)) ?? false;
}

function sceneOf(facts: Facts, about: string[]): Scene {
  const head = headOf(facts);
  const rowOf = (name: string) => head?.rows.find((row) => row.name === name);
  return {
    facts,
    head,
    about,
    primaries: primariesOf(facts),
    isUp: (name) => (facts.members.get(name) ?? null) !== null && !facts.slow.has(name),
    isFed: (name) => ['streaming', 'catchup'].includes(rowOf(name)?.state ?? ''),
    isRegarded: (name) => ['sync', 'quorum'].includes(rowOf(name)?.sync ?? ''),
    behind: (name) => (head?.lsn ?? 0) - (facts.members.get(name)?.lsn ?? 0),
  };
}

/** The facts of the leader key's owner. */
export function headOf({ leader, members }: Facts): MemberFacts | null {
  return leader === null ? null : (members.get(leader) ?? null);
}

/** Names of all that are out of recovery. */
export function primariesOf({ members }: Facts): string[] {
  return [...members].filter(([, one]) => one?.recovery === false).map(([name]) => name);
}

/** The same names, wherever they stand in `ANY 1 (a,b)`. */
function sameNames(text: string, standbys: string[]): boolean {
  const inside = /\(([^)]*)\)/.exec(text)?.[1] ?? text;
  const names = inside.split(',').map((name) => name.trim().replaceAll('"', ''));
  return [...names].sort().join() === [...standbys].sort().join();
}

/** In quorum mode the standbys that a commit waits for and those that vote add up to all of them. */
function countsFit(text: string, { standbys, syncQuorum }: Facts): boolean {
  const any = /^ANY (\d+)/i.exec(text);
  return any === null || Number(any[1]) + syncQuorum >= standbys.length;
}

/** One line of what the judge saw, for a person. */
export function told(facts: Facts): string {
  const member = ([name, one]: [string, MemberFacts | null]): string => {
    const rest = facts.patroni.get(name) ?? 'silent';
    const last = facts.told.get(name) ?? '?';
    const key = facts.keys.includes(name) ? last : `gone, last ${last}`;
    const sql = one === null ? 'silent' : one.recovery ? 'standby' : 'primary';
    const pace = facts.slow.has(name) ? ' (slow)' : '';
    return `${name}: SQL ${sql}, REST ${rest}${pace}, key ${key}`;
  };
  const rows = headOf(facts)?.rows.map(({ name, state, sync }) => `${name} ${state} ${sync}`);
  return [
    facts.dcs ? `leader ${facts.leader ?? 'none'}` : 'etcd silent',
    ...[...facts.members].map(member),
    `rows ${rows?.join(', ') ?? 'not read'}`,
    `/sync ${facts.syncLeader ?? 'none'}: ${facts.standbys.join(',') || 'none'}`,
    `names '${headOf(facts)?.names ?? ''}', waiting ${headOf(facts)?.waiters ?? 0}`,
  ].join('; ');
}

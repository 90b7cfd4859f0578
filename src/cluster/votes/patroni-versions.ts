/** What differs between Patroni's versions in the decisions that patctl predicts. */

/** How one version decides. */
export interface Rules {
  /** `synchronous_mode: quorum` is a mode; before it the word means off. */
  quorumMode: boolean;
  /** A standby that is as far is let go first for its failover_priority in plain synchronous mode too. */
  priorityInSyncMode: boolean;
  /** The former leader is not let go first for its failover_priority. */
  sparesFormerLeader: boolean;
  /** failover_priority decides between standbys without any WAL position too. */
  priorityWithoutWal: boolean;
  /** For which requests the leader wants quorum + 1 healthy voters before it steps down. */
  gateVotes: 'none' | 'always' | 'unnamed';
}

interface Row {
  rule: keyof Rules;
  value: Rules[keyof Rules];
  /** Half-open ranges of versions, the end left out; null: up to the newest. */
  versions: [from: string, before: string | null][];
  /** Where it stands: file, function, and line in the first version of the newest range. */
  source: string;
}

/** Outside the ranges the value is that of BEFORE. Compared in the source of 3.2.0 to 4.1.5. */
export const VERSION_RULES: readonly Row[] = [
  {
    rule: 'quorumMode',
    value: true,
    versions: [['4.0.0', null]],
    source: 'global_config.py:111 is_quorum_commit_mode (4.0.0)',
  },
  {
    rule: 'priorityInSyncMode',
    value: false,
    versions: [
      ['4.0.0', '4.0.8'],
      ['4.1.0', '4.1.1'],
    ],
    source:
      'ha.py:1343 _is_healthiest_node: `not self.sync_mode_is_active() or quorum_vote` (4.1.0)',
  },
  {
    rule: 'sparesFormerLeader',
    value: true,
    versions: [
      ['3.3.7', '4.0.0'],
      ['4.0.6', null],
    ],
    source: 'ha.py:1324 _is_healthiest_node: `leader_name == st.member.name` (4.0.6)',
  },
  {
    rule: 'priorityWithoutWal',
    value: false,
    versions: [['4.0.0', null]],
    source: 'ha.py:1312 _is_healthiest_node: `elif st.wal_position > 0` (4.0.0)',
  },
  {
    rule: 'gateVotes',
    value: 'always',
    versions: [['4.0.5', '4.0.6']],
    source: 'ha.py:1367 is_failover_possible (4.0.5, patroni#3307)',
  },
  {
    rule: 'gateVotes',
    value: 'unnamed',
    versions: [['4.0.6', null]],
    source: 'ha.py:1380 is_failover_possible: `check_quorum` (4.0.6, patroni#3310)',
  },
];

const BEFORE: Rules = {
  quorumMode: false,
  priorityInSyncMode: true,
  sparesFormerLeader: false,
  priorityWithoutWal: true,
  gateVotes: 'none',
};

const decided = new Map<string, Rules>();

/** How this version decides; null: not a version. Versions that decide alike get the same object. */
export function rulesOf(version: string | null): Rules | null {
  if (version === null) return null;
  // Asked for each of n² votes.
  const known = decided.get(version);
  if (known !== undefined) return known;
  if (!/^\d+\.\d+/.test(version)) return null;
  const rules = Object.assign(
    {},
    BEFORE,
    ...VERSION_RULES.filter((row) => covers(row, version)).map(({ rule, value }) => ({
      [rule]: value,
    })),
  ) as Rules;
  const alike = [...decided.values()].find((other) => isSame(other, rules)) ?? rules;
  decided.set(version, alike);
  return alike;
}

/** Every way in which a member of an unknown version may decide. */
export function everyRules(): Rules[] {
  const starts = VERSION_RULES.flatMap(({ versions }) => versions.flat()).filter(
    (at) => at !== null,
  );
  const found = ['3.2.0', ...starts]
    .map((version) => rulesOf(version))
    .filter((one) => one !== null);
  return [...new Set(found)];
}

function isSame(a: Rules, b: Rules): boolean {
  return (Object.keys(BEFORE) as (keyof Rules)[]).every((rule) => a[rule] === b[rule]);
}

function covers({ versions }: Row, version: string): boolean {
  return versions.some(
    ([from, before]) =>
      order(version, from) >= 0 && (before === null || order(version, before) < 0),
  );
}

/** Negative: a is older than b. */
function order(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map((part) => parseInt(part, 10)));
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

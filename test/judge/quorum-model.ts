/**
 * The votes once more, written from other ends. Losses: from the invariant, by trying every hidden world.
 * The race: from Patroni's Ha._is_healthiest_node as a table of plain numbers. Nothing is shared with src.
 */

/** A member as small as it gets: position 0 means that it does not answer. */
export interface ModelNode {
  name: string;
  position: number;
  nofailover: boolean;
  priority: number;
}

export interface ModelCluster {
  mode: 'off' | 'on' | 'quorum';
  leader: string;
  /** The leader's node is there as an ordinary, racing member (it lost the lock and came back as a replica). */
  leaderCameBack: ModelNode | null;
  others: ModelNode[];
  voters: string[];
  quorum: number;
  optime: number;
  maximumLag: number;
}

const HIGHEST = 4;

/** Every way the members that do not answer may stand. */
function* hiddenWorlds(nodes: ModelNode[]): Generator<Map<string, number>> {
  const first = nodes[0];
  if (!first) {
    yield new Map();
    return;
  }
  const candidates = first.position > 0 ? [first.position] : [1, 2, 3, HIGHEST];
  for (const rest of hiddenWorlds(nodes.slice(1)))
    for (const position of candidates) yield new Map(rest).set(first.name, position);
}

/** How many voters PostgreSQL may have been waiting for, as the invariant quorum + numsync >= N allows. */
function possibleNumsync(cluster: ModelCluster): number[] {
  const n = cluster.voters.length;
  if (cluster.mode === 'off') return [0];
  if (cluster.mode === 'on') return [n];
  const all = Array.from({ length: n + 1 }, (_, i) => i);
  return all.filter((numsync) => numsync + cluster.quorum >= n);
}

/** Some commit that was acknowledged in some hidden world is missing on the candidate. */
export function someWorldLoses(cluster: ModelCluster, candidate: string): boolean {
  const waiting = possibleNumsync(cluster);
  for (const world of hiddenWorlds(cluster.others)) {
    const has = world.get(candidate) ?? 0;
    for (let commit = has + 1; commit <= HIGHEST; commit++) {
      const holders = cluster.voters.filter((v) => (world.get(v) ?? 0) >= commit).length;
      // The leader, which is gone, had every commit.
      if (waiting.some((numsync) => holders >= numsync)) return true;
    }
  }
  return false;
}

/** Patroni's loop over the answers, with its own counting from -1. */
export function winsRace(cluster: ModelCluster, candidate: string): boolean {
  const back = cluster.leaderCameBack;
  const everybody = back ? [back, ...cluster.others] : cluster.others;
  const me = everybody.find((n) => n.name === candidate);
  if (!me || me.position === 0 || me.nofailover) return false;
  const inSync = new Set([cluster.leader, ...cluster.voters]);
  if (cluster.mode === 'on' && !inSync.has(candidate)) return false;
  if (cluster.optime - me.position > cluster.maximumLag) return false;
  let votes = inSync.has(candidate) ? 0 : -1;
  let ahead = 0;
  for (const st of everybody) {
    if (st === me || st.position === 0 || st.nofailover) continue;
    if (cluster.mode !== 'off' && !inSync.has(st.name)) continue;
    const former = st.name === cluster.leader;
    if (st.position > me.position) {
      ahead++;
      if (cluster.mode === 'off' || !former) return false;
      continue;
    }
    if (st.position === me.position && st.priority > me.priority && !former) return false;
    votes++;
  }
  if (cluster.mode !== 'quorum') return true;
  return votes >= cluster.quorum || (ahead === 0 && candidate === cluster.leader);
}

/** The leader's own count before it steps down without a named candidate: from -1, it must reach the quorum. */
export function leaderStepsDown(cluster: ModelCluster, candidate: string | null): boolean {
  let votes = -1;
  for (const st of cluster.others) {
    if (candidate !== null && st.name !== candidate) continue;
    if (cluster.mode !== 'off' && !cluster.voters.includes(st.name)) continue;
    if (st.position === 0 || st.nofailover) continue;
    if (cluster.optime - st.position > cluster.maximumLag) continue;
    votes++;
  }
  if (cluster.mode === 'quorum' && candidate === null && votes < cluster.quorum) return false;
  return votes >= 0;
}

/** Every cluster of up to `members` members, up to the names of equals: voters and others are sorted by state. */
export function* everyCluster(
  members: number,
  states: Omit<ModelNode, 'name'>[],
): Generator<ModelCluster> {
  for (let others = 0; others < members; others++)
    for (let n = 0; n <= others; n++)
      for (const voting of multisets(states, n, 'v'))
        for (const rest of multisets(states, others - n, 'a'))
          for (const [mode, quorum] of modesFor(n))
            yield {
              mode,
              quorum,
              leader: 'lead',
              leaderCameBack: null,
              others: [...voting, ...rest],
              voters: mode === 'off' ? [] : voting.map((v) => v.name),
              optime: 0,
              maximumLag: 0,
            };
}

function modesFor(n: number): ['off' | 'on' | 'quorum', number][] {
  const quorums = Array.from({ length: Math.max(n, 1) }, (_, q): ['quorum', number] => [
    'quorum',
    q,
  ]);
  // Without synchronous mode there are no votes: once per cluster is enough.
  return [...(n === 0 ? ([['off', 0]] as ['off', number][]) : []), ['on', 0], ...quorums];
}

function multisets(states: Omit<ModelNode, 'name'>[], size: number, prefix: string): ModelNode[][] {
  if (size === 0) return [[]];
  return states.flatMap((state, i) =>
    multisets(states.slice(i), size - 1, prefix).map((rest) => [
      { ...state, name: `${prefix}${size}` },
      ...rest,
    ]),
  );
}

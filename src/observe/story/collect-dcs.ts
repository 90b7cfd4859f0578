/** What the DCS tells of the past: its own history of keys, and /history. */
import { etcdFacts } from '../../cluster/story/etcd-facts.js';
import { historyFacts } from '../../cluster/story/history-facts.js';
import type { SourceRead, StoryFact } from '../../cluster/story/story-model.js';
import type { Context } from '../../context.js';
import type { PastLimit } from '../../dcs/dcs.js';
import { ToolError } from '../../errors.js';
import type { Cluster } from '../../cluster/model/model.js';

/** etcd hands out its history as quickly as it reads it; a long one is many megabytes. */
const PAST_LIMIT: PastLimit = { ms: 20_000 };

export interface Told {
  facts: StoryFact[];
  sources: SourceRead[];
}

export async function collectDcs(context: Context, cluster: Cluster): Promise<Told> {
  const history = historyFacts(cluster.history ?? []);
  const own = source(
    'history',
    '',
    history,
    cluster.history === null ? 'there is no /history' : null,
  );
  const past = await etcdPast(context, cluster);
  return { facts: [...past.facts, ...history], sources: [...past.sources, own] };
}

async function etcdPast(context: Context, { scope, group }: Cluster): Promise<Told> {
  const dcs = await context.dcs();
  if (!dcs.keyPast) return { facts: [], sources: [] };
  const folded = etcdFacts();
  try {
    const past = await dcs.keyPast({ scope, group }, PAST_LIMIT, (change) => folded.add(change));
    const facts = folded.facts();
    const missing = past.from === null ? 'etcd has compacted all of it' : null;
    const late = `not read to its end within ${PAST_LIMIT.ms / 1000} s`;
    const problem = past.complete ? missing : late;
    const reach = past.from === null ? '' : `from revision ${past.from}`;
    return { facts, sources: [source('etcd', reach, facts, problem)] };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { facts: [], sources: [source('etcd', '', [], error.message)] };
  }
}

function source(
  kind: SourceRead['source'],
  name: string,
  facts: readonly StoryFact[],
  problem: string | null,
): SourceRead {
  const times = facts.flatMap(({ at }) => at ?? []).sort();
  return {
    source: kind,
    name,
    member: null,
    facts: facts.length,
    from: times[0] ?? null,
    to: times.at(-1) ?? null,
    problem,
  };
}

/** Facts from a file of `patctl record`. */
import { historyFacts } from '../../cluster/story/history-facts.js';
import { recordingFacts, type RecordingFacts } from '../../cluster/story/recording-facts.js';
import { readRecord } from '../../dcs/recording/read-record.js';
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { Told } from './collect-dcs.js';

/** Of the one cluster in it, or of the one that is named. */
export async function collectRecording(
  file: string,
  scope: string | null,
  group: number | null,
): Promise<Told> {
  const found = new Map<string, { folded: RecordingFacts; last: Cluster | null }>();
  const names = new Set<string>();
  let from: string | null = null;
  let to: string | null = null;
  for await (const line of readRecord(file)) {
    from ??= line.at;
    to = line.at;
    if (line.kind !== 'snapshot' && line.kind !== 'event') {
      if (line.kind === 'start' && line.rotated) continue;
      for (const { folded } of found.values()) folded.interrupted(line.at);
      continue;
    }
    if (names.size < MOST_NAMED) names.add(nameOf(line));
    if ((scope !== null && line.scope !== scope) || (group !== null && line.group !== group))
      continue;
    const name = JSON.stringify([line.scope, line.group]);
    const one = found.get(name) ?? { folded: recordingFacts(), last: null };
    found.set(name, one);
    if (line.kind === 'event') one.folded.event(line.event);
    else {
      one.folded.snapshot(line.at, line.snapshot);
      one.last = line.snapshot.cluster;
    }
  }
  const [only, another] = [...found.values()];
  if (only === undefined || another !== undefined) throw notOne([...names], scope, found.size);
  const facts = only.folded.facts();
  const history = historyFacts(only.last?.history ?? []);
  return {
    facts: [...facts, ...history],
    sources: [
      {
        source: 'recording',
        name: file,
        member: null,
        facts: facts.length,
        from,
        to,
        problem: null,
      },
    ],
  };
}

const MOST_NAMED = 20;

const nameOf = ({ scope, group }: { scope: string; group: number | null }): string =>
  group === null ? scope : `${scope} (group ${group})`;

function notOne(names: readonly string[], scope: string | null, found: number): ToolError {
  const has = names.map(oneLine).join(', ');
  if (found === 0) {
    const of = scope === null ? 'no cluster' : `no cluster ${oneLine(scope)}`;
    return new ToolError('error', `${of} is in the recording`, {
      code: 'unknown_cluster',
      ...(has !== '' && { hint: `it has: ${has}` }),
    });
  }
  return new ToolError('usage', 'several clusters are in the recording', {
    code: 'several_clusters',
    hint: `name one, and its --group: ${has}`,
  });
}

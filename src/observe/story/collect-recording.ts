/** Facts from a file of `patctl record`. */
import { historyFacts } from '../../cluster/story/history-facts.js';
import { recordingFacts, type RecordingFacts } from '../../cluster/story/recording-facts.js';
import { readRecord } from '../../dcs/recording/read-record.js';
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { Told } from './collect-dcs.js';

/** Of the one cluster in it, or of the one that is named. */
export async function collectRecording(
  file: string,
  scope: string | null,
  group: number | null,
): Promise<Told> {
  const found = new Map<string, { folded: RecordingFacts; last: Cluster | null }>();
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
  if (only === undefined || another !== undefined) throw notOne([...found.keys()], scope);
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

function notOne(names: readonly string[], scope: string | null): ToolError {
  if (names.length === 0) {
    const of = scope === null ? 'no cluster' : `no cluster ${scope}`;
    return new ToolError('error', `${of} is in the recording`, { code: 'unknown_cluster' });
  }
  return new ToolError('usage', `several clusters are in the recording: ${names.join(', ')}`, {
    code: 'several_clusters',
    hint: 'name the cluster, and its --group',
  });
}

/** A recording (patctl snapshot) behind the port: it shows what was recorded, and refuses every write. */
import type { Cluster, Snapshot } from '../../cluster/model/model.js';
import { byCodePoint } from '../../cluster/model/patroni-values.js';
import { ToolError } from '../../errors.js';
import type { ClusterName, Dcs } from '../dcs.js';
import { noWrite } from './no-write.js';

const NO_PAST = 'a recording holds one moment, and the members that had left by then';

/** Read when first needed. `atMs`: the moment that is meant, ms since 1970; null: the last one that was recorded. */
export function recordedDcs(file: string, atMs: number | null = null): Dcs {
  let read: Promise<Snapshot[]> | undefined;
  const all = (): Promise<Snapshot[]> =>
    (read ??= import('./read-recording.js').then(({ readRecording }) => readRecording(file, atMs)));
  const clustersOf = async ({ scope, group }: ClusterName): Promise<Cluster[]> =>
    (await all())
      .map(({ cluster }) => cluster)
      .filter((one) => one.scope === scope && (group ?? one.group) === one.group);
  const scopes = async (): Promise<string[]> =>
    [...new Set((await all()).map(({ cluster }) => cluster.scope))].sort(byCodePoint);
  const closing = new AbortController();
  const refuse = (): Promise<never> => Promise.reject(noWrite());
  return {
    name: 'a recording',
    where: `the recording ${file}`,
    recorded: {
      snapshots: async (scope, group) =>
        (await all()).filter(
          ({ cluster }) => cluster.scope === scope && (group ?? cluster.group) === cluster.group,
        ),
      all,
    },
    ownScope: async () => {
      const names = await scopes();
      if (names.length === 1 && names[0] !== undefined) return names[0];
      throw new ToolError('error', 'the recording has several clusters; name one', {
        code: 'unknown_cluster',
        hint: `it has: ${names.join(', ')}`,
      });
    },
    read: clustersOf,
    readAll: async () => (await all()).map(({ cluster }) => cluster),
    scopes,
    follow: async (name) => {
      const [cluster] = await clustersOf(name);
      if (!cluster) throw new ToolError('error', `the recording has no cluster "${name.scope}"`);
      // A recording never changes.
      return {
        cluster,
        changes: (signal) => nothing(AbortSignal.any([signal, closing.signal])),
      };
    },
    goneMembers: () => Promise.resolve({ members: [], incomplete: NO_PAST }),
    lastWord: () => Promise.resolve(null),
    writeConfig: refuse,
    writeFailover: refuse,
    removal: refuse,
    close: () => {
      closing.abort();
      return Promise.resolve();
    },
  };
}

async function* nothing(signal: AbortSignal): AsyncGenerator<Cluster> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Follows a cluster's objects: watches with bookmarks, taken up again where they broke off. */
import type { Cluster } from '../../cluster/model/model.js';
import { pause } from '../../clock.js';
import { ToolError } from '../../errors.js';
import type { KubeClient } from './kube-client.js';
import { isLater, listAll, type Gathered, type OneList } from './kube-lists.js';
import type { KubeMeta } from './kube-objects.js';

interface AnyObject {
  metadata: KubeMeta;
}

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: AnyObject & { code?: number; message?: string };
}

/** The API server ends a watch after a while by itself; this is asked for, so that it does so in time. */
const WATCH_SECONDS = 300;
const AGAIN_MS = [100, 500, 1000, 2000] as const;

/**
 * A value of `parse` after every change of what was gathered. Lists are changed in place: what is gone from them is
 * gone. Ends when the signal aborts; throws what the API server refuses.
 */
export async function* followObjects(
  client: KubeClient,
  gathered: readonly Gathered[],
  parse: () => Cluster,
  signal: AbortSignal,
  watchSeconds = WATCH_SECONDS,
): AsyncGenerator<Cluster> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const state: State = { changed: false, failure: null, wake: () => undefined };
  const note = (): void => {
    state.changed = true;
    state.wake();
  };
  const lists = gathered.flatMap(({ pods, kinds }) => [pods, ...kinds] as OneList<AnyObject>[]);
  const following = lists.map((list) =>
    followOne(client, list, note, both, watchSeconds).catch((error: unknown) => {
      state.failure ??= error instanceof Error ? error : new Error('the watch failed');
      state.wake();
    }),
  );
  both.addEventListener('abort', () => state.wake());
  try {
    while (!isOver(signal)) {
      if (state.failure !== null) throw state.failure;
      if (!state.changed) await somethingNew(state, signal);
      else {
        state.changed = false;
        yield parse();
      }
    }
  } finally {
    over.abort();
    await Promise.all(following);
  }
}

interface State {
  changed: boolean;
  failure: Error | null;
  wake: () => void;
}

function somethingNew(state: State, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    state.wake = resolve;
    if (state.changed || state.failure !== null || isOver(signal)) resolve();
  });
}

/** Until the signal aborts; an error that another try cannot cure is thrown. */
async function followOne(
  client: KubeClient,
  list: OneList<AnyObject>,
  note: () => void,
  signal: AbortSignal,
  watchSeconds: number,
): Promise<void> {
  let failures = 0;
  while (!isOver(signal)) {
    try {
      const how = await watchOnce(client, list, note, signal, watchSeconds);
      if (how === 'expired') {
        await relist(client, list);
        note();
      }
      failures = 0;
      // A server that ends every watch at once is not asked without a pause.
      await pause(AGAIN_MS[0], signal);
    } catch (error) {
      if (isOver(signal)) return;
      if (error instanceof ToolError && error.ending !== 'unreachable') throw error;
      const pauseMs = AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)] ?? 2000;
      failures += 1;
      await pause(pauseMs, signal);
    }
  }
}

async function watchOnce(
  client: KubeClient,
  list: OneList<AnyObject>,
  note: () => void,
  signal: AbortSignal,
  watchSeconds: number,
): Promise<'ended' | 'expired'> {
  const query = new URLSearchParams({
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: list.resourceVersion,
    timeoutSeconds: String(watchSeconds),
    ...(list.selector === '' ? {} : { labelSelector: list.selector }),
  });
  try {
    for await (const raw of client.watch(`${list.path}?${query.toString()}`, signal)) {
      const event = raw as WatchEvent;
      if (event.type === 'ERROR') {
        // 410 Gone: the events since then are no longer kept.
        if (event.object.code === 410) return 'expired';
        throw new ToolError('unreachable', event.object.message ?? 'the watch failed');
      }
      take(list, event);
      if (event.type !== 'BOOKMARK') note();
    }
  } catch (error) {
    if (error instanceof ToolError && /\b410\b/.test(error.message)) return 'expired';
    throw error;
  }
  return 'ended';
}

function take(list: OneList<AnyObject>, { type, object }: WatchEvent): void {
  const { metadata } = object;
  if (isLater(metadata.resourceVersion, list.resourceVersion)) {
    list.resourceVersion = metadata.resourceVersion;
  }
  if (type === 'BOOKMARK') return;
  const isSame = (one: AnyObject): boolean =>
    one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace;
  const rest = list.items.filter((one) => !isSame(one));
  list.items = type === 'DELETED' ? rest : [...rest, object];
}

async function relist(client: KubeClient, list: OneList<AnyObject>): Promise<void> {
  const [, namespace = null] = /\/namespaces\/([^/]+)\//.exec(list.path) ?? [];
  const fresh = await listAll<AnyObject>(
    client,
    list.resource,
    namespace === null ? null : decodeURIComponent(namespace),
    list.selector,
    false,
  );
  list.items = fresh.items;
  list.resourceVersion = fresh.resourceVersion;
}

/** A function, because the compiler remembers a check of `aborted` across an await. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

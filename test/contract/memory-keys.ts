/** Writes Patroni's keys into the memory that stands for etcd. */
import type { memoryStore } from '../../src/dcs/keyed/memory-store.js';

/** `keys` as below the cluster's prefix; null deletes one. */
export function putKeys(
  store: ReturnType<typeof memoryStore>,
  keys: Record<string, string | null>,
  scope = 'demo',
  group?: number,
): void {
  const prefix = `/service/${scope}/${group === undefined ? '' : `${group}/`}`;
  for (const [key, value] of Object.entries(keys)) {
    if (value === null) store.remove(`${prefix}${key}`);
    else store.put(`${prefix}${key}`, value);
  }
}

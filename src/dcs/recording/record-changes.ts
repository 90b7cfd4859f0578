/** What changed between two snapshots, as JSON Patch; and a snapshot put together again. Loads rfc6902. */
import { applyPatch, createPatch, type Operation } from 'rfc6902';
import { isObject } from '../../cluster/model/patroni-values.js';
import type { Snapshot } from '../../cluster/model/model.js';
import type { Change } from './record-lines.js';

/**
 * From `before` to `now`; WAL positions stay BigInts, secrets stay in. Parts that are the same object are not looked
 * at, and lists of another length are replaced: the library would compare each of their items with each other one.
 */
export function changesBetween(before: Snapshot, now: Snapshot): Change[] {
  return createPatch(before, now, difference) as Change[];
}

/** undefined: as the library does it. */
const difference: NonNullable<Parameters<typeof createPatch>[2]> = (
  from: unknown,
  to: unknown,
  at,
) => {
  if (from === to) return [];
  if (typeof from === 'bigint' || typeof to === 'bigint') {
    return [{ op: 'replace', path: at.toString(), value: to }];
  }
  if (!Array.isArray(from) || !Array.isArray(to)) return undefined;
  const [was, is]: [unknown[], unknown[]] = [from, to];
  if (was.length !== is.length) return [{ op: 'replace', path: at.toString(), value: to }];
  return was.flatMap((item, index) =>
    createPatch(item, is[index], difference).map((operation) => ({
      ...operation,
      path: `${at.toString()}/${index}${operation.path}`,
    })),
  );
};

/**
 * A new snapshot; `before` stays as it is, and shares with it what did not change. Throws an Error where a change
 * does not fit.
 */
export function applyChanges(before: Snapshot, changes: readonly Change[]): Snapshot {
  const copied = new Set<unknown>();
  const copy = unshared(before, copied) as Snapshot;
  for (const { path } of changes) {
    if (path.split('/').includes('__proto__')) throw new Error('a change has no place to go to');
    copyAlong(copy, path, copied);
  }
  const problem = applyPatch(copy, changes as Operation[]).find((one) => one !== null);
  if (problem) throw new Error(`a change does not fit: ${problem.message}`);
  return copy;
}

function unshared(value: object, copied: Set<unknown>): object {
  const copy: object = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
  copied.add(copy);
  return copy;
}

/** Copies, once, every list and object that leads to the end of the path. */
function copyAlong(top: object, path: string, copied: Set<unknown>): void {
  let here = top as Record<string, unknown>;
  for (const token of path.split('/').slice(1, -1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const inner = Object.hasOwn(here, key) ? here[key] : undefined;
    if (!Array.isArray(inner) && !isObject(inner)) return;
    const own = copied.has(inner) ? inner : unshared(inner as object, copied);
    here[key] = own;
    here = own as Record<string, unknown>;
  }
}

/** The difference is shown before a configuration is refused, and then without the secrets in it. */
import type { JsonValue } from '../../cluster/model/model.js';
import { isObject } from '../../cluster/model/patroni-values.js';

/** Shorter values may be a part of any word: these are left out by the name of their key alone. */
const LEAST_SECRET = 4;

/** A secret in the file is not printed, neither below its key nor at any other place with its value. */
export function documentWithoutSecrets(
  text: string,
  values: ReadonlyMap<string, readonly string[]>,
): string {
  const long = [...values.values()].flat().filter((value) => value.length >= LEAST_SECRET);
  const cleared = long.reduce((rest, value) => rest.replaceAll(value, '(not shown)'), text);
  const names = new Set([...values.keys()].map((key) => key.split('.').at(-1) ?? ''));
  return cleared
    .split('\n')
    .map((line) => {
      const [, before, name = ''] = /^(\s*(?:- )?["']?([\w.-]+)["']?\s*:\s*)\S/.exec(line) ?? [];
      return before !== undefined && names.has(name) ? `${before}(not shown)` : line;
    })
    .join('\n');
}

/** The texts, line by line, of the values that stand under these keys. */
export function valuesOf(
  value: JsonValue,
  keys: ReadonlySet<string>,
  path: readonly string[] = [],
): Map<string, string[]> {
  if (Array.isArray(value)) {
    return merged(value.map((item) => valuesOf(item, keys, path)));
  }
  if (isObject(value)) {
    const entries = Object.entries(value);
    return merged(entries.map(([name, item]) => valuesOf(item, keys, [...path, name])));
  }
  const key = path.join('.');
  return new Map(keys.has(key) ? [[key, String(value).split('\n')]] : []);
}

function merged(maps: readonly Map<string, string[]>[]): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const [key, values] of maps.flatMap((map) => [...map])) {
    all.set(key, [...(all.get(key) ?? []), ...values]);
  }
  return all;
}

/** The dynamic configuration as a list of keys, and what is different between two of them. */
import type { JsonObject, JsonValue } from '../model/model.js';

export interface ConfigPair {
  key: string;
  value: string;
}

/** Every leaf by its whole key; lists are leaves. */
export function configPairs(config: JsonObject): ConfigPair[] {
  return pairsBelow('', config);
}

function pairsBelow(prefix: string, config: JsonObject): ConfigPair[] {
  return Object.entries(config).flatMap(([name, value]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    return isMapping(value) ? pairsBelow(key, value) : [{ key, value: leafText(value) }];
  });
}

function isMapping(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function leafText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Keys whose values differ; null stands for a key that is not there. */
export function changedPairs(
  before: JsonObject,
  after: JsonObject,
): { key: string; before: string | null; after: string | null }[] {
  const [old, now] = [before, after].map(
    (config) => new Map(configPairs(config).map(({ key, value }) => [key, value])),
  );
  const keys = new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])]);
  return [...keys].flatMap((key) => {
    const [was, is] = [old?.get(key) ?? null, now?.get(key) ?? null];
    return was === is ? [] : [{ key, before: was, after: is }];
  });
}

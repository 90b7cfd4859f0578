/** Two values that are made of data alone: what is equal in both becomes one and the same object. */

/**
 * `now`, with every part that is equal to the same part of `before` taken from `before`; `before` itself when all is
 * equal. What compares them later need not look into parts that are the same object. Neither value is changed.
 */
export function sharedParts<T>(before: unknown, now: T): T {
  if (before === now) return now;
  if (Array.isArray(before) && Array.isArray(now)) return sharedLists(before, now) as T;
  if (isRecord(before) && isRecord(now)) return sharedRecords(before, now) as T;
  return now;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sharedLists(before: readonly unknown[], now: readonly unknown[]): readonly unknown[] {
  const items = now.map((item, at) => sharedParts(before[at], item));
  const isSame = before.length === now.length && items.every((item, at) => item === before[at]);
  return isSame ? before : items;
}

function sharedRecords(
  before: Record<string, unknown>,
  now: Record<string, unknown>,
): Record<string, unknown> {
  const names = Object.keys(now);
  let isSame = names.length === Object.keys(before).length;
  const parts: Record<string, unknown> = {};
  for (const name of names) {
    const part = sharedParts(before[name], now[name]);
    parts[name] = part;
    if (part !== before[name] || !Object.hasOwn(before, name)) isSame = false;
  }
  return isSame ? before : parts;
}

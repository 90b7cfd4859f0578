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
  let isSame = before.length === now.length;
  let items: unknown[] | null = null;
  for (const [at, item] of now.entries()) {
    const part = sharedParts(before[at], item);
    if (part !== before[at]) isSame = false;
    if (part !== item) (items ??= [...now])[at] = part;
  }
  return isSame ? before : (items ?? now);
}

function sharedRecords(
  before: Record<string, unknown>,
  now: Record<string, unknown>,
): Record<string, unknown> {
  const names = Object.keys(now);
  let isSame = names.length === Object.keys(before).length;
  // Copied only where a part is replaced: this runs over every answer of every member.
  let parts: Record<string, unknown> | null = null;
  for (const name of names) {
    const part = sharedParts(before[name], now[name]);
    if (part !== now[name]) (parts ??= { ...now })[name] = part;
    if (part !== before[name] || !Object.hasOwn(before, name)) isSame = false;
  }
  return isSame ? before : (parts ?? now);
}

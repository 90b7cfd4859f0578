/** What is worked out of the same facts once, because every member asks for it of every other. */

/** A WeakMap or a Map, as far as it is needed here. */
interface Remembered<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): unknown;
}

/** The value that was worked out before, or `make` now. */
export function remembered<Key, Value>(
  known: Remembered<Key, Value>,
  key: Key,
  make: () => Value,
): Value {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return value;
}

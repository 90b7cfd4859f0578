/** Commands of patctl in what it says, as they have to be typed here: they are copied. */
/** The sentence with every command of patctl in it as it has to be typed here. */
export function asCalled(sentence: string, command: string): string {
  return sentence.replace(/(?<![\w./-])patctl(?= [a-z])/g, () => command);
}

/** A document with every `next` and `hint` in it as it has to be typed here. */
export function documentAsCalled<T>(document: T, command: string): T {
  if (command === 'patctl') return document;
  const called = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return CALLS.has(key) ? asCalled(value, command) : value;
    if (Array.isArray(value)) return value.map((one) => called(one, ''));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, called(one, name)]),
    );
  };
  return called(document, '') as T;
}

const CALLS = new Set(['next', 'hint']);

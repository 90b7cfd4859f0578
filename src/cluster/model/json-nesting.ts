/** A limit for JSON from outside: endless nesting would exhaust every recursion. */

/** Python reads no JSON that is nested deeper than about 1,000, and then Patroni itself sees no cluster at all. */
export const MOST_NESTED = 500;

/** Whether the brackets of a JSON text are nested deeper than that. */
export function isTooDeep(json: string): boolean {
  // Most keys are too short for that, and a fleet has thousands of them.
  if (json.length <= MOST_NESTED) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') at = endOfString(json, at);
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    if (depth > MOST_NESTED) return true;
  }
  return false;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}

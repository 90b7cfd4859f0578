/** A limit for JSON from outside: endless nesting would exhaust every recursion. */

/** Python reads no JSON that is nested deeper than about 1,000, and then Patroni itself sees no cluster at all. */
export const MOST_NESTED = 500;

/** How deep the brackets of a JSON text are nested. */
export function nesting(json: string): number {
  let [depth, most] = [0, 0];
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') at = endOfString(json, at);
    else if (char === '{' || char === '[') most = Math.max(most, ++depth);
    else if (char === '}' || char === ']') depth--;
  }
  return most;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}

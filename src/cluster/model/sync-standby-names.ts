/** synchronous_standby_names as PostgreSQL reads it. */
import type { SyncNames } from '../votes/vote-rules.js';

const TOKEN =
  /\s*(?:([A-Za-z_\x80-\uffff][A-Za-z_0-9$\x80-\uffff]*)|"((?:[^"]|"")+)"|(\d+)|([*,()]))/y;

interface Token {
  kind: 'word' | 'quoted' | 'number' | 'mark';
  text: string;
}

/**
 * 'ANY 2 (a, "b-c")' -> method, number and names; off when empty; null when PostgreSQL would refuse it.
 * A bare list and 'n (…)' are FIRST. '*' stays a name.
 */
export function parseSyncNames(text: string): SyncNames | null {
  const tokens = tokenize(text);
  if (tokens === null) return null;
  if (tokens.length === 0) return { method: 'off', num: 0, names: [] };
  const bare = listOf(tokens);
  if (bare !== null) return { method: 'first', num: 1, names: bare };
  const keyword = tokens[0]?.kind === 'word' ? tokens[0].text.toLowerCase() : '';
  const hasKeyword = keyword === 'any' || keyword === 'first';
  const [count, open, ...rest] = hasKeyword ? tokens.slice(1) : tokens;
  const names = listOf(rest.slice(0, -1));
  const closed = open?.text === '(' && open.kind === 'mark' && isMark(rest.at(-1), ')');
  if (count?.kind !== 'number' || !closed || names === null) return null;
  const num = Number(count.text);
  if (num < 1 || num > 2147483647) return null;
  return { method: keyword === 'any' ? 'any' : 'first', num, names };
}

function isMark(token: Token | undefined, text: string): boolean {
  return token?.kind === 'mark' && token.text === text;
}

function tokenize(text: string): Token[] | null {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (!match) return null;
    const [, word, quoted, number, mark] = match;
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (quoted !== undefined)
      tokens.push({ kind: 'quoted', text: quoted.replaceAll('""', '"') });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else tokens.push({ kind: 'mark', text: mark ?? '' });
  }
  return tokens;
}

/** Names with commas between them; PostgreSQL takes a number for a name, but not an unquoted ANY or FIRST. */
function listOf(tokens: Token[]): string[] | null {
  if (tokens.length % 2 === 0) return null;
  const names: string[] = [];
  for (const [i, token] of tokens.entries()) {
    const keyword = token.kind === 'word' && /^(any|first)$/i.test(token.text);
    const isName = !keyword && (token.kind !== 'mark' || token.text === '*');
    if (i % 2 === 0 ? !isName : !isMark(token, ',')) return null;
    if (i % 2 === 0) names.push(token.text);
  }
  return names;
}

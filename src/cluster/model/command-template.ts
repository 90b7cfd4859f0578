/** COMMAND with what stands for a member in it, so that a shell takes each value as one word. */
import { shellWord } from './command-line.js';

/** Names and addresses come from the DCS: a client that writes there must not be able to run a command here. */
export type TemplateValues = Readonly<Record<'member' | 'host' | 'role', string | null>>;

/** Nothing in it has a meaning to a shell, inside quotes or not. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*$/;

/**
 * The command of one member, or why it cannot be made. A value that a shell could take for more than a word is
 * quoted, and refused where the place is inside quotes already, or where it could be taken for an option.
 */
export function fillTemplate(
  template: string,
  values: TemplateValues,
): { ok: true; command: string } | { ok: false; problem: string } {
  let command = '';
  let at = 0;
  for (const { name, start, end, isBare } of placesIn(template)) {
    const value = values[name];
    if (value === null || value === '') return { ok: false, problem: `{${name}} is unknown` };
    const shown = JSON.stringify(value);
    if (!PLAIN.test(value) && /^-|[\x00-\x1f\x7f]/.test(value))
      return { ok: false, problem: `{${name}} is ${shown}, which cannot be a word of a command` };
    if (!PLAIN.test(value) && !isBare)
      return {
        ok: false,
        problem: `{${name}} is ${shown}, which cannot be put inside quotes: use "$PATCTL_${name.toUpperCase()}"`,
      };
    command += template.slice(at, start) + shellWord(value);
    at = end;
  }
  return { ok: true, command: command + template.slice(at) };
}

interface Place {
  name: keyof TemplateValues;
  start: number;
  end: number;
  /** Outside of quotes, backquotes and backslashes. */
  isBare: boolean;
}

/** Comments, here-documents and $'…' may hold quotes that do not count: then no place is taken to be bare. */
const AMBIGUOUS = /(^|[\s;&|()])#|<<|\$'/;

function placesIn(template: string): Place[] {
  const places: Place[] = [];
  const isClear = !AMBIGUOUS.test(template);
  let quote: string | null = null;
  for (let at = 0; at < template.length; at += 1) {
    const char = template[at] ?? '';
    const [whole, name] = /^\{(member|host|role)\}/.exec(template.slice(at, at + 8)) ?? [];
    if (whole !== undefined) {
      const end = at + whole.length;
      const isBare = isClear && quote === null && template[at - 1] !== '\\';
      places.push({ name: name as Place['name'], start: at, end, isBare });
      at = end - 1;
    } else if (char === '\\' && quote !== "'") {
      if (template[at + 1] !== '{') at += 1;
    } else if (quote === null && `'"\``.includes(char)) quote = char;
    else if (char === quote) quote = null;
  }
  return places;
}

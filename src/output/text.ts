/** Text from outside, made harmless for a terminal. */

// CSI, then OSC and its kin up to their terminator, then the two- and three-character escapes.
const ESCAPES =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]/g;

/**
 * Everything that a terminal obeys or does not show: control characters but the line feed and the tab, line
 * separators, marks that turn text around, and what has no width or is blank (soft hyphen,
 * fillers) but the joiners that some scripts need.
 */
const HIDDEN_CHARS =
  '\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}';
export const HIDDEN = new RegExp(`[${HIDDEN_CHARS}]`, 'u');
const EVERY_HIDDEN = new RegExp(`[${HIDDEN_CHARS}]`, 'gu');

/** Most texts: a run that meets no other needs none of the expressions above. */
const PRINTABLE = /^[\n\t\x20-\x7e]*$/;

/** Nothing but printable ASCII, line feeds and tabs. */
export function isPrintable(text: string): boolean {
  return PRINTABLE.test(text);
}

/** The text without terminal escapes and what is hidden; line feeds and tabs stay. */
export function plain(text: string): string {
  if (isPrintable(text)) return text;
  return text
    .replace(ESCAPES, '')
    .replace(EVERY_HIDDEN, '')
    .replace(/[\ud800-\udfff]/gu, '\ufffd');
}

/** `plain` on one line: a name that holds a line feed must not look like two lines. */
export function oneLine(text: string): string {
  return plain(text).replace(/[\n\t]+/g, ' ');
}

/** The text with what is hidden (or what `which` finds) written as JSON escapes, \u202e. */
export function visible(text: string, which: RegExp = EVERY_HIDDEN): string {
  return text.replace(which, (found) =>
    Array.from({ length: found.length }, (_, at) => found.charCodeAt(at))
      .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Text from outside, made harmless for a terminal. */

// CSI, then OSC and its kin up to their terminator, then the two- and three-character escapes.
const ESCAPES =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]/g;
// Everything unprintable but the line feed and the tab, and the marks that turn text around.
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g;

/** The text without terminal escapes and control characters; line feeds and tabs stay. */
export function plain(text: string): string {
  return text
    .replace(ESCAPES, '')
    .replace(CONTROLS, '')
    .replace(/[\ud800-\udfff]/gu, '\ufffd');
}

/** `plain` on one line: a name that holds a line feed must not look like two lines. */
export function oneLine(text: string): string {
  return plain(text).replace(/[\n\t]+/g, ' ');
}

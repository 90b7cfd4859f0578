/** Keys of a terminal in raw mode, from the bytes that it sends. Pure. */

/** A name for a key that has one; otherwise the character itself. */
export type Key = string;

const SEQUENCES: Readonly<Record<string, Key>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  '[H': 'home',
  '[F': 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
  '[5~': 'pageup',
  '[6~': 'pagedown',
  '[Z': 'backtab',
};

const CONTROLS: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'ctrl-c',
  '\x04': 'ctrl-d',
  '\x0c': 'ctrl-l',
  '\x1a': 'ctrl-z',
};

/** A whole sequence behind ESC: CSI (a letter or ~ ends it) or SS3, which application mode sends. */
const SEQUENCE = /^\x1b(\[[0-9;]*[A-Za-z~]|O[A-Za-z])/;
/** The beginning of one. */
const BEGUN = /^\x1b(\[[0-9;]*|O)?$/;

/**
 * The keys in what came, and what is left of it: the beginning of a sequence, which may be the Escape key alone. An
 * unknown sequence is passed over.
 */
export function keysOf(input: string): { keys: Key[]; rest: string } {
  const keys: Key[] = [];
  let rest = input;
  while (rest !== '') {
    const [whole, sequence] = SEQUENCE.exec(rest) ?? [];
    if (whole !== undefined && sequence !== undefined) {
      const key = SEQUENCES[sequence.replace(/^O/, '[')];
      if (key !== undefined) keys.push(key);
      rest = rest.slice(whole.length);
    } else if (BEGUN.test(rest)) break;
    else {
      const [char = ''] = rest;
      if (char === '\x1b') keys.push('esc');
      else if (CONTROLS[char] !== undefined) keys.push(CONTROLS[char]);
      else if (char >= ' ') keys.push(char);
      rest = rest.slice(char.length);
    }
  }
  return { keys, rest };
}

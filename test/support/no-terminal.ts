/** What a program is built with where nothing runs: it is only asked what it says of itself. */
import type { Door } from '../../src/output/door.js';
import type { ProcessTerminal } from '../../src/program.js';

export function noTerminal(io: Partial<Door> = {}): ProcessTerminal {
  const { signal } = new AbortController();
  return { env: {}, calledAs: 'patctl', with: () => ({ io: io as Door, signal }) };
}

/** The last line of a screen: the keys that do something there. */
import { oneLine } from '../text.js';
import { ACTING_KEYS } from './actions.js';
import type { Sheet } from './sheet.js';
import type { TopState } from './state.js';

/** A key and its word; the highest `leave` goes first where there is no room. */
interface Hint {
  keys: string;
  word: string;
  leave: number;
}

export function footer(state: TopState, { width, paint }: Sheet): string {
  if (state.typing) {
    const filter = state.page === 'fleet' ? (state.fleet?.filter ?? '') : state.filter;
    return `/${oneLine(filter)}_  ${paint('dim', 'Enter keeps the filter, Esc removes it')}`;
  }
  let hints = hintsOf(state);
  const length = (): number =>
    hints.reduce((sum, { keys, word }) => sum + keys.length + word.length + 3, -2);
  while (length() > width && hints.some(({ leave }) => leave > 0)) {
    const most = Math.max(...hints.map(({ leave }) => leave));
    hints = hints.filter(({ leave }) => leave !== most);
  }
  return hints.map(({ keys, word }) => `${paint('head', keys)} ${word}`).join('  ');
}

const QUIT: readonly Hint[] = [
  { keys: '?', word: 'help', leave: 0 },
  { keys: 'q', word: 'quit', leave: 0 },
];

function hintsOf({ page, panes, fleet, acts, action }: TopState): readonly Hint[] {
  const acting = acts
    ? ACTING_KEYS.map(([keys, word], at): Hint => ({ keys, word, leave: at + 1 }))
    : [];
  switch (page) {
    case 'fleet':
      return [
        { keys: 'j/k', word: 'choose', leave: 1 },
        { keys: 'Enter', word: 'go in', leave: 0 },
        { keys: '/', word: 'filter', leave: 0 },
        ...QUIT,
      ];
    case 'cluster':
      return [
        { keys: 'j/k', word: 'choose', leave: 20 },
        { keys: 'Enter', word: 'details', leave: 0 },
        ...(panes.length > 1 ? [{ keys: 'Tab', word: 'cluster', leave: 0 }] : []),
        ...(fleet === null ? [] : [{ keys: 'Esc', word: 'all', leave: 0 }]),
        ...acting,
        { keys: '/', word: 'filter', leave: 21 },
        ...QUIT,
      ];
    case 'member':
      return [
        { keys: 'j/k', word: 'scroll', leave: 20 },
        { keys: 'Esc', word: 'back', leave: 0 },
        ...acting,
        ...QUIT,
      ];
    case 'action':
      return [
        ...(action?.args === null ? [] : [{ keys: 'Enter', word: 'run it', leave: 0 }]),
        { keys: 'Esc', word: 'back', leave: 0 },
      ];
    case 'help':
      return [
        { keys: 'j/k', word: 'scroll', leave: 0 },
        { keys: 'Esc', word: 'back', leave: 0 },
        { keys: 'q', word: 'quit', leave: 0 },
      ];
  }
}

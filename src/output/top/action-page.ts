/** The page before something is done: its command line, which can be copied, and the question. Pure. */
import { fold } from '../screen.js';
import { oneLine } from '../text.js';
import type { Sheet } from './sheet.js';
import { commandHere, type TopState } from './state.js';

export function actionPage(state: TopState, { width, paint }: Sheet): string[] {
  const { action } = state;
  if (action === null) return [];
  const command = commandHere(state);
  const line = oneLine(action.line);
  const folded = fold(line, { width, command });
  if (action.args === null) return ['', paint('head', oneLine(action.title)), '', ...folded];
  return [
    '',
    paint('head', `${oneLine(action.title)}?`),
    '',
    ...folded,
    '',
    ...fold(
      'Enter runs this command line on this terminal. The command shows its plan and asks where it needs an answer; then Enter returns to top. Ctrl-C ends the command and top. Esc goes back, and nothing is sent.',
      { width, command },
    ),
  ];
}

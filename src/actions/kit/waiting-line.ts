/** How a long wait is told to people. */
import { seconds } from '../../output/progress.js';
import { oneLine } from '../../output/text.js';
import type { Waiting } from './until.js';

/** patronictl prints nothing while it waits. */
export function waitingLine({ what, sinceMs }: Waiting): string {
  return `waiting for ${oneLine(what)}, ${seconds(sinceMs)} so far\n`;
}

/** How a command tells what it ended with. */
import type { Ending } from '../errors.js';

/** Told by a command how it ended; a number is for `check`, which has codes of its own. */
export type Finish = (how: Ending | number) => void;

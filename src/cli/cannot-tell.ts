/** For commands whose exit code 1 is an answer: a failure to look is not an answer. */
import { ToolError } from '../errors.js';

/**
 * What `reading` gives; ToolError `unreachable` (exit 3) if it ends with 1 because a server refused us, or a file
 * of ours cannot be used. A cluster that does not exist was looked for, and keeps its ending.
 */
export async function orCannotTell<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof ToolError) || error.ending !== 'error') throw error;
    if (error.code === 'unknown_cluster') throw error;
    const { code, hint, evidence, message } = error;
    const options = { code, evidence, cause: error, ...(hint === undefined ? {} : { hint }) };
    throw new ToolError('unreachable', message, options);
  }
}

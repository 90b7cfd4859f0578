/** What answers everything that would change a recording. */
import { ToolError } from '../../errors.js';

export function noWrite(): ToolError {
  return new ToolError('usage', 'a recording cannot be changed', { code: 'recording' });
}

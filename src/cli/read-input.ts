/** Text out of a file that was named; `-` is stdin. */
import { gathered, readLimited, utf8 } from '../config/read-limited.js';
import { ToolError } from '../errors.js';
import type { Context } from '../context.js';

/** ToolError `usage` when the file cannot be read. */
export async function inputText(context: Context, file: string): Promise<string> {
  if (file === '-') {
    return utf8(await gathered(context.io.stdin).catch(refused('stdin')), 'stdin');
  }
  return utf8(await readLimited(file).catch(refused(file)), file);
}

function refused(label: string): (error: unknown) => never {
  return (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EFBIG' ? message : (code ?? 'unreadable');
    throw new ToolError('usage', `cannot read ${label}: ${why}`, { code: 'no_file', cause: error });
  };
}

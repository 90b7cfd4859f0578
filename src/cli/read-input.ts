/** Text out of a file that was named; `-` is stdin. */
import { gathered, readLimited } from '../config/read-limited.js';
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

/** The text, or ToolError `error`: what is not UTF-8 must not become something else on its way. */
export function utf8(bytes: Buffer, label: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const lines = bytes.toString('utf8').split('\ufffd', 1)[0]?.split('\n').length ?? 1;
    throw new ToolError('error', `${label}:${lines}: this is not UTF-8`, { code: 'not_utf8' });
  }
}

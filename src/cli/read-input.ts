/** Text out of a file that was named; `-` is stdin. */
import { ToolError } from '../errors.js';
import type { Context } from '../context.js';

/** ToolError `usage` when the file cannot be read. */
export async function inputText(context: Context, file: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of context.io.stdin) chunks.push(Buffer.from(chunk));
    return utf8(Buffer.concat(chunks), 'stdin');
  }
  const { readFile } = await import('node:fs/promises');
  const bytes = await readFile(file).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ToolError('usage', `cannot read ${file}: ${code}`, { code: 'no_file', cause: error });
  });
  return utf8(bytes, file);
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

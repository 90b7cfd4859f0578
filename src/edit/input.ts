/** Text out of a file that was named; `-` is stdin. */
import { ToolError } from '../errors.js';
import type { Tool } from '../tool.js';

/** ToolError `usage` when the file cannot be read. */
export async function inputText(tool: Tool, file: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of tool.io.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }
  const { readFile } = await import('node:fs/promises');
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ToolError('usage', `cannot read ${file}: ${code}`, { code: 'no_file', cause: error });
  }
}

import { ToolError } from '../errors.js';

/** The text of a certificate or key file; null when none is configured. ToolError `error` names the file. */
export async function readPem(path: string | null): Promise<string | null> {
  if (path === null) return null;
  const { readFile } = await import('node:fs/promises');
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ToolError('error', `cannot read ${path}: ${code}`, { cause });
  }
}

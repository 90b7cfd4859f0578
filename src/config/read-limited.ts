/** Files that the user names: read up to a limit because a device or a pipe may have no end. */
import { ToolError } from '../errors.js';

/** Configurations, certificates and edits: etcd takes no value beyond 1.5 MiB. */
export const MOST_TEXT_BYTES = 16 * 1024 * 1024;

/** The whole file, or an error with the code EFBIG when it is larger than `mostBytes`. */
export async function readLimited(path: string, mostBytes = MOST_TEXT_BYTES): Promise<Buffer> {
  // Not node:fs/promises, which costs start-up; neither does a file need the threads that a stream starts.
  const { createReadStream, readFileSync, statSync } = await import('node:fs');
  const about = statSync(path);
  if (about.isFile() && about.size <= mostBytes) return readFileSync(path);
  if (about.isFIFO()) return gathered(await openPipe(path), mostBytes);
  return gathered(createReadStream(path), mostBytes);
}

/** What comes out of the pipe. Waiting for a writer may never end, so a pipe without one is empty. */
async function openPipe(path: string): Promise<AsyncIterable<unknown>> {
  const [{ constants, openSync, fstatSync, readSync }, { Socket }] = await Promise.all([
    import('node:fs'),
    import('node:net'),
  ]);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const first = Buffer.alloc(fstatSync(fd).blksize);
  let size = -1;
  try {
    size = readSync(fd, first);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return chunks();

  async function* chunks(): AsyncGenerator {
    if (size > 0) yield first.subarray(0, size);
    if (size !== 0) yield* new Socket({ fd, readable: true, writable: false });
  }
}

/** Everything that comes, or the same error. */
export async function gathered(
  chunks: AsyncIterable<unknown>,
  mostBytes = MOST_TEXT_BYTES,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    const part = Buffer.from(chunk as Uint8Array);
    parts.push(part);
    size += part.length;
    if (size > mostBytes) {
      const message = `it has more than ${mostBytes / 1024 / 1024} MiB`;
      throw Object.assign(new Error(message), { code: 'EFBIG' });
    }
  }
  return Buffer.concat(parts);
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

/**
 * One recorder for a file. The kernel holds the lock as a socket's name that no file stands for: it goes with the
 * process, however that ends, so nothing is left that a later run would have to judge.
 */
import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { platform } from 'node:os';
import { basename, dirname } from 'node:path';
import { errorCode, ToolError } from '../../errors.js';

/**
 * Returns what releases it. Only Linux has such names, and they are seen on the same host alone (more exactly in the
 * same network namespace): elsewhere the writer's own check of the file has to do. ToolError `error`
 * (recording_in_use) when another process records into the file.
 */
export async function lockRecording(file: string): Promise<() => void> {
  const name = platform() === 'linux' ? await lockName(file) : null;
  if (name === null) return () => undefined;
  const server = createServer((socket) => socket.destroy());
  return await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') reject(inUse(file));
      // No such sockets here: not a reason to record nothing.
      else resolve(() => undefined);
    });
    server.listen(name, () => resolve(() => server.close()));
    server.unref();
  });
}

/** The same for every path to the file, also after it was moved away and made again; null: its folder cannot be read. */
async function lockName(file: string): Promise<string | null> {
  const path = await realpath(file).catch(() => file);
  try {
    const { dev, ino } = await stat(dirname(path));
    const key = `${dev}:${ino}:${basename(path)}`;
    return `\0patctl-record-${createHash('sha256').update(key).digest('hex')}`;
  } catch {
    return null;
  }
}

function inUse(file: string): ToolError {
  return new ToolError('error', `another patctl record writes ${file}; nothing was written`, {
    code: 'recording_in_use',
    hint: 'end that one first, or give another file with -o',
  });
}

/** The files of a recording (FILE, and FILE.1, FILE.2 … that were rotated away) and their lines, in bounded memory. */
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { readLimited } from '../../config/read-limited.js';
import { errorMessage } from '../../errors.js';
import { unreadable } from './recording-file.js';

/** A snapshot of a thousand members takes some 20 MB. */
const MOST_LINE_CHARACTERS = 256 * 1024 * 1024;

const MOST_PIPE_BYTES = 256 * 1024 * 1024;

export interface FileLine {
  /** The file that it stands in, and its number there, from 1. */
  file: string;
  number: number;
  text: string;
  /** The file ended before the line did. */
  torn: boolean;
}

export interface OpenFile {
  file: string;
  /** null: a pipe, whose content was read in one piece. */
  handle: FileHandle | null;
  content: Buffer | null;
}

/** The rotated files of a recording and then itself: the oldest is first. */
export async function filesOf(file: string): Promise<string[]> {
  const name = basename(file);
  const names = await readdir(dirname(file)).catch(() => [] as string[]);
  const rotated = names.flatMap((other) => {
    if (!other.startsWith(`${name}.`)) return [];
    const [, number] = /^([1-9][0-9]*)(?:\.gz)?$/.exec(other.slice(name.length + 1)) ?? [];
    return number === undefined
      ? []
      : [{ number: Number(number), path: join(dirname(file), other) }];
  });
  return [...rotated.sort((a, b) => b.number - a.number).map(({ path }) => path), file];
}

/** Opened before any of them is read: what is rotated meanwhile is still what it was. ToolError recording_unreadable. */
export async function openFiles(files: readonly string[]): Promise<OpenFile[]> {
  const opened: OpenFile[] = [];
  for (const file of files) {
    try {
      // Opening a pipe without a writer waits, and closing it again would end its writer.
      const isPlain = (await stat(file)).isFile();
      opened.push(
        isPlain
          ? { file, handle: await open(file, 'r'), content: null }
          : { file, handle: null, content: await readLimited(file, MOST_PIPE_BYTES) },
      );
    } catch (error) {
      await closeFiles(opened);
      throw unreadable(file, errorMessage(error));
    }
  }
  return opened;
}

export async function closeFiles(files: readonly OpenFile[]): Promise<void> {
  await Promise.all(files.map(async ({ handle }) => handle?.close().catch(() => undefined)));
}

/** Plain or gzipped, told by its first bytes. ToolError recording_unreadable. */
export async function* linesOf(opened: OpenFile): AsyncGenerator<FileLine> {
  const { file } = opened;
  let rest: string[] = [];
  let size = 0;
  let number = 1;
  const decoder = new StringDecoder('utf8');
  try {
    for await (const chunk of await chunksOf(opened)) {
      const parts = decoder.write(chunk).split('\n');
      for (const [at, part] of parts.entries()) {
        rest.push(part);
        size += part.length;
        if (size > MOST_LINE_CHARACTERS) throw new Error(`line ${number} is too long`);
        if (at === parts.length - 1) continue;
        yield { file, number, text: rest.join(''), torn: false };
        [rest, size] = [[], 0];
        number += 1;
      }
    }
  } catch (error) {
    // A gzipped file whose end is missing.
    if ((error as NodeJS.ErrnoException).code !== 'Z_BUF_ERROR') throw failure(file, error);
    rest.push(' ');
  }
  if (rest.some((part) => part !== '')) yield { file, number, text: rest.join(''), torn: true };
}

function failure(file: string, error: unknown): Error {
  const isOurs = error instanceof Error && error.name === 'ToolError';
  return isOurs ? error : unreadable(file, errorMessage(error));
}

async function chunksOf({ handle, content }: OpenFile): Promise<AsyncIterable<Buffer>> {
  const whole = content ?? Buffer.alloc(0);
  const [start, chunks] =
    handle === null ? [whole, [whole]] : [await readAt(handle, 0, 2), chunksFrom(handle)];
  const isZipped = start[0] === 0x1f && start[1] === 0x8b;
  const read = Readable.from(chunks);
  return isZipped ? pipeline(read, createGunzip(), () => undefined) : read;
}

const CHUNK_BYTES = 65_536;

/** Not a stream of the descriptor: one that is left early closes it, and again later, when it is another file's. */
async function* chunksFrom(handle: FileHandle): AsyncGenerator<Buffer> {
  let position = 0;
  for (;;) {
    const chunk = await readAt(handle, position, CHUNK_BYTES);
    if (chunk.length === 0) return;
    position += chunk.length;
    yield chunk;
  }
}

async function readAt(handle: FileHandle, position: number, most: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(most), 0, most, position);
  return buffer.subarray(0, bytesRead);
}

/** The first line; '' when there is none, or it cannot be read. */
export async function firstLine(file: string): Promise<string> {
  const opened = await openFiles([file]);
  try {
    for (const one of opened) for await (const { text } of linesOf(one)) return text;
  } catch {
    return '';
  } finally {
    await closeFiles(opened);
  }
  return '';
}

/** A recording on disk: whole batches of lines, each on the disk before the next, rotated, never torn. */
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, errorMessage, ToolError } from '../../errors.js';
import { filesOf } from './record-files.js';
import { RECORD_BEGINS } from './record-lines.js';
import { lockRecording } from './record-lock.js';

export interface WriterLimits {
  /** A batch that makes the file larger begins a new one; null: it grows without a limit. */
  maxBytes: number | null;
  /** How many rotated files stay: FILE.1 is the newest. */
  keep: number;
}

export interface RecordWriter {
  /**
   * Appends the batch and resolves to true. Where a run or a file begins, it writes what `begin` makes instead, which
   * holds all that the batch would tell, and resolves to false. ToolError `not_written` when the disk did not take
   * it: then nothing of it is in the file.
   */
  write(batch: string, begin: (isRotated: boolean) => string): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Opens FILE to append to it; a torn last line is taken away. ToolError `error` (not_written, not_a_recording,
 * recording_in_use) when that cannot be.
 */
export async function openRecordWriter(file: string, limits: WriterLimits): Promise<RecordWriter> {
  const release = await lockRecording(file);
  try {
    const writer = appendTo(file, limits, await openFile(file));
    return { ...writer, close: () => writer.close().finally(release) };
  } catch (error) {
    release();
    throw error;
  }
}

function appendTo(file: string, limits: WriterLimits, opened: OpenRecord): RecordWriter {
  let current = opened;
  /** Bytes that the beginning takes: a file that holds only this is not rotated. */
  let beginning = 0;

  const begin = async (text: string): Promise<void> => {
    await append(current, text, file);
    beginning = current.bytes;
  };
  return {
    async write(batch, first) {
      if (await wasReplaced(current, file)) {
        await current.handle.close();
        current = await openFile(file);
        beginning = 0;
      }
      if (beginning === 0) {
        await begin(first(false));
        return false;
      }
      const bytes = Buffer.byteLength(batch);
      const isFull = limits.maxBytes !== null && current.bytes + bytes > limits.maxBytes;
      if (isFull && current.bytes > beginning) {
        current = await rotate(file, current, limits.keep);
        beginning = 0;
        await begin(first(true));
        return false;
      }
      await append(current, batch, file);
      return true;
    },
    close: () => current.handle.close(),
  };
}

interface OpenRecord {
  handle: FileHandle;
  /** Whole lines; what the file holds beyond them was torn. */
  bytes: number;
  /** Which file it is, wherever it was moved. */
  inode: number;
}

async function openFile(file: string): Promise<OpenRecord> {
  try {
    const handle = await open(file, 'a+');
    try {
      const about = await handle.stat();
      if (!about.isFile()) throw new Error('it is not a regular file');
      const bytes = await wholeBytes(handle, about.size);
      if (bytes > 0) await checkKind(handle, file);
      if (bytes < about.size) await handle.truncate(bytes);
      return { handle, bytes, inode: about.ino };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw error instanceof ToolError ? error : notWritten(file, error);
  }
}

const CHUNK = 65_536;

/** Up to the last line end. */
async function wholeBytes(handle: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(CHUNK);
  for (let end = size; end > 0; end -= Math.min(CHUNK, end)) {
    const from = Math.max(0, end - CHUNK);
    const { bytesRead } = await handle.read(buffer, 0, end - from, from);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (at !== -1) return from + at + 1;
  }
  return 0;
}

/** Something else is not appended to. */
async function checkKind(handle: FileHandle, file: string): Promise<void> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
  if (buffer.subarray(0, bytesRead).toString('latin1').startsWith(RECORD_BEGINS)) return;
  throw new ToolError('error', `${file} is not a recording of patctl record; nothing was written`, {
    code: 'not_a_recording',
    hint: 'give another file with -o',
  });
}

/** It was moved or removed, for example by logrotate. */
async function wasReplaced({ inode }: OpenRecord, file: string): Promise<boolean> {
  try {
    return (await stat(file)).ino !== inode;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    throw notWritten(file, error);
  }
}

/** All of it, on the disk; or nothing. */
async function append(current: OpenRecord, text: string, file: string): Promise<void> {
  const { handle, bytes } = current;
  const { size } = await handle.stat();
  if (size !== bytes) {
    const message = `${file} was changed by another program; it is left as it is`;
    throw new ToolError('error', message, { code: 'recording_changed' });
  }
  const content = Buffer.from(text);
  try {
    let written = 0;
    while (written < content.length) {
      written += (await handle.write(content, written)).bytesWritten;
    }
    await handle.datasync();
    current.bytes = bytes + content.length;
  } catch (error) {
    // A disk that is full still takes a shorter file.
    await handle.truncate(bytes).catch(() => undefined);
    throw notWritten(file, error);
  }
}

/** FILE becomes FILE.1, FILE.1 becomes FILE.2 …; the oldest goes. */
async function rotate(file: string, current: OpenRecord, keep: number): Promise<OpenRecord> {
  try {
    const rotated = (await filesOf(file)).slice(0, -1);
    for (const path of rotated) {
      const [, number = '', zipped = ''] = /\.([0-9]+)(\.gz)?$/.exec(path) ?? [];
      if (Number(number) >= keep) await rm(path);
      else await rename(path, `${file}.${Number(number) + 1}${zipped}`);
    }
    if (keep > 0) await rename(file, `${file}.1`);
    else await rm(file);
    const next = await openFile(file);
    await current.handle.close();
    await syncFolder(file);
    return next;
  } catch (error) {
    throw error instanceof ToolError ? error : notWritten(file, error);
  }
}

/** The names survive a crash too. */
async function syncFolder(file: string): Promise<void> {
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function notWritten(file: string, error: unknown): ToolError {
  return new ToolError('error', `${file} cannot be written: ${errorMessage(error)}`, {
    code: 'not_written',
  });
}

/** The files of a log and of what was rotated away from it, read line by line in bounded memory. */
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream';

/** The rest of a longer line is left out: a log may hold a dump in one line. */
const MOST_CHARACTERS = 65_536;

/**
 * A file with what was rotated away from it (FILE.1, FILE.2.gz, FILE-20261127.gz), or every log in a folder; those
 * that were last written before `fromMs` are left out. Oldest first. A pipe is itself. Throws the error of the system
 * where a path cannot be read.
 */
export async function logFilesOf(path: string, fromMs: number): Promise<string[]> {
  const named = await stat(path);
  const isFolder = named.isDirectory();
  if (!isFolder && !named.isFile()) return [path];
  const folder = isFolder ? path : dirname(path);
  const own = basename(path);
  const names = (await readdir(folder)).filter((name) =>
    isFolder ? LOG_NAME.test(name) : name === own || isRotatedFrom(own, name),
  );
  const dated = await Promise.all(
    names.map(async (name) => {
      const file = join(folder, name);
      const found = await stat(file);
      return { file, isFile: found.isFile(), mtimeMs: found.mtimeMs };
    }),
  );
  return dated
    .filter(({ isFile, mtimeMs }) => isFile && mtimeMs >= fromMs)
    .sort((a, b) => a.mtimeMs - b.mtimeMs || (a.file > b.file ? -1 : 1))
    .map(({ file }) => file);
}

const LOG_NAME = /\.(?:log|csv|json)(?:[.-]\d[\d-]*)?(?:\.gz)?$/;

function isRotatedFrom(own: string, name: string): boolean {
  return name.startsWith(own) && /^[.-]\d[\d-]*(?:\.gz)?$/.test(name.slice(own.length));
}

/** Each line to `take`, without its end, until it returns false. Rejects with the error of the system. */
export async function readLines(file: string, take: (line: string) => boolean): Promise<void> {
  const decoder = new StringDecoder('utf8');
  const read = createReadStream(file);
  const text = (await isGzipped(file)) ? pipeline(read, createGunzip(), () => undefined) : read;
  let begun = '';
  for await (const chunk of text as AsyncIterable<Buffer>) {
    const lines = decoder.write(chunk).split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) {
      if (!take(withoutReturn(begun === '' ? line : begun + line))) return;
      begun = '';
    }
    if (begun.length < MOST_CHARACTERS) begun += last;
  }
  begun += decoder.end();
  if (begun !== '') take(withoutReturn(begun));
}

/** By its first bytes, whatever it is called; a pipe has only its name. */
async function isGzipped(file: string): Promise<boolean> {
  if (!(await stat(file)).isFile()) return file.endsWith('.gz');
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === GZIP;
  } finally {
    await handle.close();
  }
}

const GZIP = 0x1f8b;

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);

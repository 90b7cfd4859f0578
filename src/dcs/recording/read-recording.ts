/** readRecording: whatever --snapshot may name, a snapshot or a recording of `patctl record`. */
import type { Snapshot } from '../../cluster/model/model.js';
import { readLimited } from '../../config/read-limited.js';
import { ToolError, errorMessage } from '../../errors.js';
import { RECORD_BEGINS } from './record-lines.js';
import { parseRecording, unreadable } from './recording-file.js';

/** A thousand members take some 20 MB. */
const MOST_RECORDED_BYTES = 256 * 1024 * 1024;

/**
 * The snapshots of a file: of `patctl snapshot`, or of `patctl record` the state at `atMs` (ms since 1970) or at the
 * end (null). Plain or gzipped, told by its first bytes.
 */
export async function readRecording(file: string, atMs: number | null = null): Promise<Snapshot[]> {
  const { stat } = await import('node:fs/promises');
  // A pipe can be read only once.
  const isFile = (await stat(file).catch(() => null))?.isFile() === true;
  if (isFile && (await isRecordFile(file))) {
    const { statesAt } = await import('./recorded-state.js');
    return statesAt(file, atMs);
  }
  const content = await wholeFile(file);
  if (content.subarray(0, RECORD_BEGINS.length).toString() === RECORD_BEGINS) {
    const [{ statesIn }, { readOpened }] = await Promise.all([
      import('./recorded-state.js'),
      import('./read-record.js'),
    ]);
    return statesIn(file, readOpened([{ file, handle: null, content }]), atMs);
  }
  if (atMs !== null) {
    throw new ToolError('usage', `--at needs a recording of patctl record; ${file} is a snapshot`, {
      code: 'recording',
    });
  }
  return parseRecording(content.toString('utf8'), file);
}

async function isRecordFile(file: string): Promise<boolean> {
  const { firstLine } = await import('./record-files.js');
  return (await firstLine(file)).startsWith(RECORD_BEGINS);
}

async function wholeFile(file: string): Promise<Buffer> {
  const { gunzipSync } = await import('node:zlib');
  try {
    const content = await readLimited(file, MOST_RECORDED_BYTES);
    const isZipped = content[0] === 0x1f && content[1] === 0x8b;
    return isZipped ? gunzipSync(content, { maxOutputLength: MOST_RECORDED_BYTES }) : content;
  } catch (error) {
    throw unreadable(file, errorMessage(error));
  }
}

/** Clusters as a recording of `patctl record` shows them at one moment. */
import type { Snapshot } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import { readOpened } from './read-record.js';
import { filesOf, firstLine, openFiles } from './record-files.js';
import { ALIVE_MS, type Recorded } from './record-lines.js';

/**
 * Each cluster as it was at `atMs` (ms since 1970), or at the end (null). ToolError `error`: recording_unreadable, or
 * not_recorded where nothing was recorded at that time.
 */
export async function statesAt(file: string, atMs: number | null): Promise<Snapshot[]> {
  return statesIn(file, readOpened(await openFiles(await filesFrom(file, atMs))), atMs);
}

/** The same of the lines of `file`, the oldest first. */
export async function statesIn(
  file: string,
  lines: AsyncIterable<Recorded>,
  atMs: number | null,
): Promise<Snapshot[]> {
  const found = new Map<string, Snapshot>();
  const span: Span = { first: '', last: '', ended: null };
  for await (const line of lines) {
    if (span.first === '') span.first = line.at;
    if (atMs !== null && Date.parse(line.at) > atMs) break;
    span.last = line.at;
    if (line.kind === 'start') {
      span.ended = null;
      found.clear();
    } else if (line.kind === 'end' || line.kind === 'gap') span.ended = line.at;
    else if (line.kind === 'snapshot') {
      found.set(JSON.stringify([line.scope, line.group]), line.snapshot);
    }
  }
  if (atMs !== null) checkRecorded(file, atMs, span);
  if (found.size === 0)
    throw notRecorded(`${file} holds no state of a cluster`, `it begins at ${span.first}`);
  return [...found.values()];
}

interface Span {
  first: string;
  last: string;
  ended: string | null;
}

function checkRecorded(file: string, atMs: number, { first, last, ended }: Span): void {
  const at = new Date(atMs).toISOString();
  if (last === '') throw notRecorded(`${file} holds nothing of ${at}`, `it begins at ${first}`);
  if (ended !== null && Date.parse(ended) < atMs)
    throw notRecorded(`nothing was recorded at ${at}`, `the run before ended at ${ended}`);
  if (atMs - Date.parse(last) > 2 * ALIVE_MS)
    throw notRecorded(`nothing was recorded at ${at}`, `the last line before is of ${last}`);
}

function notRecorded(message: string, hint: string): ToolError {
  return new ToolError('error', message, { code: 'not_recorded', hint });
}

/** The last file that begins before this moment and those after it: each file begins with all there is. */
async function filesFrom(file: string, atMs: number | null): Promise<string[]> {
  const files = await filesOf(file);
  for (const [index, one] of [...files.entries()].reverse()) {
    const beginsMs = beginsAtMs(await firstLine(one));
    if (beginsMs !== null && (atMs === null || beginsMs <= atMs)) return files.slice(index);
  }
  return files;
}

/** null: the line cannot be read. */
function beginsAtMs(text: string): number | null {
  const [, at] = /^.{0,40}"at":"([^"]{1,40})"/.exec(text) ?? [];
  return at === undefined || Number.isNaN(Date.parse(at)) ? null : Date.parse(at);
}

/** Lines of a recording as text, without secrets. */
import { cleaned, cleanedAt } from '../../cluster/configuration/without-secrets.js';
import type { Snapshot } from '../../cluster/model/model.js';
import { visible } from '../../output/text.js';
import type { Change, OfCluster, RecordLine } from './record-lines.js';
import { replaceLsn } from './recording-file.js';

/** With the newline. */
export function lineText(line: RecordLine): string {
  return visible(`${JSON.stringify(line, replaceLsn)}\n`);
}

/** The whole snapshot; `previous` is left out. */
export function snapshotLine(snapshot: Snapshot, at: string): RecordLine {
  const alone: Snapshot = { ...snapshot, previous: null };
  return { kind: 'snapshot', ...head(snapshot, at), snapshot: cleaned(alone) as Snapshot };
}

/** `changes` lead to `now`. */
export function changeLine(now: Snapshot, changes: readonly Change[], at: string): RecordLine {
  const safe = changes.map((change) =>
    change.op === 'remove'
      ? change
      : { ...change, value: cleanedAt(change.value, keysOf(change.path, now)) },
  );
  return { kind: 'change', ...head(now, at), changes: safe };
}

function head({ cluster }: Snapshot, at: string): OfCluster {
  const { scope, group } = cluster;
  return { at, scope, group };
}

/** The keys that lead to a place, without the indices of lists. */
function keysOf(path: string, top: unknown): string[] {
  let here: unknown = top;
  return path
    .split('/')
    .slice(1)
    .flatMap((token) => {
      const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
      const isIndex = Array.isArray(here);
      here = (here as Record<string, unknown> | undefined)?.[key];
      return isIndex ? [] : [key];
    });
}

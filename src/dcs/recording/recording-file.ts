/** Snapshots in a file: everything the three witnesses said, without secrets, to be looked at without a network. */
import { formatLsn, parseLsn } from '../../cluster/model/lsn.js';
import type { Snapshot } from '../../cluster/model/model.js';
import { ToolError, errorMessage } from '../../errors.js';
import { visible } from '../../output/text.js';
import { VERSION } from '../../build-info.js';
import { cleaned } from '../../cluster/configuration/without-secrets.js';

export interface Recording {
  schemaVersion: 1;
  kind: 'patctl-snapshot';
  /** Version that wrote it. */
  patctl: string;
  snapshots: Snapshot[];
}

// ---------------------------------------------------------------- to text and back

/** One JSON document. WAL positions are `{"$lsn": "0/5000060"}`. */
export function recordingText(snapshots: readonly Snapshot[]): string {
  const recording = { schemaVersion: 1, kind: 'patctl-snapshot', patctl: VERSION, snapshots };
  return visible(`${JSON.stringify(cleaned(recording), replaceLsn, 1)}\n`);
}

/** For JSON.stringify. */
export function replaceLsn(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { $lsn: formatLsn(value) } : value;
}

/** For JSON.parse. */
export function reviveValue(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$lsn' in value)) return value;
  const text = value.$lsn;
  const lsn = typeof text === 'string' ? parseLsn(text) : null;
  if (lsn === null) throw new Error('a WAL position in it cannot be read');
  return lsn;
}

/** The snapshots of a recording's text. ToolError when it is not one. */
export function parseRecording(text: string, name: string): Snapshot[] {
  let recording: Partial<Recording> | null;
  try {
    recording = JSON.parse(text, reviveValue) as Partial<Recording> | null;
  } catch (error) {
    throw unreadable(name, errorMessage(error));
  }
  if (recording?.kind !== 'patctl-snapshot') throw unreadable(name, 'it is not a patctl recording');
  if (recording.schemaVersion !== 1) throw unreadable(name, 'it was written by a newer patctl');
  const { snapshots } = recording;
  if (!Array.isArray(snapshots) || !snapshots.every(isSnapshot)) {
    throw unreadable(name, 'it holds no snapshots');
  }
  return snapshots;
}

export function isSnapshot(value: Partial<Snapshot> | null): boolean {
  return (
    typeof value?.cluster?.scope === 'string' &&
    Array.isArray(value.cluster.members) &&
    Array.isArray(value.members) &&
    value.members.length === value.cluster.members.length &&
    Array.isArray(value.departed)
  );
}

/** ToolError `error` (recording_unreadable). */
export function unreadable(name: string, why: string): ToolError {
  return new ToolError('error', `${name} cannot be read: ${why}`, {
    code: 'recording_unreadable',
    hint: 'make one: patctl snapshot -o FILE',
  });
}

// ---------------------------------------------------------------- files

/** Gzipped when the name ends in .gz. */
export async function writeRecording(file: string, text: string): Promise<void> {
  const [{ writeFile }, { gzipSync }] = await Promise.all([
    import('node:fs/promises'),
    import('node:zlib'),
  ]);
  try {
    await writeFile(file, file.endsWith('.gz') ? gzipSync(text, { level: 9 }) : text);
  } catch (error) {
    const why = errorMessage(error);
    throw new ToolError('error', `${file} cannot be written: ${why}`, { code: 'not_written' });
  }
}

/** readRecord: what `patctl record` wrote, line by line, in bounded memory; and a cluster as it was at one moment. */
import type { Snapshot } from '../../cluster/model/model.js';
import { errorMessage } from '../../errors.js';
import { applyChanges } from './record-changes.js';
import {
  closeFiles,
  filesOf,
  linesOf,
  openFiles,
  type FileLine,
  type OpenFile,
} from './record-files.js';
import type { Gap, Recorded, RecordLine } from './record-lines.js';
import { isSnapshot, reviveValue, unreadable } from './recording-file.js';

/**
 * Every line of a recording and of the files that were rotated away from it (FILE.1, FILE.2 …, gzipped or not), the
 * oldest first. A line that a crash tore, and a run without an end, are a `gap`. ToolError `recording_unreadable`
 * where the file is not a recording, or damaged in the middle.
 */
export async function* readRecord(file: string): AsyncGenerator<Recorded> {
  yield* readOpened(await openFiles(await filesOf(file)));
}

/** The same of these files, in this order; closes them. */
export async function* readOpened(opened: readonly OpenFile[]): AsyncGenerator<Recorded> {
  try {
    const state = newState();
    for (const one of opened) yield* readFile(one, state);
  } finally {
    await closeFiles(opened);
  }
}

/** What is known so far. */
interface State {
  /** By scope and group. */
  snapshots: Map<string, Snapshot>;
  /** When the last whole line was written; '' before the first. */
  at: string;
  /** A run has begun and has not ended. */
  isOpen: boolean;
}

function newState(): State {
  return { snapshots: new Map(), at: '', isOpen: false };
}

async function* readFile(opened: OpenFile, state: State): AsyncGenerator<Recorded> {
  let torn: FileLine | null = null;
  let isFirst = true;
  for await (const line of linesOf(opened)) {
    if (line.text === '') continue;
    const read: RecordLine | string = parseLine(line);
    if (typeof read === 'string') {
      // Only a new run may stand behind a torn line.
      if (torn !== null || (isFirst && !line.torn)) throw damaged(torn ?? line, read);
      torn = line;
      continue;
    }
    if (isFirst && read.kind !== 'start') throw damaged(line, 'it does not begin as a recording');
    if (torn !== null && read.kind !== 'start') throw damaged(torn, 'it is not a whole line');
    isFirst = false;
    if (read.kind === 'start') yield* begun(read.rotated, torn, state);
    torn = null;
    yield* take(read, line, state);
  }
  if (torn !== null) {
    yield gap(state, `line ${torn.number} of ${torn.file} was not written to its end`);
    state.isOpen = false;
  }
}

function damaged({ file, number }: FileLine, why: string): Error {
  return unreadable(`line ${number} of ${file}`, why);
}

function gap({ at }: State, reason: string): Gap {
  return { kind: 'gap', at, reason };
}

/** A run begins, in this file or in the next one of a rotation. */
function* begun(isRotated: boolean, torn: FileLine | null, state: State): Generator<Gap> {
  if (torn !== null) {
    yield gap(state, `line ${torn.number} of ${torn.file} was not written to its end`);
  } else if (state.isOpen && !isRotated) {
    yield gap(state, 'the run before has no end: it was killed, or the machine went down');
  }
  state.snapshots.clear();
  state.isOpen = true;
}

function* take(read: RecordLine, line: FileLine, state: State): Generator<Recorded> {
  state.at = read.at;
  if (read.kind === 'end') state.isOpen = false;
  if (read.kind !== 'snapshot' && read.kind !== 'change') {
    yield read;
    return;
  }
  const { at, scope, group } = read;
  const id = JSON.stringify([scope, group]);
  const before = state.snapshots.get(id) ?? null;
  const snapshot = read.kind === 'snapshot' ? read.snapshot : changed(before, read.changes, line);
  const previous = before === null ? null : { ...before, previous: null };
  const whole = { ...snapshot, previous };
  state.snapshots.set(id, whole);
  yield { kind: 'snapshot', at, scope, group, snapshot: whole };
}

function changed(
  before: Snapshot | null,
  changes: Extract<RecordLine, { kind: 'change' }>['changes'],
  line: FileLine,
): Snapshot {
  if (before === null) throw damaged(line, 'it changes a cluster of which it has no snapshot');
  try {
    const snapshot = applyChanges(before, changes);
    if (!isSnapshot(snapshot)) throw new Error('what it makes is not a snapshot');
    return snapshot;
  } catch (error) {
    throw damaged(line, errorMessage(error));
  }
}

// ---------------------------------------------------------------- one line

/** The line, or why it cannot be read. */
function parseLine({ text }: FileLine): RecordLine | string {
  let value: unknown;
  try {
    value = JSON.parse(text, reviveValue);
  } catch (error) {
    return errorMessage(error);
  }
  const line = value as Partial<RecordLine> | null;
  if (typeof line !== 'object' || line === null) return 'it is not a line of a recording';
  if (typeof line.at !== 'string' || Number.isNaN(Date.parse(line.at))) return 'it has no time';
  const why = wrongIn(line);
  return why ?? (line as RecordLine);
}

function wrongIn(line: Partial<RecordLine>): string | null {
  if (line.kind === 'end') return null;
  if (line.kind === 'start')
    return line.schemaVersion === 1 ? null : 'it was written by a newer patctl';
  if (line.kind === undefined) return 'it is not a line of a recording';
  if (!('scope' in line) || typeof line.scope !== 'string') return 'it names no cluster';
  switch (line.kind) {
    case 'snapshot':
      return isSnapshot(line.snapshot ?? null) ? null : 'it holds no snapshot';
    case 'change':
      return Array.isArray(line.changes) && line.changes.every(isChange)
        ? null
        : 'it holds no changes';
    case 'event':
      return isEvent(line.event) ? null : 'it holds no event';
    default:
      return 'it was written by a newer patctl';
  }
}

function isChange(value: unknown): boolean {
  const { op, path } = (value ?? {}) as Record<string, unknown>;
  return typeof path === 'string' && (op === 'add' || op === 'replace' || op === 'remove');
}

function isEvent(value: unknown): boolean {
  const { code, message, members, evidence } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof code === 'string' &&
    typeof message === 'string' &&
    Array.isArray(members) &&
    Array.isArray(evidence)
  );
}

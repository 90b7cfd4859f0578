/** `top --plain`: what a screen would show, as lines that are never drawn over. Pure. */
import type { StatusMember } from '../../cluster/documents/status-document.js';
import { worstFirst } from '../../cluster/findings/find.js';
import { bytes } from '../bytes.js';
import { worstOf } from '../headline.js';
import { asCalled } from '../as-called.js';
import { statusLines } from '../status-lines.js';
import { oneLine } from '../text.js';
import { rowName, type FleetRow } from './fleet-row.js';
import type { FleetPane, Pane } from './state.js';

/** The lines that a reading adds: at first everything, later each event, and the headline where it has changed. */
export function paneLines(before: Pane, now: Pane, command: string): string[] {
  const name = rowName(now);
  const line = (at: string, text: string): string => oneLine(`${at} ${name}: ${text}`);
  const events = now.events
    .filter((event) => !before.events.includes(event))
    .map(({ at, severity, message }) =>
      line(at, `${severity === 'info' ? '' : `${severity.toUpperCase()} `}${message}`),
    );
  if (now.look === null || now.look === before.look) return events;
  const { atMs, document } = now.look;
  const head = headOf(now);
  const isFirst = before.look === null;
  const heads = head === headOf(before) ? [] : [line(timeOf(atMs), head)];
  if (!isFirst) return [...events, ...heads];
  const found = worstFirst([...document.findings, ...document.further]);
  return [
    ...heads,
    ...statusLines(document).map((text) => line(timeOf(atMs), text.replace(/ {2,}/, ': '))),
    ...document.members.map((one) => line(timeOf(atMs), memberText(one))),
    ...found.map(({ severity, message, code, next }) =>
      line(
        timeOf(atMs),
        `${severity.toUpperCase()} ${message} [${code}]; next ${asCalled(next, command)}`,
      ),
    ),
    ...events,
  ];
}

function headOf({ look }: Pane): string {
  if (look === null) return '';
  const { severity, said } = worstOf(look.document);
  return `${severity.toUpperCase()} ${said}`;
}

function memberText(one: StatusMember): string {
  const words = [
    one.observedRole,
    one.state ?? '',
    one.timeline === null ? '' : `timeline ${one.timeline}`,
    one.observedRole === 'primary' ? '' : `lag ${bytes(one.lagBytes) || 'unknown'}`,
    one.syncState,
    `verdict ${one.verdict}`,
  ];
  return `member ${one.name}: ${words.filter((word) => word !== '').join(', ')}`;
}

/** Every cluster once all were read, worst first; then each that has changed, or is gone. */
export function fleetLines(before: FleetPane, now: FleetPane): string[] {
  const trouble = dcsLines(before, now);
  if (!now.isWhole) return trouble;
  if (!before.isWhole) return [...trouble, ...now.rows.map(rowLine)];
  const old = new Map(before.rows.map((row) => [row.name, row]));
  const changed = now.rows.filter((row) => isOtherRow(old.get(row.name), row));
  const names = new Set(now.rows.map(({ name }) => name));
  const gone = before.rows.filter(({ name }) => !names.has(name));
  return [
    ...trouble,
    ...changed.map(rowLine),
    ...gone.map(({ name, atMs }) => oneLine(`${timeOf(atMs)} ${name}: no longer in the DCS`)),
  ];
}

/** That the DCS fell silent, or answers again. */
function dcsLines(before: FleetPane, { trouble, readMs }: FleetPane): string[] {
  if (trouble !== null && before.trouble === null)
    return [oneLine(`${timeOf(trouble.atMs)} the DCS cannot be read: ${trouble.reason}`)];
  return trouble === null && before.trouble !== null && readMs !== null
    ? [`${timeOf(readMs)} the DCS answers again`]
    : [];
}

function rowLine(row: FleetRow): string {
  return oneLine(
    `${timeOf(row.atMs)} ${row.name}: ${row.severity.toUpperCase()} ${row.said}; leader ${row.leader ?? 'none'}, ${row.answered} of ${row.members} members answer, ${row.streaming} of ${row.replicas} replicas stream`,
  );
}

/** Whether the rows of one cluster differ in what a line says. */
function isOtherRow(a: FleetRow | undefined, b: FleetRow): boolean {
  const told = ({ severity, said, leader, answered, streaming }: FleetRow): string =>
    JSON.stringify([severity, said, leader, answered, streaming]);
  return a === undefined || told(a) !== told(b);
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

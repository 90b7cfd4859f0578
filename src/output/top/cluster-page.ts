/** One cluster on one screen: what is wrong, its members, findings, events. Pure. */
import type { StatusDocument, StatusMember } from '../../cluster/documents/status-document.js';
import type { ClusterEvent } from '../../cluster/events/event-model.js';
import { worstFirst } from '../../cluster/findings/find.js';
import type { Severity } from '../../cluster/model/model.js';
import { doubtText } from '../../cluster/roles/unverified.js';
import { bytes } from '../bytes.js';
import { worstOf } from '../headline.js';
import { asCalled } from '../as-called.js';
import { cutTo, fold, NO_COMMAND } from '../screen.js';
import { statusLines } from '../status-lines.js';
import { oneLine } from '../text.js';
import { around } from './scroll.js';
import { utcTimeText, type Sheet } from './sheet.js';
import type { Paint, Tone } from './paint.js';
import { sparkline, WINDOW_MS, type Sample } from './sparkline.js';
import {
  chosenMember,
  commandHere,
  listedMembers,
  matches,
  shownPane,
  type Pane,
  type TopState,
} from './state.js';
import { tableLines, type TopColumn } from './table.js';

/** The events have at least so many lines, with their head. */
const LEAST_EVENTS = 5;
/** So few lines and no fact is folded. */
const LOW_SCREEN = 40;

export function clusterPage(state: TopState, sheet: Sheet): string[] {
  const pane = shownPane(state);
  if (pane === undefined) return [];
  const { look } = pane;
  if (look === null) return [...troubleLines(pane, sheet), ...(pane.trouble ? [] : ['reading …'])];
  const { document } = look;
  const top = [
    ...troubleLines(pane, sheet),
    ...headLines(document, state, sheet),
    ...factLines(document, sheet),
    '',
  ];
  const members = memberLines(state, pane, sheet);
  const found = findingLines(document, state, sheet);
  const events = eventLines(pane.events, state.filter, sheet);
  const room = Math.max(sheet.height - top.length, 0);
  const forMembers = Math.min(
    members.lines.length + 1,
    Math.max(Math.floor((room - LEAST_EVENTS) / 2), 3),
  );
  const forFound = Math.min(found.length, Math.max(room - forMembers - LEAST_EVENTS - 2, 1));
  const forEvents = Math.max(room - forMembers - forFound - 3, 0);
  return [
    ...top,
    members.head,
    ...around(members.lines, members.at, forMembers - 1),
    '',
    ...firstOf(found, forFound),
    '',
    paint(sheet, 'head', 'Events'),
    ...(events.length === 0 ? ['  none since top began'] : events.slice(-forEvents)),
  ].slice(0, sheet.height);
}

const paint = (sheet: Sheet, tone: Tone, text: string): string => sheet.paint(tone, text);

/** Why what is shown is not of now. */
function troubleLines({ trouble, look }: Pane, { width, paint: painted, nowMs }: Sheet): string[] {
  if (trouble === null) return [];
  const ageS = look === null ? 0 : Math.round((nowMs - look.atMs) / 1000);
  const age =
    look === null
      ? ''
      : look.atMs >= trouble.atMs
        ? '; what the DCS said last is below'
        : `; what is below was read ${ageS} s ago`;
  const line = `CANNOT BE READ ${oneLine(trouble.reason)}${age}`;
  return fold(line, { width, command: NO_COMMAND }).map((each) => painted('critical', each));
}

function headLines(document: StatusDocument, state: TopState, sheet: Sheet): string[] {
  const { severity, said, next } = worstOf(document);
  const step = next === null ? '' : `; next: ${asCalled(next, commandHere(state))}`;
  const word = severity.toUpperCase();
  const lines = fold(`${word} ${oneLine(`${said}${step}`)}`, {
    width: sheet.width,
    command: NO_COMMAND,
  });
  const [first = '', ...others] = lines;
  const rest =
    sheet.height < LOW_SCREEN && others.length > 1
      ? [cutTo(`  ${others.map((line) => line.trim()).join(' ')}`, sheet.width)]
      : others;
  return [paint(sheet, severity, word) + first.slice(word.length), ...rest];
}

/** What `status` says of the cluster as a whole; on a low screen a line each, and only what is not usual. */
function factLines(document: StatusDocument, { width, height }: Sheet): string[] {
  const all = statusLines(document).map(oneLine);
  if (height >= LOW_SCREEN)
    return all.flatMap((line) => fold(line, { width, command: NO_COMMAND }));
  return all
    .filter((line) => !/^(?:Cluster|Witnesses) |^Mode {7}normal$|^Pending {4}nothing$/.test(line))
    .map((line) => cutTo(line, width));
}

// ---------------------------------------------------------------- members

interface MemberRow extends StatusMember {
  readonly samples: readonly Sample[];
  readonly delay: string;
}

function memberLines(
  state: TopState,
  pane: Pane,
  sheet: Sheet,
): { head: string; lines: string[]; at: number } {
  const listed = listedMembers(pane, state.filter);
  const document = pane.look?.document;
  const rows = listed.map((one): MemberRow => ({
    ...one,
    samples: pane.lags[one.name] ?? [],
    delay: document === undefined ? '' : delayText(one, document),
  }));
  const chosen = chosenMember(state);
  const at = listed.findIndex((one) => one === chosen);
  const { head, lines } = tableLines(columnsFor(document, sheet), rows, {
    width: sheet.width - POINTER.length,
    paint: sheet.paint,
  });
  return {
    head: sheet.paint('head', `  ${head}`),
    at,
    lines:
      lines.length === 0
        ? [`  ${state.filter === '' ? 'no member' : `no member matches /${oneLine(state.filter)}`}`]
        : lines.map((line, y) => (y === at ? sheet.paint('chosen', POINTER + line) : `  ${line}`)),
  };
}

const POINTER = '> ';
const WIDE_SCREEN = 120;

function columnsFor(
  document: StatusDocument | undefined,
  { width, nowMs }: Sheet,
): TopColumn<MemberRow>[] {
  const cells = width >= WIDE_SCREEN ? 30 : 8;
  const leader = document?.leader.name ?? null;
  const isPending = document?.members.some((one) => pendingText(one) !== '') === true;
  return [
    { header: 'Member', text: ({ name }) => name, leave: 0 },
    {
      header: 'Host',
      text: ({ host, port }) => (host === null ? '' : `${host}:${port ?? '?'}`),
      leave: 9,
    },
    { header: 'DCS says', text: ({ claimedRole }) => claimedRole ?? 'left the DCS', leave: 8 },
    { header: 'Seen as', text: ({ observedRole }) => observedRole, tone: roleTone, leave: 0 },
    { header: 'State', text: ({ state }) => state ?? '', leave: 4 },
    { header: 'TL', align: 'r', text: ({ timeline }) => String(timeline ?? ''), leave: 5 },
    {
      header: 'Lag',
      align: 'r',
      text: (one) => (one.name === leader ? '' : bytes(one.lagBytes) || '?'),
      leave: 0,
    },
    { header: 'Delay', align: 'r', text: ({ delay }) => delay, leave: 7 },
    {
      header: `${WINDOW_MS / 60_000} min`,
      text: ({ name, samples }) => (name === leader ? '' : sparkline(samples, nowMs, cells)),
      leave: 6,
    },
    { header: 'Sync', text: ({ syncState }) => syncState, leave: 1 },
    ...(isPending ? [{ header: 'Pending', text: pendingText, leave: 2 }] : []),
    { header: 'Verdict', text: ({ verdict }) => verdict, tone: verdictTone, leave: 3, fills: true },
  ];
}

function roleTone({ observedRole, verdict }: MemberRow): Tone | null {
  if (observedRole === 'unreachable' || observedRole === 'not running') return 'critical';
  if (observedRole === 'unknown') return 'unknown';
  return verdict === 'ok' && observedRole !== 'replica' ? 'ok' : null;
}

const verdictTone = ({ verdict }: MemberRow): Tone =>
  verdict === 'ok'
    ? 'ok'
    : verdict === 'unknown' || verdict === 'unverified'
      ? 'unknown'
      : 'warning';

function pendingText({ pendingRestart, scheduledRestart }: StatusMember): string {
  const at = scheduledRestart?.['schedule'];
  if (typeof at === 'string') return `restart at ${at}`;
  return pendingRestart ? 'restart' : '';
}

/** replay_lag of its walsender: how long what was written last took until it was replayed. */
function delayText(
  { name, lagBytes, syncState }: StatusMember,
  { replication }: StatusDocument,
): string {
  const row = replication.find(
    ({ applicationName, slotType }) =>
      slotType !== 'logical' && applicationName.toLowerCase() === name.toLowerCase(),
  );
  if (row?.replayLagMs !== null && row?.replayLagMs !== undefined)
    return secondsText(row.replayLagMs);
  // PostgreSQL says nothing of a standby that has all there is.
  return lagBytes === 0 && syncState !== 'absent' && syncState !== 'unknown' && syncState !== ''
    ? '0 s'
    : '';
}

function secondsText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// ---------------------------------------------------------------- findings

function findingLines(document: StatusDocument, state: TopState, sheet: Sheet): string[] {
  const { filter } = state;
  const found = worstFirst([...document.findings, ...document.further]).filter(
    ({ message, code, severity, members }) => matches(filter, message, code, severity, ...members),
  );
  const others = [
    ...document.doubts.map((doubt) => `unknown: ${doubtText(doubt)}`),
    ...document.problems.map(({ key, problem }) => `unreadable: ${key}: ${problem}`),
  ].filter((line) => matches(filter, line));
  const isHigh = sheet.height >= LOW_SCREEN;
  const lines = [
    ...found.flatMap(({ severity, message, code, next }) => [
      severityLine(severity, `${message} [${code}]`, sheet),
      ...(isHigh
        ? [cutTo(`    next ${oneLine(asCalled(next, commandHere(state)))}`, sheet.width)]
        : []),
    ]),
    ...others.map((line) => cutTo(`  ${oneLine(line)}`, sheet.width)),
  ];
  const count = countText(
    found.map(({ severity }) => severity),
    others.length,
  );
  return [
    paint(sheet, 'head', 'Findings') + (lines.length === 0 ? '  none' : `  ${count}`),
    ...lines,
  ];
}

/** `1 critical, 2 warning`, worst first. */
function countText(severities: readonly Severity[], others: number): string {
  const counts = new Map<string, number>();
  for (const severity of severities) counts.set(severity, (counts.get(severity) ?? 0) + 1);
  const words = [...counts].map(([severity, count]) => `${count} ${severity}`);
  return [...words, ...(others > 0 ? [`${others} not checked or not readable`] : [])].join(', ');
}

function severityLine(severity: Severity, text: string, { width, paint: painted }: Sheet): string {
  const word = severity.toUpperCase();
  return `  ${painted(severity, word)} ${cutTo(oneLine(text), width - word.length - 3)}`;
}

// ---------------------------------------------------------------- events

function eventLines(
  events: readonly ClusterEvent[],
  filter: string,
  { width, paint: painted }: Sheet,
): string[] {
  return events
    .filter(({ message, code, members }) => matches(filter, message, code, ...members))
    .map((event) => `  ${eventTime(event)} ${eventText(event, width - 12, painted)}`);
}

export function eventTime({ at }: ClusterEvent): string {
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? oneLine(at) : utcTimeText(ms);
}

export function eventText(
  { severity, message }: ClusterEvent,
  width: number,
  painted: Paint,
): string {
  if (severity === 'info') return cutTo(oneLine(message), width);
  const word = severity.toUpperCase();
  return `${painted(severity, word)} ${cutTo(oneLine(message), width - word.length - 1)}`;
}

// ---------------------------------------------------------------- too many lines

/** The first lines; the last of them says how many are left out. */
function firstOf(lines: readonly string[], most: number): string[] {
  if (lines.length <= most || most < 1) return lines.slice(0, Math.max(most, 0));
  return [...lines.slice(0, most - 1), `  … ${lines.length - most + 1} more`];
}

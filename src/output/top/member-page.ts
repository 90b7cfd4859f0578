/** Everything that is known of one member, without secrets. Pure. */
import { cleaned } from '../../cluster/configuration/without-secrets.js';
import type { StatusDocument, StatusMember } from '../../cluster/documents/status-document.js';
import { whyNot } from '../../cluster/documents/why-not-document.js';
import { formatLsn } from '../../cluster/model/lsn.js';
import type { Reading, Snapshot } from '../../cluster/model/model.js';
import { bytes } from '../bytes.js';
import { asCalled } from '../as-called.js';
import { fold, NO_COMMAND } from '../screen.js';
import { oneLine } from '../text.js';
import { eventText, eventTime } from './cluster-page.js';
import type { Sheet } from './sheet.js';
import { scrolledLines } from './scroll.js';
import { chosenMember, commandHere, shownPane, type Pane, type TopState } from './state.js';

export function memberPage(state: TopState, sheet: Sheet): string[] {
  const pane = shownPane(state);
  const member = chosenMember(state);
  if (pane === undefined || pane.look === null || member === null) return ['no member is chosen'];
  const { document, snapshot } = pane.look;
  const head = (text: string): string => sheet.paint('head', text);
  const text = (lines: readonly string[]): string[] =>
    lines.flatMap((line) => fold(oneLine(line), { width: sheet.width, command: NO_COMMAND }));
  const all = [
    head(oneLine(member.name)),
    ...text(facts(member)),
    '',
    head('Findings about it'),
    ...text(findingsOf(member, document, commandHere(state))),
    '',
    head('Could it be promoted'),
    ...text(promotion(member, snapshot)),
    '',
    head('Streams from and to it'),
    ...text(streamsOf(member, document)),
    '',
    head('Events'),
    ...eventsAbout(member, pane, sheet),
    ...witnessParts(member, snapshot).flatMap(({ title, lines }) => [
      '',
      head(title),
      ...text(lines),
    ]),
  ];
  return scrolledLines(all, state.scroll, sheet);
}

const LABEL = 18;
const fact = (label: string, value: string | number | null): string[] =>
  value === null || value === '' ? [] : [`  ${label.padEnd(LABEL)}${value}`];

function facts(one: StatusMember): string[] {
  const { host, port, witness, pendingRestart, pendingRestartReason: why } = one;
  return [
    ...fact('Host', host === null ? null : `${host}:${port ?? '?'}`),
    ...fact('DCS says', one.claimedRole ?? 'left the DCS'),
    ...fact('Seen as', `${one.observedRole}${witness === null ? '' : ` (by ${witness})`}`),
    ...fact('Not answered', one.silence),
    ...fact('Verdict', one.verdict),
    ...fact('State', one.state),
    ...fact('Timeline', one.timeline),
    ...fact('Position', one.lsn),
    ...fact('Replayed', one.replayLsn),
    ...fact('Lag', bytes(one.lagBytes)),
    ...fact('Replay lag', bytes(one.replayLagBytes)),
    ...fact('Sync', one.syncState),
    ...fact('Patroni', one.patroniVersion),
    ...fact('PostgreSQL', one.postgresVersion),
    ...fact(
      'Tags',
      Object.keys(one.tags).length === 0 ? 'none' : JSON.stringify(cleaned(one.tags)),
    ),
    ...fact(
      'Pending restart',
      pendingRestart ? `yes${why === null ? '' : `: ${JSON.stringify(cleaned(why))}`}` : null,
    ),
    ...fact(
      'Scheduled restart',
      one.scheduledRestart === null ? null : JSON.stringify(one.scheduledRestart),
    ),
  ];
}

function findingsOf({ name }: StatusMember, document: StatusDocument, command: string): string[] {
  const found = [...document.findings, ...document.further].filter(({ members }) =>
    members.includes(name),
  );
  if (found.length === 0) return ['  none'];
  return found.flatMap(({ severity, message, code, evidence, next }) => [
    `  ${severity.toUpperCase()} ${message} [${code}]`,
    ...evidence.map(({ witness, subject, said }) => `    ${witness} ${subject}: ${said}`),
    `    next ${asCalled(next, command)}`,
  ]);
}

function promotion({ name, departed }: StatusMember, snapshot: Snapshot): string[] {
  if (departed) return ['  no: it is not in the DCS'];
  if (name === snapshot.cluster.leaderName) return ['  it holds the leader key'];
  const { switchover, race } = whyNot(snapshot, name);
  const steps = switchover?.steps.filter(({ result }) => result !== 'ok') ?? [];
  return [
    ...(switchover === null ? [] : [`  by a switchover now: ${switchover.could}`]),
    ...steps.map(({ check, result, said }) => `    ${check} ${result}: ${said}`),
    ...(race === null
      ? []
      : [
          `  if the leader were lost: ${race.could}${race.needed === 0 ? '' : `, ${race.counted} of ${race.needed} votes`}`,
        ]),
    ...(race?.reasons.map((reason) => `    ${reason}`) ?? []),
  ];
}

function streamsOf({ name }: StatusMember, { replication }: StatusDocument): string[] {
  const own = replication.filter(
    ({ upstream, applicationName }) =>
      upstream === name || applicationName.toLowerCase() === name.toLowerCase(),
  );
  if (own.length === 0) return ['  none'];
  return own.map((row) => {
    const words = [
      `  ${row.upstream} to ${row.applicationName}`,
      row.state ?? 'state unknown',
      row.syncState ?? '',
      row.slotName === null ? '' : `slot ${row.slotName}`,
      row.sentLsn === null ? '' : `sent ${row.sentLsn}`,
      row.flushLsn === null ? '' : `flushed ${row.flushLsn}`,
      row.replayLsn === null ? '' : `replayed ${row.replayLsn}`,
      row.clientAddr ?? '',
      `by ${row.witness}`,
    ];
    return words.filter((word) => word !== '').join(', ');
  });
}

function eventsAbout({ name }: StatusMember, { events }: Pane, { width, paint }: Sheet): string[] {
  const own = events.filter(({ members }) => members.includes(name));
  if (own.length === 0) return ['  none since top began'];
  return own.map((event) => `  ${eventTime(event)} ${eventText(event, width - 12, paint)}`);
}

/** All that each witness said, in its own words. */
function witnessParts(
  { name }: StatusMember,
  snapshot: Snapshot,
): { title: string; lines: string[] }[] {
  const readings = [...snapshot.members, ...snapshot.departed].find((one) => one.name === name);
  const key = snapshot.cluster.members.find((one) => one.name === name);
  const said = <T>(reading: Reading<T> | undefined, of: (value: T) => unknown): string[] => {
    if (reading === undefined) return ['  not asked'];
    return reading.ok ? flat(cleaned(of(reading.value))) : [`  ${reading.reason}`];
  };
  return [
    { title: 'Its key in the DCS', lines: key === undefined ? ['  none'] : flat(cleaned(key.raw)) },
    { title: 'Its REST API', lines: said(readings?.rest, ({ raw }) => raw) },
    { title: 'Its PostgreSQL', lines: said(readings?.sql, (value) => value) },
  ];
}

/** A value as lines `path  value`; what is empty or null is left out. */
function flat(value: unknown, path = ''): string[] {
  if (typeof value === 'bigint') return [`  ${path}  ${formatLsn(value)}`];
  if (typeof value === 'number' || typeof value === 'boolean') return [`  ${path}  ${value}`];
  if (typeof value === 'string') return value === '' ? [] : [`  ${path}  ${value}`];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    flat(item, path === '' ? key : `${path}.${key}`),
  );
}

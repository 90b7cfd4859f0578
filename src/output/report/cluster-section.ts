/** What the page says of one cluster. */
import { formatLsn } from '../../cluster/model/lsn.js';
import type { HistoryLine } from '../../cluster/model/model.js';
import { plural } from '../../cluster/model/words.js';
import {
  timesLeaderChanged,
  leaderTerms,
  type LeaderTerm,
} from '../../cluster/report/leader-terms.js';
import type { ClusterStory, FindingBand, MemberLag } from '../../cluster/report/report-model.js';
import { viewOf } from '../../cluster/roles/view.js';
import { bytes } from '../bytes.js';
import { eventsPart } from './events-part.js';
import { tag, type Content, type Element } from './markup.js';
import {
  bandsPicture,
  lagLegend,
  lagPictures,
  lanesLegend,
  lanesPicture,
  asFigure,
} from './pictures.js';
import { countText, limited, outageLength, shortened, shortTime, timeText } from './plain-words.js';
import {
  nameElement,
  namesOf,
  severityMark,
  table,
  textElement,
  timeCell,
  type PageCell,
} from './tables.js';
import { roleLine, topologyPicture } from './topology-picture.js';

export interface SectionOptions {
  /** Begins every id of the section; ours, not the cluster's name. */
  id: string;
  isMoment: boolean;
}

export function titleOf({ scope, group }: ClusterStory): string {
  return `cluster ${limited(scope)}${group === null ? '' : `, Citus group ${group}`}`;
}

export function clusterSection(story: ClusterStory, options: SectionOptions): Element {
  const { id, isMoment } = options;
  const overTime = [leadersPart, outagesPart, lagPart];
  const parts = [
    summaryPart,
    ...(isMoment ? [lagNowPart] : overTime),
    findingsPart,
    ...(isMoment ? [] : [eventsPart]),
    topologyPart,
    configPart,
    historyPart,
  ];
  return tag(
    'section',
    { id, class: 'cluster', 'aria-labelledby': `${id}-h` },
    tag('h2', { id: `${id}-h` }, `C${titleOf(story).slice(1)}`),
    parts.map((part) => part(story, options)),
  );
}

function part(heading: string, ...content: Content[]): Content {
  return [tag('h3', {}, heading), ...content];
}

// ---------------------------------------------------------------- summary

function summaryPart(story: ClusterStory, { isMoment }: SectionOptions): Content {
  const lines = isMoment ? momentLines(story) : [...spanLines(story), ...outcomeLines(story)];
  return tag(
    'ul',
    {},
    [...lines, findingLine(story)].map((line) => tag('li', {}, line)),
  );
}

function momentLines(story: ClusterStory): Content[] {
  const { last } = story;
  return [
    `Read at ${timeText(Date.parse(last.takenAt))}.`,
    ['Holder of the leader key: ', leaderOf(story)],
  ];
}

function spanLines(story: ClusterStory): Content[] {
  const { fromMs, toMs, looks, runs } = story;
  const holes = runs.length - 1;
  return [
    `From ${timeText(fromMs)} to ${timeText(toMs)} (${shortTime(toMs - fromMs)}), ${countText(looks)} readings.`,
    holes > 0
      ? `Not recorded in between: ${plural(holes, 'gap')}, grey in the pictures: the recorder did not run, or the DCS did not answer. Nothing is known of what happened there.`
      : null,
    story.leftOut.length > 0
      ? `Not shown, because there are too many: ${story.leftOut.join('; ')}. The recording has all of them.`
      : null,
  ].filter((line) => line !== null);
}

function leaderOf({ last }: ClusterStory): Content {
  const { leaderName } = last.cluster;
  return leaderName === null ? 'none.' : [nameElement(leaderName), '.'];
}

function outcomeLines(story: ClusterStory): Content[] {
  const changes = timesLeaderChanged(leaderTerms(story.lanes));
  const { outages } = story;
  const longest = outages.reduce<(typeof outages)[number] | null>(
    (worst, one) => (worst === null || sizeOf(one) > sizeOf(worst) ? one : worst),
    null,
  );
  return [
    ['Holder of the leader key at the end: ', leaderOf(story)],
    changes > 0 ? `The leader changed ${plural(changes, 'time')}.` : 'The leader did not change.',
    longest === null
      ? 'No write outage was seen.'
      : `${plural(outages.length, 'write outage')}; the longest: ${outageLength(longest)}.`,
  ];
}

function sizeOf({ atMostMs, atLeastMs }: ClusterStory['outages'][number]): number {
  return atMostMs ?? atLeastMs;
}

function findingLine({ bands, last }: ClusterStory): Content {
  if (last.verify === 'off')
    return 'No member was asked (--verify off), so no claim of the DCS was checked.';
  const open = bands.filter(({ isOpen }) => isOpen);
  const count = (severity: FindingBand['severity']) =>
    open.filter((band) => band.severity === severity).length;
  const words = (['critical', 'unknown', 'warning', 'info'] as const)
    .filter((severity) => count(severity) > 0)
    .map((severity) => `${severity}: ${count(severity)}`);
  return words.length === 0
    ? 'No findings at the end.'
    : `Found at the end, by severity: ${words.join(', ')}.`;
}

// ---------------------------------------------------------------- over time

function leadersPart(story: ClusterStory, { id }: SectionOptions): Content {
  const terms = leaderTerms(story.lanes);
  const picture = lanesPicture(story, {
    id: `${id}-lanes`,
    title: 'Who led when',
    described: `A lane for each of ${plural(story.lanes.length, 'member')}. ${termsInWords(terms)}`,
  });
  return part(
    'Who led when',
    picture,
    lanesLegend(story),
    terms.length === 0
      ? tag('p', {}, 'No member was seen to lead.')
      : table({
          caption: 'A leader holds the leader key and was seen to be a primary.',
          headers: ['Member', 'From', 'To', 'For', 'As'],
          rows: terms.map(({ member, fromMs, toMs, state }) => ({
            cells: [
              nameElement(member),
              timeCell(fromMs),
              timeCell(toMs),
              shortTime(toMs - fromMs),
              state,
            ],
          })),
        }),
    changesTable(story),
  );
}

function changesTable({ changes }: ClusterStory): Content {
  if (changes.length === 0) return null;
  const nameOf = (name: string | null) => (name === null ? 'not known' : nameElement(name));
  return table({
    caption:
      'Why the leader changed, as far as this recording shows it. The command explain, with --recording and --log, tells the whole story.',
    headers: ['When', 'From', 'To', 'Why'],
    rows: changes.map(({ ms, from, to, verdict, missing }) => ({
      cells: [
        timeCell(ms ?? NaN),
        nameOf(from),
        nameOf(to),
        [
          textElement(verdict),
          missing === null ? null : [' To settle it: ', textElement(missing), '.'],
        ],
      ],
    })),
  });
}

function termsInWords(terms: readonly LeaderTerm[]): string {
  const said = terms
    .slice(0, 20)
    .map(
      ({ member, fromMs, toMs }) =>
        `${shortened(member, 60)} led from ${timeText(fromMs)} to ${timeText(toMs)}.`,
    );
  return said.length === 0 ? 'No member was seen to lead.' : said.join(' ');
}

function outagesPart({ outages, last }: ClusterStory): Content {
  const about =
    'A time in which no member was seen to be a primary. Its length lies between two bounds, because the cluster was ' +
    'read only now and then. A primary that waits for a synchronous standby commits nothing either: see the findings.';
  if (last.cluster.config?.standbyCluster) {
    return part('Write outages', tag('p', {}, 'A standby cluster accepts no writes.'));
  }
  if (last.verify === 'off') {
    return part('Write outages', tag('p', {}, 'Not known: no member was asked (--verify off).'));
  }
  if (outages.length === 0) return part('Write outages', tag('p', {}, 'None was seen.'));
  return part(
    'Write outages',
    table({
      caption: about,
      headers: ['From', 'To', 'How long', 'Primary before', 'Primary after', 'Did not answer'],
      rows: outages.map((one) => ({
        cells: [
          timeCell(one.fromMs),
          one.isOver ? timeCell(one.toMs) : `not over at ${timeText(one.toMs)}`,
          outageLength(one),
          namesOf(one.before),
          namesOf(one.after),
          one.silent.length === 0
            ? 'all answered'
            : [namesOf(one.silent), ', which may have accepted writes'],
        ],
      })),
    }),
  );
}

function lagPart(story: ClusterStory, { id }: SectionOptions): Content {
  const { lags } = story;
  if (lags.length === 0) return part('Lag', tag('p', {}, 'No lag of a replica is known.'));
  const pictures = lagPictures(story, (lag) => ({
    id: `${id}-lag${lags.indexOf(lag)}`,
    title: `Lag of ${shortened(lag.member, 60)}`,
    described: `${peakText(lag)} ${nowText(lag)}`,
  }));
  return part(
    'Lag',
    tag(
      'p',
      {},
      'WAL of the leader that a replica has not replayed, or not even received. The scale is logarithmic.',
    ),
    pictures,
    lagLegend(),
    lagTable(lags, true),
  );
}

function peakText({ peak }: MemberLag): string {
  return peak === null ? '' : `Its largest lag was ${bytes(peak.bytes)}, at ${timeText(peak.ms)}.`;
}

function nowText({ lastReplayed, lastReceived }: MemberLag): string {
  const last = lastReplayed ?? lastReceived;
  return last === null ? 'At the end it is unknown.' : `At the end it was ${bytes(last)}.`;
}

function lagTable(lags: readonly MemberLag[], withPeak: boolean): Element {
  const known = (count: number | null) => (count === null ? 'unknown' : bytes(count));
  return table({
    caption: withPeak
      ? 'The largest lag of each replica, and its lag at the end.'
      : 'The lag of each replica.',
    headers: ['Member', ...(withPeak ? ['Largest', 'At'] : []), 'Not replayed', 'Not received'],
    rows: lags.map(({ member, peak, lastReplayed, lastReceived }) => ({
      cells: [
        nameElement(member),
        ...(withPeak ? [known(peak?.bytes ?? null), peak === null ? '' : timeCell(peak.ms)] : []),
        known(lastReplayed),
        known(lastReceived),
      ],
    })),
  });
}

function lagNowPart({ lags }: ClusterStory): Content {
  return part(
    'Lag',
    lags.length === 0 ? tag('p', {}, 'No lag of a replica is known.') : lagTable(lags, false),
  );
}

// ---------------------------------------------------------------- findings

function findingsPart(story: ClusterStory, { id, isMoment }: SectionOptions): Content {
  const { bands } = story;
  if (bands.length === 0) {
    const none =
      story.last.verify === 'off' ? 'Not looked for: no member was asked.' : 'Nothing was found.';
    return part('Findings', tag('p', {}, none));
  }
  const picture = isMoment
    ? null
    : bandsPicture(story, {
        id: `${id}-findings`,
        title: 'How long each finding lasted',
        described: `${plural(bands.length, 'finding')}; the table below has their times.`,
      });
  const times = isMoment ? [] : ['First', 'Last', 'For'];
  return part(
    'Findings',
    picture,
    table({
      caption: 'Worst first. The command check with --explain CODE describes each one.',
      headers: ['Finding', 'Severity', 'Members', 'What was found', ...times],
      rows: bands.map((band) => ({
        cells: [
          tag('code', {}, band.code),
          severityMark(band.severity),
          namesOf(band.members, 'the cluster'),
          textElement(band.message),
          ...(isMoment ? [] : bandTimes(band)),
        ],
      })),
    }),
  );
}

function bandTimes({ spans, isOpen }: FindingBand): (Content | PageCell)[] {
  const [first] = spans;
  const last = spans.at(-1);
  if (!first || !last) return ['', '', ''];
  const totalMs = spans.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  const times = spans.length === 1 ? '' : ` in all, found ${countText(spans.length)} times`;
  return [
    timeCell(first.fromMs),
    isOpen ? 'still found at the end' : timeCell(last.toMs),
    `${shortTime(totalMs)}${times}`,
  ];
}

// ---------------------------------------------------------------- what is there at the last look

function topologyPart({ last, scope }: ClusterStory, { id }: SectionOptions): Content {
  const view = viewOf(last);
  if (view.members.length === 0)
    return part('Topology', tag('p', {}, 'The cluster has no members.'));
  const picture = asFigure(topologyPicture(view), {
    id: `${id}-topology`,
    title: `Topology of ${shortened(scope, 60)}`,
    described: 'Each member and its upstream; the table below says the same in words.',
  });
  return part(
    'Topology',
    tag(
      'p',
      {},
      `At ${timeText(Date.parse(last.takenAt))}. A dashed line: the member should stream from there and was not seen to.`,
    ),
    picture,
    table({
      caption: 'Members',
      headers: ['Member', 'Role', 'State', 'Streams from', 'Sync state', 'Position', 'Patroni'],
      rows: view.members.map((one) => ({
        cells: [
          nameElement(one.name),
          roleLine(one, one === view.leader),
          textElement(one.member?.replicationState ?? one.member?.state ?? ''),
          one.row === null ? '' : nameElement(one.row.upstream),
          one.syncState,
          one.position === null ? '' : formatLsn(one.position),
          textElement(
            (one.rest.ok ? one.rest.value.patroniVersion : null) ?? one.member?.version ?? '',
          ),
        ],
      })),
    }),
  );
}

function configPart(
  { config, configChanges }: ClusterStory,
  { isMoment }: SectionOptions,
): Content {
  const value = (text: string | null) =>
    text === null ? tag('span', { class: 'soft' }, 'not set') : tag('code', {}, limited(text));
  const changes =
    configChanges.length === 0
      ? tag('p', {}, isMoment ? '' : 'It did not change.')
      : table({
          caption: 'What was changed',
          headers: ['When', 'Key', 'Before', 'After'],
          rows: configChanges.map(({ ms, key, before, after }) => ({
            cells: [timeCell(ms), tag('code', {}, limited(key)), value(before), value(after)],
          })),
        });
  if (config.length === 0) {
    return part('Dynamic configuration', tag('p', {}, 'There is none, or it cannot be read.'));
  }
  return part(
    'Dynamic configuration',
    isMoment ? null : changes,
    table({
      caption: isMoment ? 'The configuration' : 'The configuration at the end',
      headers: ['Key', 'Value'],
      rows: config.slice(0, MOST_KEYS).map(({ key, value: text }) => ({
        cells: [tag('code', {}, limited(key)), value(text)],
      })),
    }),
    config.length > MOST_KEYS
      ? tag('p', {}, `${countText(config.length - MOST_KEYS)} more keys are not shown.`)
      : null,
  );
}

const MOST_KEYS = 500;

function historyPart({ last }: ClusterStory): Content {
  const { history } = last.cluster;
  if (history === null || history.length === 0) return null;
  const shown = history.slice(-MOST_TIMELINES);
  return part(
    'Timelines',
    history.length > shown.length
      ? tag('p', {}, `The last ${MOST_TIMELINES} of ${countText(history.length)}.`)
      : null,
    table({
      caption: 'As the DCS has them (/history): where a timeline ended, and who led the next one.',
      headers: ['Timeline', 'Ended at', 'When', 'New leader', 'Reason'],
      rows: shown.map((line) => ({ cells: historyCells(line) })),
    }),
  );
}

const MOST_TIMELINES = 100;

function historyCells({ timeline, lsn, timestamp, newLeader, reason }: HistoryLine): Content[] {
  return [
    timeline,
    formatLsn(lsn),
    textElement(timestamp ?? 'not known'),
    newLeader === null ? 'not known' : nameElement(newLeader),
    textElement(reason),
  ];
}

/** The pictures over time, drawn by Observable Plot as SVG that needs no script. */
import {
  areaY,
  axisX,
  axisY,
  barX,
  gridX,
  gridY,
  lineY,
  plot,
  rect,
  text,
  type Markish,
} from '@observablehq/plot';
import type {
  ClusterStory,
  FindingBand,
  LagBin,
  LaneState,
  MemberLag,
  Span,
} from '../../cluster/report/report-model.js';
import { tag, type Element } from './markup.js';
import { outageLength, shortened, shortTime, tickText, timeText } from './plain-words.js';
import { DOCUMENT, elementOf } from './plot-document.js';

const WIDTH = 940;
const MARGIN_LEFT = 170;
const MARGIN_RIGHT = 24;
const FONT = { fontSize: 12, fontFamily: 'inherit' } as const;
const NAME_COLUMNS = 22;

/** What a picture is called, and what it says to a person who cannot see it. */
interface Said {
  id: string;
  title: string;
  described: string;
}

interface Frame {
  height: number;
  marginTop: number;
  marginBottom: number;
  y: object;
  marks: Markish[];
}

/** All pictures of a cluster have the same axis of time, one below the other. */
function drawn({ fromMs, toMs }: ClusterStory, said: Said, frame: Frame): Element {
  const picture = elementOf(
    plot({
      document: DOCUMENT,
      width: WIDTH,
      marginLeft: MARGIN_LEFT,
      marginRight: MARGIN_RIGHT,
      x: {
        type: 'utc',
        axis: null,
        domain: [new Date(fromMs), new Date(Math.max(toMs, fromMs + 1000))],
      },
      ...frame,
    }),
  );
  return asFigure(picture, said);
}

/** The SVG with its name and description, in a box that scrolls where the screen is narrow. */
export function asFigure(picture: Element, { id, title, described }: Said): Element {
  const attributes = {
    ...picture.attributes,
    role: 'img',
    'aria-labelledby': `${id}-title ${id}-text`,
  };
  const svg = tag(
    'svg',
    attributes,
    tag('title', { id: `${id}-title` }, title),
    tag('desc', { id: `${id}-text` }, described),
    picture.content,
  );
  const scroll = { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': title };
  return tag('figure', {}, tag('div', scroll, svg));
}

function timeAxis({ fromMs, toMs }: ClusterStory): Markish {
  return axisX({ ticks: 8, tickFormat: tickText(toMs - fromMs), label: null, ...FONT } as object);
}

interface Box {
  x1: Date;
  x2: Date;
  title: string;
  row: number;
}

/** A span as a box that is wide enough to be seen. */
function boxOf(
  { fromMs, toMs }: { fromMs: number; toMs: number },
  story: ClusterStory,
  row: number,
  title: string,
): Box {
  const least = (story.toMs - story.fromMs) / 500;
  return { x1: new Date(fromMs), x2: new Date(Math.max(toMs, fromMs + least)), row, title };
}

function spanText({ fromMs, toMs }: { fromMs: number; toMs: number }): string {
  return `${timeText(fromMs)} to ${timeText(toMs)} (${shortTime(toMs - fromMs)})`;
}

// ---------------------------------------------------------------- who led when

/** How a state is drawn: its colour, and how much thinner than its lane. */
const LANE_LOOKS: Record<LaneState, { color: string; inset: number }> = {
  leader: { color: 'leader', inset: 1 },
  'standby leader': { color: 'standby-leader', inset: 1 },
  'claimed leader': { color: 'claimed', inset: 1 },
  'key holder, not a primary': { color: 'odd', inset: 1 },
  'primary without the key': { color: 'second', inset: 1 },
  replica: { color: 'replica', inset: 7 },
  'not running': { color: 'stopped', inset: 9 },
  'no answer': { color: 'silent', inset: 9 },
  'not asked': { color: 'silent', inset: 9 },
};

export function lanesPicture(story: ClusterStory, said: Said): Element {
  const { lanes } = story;
  const boxes = (state: LaneState): Box[] =>
    lanes.flatMap(({ member, spans }, row) =>
      spans
        .filter((span) => span.state === state)
        .map((span) =>
          boxOf(span, story, row, `${shortened(member, 60)}: ${state}, ${spanText(span)}`),
        ),
    );
  const bars = Object.entries(LANE_LOOKS).map(([state, { color, inset }]) =>
    barX(boxes(state as LaneState), {
      ...BOX,
      y: 'row',
      fill: `var(--${color})`,
      insetTop: inset,
      insetBottom: inset,
    }),
  );
  const outages = story.outages.map((one) =>
    boxOf(one, story, 0, `no member accepts writes: ${outageLength(one)}`),
  );
  return drawn(story, said, {
    height: lanes.length * 30 + 56,
    marginTop: 8,
    marginBottom: 48,
    y: { type: 'band', axis: null, domain: lanes.map((_, row) => row), padding: 0.1 },
    marks: [
      rect(holesOf(story), { ...BOX, fill: 'var(--hole)' }),
      gridX({ stroke: 'var(--line)', strokeOpacity: 1, ticks: 8 }),
      ...bars,
      rect(outages, { ...BOX, fill: 'var(--outage)', fillOpacity: 0.35 }),
      axisY({
        tickFormat: (row: number) => shortened(lanes[row]?.member ?? '', NAME_COLUMNS),
        tickSize: 0,
        label: null,
        ...FONT,
      } as object),
      timeAxis(story),
    ],
  });
}

const BOX = { x1: 'x1', x2: 'x2', title: 'title' } as const;

/** Between two runs of the recorder. */
function holesOf(story: ClusterStory): Box[] {
  return story.runs.slice(1).map((run, at) => {
    const hole = { fromMs: story.runs[at]?.toMs ?? run.fromMs, toMs: run.fromMs };
    return boxOf(hole, story, 0, `not recorded: ${spanText(hole)}`);
  });
}

/** Which colour is which, for the states that occur. */
export function lanesLegend(story: ClusterStory): Element {
  const states = new Set(story.lanes.flatMap(({ spans }) => spans.map(({ state }) => state)));
  const items = Object.entries(LANE_LOOKS)
    .filter(([state]) => states.has(state as LaneState))
    .map(([state, { color, inset }]) => swatch(color, state, { inset }));
  return tag(
    'ul',
    { class: 'legend' },
    items,
    story.outages.length > 0
      ? swatch('outage', 'no member accepts writes', { opacity: 0.35 })
      : null,
    holesOf(story).length > 0 ? swatch('hole', 'not recorded', {}) : null,
  );
}

function swatch(
  color: string,
  label: string,
  { inset = 1, opacity = 1 }: { inset?: number; opacity?: number },
): Element {
  const top = Math.min(4, inset / 2);
  const box = { y: top, width: 18, height: 12 - 2 * top };
  const fill = { fill: `var(--${color})`, 'fill-opacity': opacity };
  const picture = tag(
    'svg',
    { width: 18, height: 12, 'aria-hidden': 'true' },
    tag('rect', { ...box, ...fill }),
  );
  return tag('li', {}, picture, label);
}

// ---------------------------------------------------------------- lag

/** One small picture a replica, all to the same scale, which is logarithmic above 1 KiB. */
export function lagPictures(story: ClusterStory, saidOf: (lag: MemberLag) => Said): Element[] {
  const most = Math.max(...story.lags.map(({ peak }) => peak?.bytes ?? 0), 0);
  // 1 KiB stands too close to 0 where there is more.
  const ticks = LAG_TICKS.filter(
    (tick, at) => at === 0 || (tick <= most && (at > 1 || most < 65_536)),
  );
  if (ticks.length === 1) ticks.push(1024);
  const top = Math.max(most, ticks.at(-1) ?? 0) * 1.15;
  return story.lags.map((lag, at) => {
    const isLast = at === story.lags.length - 1;
    return lagPicture(story, lag, { ticks, top, isLast }, saidOf(lag));
  });
}

const LAG_UNITS = ['0', '1 KiB', '1 MiB', '1 GiB', '1 TiB'];
const LAG_TICKS = LAG_UNITS.map((_, power) => (power === 0 ? 0 : 1024 ** power));

function lagTickText(tick: number): string {
  return LAG_UNITS[LAG_TICKS.indexOf(tick)] ?? '';
}

function lagPicture(
  story: ClusterStory,
  lag: MemberLag,
  { ticks, top, isLast }: { ticks: number[]; top: number; isLast: boolean },
  said: Said,
): Element {
  const main = lag.replayed.length > 0 ? lag.replayed : lag.received;
  const received = lag.replayed.length > 0 ? lag.received : [];
  return drawn(story, said, {
    height: isLast ? 130 : 90,
    marginTop: 8,
    marginBottom: isLast ? 46 : 6,
    y: { type: 'symlog', axis: null, constant: 1024, domain: [0, top] },
    marks: [
      rect(holesOf(story), { ...BOX, fill: 'var(--hole)' }),
      gridY(ticks, { stroke: 'var(--line)', strokeOpacity: 1 }),
      areaY(stepsOf(main), {
        x: 'x',
        y1: 'least',
        y2: 'most',
        fill: 'var(--leader)',
        fillOpacity: 0.3,
      }),
      lineY(stepsOf(main), { x: 'x', y: 'most', stroke: 'var(--leader)', strokeWidth: 1.5 }),
      lineY(stepsOf(received), {
        x: 'x',
        y: 'most',
        stroke: 'var(--odd)',
        strokeWidth: 1.5,
        strokeDasharray: '4,3',
      }),
      axisY(ticks, { tickFormat: lagTickText, label: null, ...FONT } as object),
      text([shortened(lag.member, 14)], {
        frameAnchor: 'left',
        dx: 8 - MARGIN_LEFT,
        textAnchor: 'start',
        fill: 'currentColor',
        ...FONT,
      }),
      isLast ? timeAxis(story) : gridX({ stroke: 'var(--line)', strokeOpacity: 1, ticks: 8 }),
    ],
  });
}

interface Step {
  x: Date;
  least: number;
  most: number;
}

/** The ends of each bin; NaN where nothing was seen in between, so that no line is drawn over it. */
function stepsOf(bins: readonly LagBin[]): Step[] {
  return bins.flatMap(({ fromMs, toMs, least, most }, at) => {
    const before = bins[at - 1];
    const wide = toMs - fromMs;
    const isApart = before !== undefined && fromMs - before.toMs > Math.max(wide, MOST_BETWEEN_MS);
    const step = { x: new Date((fromMs + toMs) / 2), least, most };
    return isApart ? [{ x: new Date(before.toMs), least: NaN, most: NaN }, step] : [step];
  });
}

/** Two looks that follow each other are at most so far apart, unless there was nothing to be seen. */
const MOST_BETWEEN_MS = 30_000;

export function lagLegend(): Element {
  return tag(
    'ul',
    { class: 'legend' },
    swatch('leader', 'not replayed: between the least and the most', { opacity: 0.3 }),
    swatch('leader', 'not replayed: the most', { inset: 9 }),
    swatch('odd', 'not received: the most (dashed)', { inset: 9 }),
  );
}

// ---------------------------------------------------------------- findings

export function bandsPicture(story: ClusterStory, said: Said): Element {
  const { bands } = story;
  const boxes = bands.flatMap((band, row) =>
    band.spans.map((span) => ({
      ...boxOf(span, story, row, bandTitle(band, span)),
      fill: `var(--${span.state})`,
    })),
  );
  const labels = bands.map((band, row) => ({ row, label: shortened(bandLabel(band), 120) }));
  return drawn(story, said, {
    height: bands.length * 34 + 56,
    marginTop: 8,
    marginBottom: 48,
    y: { type: 'band', domain: bands.map((_, row) => row), axis: null },
    marks: [
      gridX({ stroke: 'var(--line)', strokeOpacity: 1, ticks: 8 }),
      barX(boxes, { ...BOX, y: 'row', fill: 'fill', insetTop: 20, insetBottom: 4 }),
      text(labels, {
        y: 'row',
        text: 'label',
        frameAnchor: 'left',
        textAnchor: 'start',
        dx: 4 - MARGIN_LEFT,
        dy: -7,
        ...FONT,
      }),
      timeAxis(story),
    ],
  });
}

function bandLabel({ severity, code, members }: FindingBand): string {
  const about =
    members.length === 0 ? '' : ` (${members.map((one) => shortened(one, 30)).join(', ')})`;
  return `${severity}: ${code}${about}`;
}

function bandTitle(band: FindingBand, span: Span<unknown>): string {
  return `${shortened(bandLabel(band), 200)}, ${spanText(span)}`;
}

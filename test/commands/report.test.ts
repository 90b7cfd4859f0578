/** `report`: a page of HTML that is whole in itself, whatever a cluster says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../../src/cluster/events/event-model.js';
import { dcsAnswers, dcsSilent } from '../../src/cluster/events/events-of.js';
import type { RecordLine } from '../../src/dcs/recording/record-lines.js';
import { storiesOfRecording } from '../../src/observe/read-stories.js';
import { tag, verbatim, htmlOf } from '../../src/output/report/markup.js';
import { elementOf, DOCUMENT } from '../../src/output/report/plot-document.js';
import { shortTime, shortened, timeText } from '../../src/output/report/plain-words.js';
import { recorded, runFake, type FakeRun } from '../support/fake-world.js';
import { hostile, UNSAFE } from '../support/hostile.js';
import {
  BEGAN_MS,
  HOSTILE_NAMES,
  linesOf,
  looksOf,
  writeDay,
  writeLines,
} from '../support/made-recording.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-report-'));
const file = (name: string): string => join(folder, name);
/** The fewest looks with everything in them: a lag, an outage, a switchover, a gap. */
const DAY = { looks: 13, intervalMs: 10_000 };
/** One name is longer than the page has room for. */
const NAMES = { ...HOSTILE_NAMES, pg3: `&lt;${'x'.repeat(995)}\n` };
/** Of the day, written with -o. */
let made: FakeRun;
let page: string;

beforeAll(async () => {
  await writeDay(file('day.jsonl'), DAY);
  await writeDay(file('hostile.jsonl'), {
    ...DAY,
    names: NAMES,
    config: { '</style><script>alert(1)</script>': '<img src=x onerror=alert(1)>' },
  });
  made = await report('--recording', file('day.jsonl'), '-o', file('a.html'));
  page = readFileSync(file('a.html'), 'utf8');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Those of the texts that the page does not have: it is too long to be printed when a test fails. */
function missing(page: string, ...texts: string[]): string[] {
  return texts.filter((text) => !page.includes(text));
}

/** The first place of the page that it must not have; null: there is none. */
function bad(page: string, pattern: RegExp): string | null {
  return pattern.exec(page)?.[0] ?? null;
}

function report(...words: string[]): Promise<FakeRun> {
  return runFake(recorded('on'), ['report', ...words]);
}

const SILENT_MS = BEGAN_MS + 33_000;

/** Two clusters in one recording; demo's DCS is silent for 4 s between two looks. */
function linesOfTwo(): RecordLine[] {
  const day = { looks: 5, intervalMs: 10_000 };
  const [demo, shop] = [[...linesOf(day)], [...linesOf({ ...day, names: { demo: 'shop' } })]];
  const event = (of: ClusterEvent): RecordLine => {
    return { kind: 'event', at: of.at, scope: 'demo', group: null, event: of };
  };
  const [{ snapshot } = { snapshot: null }] = looksOf(day);
  if (snapshot === null) throw new Error('no look');
  const at = (ms: number): string => new Date(ms).toISOString();
  return [
    ...demo,
    ...shop.filter(({ kind }) => kind !== 'start' && kind !== 'end'),
    event(dcsSilent('no <answer>', at(SILENT_MS))),
    event(dcsAnswers(snapshot, at(SILENT_MS + 4000))),
  ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** Names of the elements of the page, once each. */
function elementsOf(page: string): string[] {
  const names = [...page.matchAll(/<([a-z][a-z0-9]*)[\s>]/gi)].map(([, name = '']) => name);
  return [...new Set(names)].sort();
}

describe('of a recording', () => {
  test('has every part, each picture with its text, and nothing from elsewhere', () => {
    expect(made).toEqual({ code: 0, out: '', err: `wrote ${file('a.html')}\n` });
    expect([page.startsWith('<!doctype html>\n'), page.endsWith('</html>\n')]).toEqual([
      true,
      true,
    ]);
    const headings = ['Who led when', 'Write outages', 'Lag', 'Findings', 'Events', 'Topology'];
    const facts = [
      'Why the leader changed, as far as',
      'The leader changed 2 times.',
      'Not recorded in between: 1 gap',
    ];
    const changed = '<code>ttl</code></td><td data-label="Before"><code>30</code>';
    const parts = headings.map((heading) => `<h3>${heading}</h3>`);
    expect(missing(page, ...parts, ...facts, changed)).toEqual([]);
    const pictures = [...page.matchAll(/<svg [^>]*role="img" aria-labelledby="(\S+) (\S+)"/g)];
    expect(pictures).toHaveLength(6);
    for (const [, title = '', text = ''] of pictures) {
      expect(missing(page, `<title id="${title}">`, `<desc id="${text}">`)).toEqual([]);
    }
    expect(bad(page, /\s(?:src|href|srcset|data|action)="(?!#)/)).toBeNull();
    expect(bad(page, /url\(|@import/)).toBeNull();
    const policy = 'content="default-src &#39;none&#39;; style-src &#39;sha256-';
    expect(missing(page, policy)).toEqual([]);
  });

  test('hostile names and values stay text, and add no element', async () => {
    const { out } = await report('--recording', file('hostile.jsonl'));
    expect(elementsOf(out)).toEqual(elementsOf(page));
    expect(out.match(/<script/g)).toHaveLength(1);
    expect(out.match(/<\/style/g)).toHaveLength(1);
    expect(bad(out, UNSAFE)).toBeNull();
    // A name of 1,000 characters stands nowhere as a whole.
    const texts = ['&lt;script&gt;alert(1)&lt;/script&gt;', '(1,000 characters)'];
    expect(missing(out, ...texts)).toEqual([]);
    expect(out.length).toBeLessThan(3 * page.length);
  });

  test('names a cluster that is not in it, and those that are', async () => {
    const { code, err } = await report('other', '--recording', file('day.jsonl'));
    expect([code, err]).toEqual([
      1,
      `Error: ${file('day.jsonl')} has no cluster "other"\nit has: demo\n`,
    ]);
    const group = await report('--group', '7', '--recording', file('day.jsonl'));
    expect(group.err).toMatch(/ has no cluster with Citus group 7\nit has: demo\n$/);
  });

  test('is refused together with --snapshot, and where there is no such file', async () => {
    expect((await report('--recording', 'a', '--snapshot', 'b')).code).toBe(2);
    const absent = await report('--recording', file('absent'));
    expect([absent.code, absent.out]).toEqual([1, '']);
  });

  test('of several clusters shows each, or those that are named; silence of the DCS is a gap', async () => {
    await writeLines(file('two.jsonl'), linesOfTwo());
    const all = await storiesOfRecording(file('two.jsonl'), { scopes: [], group: null });
    expect(all.map(({ scope }) => scope)).toEqual(['demo', 'shop']);
    const [silent, calm] = all.map(({ runs }) => runs.map(({ fromMs, toMs }) => [fromMs, toMs]));
    expect(calm).toEqual([[BEGAN_MS, BEGAN_MS + 50_000]]);
    expect(silent).toEqual([
      [BEGAN_MS, SILENT_MS],
      [SILENT_MS + 4000, BEGAN_MS + 50_000],
    ]);
    const both = await report('--recording', file('two.jsonl'));
    const links = ['<a href="#c1">cluster demo</a>', '<a href="#c2">cluster shop</a>'];
    const said = [
      'the DCS does not answer: no &lt;answer&gt;',
      'the DCS answers again',
      ': 1 gap, grey',
    ];
    expect([both.code, missing(both.out, ...links, ...said)]).toEqual([0, []]);
    const one = await storiesOfRecording(file('two.jsonl'), { scopes: ['shop'], group: null });
    expect(one.map(({ scope }) => scope)).toEqual(['shop']);
  });

  test('in which the DCS never answered says so', async () => {
    const [start] = linesOf({ ...DAY, looks: 1 });
    if (!start) throw new Error('no line');
    const event = dcsSilent('no answer', start.at);
    const line = { kind: 'event', at: start.at, scope: 'demo', group: null, event } as const;
    await writeLines(file('never.jsonl'), [start, line]);
    const { code, err } = await report('--recording', file('never.jsonl'));
    expect([code, err]).toEqual([
      1,
      `Error: ${file('never.jsonl')} has no reading of demo: the DCS did not answer while it was recorded\n`,
    ]);
  });
});

describe('of one moment', () => {
  test('shows what a moment can show, and says that the rest needs a recording', async () => {
    const { code, out } = await report();
    expect(code).toBe(0);
    const role = '<td data-label="Role">primary, holds the leader key, timeline';
    const note = 'This report shows one moment.';
    expect(missing(out, note, '<h3>Topology</h3>', role)).toEqual([]);
    expect(bad(out, /<h3>Who led when/)).toBeNull();
  });

  test('out of a recording: as it was at --at', async () => {
    const at = new Date(BEGAN_MS + 60_000).toISOString();
    const { code, out } = await report('--snapshot', file('day.jsonl'), '--at', at);
    const facts = [
      'This report shows one moment.',
      'Read at 2026-11-28 00:00:59 UTC.',
      'Holder of the leader key: <bdi>pg2</bdi>',
    ];
    expect([code, missing(out, ...facts)]).toEqual([0, []]);
    const early = await report('--snapshot', file('day.jsonl'), '--at', '2020-01-01T00:00Z');
    expect([early.code, early.out]).toEqual([1, '']);
  });

  test('out of a snapshot: all clusters in it', async () => {
    await runFake(recorded('on'), ['snapshot', '-o', file('moment.json')]);
    const { code, out } = await report('--snapshot', file('moment.json'));
    const source = `from <bdi>the recording ${file('moment.json')}</bdi>`;
    expect([code, missing(out, 'Report on cluster demo', source)]).toEqual([0, []]);
  });

  test('a hostile cluster stays text', async () => {
    const { out } = await runFake(hostile(), ['report']);
    expect(bad(out, UNSAFE)).toBeNull();
    expect(missing(out, 'evil')).toEqual([]);
  });
});

describe('markup', () => {
  test('escapes every text and every attribute at one place', () => {
    const text = `<script>'"&]]>\u0000\u202e\ud800`;
    const safe = '&lt;script&gt;&#39;&quot;&amp;]]&gt;\\u0000\\u202e\ufffd';
    expect(htmlOf(tag('p', { title: text, hidden: true, class: null }, text))).toBe(
      `<p title="${safe}" hidden>${safe}</p>`,
    );
    expect(htmlOf([tag('br', {}), null, 1, ['a']])).toBe('<br>1a');
  });

  test('takes no name of an element or attribute from outside', () => {
    expect(() => htmlOf(tag('p onload=x', {}))).toThrow('not a name of markup');
    expect(() => htmlOf(tag('p', { 'a b': 1 }))).toThrow('not a name of markup');
    expect(() => verbatim('script', 'x = "</script>"')).toThrow('must not hold a tag');
  });

  test('Plot may draw into elements only', () => {
    const { createElement } = DOCUMENT as { createElement: (name: string) => object };
    const drawn = createElement('g') as { append: (...texts: string[]) => void };
    drawn.append('<b>');
    expect(htmlOf(elementOf(drawn))).toBe('<g>&lt;b&gt;</g>');
    expect(() => elementOf({})).toThrow('something other than an element');
  });
});

test('times and names as the page writes them', () => {
  expect([4200, 119_000, 130_000, 7_500_000, 200_000_000].map(shortTime)).toEqual([
    '4.2 s',
    '119 s',
    '2 min 10 s',
    '2 h 5 min',
    '2 days',
  ]);
  expect(timeText(NaN)).toBe('at an unknown time');
  // Marks that have no width of their own make no text longer than others.
  expect(shortened(`a${'\u0301'.repeat(100_000)}`, 10).length).toBeLessThan(100);
  expect([shortened('pg1', 3), shortened('pg12', 3), shortened('日本語', 5)]).toEqual([
    'pg1',
    'pg…',
    '日本…',
  ]);
});

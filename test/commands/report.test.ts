/** `report`: a page of HTML that is whole in itself, whatever a cluster says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storiesOfRecording } from '../../src/observe/read-stories.js';
import { tag, verbatim, htmlOf } from '../../src/output/report/markup.js';
import { elementOf, DOCUMENT } from '../../src/output/report/plot-document.js';
import { shortTime, shortened, timeText } from '../../src/output/report/plain-words.js';
import { recorded, runFake, type FakeRun } from '../support/fake-world.js';
import { hostile, UNSAFE } from '../support/hostile.js';
import { HOSTILE_NAMES, writeDay } from '../support/made-recording.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-report-'));
const file = (name: string): string => join(folder, name);
const DAY = { looks: 60, intervalMs: 10_000 };

beforeAll(async () => {
  await writeDay(file('day.jsonl'), DAY);
  await writeDay(file('hostile.jsonl'), {
    ...DAY,
    looks: 20,
    names: HOSTILE_NAMES,
    config: { '</style><script>alert(1)</script>': '<img src=x onerror=alert(1)>' },
  });
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

/** Names of the elements of the page, once each. */
function elementsOf(page: string): string[] {
  const names = [...page.matchAll(/<([a-z][a-z0-9]*)[\s>]/gi)].map(([, name = '']) => name);
  return [...new Set(names)].sort();
}

describe('of a recording', () => {
  test('has every part, each picture with its text, and nothing from elsewhere', async () => {
    const { code, out, err } = await report('--recording', file('day.jsonl'));
    expect([code, err]).toEqual([0, '']);
    const headings = ['Who led when', 'Write outages', 'Lag', 'Findings', 'Events', 'Topology'];
    const facts = ['The leader changed 2 times.', 'Not recorded in between: 1 gap'];
    const changed = '<code>ttl</code></td><td data-label="Before"><code>30</code>';
    const parts = headings.map((heading) => `<h3>${heading}</h3>`);
    expect(missing(out, ...parts, ...facts, changed)).toEqual([]);
    const pictures = [...out.matchAll(/<svg [^>]*role="img" aria-labelledby="(\S+) (\S+)"/g)];
    expect(pictures).toHaveLength(6);
    for (const [, title = '', text = ''] of pictures) {
      expect(missing(out, `<title id="${title}">`, `<desc id="${text}">`)).toEqual([]);
    }
    expect(bad(out, /\s(?:src|href|srcset|data|action)="(?!#)/)).toBeNull();
    expect(bad(out, /url\(|@import/)).toBeNull();
    const policy = 'content="default-src &#39;none&#39;; style-src &#39;sha256-';
    expect(missing(out, policy)).toEqual([]);
  });

  test('goes into a file with -o', async () => {
    const { code, out, err } = await report('--recording', file('day.jsonl'), '-o', file('a.html'));
    expect([code, out, err]).toEqual([0, '', `wrote ${file('a.html')}\n`]);
    const page = readFileSync(file('a.html'), 'utf8');
    expect([page.startsWith('<!doctype html>\n'), page.endsWith('</html>\n')]).toEqual([
      true,
      true,
    ]);
  });

  test('hostile names and values stay text, and add no element', async () => {
    const { out } = await report('--recording', file('hostile.jsonl'));
    const calm = await report('--recording', file('day.jsonl'));
    expect(elementsOf(out)).toEqual(elementsOf(calm.out));
    expect(out.match(/<script/g)).toHaveLength(1);
    expect(out.match(/<\/style/g)).toHaveLength(1);
    expect(bad(out, UNSAFE)).toBeNull();
    // A name of 10,000 characters stands nowhere as a whole.
    const texts = ['&lt;script&gt;alert(1)&lt;/script&gt;', '(10,000 characters)'];
    expect(missing(out, ...texts)).toEqual([]);
    expect(out.length).toBeLessThan(3 * calm.out.length);
  });

  test('names a cluster that is not in it, and those that are', async () => {
    const { code, err } = await report('other', '--recording', file('day.jsonl'));
    expect([code, err]).toEqual([
      1,
      `Error: ${file('day.jsonl')} has no cluster "other"\nit has: demo\n`,
    ]);
    const group = await report('--group', '7', '--recording', file('day.jsonl'));
    expect(group.err).toContain('has no cluster that is meant');
  });

  test('is refused together with --snapshot, and where there is no such file', async () => {
    expect((await report('--recording', 'a', '--snapshot', 'b')).code).toBe(2);
    const absent = await report('--recording', file('absent'));
    expect([absent.code, absent.out]).toEqual([1, '']);
  });

  test('of several clusters can be read one by one', async () => {
    const meant = { scopes: ['demo'], group: null };
    expect(await storiesOfRecording(file('day.jsonl'), meant)).toHaveLength(1);
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
  expect([shortened('pg1', 3), shortened('pg12', 3), shortened('日本語', 5)]).toEqual([
    'pg1',
    'pg…',
    '日本…',
  ]);
});

/** The page of `report` in headless Chromium: it asks nothing of a network, and hostile names stay text. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openChromium, type Browser } from '../support/chromium.js';
import { HOSTILE_NAMES, writeDay } from '../support/made-recording.js';
import { runPatctl } from '../support/run.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-report-'));
const page = join(folder, 'report.html');
const url = pathToFileURL(page).href;
let browser: Browser;

beforeAll(async () => {
  const recording = join(folder, 'hostile.jsonl');
  await writeDay(recording, {
    looks: 40,
    intervalMs: 10_000,
    names: HOSTILE_NAMES,
    config: { '</style><script>alert(1)</script>': '<img src=x onerror=alert(1)>' },
  });
  const made = await runPatctl(['report', '--recording', recording, '-o', page]);
  expect([made.code, made.err]).toEqual([0, `wrote ${page}\n`]);
  browser = await openChromium();
});
afterAll(async () => {
  await browser.end();
  rmSync(folder, { recursive: true });
});

test('hostile names stay text, no request leaves, and the page complains of nothing', async () => {
  await browser.open(url);
  expect(await browser.value('document.scripts.length')).toBe(1);
  expect(
    await browser.value('document.querySelectorAll("img,iframe,object,link,[onload]").length'),
  ).toBe(0);
  const shown = 'document.querySelector("tbody th bdi").textContent';
  expect(await browser.value(shown)).toMatch(/^<script>alert\(1\)<\/script>"' onload=alert\(1\)/);
  const pictures =
    '[...document.querySelectorAll("svg[role=img]")].every((one) => one.querySelector("title").textContent && one.getBoundingClientRect().width > 100)';
  expect(await browser.value(pictures)).toBe(true);
  expect([browser.requests, browser.complaints]).toEqual([[url], []]);
});

test('the events can be filtered', async () => {
  const filtered = (field: string, value: string) =>
    browser.value(`(() => {
      const form = document.querySelector('form.filter');
      form.reset();
      form.elements.${field}.value = ${JSON.stringify(value)};
      form.dispatchEvent(new Event('input'));
      const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
      const seen = rows.filter((row) => row.getBoundingClientRect().height > 0);
      return [form.hidden, seen.length > 0 && seen.length < rows.length,
        seen.every((row) => row.textContent.includes(${JSON.stringify(value)}))];
    })()`);
  expect(await filtered('severity', 'critical')).toEqual([false, true, true]);
  expect(await filtered('code', 'leader_key_taken')).toEqual([false, true, true]);
  expect(await filtered('text', 'ttl')).toEqual([false, true, true]);
});

test('text stands out in light and in dark, and nothing is wider than a small screen', async () => {
  const size = { width: 400, height: 800, deviceScaleFactor: 1, mobile: false };
  await browser.send('Emulation.setDeviceMetricsOverride', size);
  for (const value of ['light', 'dark']) {
    const features = [{ name: 'prefers-color-scheme', value }];
    await browser.send('Emulation.setEmulatedMedia', { features });
    expect(await browser.value(LEAST_CONTRAST), value).toBeGreaterThan(4.5);
    expect(await browser.value('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
  }
});

/** Of the texts of every kind that the page has, against its background. */
const LEAST_CONTRAST = `(() => {
  const bright = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = bright(getComputedStyle(document.body).backgroundColor);
  const kinds = ['body', '.soft', 'caption', '.legend', '.critical', '.warning', '.info', '.evidence'];
  return Math.min(...kinds.map((kind) => {
    const ink = bright(getComputedStyle(document.querySelector(kind)).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
})()`;

test('without scripts everything is there but the filter; and it prints', async () => {
  await browser.send('Emulation.setScriptExecutionDisabled', { value: true });
  await browser.open(url);
  const { root } = await browser.send('DOM.getDocument');
  const find = async (selector: string): Promise<number> => {
    const { nodeId } = root as { nodeId: number };
    const { nodeIds } = await browser.send('DOM.querySelectorAll', { nodeId, selector });
    return (nodeIds as number[]).length;
  };
  expect(await find('form.filter[hidden]')).toBe(1);
  expect(await find('tbody tr[data-code]')).toBeGreaterThan(5);
  expect(await find('svg[role=img]')).toBe(6);
  const { data } = await browser.send('Page.printToPDF');
  expect(
    Buffer.from(data as string, 'base64')
      .subarray(0, 5)
      .toString(),
  ).toBe('%PDF-');
});

test('the policy of the page lets no script of another into it, and no request out', async () => {
  await browser.send('Emulation.setScriptExecutionDisabled', { value: false });
  await browser.open(url);
  const tried = await browser.value(`(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.broken = true';
    document.body.append(script);
    const refused = await fetch('http://127.0.0.1:9/').then(() => false, () => true);
    return [window.broken === undefined, refused];
  })()`);
  expect(tried).toEqual([true, true]);
  expect(browser.complaints.filter((one) => one.includes('Content Security Policy'))).not.toEqual(
    [],
  );
});

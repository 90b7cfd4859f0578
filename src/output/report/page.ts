/** The whole page: one file of HTML that asks nothing of any network. */
import { createHash } from 'node:crypto';
import type { ClusterStory } from '../../cluster/report/report-model.js';
import { plural } from '../../cluster/model/words.js';
import { clusterSection, titleOf } from './cluster-section.js';
import { tag, verbatim, htmlOf, type Content, type Element } from './markup.js';
import { SCRIPT } from './page-script.js';
import { STYLE } from './page-style.js';
import { timeText } from './plain-words.js';
import { nameElement } from './tables.js';

export interface ReportPage {
  /** Version that makes it. */
  patctl: string;
  madeMs: number;
  /** Where its facts come from: `the recording FILE`, `etcd at URL`. */
  source: string;
  /** One moment was read: nothing over time can be shown. */
  isMoment: boolean;
  stories: ClusterStory[];
}

/** The text of the file. Nothing of what a cluster said is in it but as text. */
export function reportPage(page: ReportPage): string {
  const { stories } = page;
  const [only] = stories;
  const title =
    stories.length === 1 && only
      ? `Report on ${titleOf(only)}`
      : `Report on ${plural(stories.length, 'cluster')}`;
  const head = [
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
    htmlOf(tag('meta', { 'http-equiv': 'Content-Security-Policy', content: policy() })),
    htmlOf(tag('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' })),
    htmlOf(tag('meta', { name: 'referrer', content: 'no-referrer' })),
    htmlOf(tag('title', {}, title)),
    verbatim('style', STYLE),
    '</head><body>',
  ];
  const body = [
    tag('header', {}, tag('h1', {}, title), about(page), contents(stories)),
    tag(
      'main',
      {},
      stories.map((story, at) =>
        clusterSection(story, { id: `c${at + 1}`, isMoment: page.isMoment }),
      ),
    ),
  ];
  const end = [verbatim('script', SCRIPT), '</body></html>\n'];
  return [...head, htmlOf(body), ...end].join('\n');
}

/** Everything is forbidden but the style and the script that stand in the page, told by their hashes. */
function policy(): string {
  const hash = (code: string) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`;
  return [
    "default-src 'none'",
    `style-src ${hash(STYLE)}`,
    `script-src ${hash(SCRIPT)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

function about({ patctl, madeMs, source, isMoment }: ReportPage): Content {
  const made = `Made by patctl ${patctl} at ${timeText(madeMs)} from `;
  return [
    tag(
      'p',
      { class: 'soft' },
      made,
      nameElement(source),
      '. Secrets are removed. All times are UTC.',
    ),
    isMoment ? tag('p', { class: 'note' }, MOMENT) : null,
  ];
}

const MOMENT =
  'This report shows one moment. Who led when, lag over time, write outages, events, and how long a finding lasted ' +
  'need a recording (the command record, then report with --recording).';

/** Links to the clusters, when there are several. */
function contents(stories: readonly ClusterStory[]): Element | null {
  if (stories.length < 2) return null;
  const items = stories.map((story, at) =>
    tag('li', {}, tag('a', { href: `#c${at + 1}` }, titleOf(story))),
  );
  return tag('nav', { 'aria-label': 'Clusters' }, tag('ul', {}, items));
}

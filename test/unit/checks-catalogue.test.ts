/** The catalogue, its pages and docs/findings.md are one thing. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { findingsMarkdown, pageText } from '../../src/cluster/findings/pages.js';

test('docs/findings.md is what the program says', () => {
  const written = readFileSync(new URL('../../docs/findings.md', import.meta.url), 'utf8');
  expect(written).toBe(findingsMarkdown());
});

test('every finding has one row and a page that says everything', () => {
  const codes = CATALOGUE.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) {
    const page = pageText(code) ?? '';
    for (const label of ['Means', 'Matters', 'Provoked', 'Do']) {
      expect(page, code).toMatch(new RegExp(`^  ${label} +\\S`, 'm'));
    }
  }
  expect(pageText('no_such_finding')).toBeNull();
});

test('a finding follows from findings that exist, and never from itself', () => {
  const codes = new Set(CATALOGUE.map(({ code }) => code));
  for (const { code, follows = [] } of CATALOGUE) {
    expect(follows, code).not.toContain(code);
    for (const cause of follows) expect(codes, code).toContain(cause);
  }
});

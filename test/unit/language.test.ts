/** What users read stays in plain technical English: the forms that a reader stumbles over do not come back. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = path.join(import.meta.dirname, '../..');

/** What is not written, and what is written instead. */
const FORBIDDEN: readonly (readonly [form: RegExp, instead: string])[] = [
  [/\bnobody\b/i, '"no member", "no server": negate the verb'],
  [/\bwhom\b/i, 'name the member'],
  [/\bis not known\b/, '"is unknown"'],
  [/, for (there|they|it|nobody|its|no) /, '"because"'],
  [/\b(finding|member|replica|standby|file|check)\(s\)/, 'a count that agrees with its noun'],
  [/\bbears? (one|the|its|a) name\b/, '"uses the application_name"'],
  [/ all the same\b/, '"anyway"'],
  [/\bis (no|a) (primary|leader|member) that stands still\b/, '"is stalled"'],
  [/\bby hand\b/, '"manually"'],
  [/\b(is|are) wanted\b/, '"expected"'],
  [/\bnot looked for\b/, '"skipped"'],
  [/\btold apart\b/, '"reported as part of"'],
  [/\banew\b/, '"again"'],
];

/** Forms that are right where they stand. */
const ALLOWED = [
  // The end of a table's cell that names no candidate.
  "'(nobody)'",
];

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => path.join(folder, file));
}

/** The texts of a program: what stands in quotes, without comments. */
function textsOf(file: string): string[] {
  const code = readFileSync(path.join(ROOT, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
  return code.match(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g) ?? [];
}

function offences(file: string, texts: readonly string[]): string[] {
  return texts
    .filter((text) => !ALLOWED.includes(text))
    .flatMap((text) =>
      FORBIDDEN.filter(([form]) => form.test(text)).map(
        ([form, instead]) => `${file}: ${form.source} in ${text.slice(0, 120)}: write ${instead}`,
      ),
    );
}

test('messages, hints and option descriptions', () => {
  const found = filesBelow('src', '.ts').flatMap((file) => offences(file, textsOf(file)));
  expect(found).toEqual([]);
});

describe('the pages', () => {
  test.each(['docs/findings.md', 'docs/commands.md'])('%s', (file) => {
    const lines = readFileSync(path.join(ROOT, file), 'utf8').split('\n');
    expect(offences(file, lines)).toEqual([]);
  });
});

/**
 * Texts, comments, test titles and documents stay in plain technical English: forms that a reader stumbles over do not
 * come back.
 */
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
  [/\bbears? (one|the|its|a) name\b/, '"uses the application_name"'],
  [/ all the same\b/, '"anyway"'],
  [/\bis (no|a) (primary|leader|member) that stands still\b/, '"is stalled"'],
  [/\bby hand\b/, '"manually"'],
  [/\b(is|are) wanted\b/, '"expected"'],
  [/\bnot looked for\b/, '"skipped"'],
  [/\btold apart\b/, '"reported as part of"'],
  [/\banew\b/, '"again"'],
  [/\bas before\b/, '"unchanged", "still"'],
  [/(?<!\bthere )\bis no \$\{/, '"is not a"'],
  [/\bnot known\b(?!'$)/, '"unknown"'],
  [/\bstands? (in|there)\b/, '"is in"'],
  [/^['"`](Named|Not \w+ for|What is not \w+) (is|are)\b/, 'the subject first'],
  [/\belse than\b/, '"other than"'],
  [/\bgoes? on\b/, '"continues"'],
  [/\blives? on\b/, '"continues"'],
  [/\bwants? a\b/, '"requires a"'],
  [/\btaken back\b/, '"reverted"'],
  [/\b(?!json_agg)[a-z_]+\(s\) [a-z]/, 'a count that agrees with its noun'],
];

/** What comments, titles and documents avoid besides. The first group of a form is what is reported. */
const FORBIDDEN_IN_PROSE: readonly (readonly [form: RegExp, instead: string])[] = [
  [/\b(nobody)\b/i, '"no member", "no server": negate the verb'],
  [/\b(whom|whomever|whoever)\b/i, 'name the member'],
  [/\b(somebody|everybody|anybody)\b/i, '"a member", "every member", "any client"'],
  [
    /((?:^Who|\bwho) (?:leads|streams|answers|asks|votes|wins|lags|follows|is|has|was|does|can|may))\b/,
    'name the member: "the leader"',
  ],
  [
    /(?<!\b[Tt]here )\b((?:is|are|was|were) no (?!longer\b|more\b|further\b)[a-z]+)/,
    'negate the verb: "is not a primary"',
  ],
  [/, (for (?:there|they|it|nobody|its|no|nothing)) /, '"because"'],
  [/\b((?:is|are|was) wanted)\b/, '"is expected", "is needed", "is requested"'],
  [
    /(?:^|[.:;,] )(nor (?:is|are|was|does|do|can|has|have))\b/i,
    '"and … not", or a sentence of its own',
  ],
  [/\b(bears? (?:one|the|its|a|this) name)\b/, '"has the name", "uses the application_name"'],
  [/\b(slip of the pen)\b/, '"typing error"'],
  [/\b(stands? still)\b/, '"is stalled"'],
  [/\b(anew)\b/, '"again"'],
  [/\b((?:is|are) a slip)\b/, '"is a mistake"'],
  [/(?<!\bnot )\b(all the same)(?=$|[.,;:'"])/, '"anyway"'],
  [
    /\b(without a word|goes on as it is)\b/,
    'what it does: "prints nothing", "continues unchanged"',
  ],
  [/\b((?<!first-|second-)by hand)\b/, '"manually"'],
  [
    /(?:^|[a-z], )(for (?:it|they|this|that|[A-Z]\w+) (?:is|are|has|have|may|can|does|do)\b)/,
    '"because"',
  ],
];

/** Forms that are right where they stand: names in data, and texts that patronictl prints. */
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

/** Comments of a source, and in tests the titles, with their lines. */
function proseOf(file: string): { line: number; text: string }[] {
  const isTest = file.endsWith('.test.ts');
  return readFileSync(path.join(ROOT, file), 'utf8')
    .split('\n')
    .flatMap((row, at) => {
      const comment = /^\s*(?:\/\*\*?|\*(?!\/)|\/\/) ?(.*)/.exec(row)?.[1];
      const title = isTest
        ? /^\s*(?:test|it|describe)\b.*?\(\s*(['"`].*)/.exec(row)?.[1]
        : undefined;
      const text = comment ?? title;
      return text === undefined ? [] : [{ line: at + 1, text: text.replace(/^['"`]/, '') }];
    });
}

/** A document without code: neither blocks nor `words`. */
function pageOf(file: string): { line: number; text: string }[] {
  let isCode = false;
  return readFileSync(path.join(ROOT, file), 'utf8')
    .split('\n')
    .flatMap((row, at) => {
      if (row.startsWith('```')) isCode = !isCode;
      return isCode ? [] : [{ line: at + 1, text: row.replace(/`[^`]*`/g, '``') }];
    });
}

function proseOffences(file: string, prose: readonly { line: number; text: string }[]): string[] {
  return prose.flatMap(({ line, text }) =>
    FORBIDDEN_IN_PROSE.flatMap(([form, instead]) => {
      const found = form.exec(text);
      return found ? [`${file}:${line}: "${found[1] ?? found[0]}": write ${instead}`] : [];
    }),
  );
}

test.each([
  ['src', '.ts'],
  ['test', '.ts'],
  ['.config', '.mjs'],
])('comments and test titles below %s', (folder, ending) => {
  const files = filesBelow(folder, ending).filter((file) => !file.endsWith('language.test.ts'));
  expect(files.flatMap((file) => proseOffences(file, proseOf(file)))).toEqual([]);
});

test('README, CONTRIBUTING, CHANGELOG and every document', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')];
  expect(pages.flatMap((file) => proseOffences(file, pageOf(file)))).toEqual([]);
});

test('messages, hints and option descriptions', () => {
  const found = filesBelow('src', '.ts').flatMap((file) => offences(file, textsOf(file)));
  expect(found).toEqual([]);
});

test('a comment names only files that exist', () => {
  const folders = ['src', 'test', '.config', 'docs', 'bin'];
  const known = new Set(
    folders.flatMap((one) => filesBelow(one, '')).map((file) => path.basename(file)),
  );
  const strange = ['src', 'test'].flatMap((folder) =>
    filesBelow(folder, '.ts').flatMap((file) =>
      proseOf(file).flatMap(({ line, text }) =>
        [...text.matchAll(/(?<![\w*<-])[\w.-]+\.(?:ts|mjs|cjs)\b/g)]
          .filter(([name]) => !known.has(name))
          .map(([name]) => `${file}:${line}: ${name}`),
      ),
    ),
  );
  expect(strange).toEqual([]);
});

describe('the pages', () => {
  test.each(['docs/findings.md', 'docs/commands.md'])('%s', (file) => {
    const lines = readFileSync(path.join(ROOT, file), 'utf8').split('\n');
    expect(offences(file, lines)).toEqual([]);
  });
});

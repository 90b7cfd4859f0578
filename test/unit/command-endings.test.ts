/** The exit codes that `--help` states for a command are those that its code can end with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { helpOf } from '../../src/cli/help.js';
// @ts-expect-error a script of the repository, without types
import * as rooms from '../../.config/rooms.mjs';

const SOURCES = join(import.meta.dirname, '../../src');
const { importsIn, readGraph } = rooms as unknown as {
  importsIn: (file: string, text: string) => string[];
  readGraph: (folder: string) => Map<string, string[]>;
};
const textOf = (file: string): string => readFileSync(join(SOURCES, file), 'utf8');
/** What each file imports to use it: a type brings no ending with it. */
const graph = new Map(
  [...readGraph(SOURCES).keys()].map((file) => {
    const values = textOf(file).replace(/^import type [^;]*;/gm, '');
    return [file, importsIn(file, values)] as const;
  }),
);

/** From the registry: the name of each command and its file. */
const COMMANDS = [
  ...textOf('commands/registry.ts').matchAll(/usage: '([\w-]+)[^]*?import\('\.\/([\w-]+)\.js'\)/g),
].map(([, name = '', file = '']) => [name, `commands/${file}.ts`] as const);

/** What is told and printed of every action names the types and the texts of each: no command runs the others so. */
const OF_ALL = /^actions\/kit\/(?:report|print-action)\.ts$/;

/** Everything that a file imports, and what that imports. */
function closure(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const to of graph.get(file) ?? []) {
    const isOther = OF_ALL.test(file) && /^actions\/(?!kit\/)/.test(to);
    if (!isOther) closure(to, seen);
  }
  return seen;
}

function reached(file: string): Set<string> {
  const own = [...closure(file)];
  const acts = own.some((one) => /^actions\/(?!kit|edit-config\/readable)/.test(one));
  // A write goes through a DCS that is opened by its configuration.
  const stores = [...graph.keys()].filter((one) => one.startsWith('dcs/'));
  const files = acts ? [...own, ...stores] : own;
  const words = files
    // What a DCS says of a write concerns only what writes.
    .filter((one) => acts || !one.startsWith('dcs/'))
    .flatMap((one) => {
      const found = [
        ...textOf(one).matchAll(/'(error|unreachable|failed|unconfirmed|diverted|interrupted)'/g),
      ];
      // These rank or print every ending, and end with `failed` at most.
      const isRanking = /^actions\/kit\/(results|action-document)\.ts$/.test(one);
      return found
        .map(([, word = '']) => word)
        .filter((word) => !(isRanking && word === 'diverted'));
    });
  return new Set(['ok', 'usage', ...words]);
}

test('every command is in the registry with its file', () => {
  expect(COMMANDS).toHaveLength(37);
});

test.each(COMMANDS)('%s', (name, file) => {
  const ends = helpOf(name)?.ends ?? {};
  if (typeof ends === 'string') return;
  const can = reached(file);
  expect(Object.keys(ends).filter((one) => !can.has(one))).toEqual([]);
});

test('a read-only command cannot end as a change does', () => {
  expect([...reached('commands/quorum.ts')]).not.toContain('diverted');
  expect([...reached('commands/pause.ts')]).not.toContain('diverted');
  expect([...reached('commands/switchover.ts')]).toContain('diverted');
});

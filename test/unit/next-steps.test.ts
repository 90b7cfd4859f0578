/** Command lines that messages tell a person to type: each is one that the program takes. */
import { readFileSync, readdirSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { buildProgram } from '../../src/program.js';
import { noTerminal } from '../support/no-terminal.js';
import { refusalOf } from '../support/typed-commands.js';

const SRC = new URL('../../src/', import.meta.url);
const io = { columns: 100, out: () => undefined, err: () => undefined };
const root = await buildProgram(noTerminal(io), () => Promise.resolve());

/** `patctl COMMAND …` in every text of the source, up to the end of the text or of the command line. */
function commandLines(): { where: string; line: string }[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const code = readFileSync(new URL(file, SRC), 'utf8').replace(/^\s*(\/\/|\/?\*).*$/gm, '');
      const found = code.matchAll(/(?<![\w-])patctl (?:-\S+ )?([a-z][a-z-]+)([^'`"\n;:,()#\\]*)/g);
      return [...found].map(([, name = '', rest = '']) => ({ where: file, line: name + rest }));
    });
}

function commandNamed(name: string): Command | undefined {
  return root.commands.find((one) => one.name() === name || one.aliases().includes(name));
}

/** Options of the line that the command does not have. */
function unknownOptions(line: string, command: Command): string[] {
  const known = new Set(
    [root, command, ...command.commands].flatMap(({ options }) =>
      options.flatMap(({ long, short }) => [long, short]),
    ),
  );
  known.add('--help');
  const given = line.match(/(?<=\s)--?[a-z][a-z-]*/g) ?? [];
  return given.filter((option) => !known.has(option));
}

/** Words after the program's name that are not a command line. */
const PROSE =
  /^(?:was|beside|recording|reads|is|has|does|can|writes|itself|snapshot's|and|or|with|needs|cannot|prints|knows|of)\b/;

const LINES = commandLines().filter(({ line }) => !PROSE.test(line));

test('there are many of them, in the source of findings and of actions', () => {
  expect(LINES.length).toBeGreaterThan(40);
});

test.each(LINES)('$where: patctl $line', ({ line }) => {
  const [name = ''] = line.split(/\s/);
  const command = commandNamed(name);
  expect(command?.name(), line).toBeDefined();
  expect(command && unknownOptions(line, command)).toEqual([]);
});

/** The arguments of each `commandLine(cluster, 'VERB', …)` as they stand in the source. */
function madeLines(): { where: string; words: string[] }[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('command-line.ts'))
    .flatMap((file) => {
      const code = readFileSync(new URL(file, SRC), 'utf8');
      const calls = code.matchAll(/\bcommandLine\(\s*[\w.?]+,\s*('(?:[^()]|\([^()]*\))*)\)/g);
      return [...calls].map(([, given = '']) => ({ where: file, words: wordsOf(given) }));
    });
}

/** A word that is known only when the program runs stands here as 1, which is a name, a number and a time limit. */
function wordsOf(given: string): string[] {
  const all = given
    .split(/,\s*(?![^[(]*[\])])/)
    .map((word) => word.trim())
    .filter((word) => word !== '' && !word.startsWith('...'));
  return all.map((word) => {
    const text = /^(['`])(.*)\1$/.exec(word)?.[2];
    return text === undefined ? '1' : text.replace(/\$\{[^}]*\}/g, '1');
  });
}

const MADE = madeLines();

test('the commands that are put together in the source are many too', () => {
  expect(MADE.length).toBeGreaterThan(60);
});

test.each(MADE.map(({ where, words }) => [where, words.join(' '), words] as const))(
  '%s: patctl %s',
  async (_, __, [verb = '', ...others]) => {
    const cluster = verb === 'retire' || verb === 'why-not' ? [] : ['demo'];
    expect(await refusalOf([verb, ...cluster, ...others])).toBeNull();
  },
);

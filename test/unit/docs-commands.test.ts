/** docs/commands.md and docs/man are what the program says of itself. `vitest -u` writes them again. */
import { readFileSync, readdirSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { entries, helpOf } from '../../src/cli/help.js';
import { buildProgram } from '../../src/program.js';
import { noTerminal } from '../support/no-terminal.js';
import { manPages, meaningOf, type Named } from '../support/man-pages.js';

function program(): Promise<Command> {
  const io = { columns: 100, out: () => undefined, err: () => undefined };
  return buildProgram(noTerminal(io), () => Promise.resolve());
}

/** The commands a person can give: one with commands below it is only their beginning. */
function named(root: Command): Named[] {
  return root.commands.flatMap((command) =>
    command.commands.length === 0
      ? [{ path: command.name(), command }]
      : command.commands.map((sub) => ({ path: `${command.name()} ${sub.name()}`, command: sub })),
  );
}

const cell = (text: string): string => text.replace(/\|/g, '\\|').replace(/</g, '\\<');

function optionRows(command: Command): string {
  const rows = command.options
    .filter((option) => !option.hidden)
    .map((option) => [`\`${option.flags.replace(/\|/g, '\\|')}\``, cell(meaningOf(option))]);
  return rows.length === 0 ? '' : table([['option', 'meaning'], ...rows]);
}

/** A table of two columns as prettier lays it out; to let prettier do it takes two seconds. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[], fill: string): string =>
    `| ${widths.map((width, at) => (row[at] ?? '').padEnd(width, fill)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head, ' '), line([], '-'), ...body.map((row) => line(row, ' '))].join('\n');
}

function chapter({ path, command }: Named): string {
  const help = helpOf(path.split(' ')[0] ?? '');
  const ends =
    typeof help?.ends === 'string'
      ? help.ends
      : table([
          ['exit code', 'meaning'],
          ...entries(help?.ends ?? {}).map(([exit, , meaning]) => [String(exit), cell(meaning)]),
        ]);
  const width = Math.max(0, ...(help?.examples ?? []).map(([line]) => line.length));
  const examples = (help?.examples ?? [])
    .map(([line, meaning]) => `${line.padEnd(width)}  # ${meaning}`)
    .join('\n');
  return [
    `## ${path}`,
    `${command.description().replace(/</g, '\\<')}.`.replace(/\.\.$/, '.'),
    `\`\`\`\npatctl ${path} ${command.usage()}\n\`\`\``,
    optionRows(command),
    ends,
    examples === '' ? '' : `\`\`\`sh\n${examples}\n\`\`\``,
  ].join('\n\n');
}

function document(root: Command): string {
  const head = [
    '# Commands',
    'Written by `test/unit/docs-commands.test.ts` from what the program says of itself. What differs from ' +
      'patronictl on purpose is in [deviations.md](deviations.md), what the exit codes mean in ' +
      '[exit-codes.md](exit-codes.md).',
    'These come before the command:',
    optionRows(root),
  ];
  const parts = [...head, ...named(root).map(chapter)];
  return `${parts
    .join('\n\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

test('docs/commands.md says what the program says', async () => {
  await expect(document(await program())).toMatchFileSnapshot('../../docs/commands.md');
});

test('docs/man holds a manual page of patctl and of each command', async () => {
  const root = await program();
  const about = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(about) as { version: string };
  const pages = manPages(root, named(root), version);
  for (const [name, page] of pages) {
    await expect(page).toMatchFileSnapshot(`../../docs/man/${name}`);
  }
  // A page that is missing failed above; `-u` writes it only after this test.
  const kept = readdirSync(new URL('../../docs/man', import.meta.url));
  expect(kept.filter((name) => !pages.has(name))).toEqual([]);
});

const all = named(await program());

describe('--help of every command has examples and exit codes', () => {
  test.each(all.map(({ path }) => path))('%s', (path) => {
    const help = helpOf(path.split(' ')[0] ?? '');
    expect(help?.examples.length).toBeGreaterThan(0);
    expect(Object.keys(help?.ends ?? {}).length).toBeGreaterThan(0);
  });

  const lines = all.flatMap(({ path }) =>
    (helpOf(path.split(' ')[0] ?? '')?.examples ?? []).map(([line]) => line),
  );
  test.each([...new Set(lines)])('%s is understood', async (line) => {
    const root = await program();
    let ran = 0;
    for (const { command } of named(root)) {
      command.action(() => {
        ran += 1;
      });
    }
    const words =
      (/\$\(patctl ([^)]*)\)/.exec(line) ??
        /<\(patctl ([^)]*)\)/.exec(line) ??
        /patctl ([^>]*)/.exec(line))?.[1]?.match(/"[^"]*"|\S+/g) ?? [];
    await root.parseAsync(
      words.map((word) => word.replace(/"/g, '')),
      { from: 'user' },
    );
    expect(ran).toBe(1);
  });
});

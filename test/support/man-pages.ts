/** Manual pages in roff, from what the program says of itself: patctl(1) and one for each command. */
import type { Command, Option } from 'commander';
import { entries, helpOf } from '../../src/cli/help.js';
import { ENDINGS } from '../../src/errors.js';

/** A command as a person names it: `config show`. */
export interface Named {
  path: string;
  command: Command;
}

/** File name -> content. */
export function manPages(root: Command, commands: Named[], version: string): Map<string, string> {
  const pages = commands.map((one): [string, string] => [
    `${pageName(one.path)}.1`,
    commandPage(one, version),
  ]);
  return new Map([['patctl.1', rootPage(root, commands, version)], ...pages]);
}

/** What an option does, with its choices and its default. */
export function meaningOf({
  description,
  argChoices,
  defaultValue,
  defaultValueDescription,
}: Option): string {
  const choices = argChoices ? `; one of ${argChoices.join(', ')}` : '';
  const given: unknown = defaultValueDescription ?? defaultValue;
  const shown = typeof given === 'string' || typeof given === 'number' ? `; default ${given}` : '';
  return description + choices + shown;
}

const pageName = (path: string): string => `patctl-${path.replaceAll(' ', '-')}`;

function rootPage(root: Command, commands: Named[], version: string): string {
  return page('patctl', version, root.description(), [
    ['SYNOPSIS', `.B patctl\n${text(root.usage())}`],
    ['OPTIONS', options(root)],
    ['COMMANDS', commands.map(commandEntry).join('\n')],
    ['EXIT STATUS', Object.values(ENDINGS).map(exitEntry).join('\n')],
  ]);
}

function commandPage({ path, command }: Named, version: string): string {
  const help = helpOf(path.split(' ')[0] ?? '');
  const ends = help?.ends ?? {};
  const examples = (help?.examples ?? []).map(([line, meaning]) => tagged(line, meaning));
  return page(pageName(path), version, command.description(), [
    ['SYNOPSIS', `.B patctl ${text(path)}\n${text(command.usage())}`],
    ['OPTIONS', options(command)],
    [
      'EXIT STATUS',
      typeof ends === 'string'
        ? text(ends)
        : entries(ends)
            .map(([exit, , meaning]) => exitEntry({ exit, meaning }))
            .join('\n'),
    ],
    ['EXAMPLES', examples.join('\n')],
    ['SEE ALSO', '.BR patctl (1)'],
  ]);
}

function page(name: string, version: string, what: string, parts: [string, string][]): string {
  const sections = parts.filter(([, body]) => body !== '');
  return [
    `.TH ${text(name.toUpperCase())} 1 "" "patctl ${text(version)}" "patctl manual"`,
    '.SH NAME',
    `${text(name)} \\- ${text(what.replace(/\.$/, ''))}`,
    ...sections.map(([title, body]) => `.SH ${title}\n${body}`),
    '',
  ].join('\n');
}

function options(command: Command): string {
  const shown = command.options.filter(({ hidden }) => !hidden);
  return shown.map((option) => tagged(option.flags, meaningOf(option))).join('\n');
}

const commandEntry = ({ path, command }: Named): string =>
  `.TP\n.BR ${text(pageName(path))} (1)\n${text(command.description())}`;

const exitEntry = ({ exit, meaning }: { exit: number; meaning: string }): string =>
  tagged(String(exit), meaning);

/** A paragraph with a heading of its own, in bold. */
function tagged(heading: string, body: string): string {
  return `.TP\n.B "${text(heading).replaceAll('"', '""')}"\n${text(body)}`;
}

/** Text that roff prints as it is: a backslash, a hyphen and a dot at the beginning mean something to it. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');
}

/** docs/how-to.md as data: its commands with what they show; and how they are run on a cluster of the lab. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from './lab/cluster.js';
import { PASSWORDS } from './lab/configs.js';
import { cleanEnv, runProgram, type ProgramResult } from './lab/process.js';
import { PATCTL } from './run.js';

/** A command of the page; `shows`: what stands after its `#`, '' where nothing does. */
export interface Line {
  command: string;
  shows: string;
}

interface HowTo {
  /** Title of each job and the commands below it, in their order. */
  jobs: { title: string; lines: Line[] }[];
  /** Critical finding -> the commands that its row names. */
  rows: Map<string, string[]>;
}

const PAGE = readFileSync(new URL('../../docs/how-to.md', import.meta.url), 'utf8');

export function howTo(): HowTo {
  const sections = PAGE.split(/^## /m).slice(1);
  const jobs = sections.map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    lines: [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].flatMap(([, kind, block = '']) =>
      kind === 'sh' ? shellLines(block) : programLines(block),
    ),
  }));
  return { jobs, rows: new Map(sections.flatMap(rowsOf)) };
}

function shellLines(block: string): Line[] {
  return block
    .trim()
    .split('\n')
    .map((line) => {
      const [command = '', shows = ''] = line.split(/ +# /);
      return { command: command.trim(), shows: shows.trim() };
    });
}

/** Where a configuration file of another program names a command line. */
const COMMAND_LINE = /^(?: *command_line +|ExecStart=|UserParameter=[\w.]+,)(.*)$/gm;

function programLines(block: string): Line[] {
  return [...block.matchAll(COMMAND_LINE)].map(([, command = '']) => ({ command, shows: '' }));
}

/** `- **code**, **code**: what to do`, up to the next row, an empty line or the end. */
const ROW = /^- (\*\*[^]*?)(?=^- \*\*|^\n|(?![^]))/gm;

/** Each code of a row with the commands of the row. */
function rowsOf(section: string): [string, string[]][] {
  return [...section.matchAll(ROW)].flatMap(([, row = '']) => {
    const commands = [...row.matchAll(/`(patctl [^`]+)`/g)].map(([, command = '']) => command);
    const codes = [...(row.split(':')[0] ?? '').matchAll(/\*\*(\w+)\*\*/g)];
    return codes.map(([, code = '']): [string, string[]] => [code, commands]);
  });
}

/** Commands in the text outside of the rows and blocks: no test would run them. */
export function commandsInText(): string[] {
  const text = PAGE.replace(/^```[^]*?^```$/gm, '').replace(ROW, '');
  return [...text.matchAll(/`(patctl [^`]+)`/g)].map(([, command = '']) => command);
}

/** Less than the limit of a test: what a command that does not end has printed is in the failure. */
const COMMAND_LIMIT_MS = 180_000;

/** Where the commands run: a folder with `patctl`, and what stands for the names of the page. */
export class Shell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'patctl-how-to-'));
  readonly #lab: Lab;
  readonly #names: readonly (readonly [string | RegExp, string])[];

  /** `names`: text of the page -> text on this cluster; the cluster's own name, files and folders are known. */
  constructor(lab: Lab, names: readonly (readonly [string | RegExp, string])[] = []) {
    const program = join(this.#folder, 'patctl');
    const quoted = PATCTL.map((word) => `'${word}'`).join(' ');
    writeFileSync(program, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
    this.#lab = lab;
    this.#names = [
      ...names,
      [/\bdemo\b/g, lab.scope],
      [/\/usr\/bin\/patctl\b/g, program],
      [/\/etc\/patroni\/patroni\.yml/g, lab.config],
      [/\/var\/lib\/prometheus\/node-exporter/g, this.#folder],
    ];
  }

  /** The text of the page with the names of this cluster. */
  here(text: string): string {
    return this.#names.reduce((said, [from, to]) => said.replaceAll(from, to), text);
  }

  async run(command: string): Promise<ProgramResult> {
    const env = cleanEnv('/nonexistent', {
      PATH: `${this.#folder}:${process.env['PATH'] ?? ''}`,
      PATRONICTL_CONFIG_FILE: this.#lab.config,
      PGPASSWORD: PASSWORDS.superuser,
    });
    const how = { env, cwd: this.#folder, timeoutMs: COMMAND_LIMIT_MS };
    return await runProgram('/bin/sh', ['-ec', this.here(command)], how);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

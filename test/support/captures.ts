/**
 * What a person sees: patctl in a terminal of tmux, of three sizes.
 * `npm run captures -- FOLDER SCOPE` writes the screens of a cluster of the lab, and ends with 1 where a line wraps.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.js';
import { openCluster } from './lab/cluster.js';
import { PATCTL } from './run.js';
import { openTmux, type Size } from './tmux.js';

export const SIZES: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 200, rows: 50 },
];

/**
 * A command of patctl; `until`: it goes on, and this is to be seen on it before the picture is taken. `keys`: those
 * that are pressed before, each once its text is to be seen. `name`: of the file, where the words do not tell.
 */
interface Shot {
  args: readonly string[];
  until?: RegExp;
  keys?: readonly (readonly [seen: RegExp, key: string])[];
  name?: string;
}

const LEADER: readonly [RegExp, string] = [/leads now[^]*Esc ends/, 'Enter'];
const CANDIDATES = /\? Candidate\n[^]*Esc ends/;

/** The screens that people look at most. */
const SHOTS: readonly Shot[] = [
  { args: ['list'] },
  { args: ['list', '-W'], until: /\d\d:\d\d:\d\d[^]*\n\+-[^]*\n\+-/ },
  { args: ['topology'] },
  { args: ['status'] },
  { args: ['quorum'] },
  { args: ['check', '--settle', '0'] },
  { args: ['history'] },
  { args: ['switchover'], until: /leads now[^]*Esc ends/ },
  { args: ['switchover'], name: 'switchover-candidate', keys: [LEADER], until: CANDIDATES },
  {
    args: ['switchover'],
    name: 'switchover-down',
    keys: [LEADER, [CANDIDATES, 'Down']],
    until: /\? Candidate\n {2}[^]*\n> [^]*Esc ends/,
  },
  {
    args: ['switchover'],
    name: 'switchover-time',
    keys: [LEADER, [CANDIDATES, 'Enter'], [/e\.g\. 2/, '+']],
    until: /not understood yet/,
  },
  {
    args: ['switchover'],
    name: 'switchover-sure',
    keys: [LEADER, [CANDIDATES, 'Enter'], [/e\.g\. 2/, 'Enter']],
    until: /\[y\/N\]:$/,
  },
];

interface Picture {
  args: readonly string[];
  name: string;
  size: Size;
  /** Every line, also those that have moved out at the top. */
  text: string;
  /** Lines that are longer than the terminal is wide. */
  wrapped: string[];
}

const LIMIT_MS = 60_000;

/** A terminal of that size, one command after the other. */
export async function pictures(
  config: string,
  size: Size,
  shots: readonly Shot[] = SHOTS,
): Promise<Picture[]> {
  const server = await openTmux();
  const { folder, tmux } = server;
  const taken: Picture[] = [];
  try {
    for (const { args, until, keys = [], name = args.slice(0, 2).join('') } of shots) {
      const ended = join(folder, 'ended');
      const program = [...PATCTL, '-c', config, ...args].map((word) => `'${word}'`).join(' ');
      const line = `${program}; touch ${ended}; exec sleep 600`;
      const box = ['-x', String(size.columns), '-y', String(size.rows)];
      await tmux('new-session', '-d', '-s', 'shot', ...box, line);
      const shown = (...how: string[]) =>
        tmux('capture-pane', '-p', '-S', '-', ...how, '-t', 'shot');
      const seen = (wanted: RegExp | undefined) =>
        eventually(
          `${name} is on the screen: ${wanted?.source ?? 'its end'}`,
          LIMIT_MS,
          async () =>
            existsSync(ended)
              ? true
              : wanted !== undefined && wanted.test((await shown()).trimEnd()),
        );
      for (const [wanted, key] of keys) {
        await seen(wanted);
        // A dialogue that a trouble has ended takes no more keys.
        if (!existsSync(ended)) await tmux('send-keys', '-t', 'shot', key);
      }
      await seen(until);
      const text = `${(await shown()).trimEnd()}\n`;
      // -J joins what the terminal has wrapped.
      const whole = (await shown('-J')).split('\n').map((one) => one.trimEnd());
      taken.push({
        args,
        name,
        size,
        text,
        wrapped: whole.filter((one) => one.length > size.columns),
      });
      await tmux('kill-session', '-t', 'shot');
      rmSync(ended, { force: true });
    }
  } finally {
    await server.end();
  }
  return taken;
}

/** All screens of a cluster as files `COLUMNS-COMMAND.txt`; exit 1 when a line wraps. */
async function main(folder = '.', scope = 'demo'): Promise<void> {
  const lab = await openCluster(scope);
  if (lab === null) throw new Error(`no cluster ${scope}: npm run -s lab -- up --scope ${scope}`);
  mkdirSync(folder, { recursive: true });
  for (const size of SIZES) {
    for (const { name, text, wrapped } of await pictures(lab.config, size)) {
      writeFileSync(join(folder, `${size.columns}-${name}.txt`), text);
      for (const line of wrapped) process.stdout.write(`${size.columns} ${name}: ${line}\n`);
      if (wrapped.length > 0) process.exitCode = 1;
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) void main(...process.argv.slice(2));

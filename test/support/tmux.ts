/** Terminals of tmux: what is on the screen is read as a person sees it, with a shell that stops and continues jobs. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';
import { cleanEnv } from './lab/process.js';
import { ensureTmux } from './setup.js';

export interface Size {
  columns: number;
  rows: number;
}

export interface TmuxServer {
  /** For files of its sessions; it goes with the server. */
  folder: string;
  /** Runs a command of tmux and returns its output. */
  tmux: (...args: string[]) => Promise<string>;
  end(): Promise<void>;
}

const run = promisify(execFile);

/** A server of its own, without the user's configuration. */
export async function openTmux(): Promise<TmuxServer> {
  await ensureTmux();
  const folder = mkdtempSync(join(tmpdir(), 'patctl-tmux-'));
  const env = cleanEnv('/nonexistent', { TERM: 'xterm-256color', LANG: 'C.UTF-8' });
  const server = ['-S', join(folder, 'socket'), '-f', join(folder, 'conf')];
  const tmux = async (...args: string[]) =>
    (await run('tmux', [...server, ...args], { env })).stdout;
  writeFileSync(
    join(folder, 'conf'),
    'set -g status off\nset -g history-limit 5000\nset -g default-shell /bin/sh\n',
  );
  // The server ends with its last session otherwise.
  await tmux('new-session', '-d', '-s', 'keep', 'exec sleep 900');
  return {
    folder,
    tmux,
    async end() {
      await tmux('kill-server').catch(() => '');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface TmuxShell {
  /** Presses keys by tmux's names (`Enter`, `C-z`, `j`); other words are typed. */
  press(...keys: string[]): Promise<void>;
  /** Types the line and Enter. */
  enter(line: string): Promise<void>;
  /** What is on the screen now, line by line, without what has moved out of it. */
  screen(): Promise<string>;
  /** The screen once it shows that. */
  seen(wanted: RegExp, limitMs?: number): Promise<string>;
  /** A program has the screen for itself, or has hidden the cursor. */
  isTaken(): Promise<boolean>;
  /** What of the terminal a program finds that the shell starts (`stty -g`). At a prompt only. */
  modes(): Promise<string>;
  /** The process that the shell has started last. */
  child(): Promise<number>;
  resize(size: Size): Promise<void>;
  end(): Promise<void>;
}

const SEEN_LIMIT_MS = 60_000;

/** A window with bash in it, whose prompt is `ready N> ` with the last exit code. */
export async function openShell(
  { tmux, folder }: TmuxServer,
  { columns, rows }: Size,
  name = 'shell',
): Promise<TmuxShell> {
  const box = ['-x', String(columns), '-y', String(rows)];
  await tmux('new-session', '-d', '-s', name, ...box, 'exec bash --norc --noprofile');
  const read = (format: string) => tmux('display-message', '-p', '-t', name, format);
  const shell: TmuxShell = {
    press: async (...keys) => {
      await tmux('send-keys', '-t', name, ...keys);
    },
    enter: async (line) => {
      await tmux('send-keys', '-t', name, '-l', line);
      await tmux('send-keys', '-t', name, 'Enter');
    },
    screen: () => tmux('capture-pane', '-p', '-t', name),
    async seen(wanted, limitMs = SEEN_LIMIT_MS) {
      let last = '';
      const isSeen = async (): Promise<boolean> => {
        last = await shell.screen();
        return wanted.test(last.trimEnd());
      };
      try {
        await eventually('', limitMs, isSeen);
      } catch {
        throw new Error(`not on the screen within ${limitMs} ms: ${wanted.source}\n${last}`);
      }
      return last;
    },
    isTaken: async () => (await read('#{alternate_on} #{cursor_flag}')).trim() !== '0 1',
    async modes() {
      const file = join(folder, `${name}.stty`);
      rmSync(file, { force: true });
      await shell.enter(`stty -g >${file}; clear`);
      return await eventually('stty has told', SEEN_LIMIT_MS, () =>
        readFileSync(file, 'utf8').trim(),
      );
    },
    async child() {
      const bash = (await read('#{pane_pid}')).trim();
      const children = readFileSync(`/proc/${bash}/task/${bash}/children`, 'utf8');
      return Number(children.trim().split(' ').at(-1));
    },
    resize: async ({ columns: width, rows: height }) => {
      const size = ['-x', String(width), '-y', String(height)];
      await tmux('resize-window', '-t', name, ...size);
    },
    end: async () => {
      await tmux('kill-session', '-t', name);
    },
  };
  await shell.enter(`PS1='ready $?> '; clear`);
  await shell.seen(/^ready 0>/);
  return shell;
}

/** What COMMAND writes: lines with the name of the member before them, on stderr and in a file. */
import type { WriteStream } from 'node:fs';
import type { Context } from '../../context.js';
import { errorMessage, ToolError } from '../../errors.js';
import { plain } from '../../output/text.js';
import type { Tell } from '../kit/report.js';

/** A line without an end is cut here. */
const LONGEST_LINE = 16_384;

export interface CommandLog {
  readonly path: string;
  /** A line about the work itself. */
  note(text: string): void;
  /** Takes what COMMAND writes for this member; `end` after the last of it. */
  of(member: string): { take: (text: string) => void; end: () => void };
  /** Resolves when all of it is in the file. */
  close(): Promise<void>;
}

/** Opens the file, at its end. ToolError `error` when it cannot be written. */
export async function openLog(
  { clock }: Pick<Context, 'clock'>,
  path: string,
  { tell, onLine }: { tell: Tell; onLine: (member: string, line: string) => void },
): Promise<CommandLog> {
  const { createWriteStream } = await import('node:fs');
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 });
  await opened(file, path);
  let isBroken = false;
  file.on('error', (error) => {
    const text = `warning: the log is not written: ${errorMessage(error)}`;
    if (!isBroken) tell({ kind: 'note', text });
    isBroken = true;
  });
  const write = (text: string): void => {
    if (!isBroken) file.write(`${new Date(clock.nowMs()).toISOString()} ${text}\n`);
  };
  return {
    path,
    note: (text) => write(`-- ${plain(text)}`),
    of: (member) =>
      byLine((line) => {
        const clean = plain(line);
        write(`${plain(member)} | ${clean}`);
        onLine(member, clean);
      }),
    close: () => new Promise((done) => (isBroken ? done() : file.end(done))),
  };
}

function opened(file: WriteStream, path: string): Promise<void> {
  return new Promise((done, failed) => {
    file.once('open', () => done());
    file.once('error', (error) => {
      const message = `the log ${path} cannot be written: ${errorMessage(error)}`;
      const hint = 'give another file with --log FILE';
      failed(new ToolError('error', message, { code: 'log_file', hint }));
    });
  });
}

/** A carriage return begins a line too: a progress bar rewrites its own. */
function byLine(onLine: (line: string) => void): { take: (text: string) => void; end: () => void } {
  let rest = '';
  return {
    take: (text) => {
      const lines = (rest + text).split(/\r\n|\n|\r/);
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
      for (; rest.length > LONGEST_LINE; rest = rest.slice(LONGEST_LINE))
        onLine(rest.slice(0, LONGEST_LINE));
    },
    end: () => {
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}

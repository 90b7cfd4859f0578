/** The only file that touches the process: argv, environment, streams, signals, exit code. */
import { setMaxListeners } from 'node:events';
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { exitCode } from './errors.js';
import { main } from './main.js';
import type { Io, TerminalOwner } from './output/io.js';

// grpc-js sets a TLS server name for IP addresses; the warning about it does not help an operator.
process.noDeprecation = true;

const interrupt = new AbortController();
let signals = 0;
let held: ((name: NodeJS.Signals) => void) | null = null;
function onSignal(name: NodeJS.Signals): void {
  signals += 1;
  // The first signal asks for an orderly end; the second does not wait for it.
  if (signals > 1 && held === null) process.exit(130);
  interrupt.abort();
  held?.(name);
}
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);

function holdSignals(listener: (name: NodeJS.Signals) => void): () => void {
  held = listener;
  process.on('SIGHUP', onSignal);
  return () => {
    held = null;
    process.off('SIGHUP', onSignal);
  };
}

/** A change continues to its end with its own exit code, even if the reader of stdout has closed it. */
const readerGone = new AbortController();
// Every cluster of a fleet that waits listens to them: this is not a leak.
setMaxListeners(0, interrupt.signal, readerGone.signal);
const brokenStreams = new Set<NodeJS.WriteStream>();
let outputLost: string | null = null;
const openStreams = new Set<NodeJS.WriteStream>();

/** Loaded only where a terminal is opened or told from another device: it brings sockets and streams with it. */
const tty = () => process.getBuiltinModule('node:tty');

/** Node opens a stream on first access, and most runs write nothing to stderr. */
function opened(name: 'stdout' | 'stderr'): NodeJS.WriteStream {
  const stream = process[name];
  if (openStreams.has(stream)) return stream;
  openStreams.add(stream);
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (brokenStreams.has(stream)) return;
    brokenStreams.add(stream);
    if (name !== 'stdout') return;
    if (error.code !== 'EPIPE') outputLost = error.message;
    readerGone.abort();
  });
  return stream;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  if (!brokenStreams.has(stream)) stream.write(text);
}

const io: Io = {
  out: (text) => write(opened('stdout'), text),
  drained: () => drained(opened('stdout')),
  outGone: readerGone.signal,
  err: (text) => write(opened('stderr'), text),
  // Node opens stdin on first access, and most commands never read it.
  get stdin() {
    return process.stdin;
  },
  get stdinIsTty() {
    return process.stdin.isTTY;
  },
  get stderr() {
    return opened('stderr');
  },
  stdoutIsTty: opened('stdout').isTTY,
  get stderrIsTty() {
    return opened('stderr').isTTY;
  },
  get stdoutIsStored() {
    return isStored(1);
  },
  get stderrIsStored() {
    return isStored(2);
  },
  onTerminal: (text) => {
    const terminal = openTty('w');
    if (terminal === null) return false;
    writeSync(terminal, text);
    closeSync(terminal);
    return true;
  },
  openTerminal: () => {
    const [input, output] = [openTty('r'), openTty('w')];
    if (input === null || output === null) return null;
    const { ReadStream, WriteStream } = tty();
    return { stdin: new ReadStream(input), stderr: new WriteStream(output) };
  },
  outColor: process.stdout.isTTY,
  get errColor() {
    return opened('stderr').isTTY;
  },
  // Read at each access: a window may be resized while -W runs.
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : 80;
  },
  get rows() {
    return process.stdout.isTTY ? process.stdout.rows : undefined;
  },
  onResize: (listener) => {
    process.stdout.on('resize', listener);
    return () => process.stdout.off('resize', listener);
  },
  whileOwned: (given) => whileOwned(given),
  onContinue: (listener) => {
    process.on('SIGCONT', listener);
    return () => process.off('SIGCONT', listener);
  },
  suspend: () => stop(0),
};

let owner: TerminalOwner | null = null;
/** The process has stopped, or the system has refused to stop it, before this is over. */
const STOPPED_MS = 50;
const giveBack = (): void => owner?.give();
const takeAgain = (): void => owner?.take();
const onStop = (): void => stop(process.pid);
/** After SIGSTOP, which nothing can prepare for, the terminal is the shell's. */
const onContinue = (): void => {
  giveBack();
  takeAgain();
};
const OWNING = {
  SIGHUP: onSignal,
  SIGTSTP: onStop,
  SIGCONT: onContinue,
  exit: giveBack,
  // Before Node.js prints it.
  uncaughtExceptionMonitor: giveBack,
};

function whileOwned(given: TerminalOwner): () => void {
  owner = given;
  for (const [event, listener] of Object.entries(OWNING)) process.on(event, listener);
  return () => {
    owner = null;
    for (const [event, listener] of Object.entries(OWNING)) process.off(event, listener);
  };
}

let isStopping = false;

/**
 * Stops a process, or the job of this one with 0, with the terminal in order. Another Ctrl-Z until soon after it was
 * continued is the same one: it was typed before.
 */
function stop(pid: number): void {
  if (isStopping) return;
  isStopping = true;
  giveBack();
  process.off('SIGTSTP', onStop);
  process.kill(pid, 'SIGTSTP');
  setTimeout(() => {
    isStopping = false;
    if (owner === null) return;
    process.on('SIGTSTP', onStop);
    takeAgain();
  }, STOPPED_MS);
}

/** A file, or a device that is not a terminal. */
function isStored(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() || (stat.isCharacterDevice() && !tty().isatty(fd));
  } catch {
    return true;
  }
}

/** The terminal of the session; null: there is none (cron, ssh without -t). */
function openTty(flags: string): number | null {
  try {
    return openSync('/dev/tty', flags);
  } catch {
    return null;
  }
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (brokenStreams.has(stream)) resolve();
    else stream.write('', () => resolve());
  });
}

async function run(): Promise<void> {
  // Node.js ends where nothing is left to wait for: unless main has returned, that is not a success.
  process.exitCode = exitCode('error');
  const code = await main(process.argv.slice(2), {
    io,
    env: process.env,
    platform: process.platform,
    nodeVersion: process.versions.node,
    arch: process.arch,
    programName: process.argv[1] ?? 'patctl',
    signal: interrupt.signal,
    holdSignals,
  });
  // A connection that will not close must not keep the process: leave once the output is out.
  await Promise.all([...openStreams].map(drained));
  if (outputLost !== null) write(opened('stderr'), `Error: the output is lost: ${outputLost}\n`);
  process.exit(outputLost !== null && code === 0 ? exitCode('unconfirmed') : code);
}

void run();

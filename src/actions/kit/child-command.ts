/** Runs a command of the operator: on patctl's own terminal and streams, or apart from them. */
import { spawn, type StdioOptions } from 'node:child_process';
import { constants } from 'node:os';

/** How a command ended. */
export type CommandEnd =
  | { kind: 'exited'; status: number }
  | { kind: 'killed'; signal: NodeJS.Signals }
  | { kind: 'not started'; reason: string }
  | { kind: 'too long' };

export interface RunningCommand {
  ended: Promise<CommandEnd>;
  /** Passes a signal that patctl got on to the command. */
  readonly stop: (name: NodeJS.Signals) => void;
}

export interface CommandLimits {
  env: Readonly<Record<string, string | undefined>>;
  /** SIGTERM after so many ms; null: no limit. */
  maxMs: number | null;
  /** False: the terminal has sent SIGINT to the command itself. */
  forwardsInterrupt: boolean;
  /**
   * Gets what it writes to stdout and stderr. It then reads nothing, and is a session of its own with its children:
   * Ctrl-C at the terminal does not reach it, and a signal reaches them all.
   */
  onOutput?: (text: string) => void;
}

/** Node.js takes a longer timer for one of 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 10_000;

/** How long what it wrote is awaited once it has ended: a child of it may keep the streams open. */
const DRAIN_MS = 1000;

/**
 * Starts it at once; nothing is thrown. On patctl's own streams only the process that was started is signalled, not
 * its children.
 */
export function runCommand(
  [program = '', ...args]: readonly string[],
  { env, maxMs, forwardsInterrupt, onOutput }: CommandLimits,
): RunningCommand {
  const isApart = onOutput !== undefined;
  const stdio = isApart ? (['ignore', 'pipe', 'pipe'] as const) : ('inherit' as const);
  const child = spawn(program, args, { stdio: stdio as StdioOptions, env, detached: isApart });
  for (const stream of isApart ? [child.stdout, child.stderr] : [])
    stream?.setEncoding('utf8').on('data', onOutput ?? (() => undefined));
  const signal = (name: NodeJS.Signals): void => {
    if (!isApart) child.kill(name);
    else if (child.pid !== undefined) signalGroup(child.pid, name);
  };
  const timers: NodeJS.Timeout[] = [];
  let isTooLong = false;
  const terminate = (name: NodeJS.Signals): void => {
    signal(name);
    timers.push(setTimeout(() => signal('SIGKILL'), KILL_AFTER_MS));
  };
  if (maxMs !== null) {
    const atLimit = (): void => {
      isTooLong = true;
      terminate('SIGTERM');
    };
    timers.push(setTimeout(atLimit, Math.min(maxMs, LONGEST_TIMER_MS)));
  }
  const ended = new Promise<CommandEnd>((resolve) => {
    child.on('error', ({ message }) => resolve({ kind: 'not started', reason: message }));
    child.on('exit', (status, killer) => {
      const end: CommandEnd = isTooLong
        ? { kind: 'too long' }
        : killer !== null
          ? { kind: 'killed', signal: killer }
          : { kind: 'exited', status: status ?? 0 };
      if (!isApart) return resolve(end);
      child.on('close', () => resolve(end));
      timers.push(setTimeout(() => resolve(end), DRAIN_MS));
    });
  });
  return {
    ended: ended.finally(() => timers.forEach((timer) => clearTimeout(timer))),
    stop: (name) => {
      if (name !== 'SIGINT') terminate(name);
      else if (forwardsInterrupt) signal(name);
    },
  };
}

/** A process can signal only itself and its own children, not their group; `kill` can. */
function signalGroup(leaderPid: number, name: NodeJS.Signals): void {
  const words = ['-c', 'kill -s "$1" -- "-$2"', 'sh', name.replace(/^SIG/, ''), `${leaderPid}`];
  spawn('/bin/sh', words, { stdio: 'ignore' }).on('error', () => undefined);
}

/** As a shell says it. */
export function shellStatus(end: CommandEnd): number {
  switch (end.kind) {
    case 'exited':
      return end.status;
    case 'killed':
      return 128 + constants.signals[end.signal];
    case 'not started':
      return 127;
    case 'too long':
      return 124;
  }
}

export function statusWords(end: CommandEnd): string {
  switch (end.kind) {
    case 'exited':
      return `ended with ${end.status}`;
    case 'killed':
      return `was ended by ${end.signal}`;
    case 'not started':
      return `could not be started: ${end.reason}`;
    case 'too long':
      return 'was ended at its limit';
  }
}

/** Runs a command of the operator on patctl's own terminal and streams. */
import { spawn } from 'node:child_process';
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
}

/** Node.js takes a longer timer for one of 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 10_000;

/** Starts it at once; nothing is thrown. Only the process that was started is signalled, not its children. */
export function runCommand(
  [program = '', ...args]: readonly string[],
  { env, maxMs, forwardsInterrupt }: CommandLimits,
): RunningCommand {
  const child = spawn(program, args, { stdio: 'inherit', env });
  const timers: NodeJS.Timeout[] = [];
  let isTooLong = false;
  const terminate = (name: NodeJS.Signals): void => {
    child.kill(name);
    timers.push(setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS));
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
    child.on('exit', (status, signal) => {
      if (isTooLong) resolve({ kind: 'too long' });
      else if (signal !== null) resolve({ kind: 'killed', signal });
      else resolve({ kind: 'exited', status: status ?? 0 });
    });
  });
  return {
    ended: ended.finally(() => timers.forEach((timer) => clearTimeout(timer))),
    stop: (name) => {
      if (name !== 'SIGINT') terminate(name);
      else if (forwardsInterrupt) child.kill(name);
    },
  };
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

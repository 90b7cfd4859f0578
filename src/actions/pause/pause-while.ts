/** Holds automatic failover off while a command runs, and resumes whatever became of the command. */
import { argumentOf } from '../../cluster/model/command-line.js';
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';
import type { Tell } from '../kit/report.js';
import { runCommand, shellStatus, statusWords, type CommandEnd } from '../kit/child-command.js';
import { togglePause } from './toggle-pause.js';

export interface PauseWhileRequest {
  readonly scope: string;
  readonly group: number | null;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** A cluster that is already paused is accepted and stays paused; without this it is an error. */
  readonly idempotent: boolean;
  /** Limit of the acknowledgement of the pause, and again of the resume, ms; null: two loops and 5 s. */
  readonly deadlineMs: number | null;
  /** Limit of the command, ms; null: none. */
  readonly maxMs: number | null;
}

/** How long a resume that could not be sent is tried again, and how often. */
const RESUME_LIMIT_MS = 60_000;
const RESUME_AGAIN_MS = 1000;

/**
 * The exit status of the command, as a shell gives it: 128 + N after signal N, 127 when it cannot be started.
 * ToolError: `error` (already_so, pause_refused), `unreachable` and `unconfirmed` when the cluster could not be
 * paused: the command did not run; `failed` (still_paused, resumed_meanwhile, command_too_long) and `unconfirmed`
 * after it ran. stdout is the command's: what is told belongs on stderr.
 */
export async function pauseWhile(
  context: Context,
  tell: Tell,
  request: PauseWhileRequest,
): Promise<number> {
  let stop: (name: NodeJS.Signals) => void = () => undefined;
  const release = context.holdSignals((name) => stop(name));
  try {
    const isOurs = await pause(context, tell, request);
    const running = runCommand(request.command, {
      env: context.env,
      maxMs: request.maxMs,
      // A terminal sends its SIGINT to the command too, which may go on (psql does).
      forwardsInterrupt: !context.io.stdinIsTty,
    });
    stop = running.stop;
    const end = await running.ended;
    const text = `${request.command[0] ?? ''} ${statusWords(end)}`;
    tell({ kind: 'note', text, quotes: true });
    if (isOurs) await resume(context, tell, request, end);
    if (end.kind === 'too long') throw tooLong(request);
    return shellStatus(end);
  } finally {
    release();
  }
}

/** True when the pause is ours to end; false: it was there before. */
async function pause(context: Context, tell: Tell, request: PauseWhileRequest): Promise<boolean> {
  const seen = watchChanges(tell);
  const { scope, group, idempotent, deadlineMs } = request;
  const asked = { scope, group, paused: true, wait: true, onlyLive: true, idempotent, deadlineMs };
  try {
    await togglePause(context, seen.tell, asked);
    return seen.changed === true;
  } catch (error) {
    if (seen.changed !== false) await resume(context, tell, request, null);
    throw error;
  }
}

/** What is known of the change, also after an error: null: nothing. */
function watchChanges(tell: Tell): { readonly tell: Tell; changed: boolean | null } {
  const seen = {
    changed: false as boolean | null,
    tell: ((event) => {
      if (event.kind === 'changed') seen.changed = event.changed;
      tell(event);
    }) as Tell,
  };
  return seen;
}

/** Ends the pause, and waits until every member that answers says so. Signals that came do not keep it from that. */
async function resume(
  given: Context,
  tell: Tell,
  { scope, group, deadlineMs }: PauseWhileRequest,
  end: CommandEnd | null,
): Promise<void> {
  const context = { ...given, signal: new AbortController().signal };
  const asked = { scope, group, paused: false, wait: true, onlyLive: true, idempotent: true };
  const untilMs = context.clock.nowMs() + RESUME_LIMIT_MS;
  for (;;) {
    const seen = watchChanges(tell);
    try {
      await togglePause(context, seen.tell, { ...asked, deadlineMs });
      if (end !== null && seen.changed !== true) throw resumedMeanwhile({ scope, group }, end);
      return;
    } catch (error) {
      if (!(error instanceof ToolError) || error.code === 'resumed_meanwhile') throw error;
      // Nothing was sent: it is safe to send it again.
      const isUnsent = error.ending === 'unreachable';
      if (!isUnsent || context.clock.nowMs() >= untilMs)
        throw stillPaused(error, { scope, group }, end);
      tell({ kind: 'note', text: `${error.message}; retrying the resume` });
      await context.clock.wait(RESUME_AGAIN_MS);
    }
  }
}

interface Named {
  scope: string;
  group: number | null;
}

function commandEvidence(end: CommandEnd | null) {
  return end === null ? [] : [{ witness: 'COMMAND', subject: 'status', said: statusWords(end) }];
}

/** If the cluster may still be paused, that has to be read first. */
function stillPaused(error: ToolError, cluster: Named, end: CommandEnd | null): ToolError {
  const evidence = [...error.evidence, ...commandEvidence(end)];
  if (error.code === 'not_acknowledged') {
    const { message, code, hint = '' } = error;
    return new ToolError('unconfirmed', message, { code, hint, evidence, cause: error });
  }
  return new ToolError('failed', `the cluster may still be paused: ${error.message}`, {
    code: 'still_paused',
    hint: `end the pause: patctl resume ${argumentOf(cluster)} --wait`,
    evidence,
    cause: error,
  });
}

function resumedMeanwhile(cluster: Named, end: CommandEnd): ToolError {
  return new ToolError('failed', 'someone else resumed the cluster while the command ran', {
    code: 'resumed_meanwhile',
    hint: `see what happened meanwhile: patctl history ${argumentOf(cluster)}`,
    evidence: commandEvidence(end),
  });
}

function tooLong({ maxMs, scope, group }: PauseWhileRequest): ToolError {
  const limit = `${(maxMs ?? 0) / 1000} s, --max`;
  return new ToolError('failed', `the command was ended at its limit (${limit})`, {
    code: 'command_too_long',
    hint: `this run no longer pauses the cluster; check with: patctl status ${argumentOf({ scope, group })}`,
  });
}

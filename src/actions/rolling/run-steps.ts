/** The steps of a rolling change, one after another; it stops at the first that fails and says where it stands. */
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';
import type { ProgressEvent } from '../../output/progress.js';

export interface RollingStepLine {
  /** A closed set of words, as progress events have them. */
  kind: string;
  /** Null: it is about the cluster. */
  member: string | null;
  /** `restart pg2` */
  words: string;
  why: string;
}

export interface StepDone {
  /** In the words of what was done. */
  said: string;
  /** Something is another than before. */
  changed: boolean;
  /** The steps that are left are not needed. */
  isLast?: boolean;
}

export type Say = (said: string, member: string | null) => void;

export interface StepsRun<Step> {
  readonly steps: readonly Step[];
  readonly line: (step: Step) => RollingStepLine;
  readonly report: (event: ProgressEvent) => void;
  /** Does one step; ToolError where it cannot be done or does not end well. */
  readonly work: (step: Step, say: Say) => Promise<StepDone>;
  /** The command that goes on with this step; null: the error says what to do. */
  readonly goOn: (at: number, error: ToolError) => string | null;
  /** The code of the error; null: that of the step which failed. */
  readonly code: string | null;
}

/** Does them in order; the error of the step that failed says what was done and what was not. */
export async function runSteps<Step>(context: Context, run: StepsRun<Step>): Promise<void> {
  const done: StepDone[] = [];
  const { steps, line, report, work } = run;
  for (const [at, step] of steps.entries()) {
    const { kind, member, words, why } = line(step);
    const say: Say = (said, about) =>
      report({ step: kind, atMs: context.clock.nowMs(), member: about, said });
    try {
      if (context.signal.aborted) throw interrupted(at);
      say(`${at + 1} of ${steps.length}: ${words} (${why})`, member);
      const ended = await work(step, say);
      done.push(ended);
      if (ended.isLast === true) return;
    } catch (error) {
      if (error instanceof ToolError) throw stopped(error, run, { at, done });
      throw error;
    }
  }
}

const BETWEEN = 'stopped_between';

function interrupted(at: number): ToolError {
  const words = at === 0 ? 'nothing was done' : 'the current step was finished first';
  return new ToolError('interrupted', `interrupted: ${words}`, { code: BETWEEN });
}

/** The failure, with where it stands. What comes after a step that was done has changed something. */
function stopped<Step>(
  error: ToolError,
  { steps, line, goOn, code }: StepsRun<Step>,
  { at, done }: { at: number; done: readonly StepDone[] },
): ToolError {
  const left = steps.slice(error.code === BETWEEN ? at : at + 1).map((step) => line(step).words);
  const where = [
    done.length > 0
      ? `done: ${done.map(({ said }) => said).join(', ')}`
      : 'no step was done before',
    left.length > 0 ? `not started: ${left.join(', ')}` : 'it was the last step',
  ].join('; ');
  const isHalfWay =
    done.some(({ changed }) => changed) &&
    (error.ending === 'error' || error.ending === 'unreachable');
  const next = goOn(at, error);
  return new ToolError(isHalfWay ? 'failed' : error.ending, `${error.message}; stopped`, {
    code: code ?? error.code,
    evidence: error.evidence,
    hint: [where, error.hint, next]
      .filter((text) => text !== undefined && text !== null)
      .join('\n'),
    cause: error,
  });
}

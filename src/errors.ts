/** How a run ends: the one table of exit codes (docs/exit-codes.md is kept equal to it by a test). */
export const ENDINGS = {
  ok: { exit: 0, meaning: 'done and verified', changed: 'as asked' },
  error: {
    exit: 1,
    meaning:
      'not done: wrong name, precondition not met, refused by preflight or by Patroni, declined at a prompt',
    changed: 'no',
  },
  usage: { exit: 2, meaning: 'the command line is wrong', changed: 'no' },
  unreachable: {
    exit: 3,
    meaning: 'the DCS, or every member that could do it, did not answer before anything was sent',
    changed: 'no',
  },
  failed: {
    exit: 4,
    meaning: 'accepted, then failed, or a member is not in the state that was asked for',
    changed: 'yes, look',
  },
  unconfirmed: {
    exit: 5,
    meaning: 'sent; the outcome was not seen in time, or the answer was lost',
    changed: 'perhaps, look before retrying',
  },
  diverted: {
    exit: 6,
    meaning: 'done, but another member than the named one became leader',
    changed: 'yes',
  },
  interrupted: {
    exit: 130,
    meaning: 'SIGINT or SIGTERM; the message says what was already sent',
    changed: 'perhaps',
  },
} as const;

export type Ending = keyof typeof ENDINGS;

export function exitCode(ending: Ending): number {
  return ENDINGS[ending].exit;
}

/** One fact behind an error: its witness, its subject, and its statement. */
export interface Evidence {
  witness: string;
  subject: string;
  said: string;
}

export interface ToolErrorOptions {
  /** What the operator should do next. */
  hint?: string;
  evidence?: Evidence[];
  /** Greppable word for programs; the ending's name when nothing finer is known. */
  code?: string;
  cause?: unknown;
}

/** The one way a run fails: names its ending, the facts and the next step. Never carries a secret. */
export class ToolError extends Error {
  readonly ending: Exclude<Ending, 'ok'>;
  readonly code: string;
  readonly hint: string | undefined;
  readonly evidence: Evidence[];

  constructor(ending: Exclude<Ending, 'ok'>, message: string, options: ToolErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ToolError';
    this.ending = ending;
    this.code = options.code ?? ending;
    this.hint = options.hint;
    this.evidence = options.evidence ?? [];
  }
}

/** The code of Node.js or of a server (ECONNREFUSED, 53300); empty: it has none. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Several addresses of one name fail as an AggregateError without a message of its own. */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorMessage).join('; ');
  if (error instanceof Error && error.message !== '') return error.message;
  return errorCode(error) || (error instanceof Error ? '' : String(error));
}

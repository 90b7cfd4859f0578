/** The document of a command of patctl's own that ended before it had anything else to say. */
import { exitCode, type ToolError, type Ending, type Evidence } from '../errors.js';
import { plain } from './text.js';

/** What every document says of how the run ended. */
export interface EndOfRun {
  ending: Ending;
  exit: number;
  code: string;
  message: string;
  hint: string | null;
  evidence: Evidence[];
}

/** `-f json` of a command that came to nothing. */
export interface RefusalDocument extends EndOfRun {
  schemaVersion: 1;
  command: string;
}

/** `exit`: of the run; `check` has codes of its own. */
export function refusalDocument(
  command: string,
  error: ToolError,
  exit = exitCode(error.ending),
): RefusalDocument {
  return { schemaVersion: 1, command, ...endOf(error), exit };
}

/** The part of a document, without terminal sequences. */
export function endOf({
  ending,
  code,
  message,
  hint,
  evidence,
}: Omit<EndOfRun, 'exit' | 'hint' | 'evidence'> & {
  hint?: string | undefined;
  evidence: readonly Evidence[];
}): EndOfRun {
  return {
    ending,
    exit: exitCode(ending),
    code,
    message: plain(message),
    hint: hint === undefined ? null : plain(hint),
    evidence: evidence.map(plainEvidence),
  };
}

/** Without terminal sequences, for a document. */
export function plainEvidence({ witness, subject, said }: Evidence): Evidence {
  return { witness: plain(witness), subject: plain(subject), said: plain(said) };
}

/** Commands whose -f json is a list of rows or the configuration itself: these have no document for a refusal. */
const WITHOUT_DOCUMENT = [
  'list',
  'members',
  'topology',
  'history',
  'query',
  'show-config',
  'version',
  'remove',
];

export function hasDocument(command: string): boolean {
  return !WITHOUT_DOCUMENT.includes(command);
}

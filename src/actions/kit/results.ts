/** How a command on several members ends: a line for each, and the worst ending wins. */
import { ToolError, type Ending, type Evidence } from '../../errors.js';

export interface MemberOutcome {
  member: string;
  ending: Ending;
  /** What happened, for the error's evidence. */
  said: string;
  /** Whether it changed; null: unknown. Absent: what the ending says. */
  changed?: boolean | null;
  /** What `said` rests on. */
  evidence?: Evidence[];
}

const WORSE: readonly Ending[] = [
  'ok',
  'error',
  'unreachable',
  'diverted',
  'unconfirmed',
  'failed',
  'interrupted',
];

/**
 * The worst ending of all. `error` and `unreachable` promise that nothing changed: where another member
 * was changed anyway, the command as a whole failed half way.
 */
export function worstEnding(outcomes: readonly MemberOutcome[]): Ending {
  const endings = outcomes.map(({ ending }) => ending);
  const worst = endings.reduce<Ending>(
    (found, ending) => (WORSE.indexOf(ending) > WORSE.indexOf(found) ? ending : found),
    'ok',
  );
  const halfWay = (worst === 'error' || worst === 'unreachable') && endings.includes('ok');
  return halfWay ? 'failed' : worst;
}

/** 'ok', or the ToolError that names every member for which it did not go well. */
export function conclude(
  action: string,
  outcomes: readonly MemberOutcome[],
  hint?: string,
): Ending {
  const ending = worstEnding(outcomes);
  if (ending === 'ok') return 'ok';
  const bad = outcomes.filter((outcome) => outcome.ending !== 'ok');
  const names = bad.map(({ member }) => member).join(', ');
  const rest = outcomes.length - bad.length;
  const others = rest === 0 ? '' : ` (done on ${rest} of ${outcomes.length})`;
  throw new ToolError(ending, `${action} ${WORDS[ending]} on ${names}${others}`, {
    code: `${action.replace(/[^a-z]+/g, '_')}_${ending}`,
    evidence: bad.map(({ member, said }) => ({ witness: 'member', subject: member, said })),
    ...(hint === undefined ? {} : { hint }),
  });
}

const WORDS: Record<Exclude<Ending, 'ok'>, string> = {
  error: 'was refused',
  usage: 'was refused',
  unreachable: 'was not sent: no answer',
  failed: 'failed',
  unconfirmed: 'is unconfirmed',
  diverted: 'was diverted',
  interrupted: 'was interrupted',
};

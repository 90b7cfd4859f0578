/** One request to one member's Patroni, sent at most once and only to a Patroni that answers. */
import type { JsonValue, Member, RestStatus } from '../../cluster/model/model.js';
import type { Selected } from '../../cluster/select-members.js';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';
import type { ActionEvent, Tell } from './report.js';
import type { MemberOutcome } from './results.js';
import { answerAwaited } from './until.js';

export interface MemberRequest {
  method: 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body: JsonValue | null;
  timeoutMs: number;
  tell: Tell;
  /** Called if an interrupt ends the wait after the request was sent: the change may happen. */
  whenLeft?: () => void;
}

export interface Asked {
  outcome: CallOutcome;
  /** What the member said of itself right before; null: it would not say. */
  before: RestStatus | null;
}

/**
 * A Patroni that is frozen or gone would keep the request, or us, waiting: it is asked for its status
 * first. ToolError `interrupted` says whether the request had been sent.
 */
export async function askMember(
  context: Context,
  scope: string,
  member: Member,
  request: MemberRequest,
): Promise<Asked> {
  const { apiUrl, name } = member;
  if (apiUrl === null) return notSent('its DCS key has no api_url');
  const patroni = await context.patroni();
  const alive = await patroni.status({ apiUrl, name, scope }, context.flags.timeoutMs);
  if (!alive.ok && (alive.kind === 'unreachable' || alive.kind === 'misidentified')) {
    return notSent(alive.reason);
  }
  const { method, path, body, timeoutMs, tell } = request;
  if (context.signal.aborted) throw interrupted(`${path} was not sent to ${name}`);
  const answer = patroni.call(method, apiUrl, path, body, timeoutMs);
  const awaits = async () => {
    const now = await patroni.status({ apiUrl, name, scope }, context.flags.timeoutMs);
    return `the answer of ${name} to ${method} ${path} (REST: ${now.ok ? stateWords(now.value) : now.reason})`;
  };
  const outcome = await answerAwaited(context, answer, { awaits, tell });
  if (outcome === null) {
    request.whenLeft?.();
    throw interrupted(`${path} was sent to ${name} and continues there`);
  }
  return { outcome, before: alive.ok ? alive.value : null };
}

/**
 * A member that did not speak as Patroni right before is believed by Patroni's own words only: any program may answer
 * 200. `words`: the body with which Patroni accepts the request.
 */
export function isForeign({ outcome, before }: Asked, words: string): boolean {
  if (before !== null || outcome.kind !== 'answered' || outcome.answer.status >= 300) return false;
  return bodyText(outcome) !== words;
}

/** The outcome of such an answer. */
export function foreignAnswer(member: string, outcome: CallOutcome): MemberOutcome {
  const said = `${answerWords(outcome)}, which is not Patroni's answer: see what answers at its api_url`;
  const evidence = [{ witness: 'REST', subject: member, said: answerWords(outcome) }];
  return { member, ending: 'unconfirmed', said, evidence };
}

/** For `whenLeft`: nothing is known of this member but that it was asked. */
export function leftUnanswered({ cluster, member }: Selected): ActionEvent {
  const said = 'the request was sent, and its answer was not awaited';
  const outcome = { member: member.name, ending: 'unconfirmed', said } as const;
  return { kind: 'member', group: cluster.group, outcome };
}

function stateWords({ role, state, replicationState }: RestStatus): string {
  return [role, state, ...(replicationState === null ? [] : [replicationState])].join(', ');
}

function notSent(reason: string): Asked {
  return { outcome: { kind: 'not_sent', reason }, before: null };
}

function interrupted(what: string): ToolError {
  return new ToolError('interrupted', `interrupted: ${what}`);
}

/** A body that is a text, as patronictl prints it between brackets; of an error page only its message. */
export function bodyText(outcome: CallOutcome): string {
  if (outcome.kind !== 'answered') return oneLine(outcome.reason);
  const { body } = outcome.answer;
  const page = /^\s*<!DOCTYPE HTML/i.test(body) ? /<p>Message: (.*?)\.?<\/p>/.exec(body) : null;
  return oneLine(page?.[1] ?? body);
}

/** `status code=503, (text)`, or why there is no answer. */
export function answerWords(outcome: CallOutcome): string {
  if (outcome.kind === 'not_sent') return `not sent: ${bodyText(outcome)}`;
  if (outcome.kind === 'lost') return `the answer was lost: ${bodyText(outcome)}`;
  return `status code=${outcome.answer.status}, (${bodyText(outcome)})`;
}

/** Of PATCH /config: Patroni answers with the whole dynamic configuration, which may hold a secret. */
export function configAnswerWords(outcome: CallOutcome): string {
  if (outcome.kind === 'answered' && outcome.answer.status < 300)
    return `status code=${outcome.answer.status}`;
  return answerWords(outcome);
}

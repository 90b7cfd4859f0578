/** Restarts PostgreSQL on one member, asked for once, and says how it ended. */
import { notBack, startTimeOf } from '../../cluster/preflight/restart-order.js';
import type { JsonObject, RestStatus } from '../../cluster/model/model.js';
import type { Selected } from '../../cluster/select-members.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';
import {
  answerWords,
  askMember,
  bodyText,
  foreignAnswer,
  isForeign,
  leftUnanswered,
  type Asked,
} from '../kit/member-request.js';
import { isRefusal, saysNo } from '../kit/after-answer.js';
import type { Tell } from '../kit/report.js';
import type { MemberOutcome } from '../kit/results.js';
import { seeScheduled } from './scheduled-restart.js';
import { until } from '../kit/until.js';

export interface RestartRequest {
  /** The body: schedule, postgres_version, restart_pending, timeout. */
  content: JsonObject;
  /** Limit for the answer and the waiting together, ms. */
  limitMs: number;
  /** Until it runs, streams if it is a replica, and no restart is pending any more. */
  wait: boolean;
  mayStayPending: boolean;
  /** A step of a rolling restart: a member that is skipped has a line that says so, not patronictl's "Failed". */
  isStep?: boolean;
}

/** The conditions were the operator's own (--pending, --pg-version): not to restart is what was asked for. */
export const NOT_WANTED = 'restart conditions are not satisfied';

/** Why a member is skipped, in the words of what was asked for. */
export function notWantedWords(content: JsonObject): string {
  const isOnlyPending =
    content['restart_pending'] === true && content['postgres_version'] === undefined;
  return isOnlyPending ? 'no restart is pending any more' : NOT_WANTED;
}

const LOOK_MS = 500;
/** Patroni asks its PostgreSQL again for each `GET /patroni`. */
const SEEN_WITHIN_MS = 5000;
/** The pending flag goes with the restart; one that stays so long afterwards stays. */
const PENDING_STAYS_MS = 10_000;

/** Tells patronictl's line for the member, and what became of it. */
export async function restartMember(
  context: Context,
  one: Selected,
  request: RestartRequest,
  tell: Tell,
): Promise<MemberOutcome> {
  const outcome = await restarted(context, one, request, tell);
  const isSkipped = outcome.said === NOT_WANTED;
  tell({
    kind: 'member',
    group: one.cluster.group,
    outcome: isSkipped ? { ...outcome, changed: false } : outcome,
  });
  return outcome;
}

async function restarted(
  context: Context,
  { cluster, member }: Selected,
  request: RestartRequest,
  tell: Tell,
): Promise<MemberOutcome> {
  const { name } = member;
  const atMs = context.clock.nowMs() + request.limitMs;
  const asked = await askMember(context, cluster.scope, member, {
    method: 'POST',
    path: '/restart',
    body: request.content,
    timeoutMs: request.limitMs,
    tell,
    whenLeft: () => tell(leftUnanswered({ cluster, member })),
  });
  const { outcome, before } = asked;
  const { schedule } = request.content;
  if (typeof schedule === 'string') {
    const seen = await seeScheduled(context, { cluster, member }, outcome, { schedule, tell });
    tell({ kind: 'line', text: scheduledLine(name, outcome, seen) });
    return seen;
  }
  const answered = judge(name, outcome);
  if (isForeign(asked, RESTARTED)) {
    const seen = foreignAnswer(name, outcome);
    tell({ kind: 'line', text: lineOf(name, outcome, seen) });
    return seen;
  }
  const skipped = answered.said === NOT_WANTED;
  if (answered.ending === 'unconfirmed' || (answered.ending === 'ok' && request.wait && !skipped)) {
    const seen = await seenBack(context, { cluster, member }, asked, {
      answered,
      request,
      atMs,
      tell,
    });
    tell({ kind: 'line', text: lineOf(name, outcome, seen) });
    return seen;
  }
  if (skipped && request.isStep === true) {
    tell({
      kind: 'line',
      text: `Skipped: restart on member ${name}, ${notWantedWords(request.content)}`,
    });
    return withEvidence(answered, outcome, null);
  }
  const isDone = answered.ending !== 'ok' || skipped || before === null;
  const seen = isDone
    ? withEvidence(answered, outcome, null)
    : (await seeStarted(context, { cluster, member }, { before, outcome, tell })).found;
  tell({ kind: 'line', text: lineOf(name, outcome, seen) });
  return seen;
}

/** Waits until it is back; where Patroni says no and the same PostgreSQL runs on, there is nothing to wait for. */
async function seenBack(
  context: Context,
  one: Selected,
  { outcome, before }: Asked,
  {
    answered,
    request,
    atMs,
    tell,
  }: { answered: MemberOutcome; request: RestartRequest; atMs: number; tell: Tell },
): Promise<MemberOutcome> {
  if (saysNo(outcome) && before !== null) {
    const seen = await seeStarted(context, one, { before, outcome, tell });
    // Patroni answers when the restart is over: no other one comes.
    if (seen.runsOn) return seen.found;
  }
  const back = await waitBack(context, one, before, { ...request, atMs, tell });
  const wasStarted = before && startTimeOf(before);
  const found = settle(answered, back, wasStarted !== null);
  return withEvidence(found, outcome, { before: wasStarted, now: back.started });
}

/** An answer is not a restart: another postmaster has to run than before. Patroni answers when it does. */
async function seeStarted(
  context: Context,
  { cluster, member: { apiUrl, name } }: Selected,
  { before, outcome, tell }: { before: RestStatus; outcome: CallOutcome; tell: Tell },
): Promise<{ found: MemberOutcome; runsOn: boolean }> {
  const patroni = await context.patroni();
  const target = { apiUrl: apiUrl ?? '', name, scope: cluster.scope };
  const wasStarted = startTimeOf(before);
  let nowStarted = null as string | null;
  let still = '';
  const limit = {
    atMs: context.clock.nowMs() + SEEN_WITHIN_MS,
    everyMs: LOOK_MS,
    goesOn: `the restart of ${name} was requested and answered`,
    awaits: () => `a new postmaster on ${name}`,
    tell,
  };
  const seen = await until(context, limit, async () => {
    const now = await patroni.status(target, context.flags.timeoutMs);
    const started = now.ok ? startTimeOf(now.value) : null;
    nowStarted = started;
    if (started !== null && started !== wasStarted) return true;
    still = now.ok
      ? `but its PostgreSQL (started ${started ?? 'at an unknown time'}) is still ${now.value.state}`
      : `but it does not answer since then: ${now.reason}`;
    return null;
  });
  const found: MemberOutcome = seen
    ? { member: name, ending: 'ok', said: 'restarted' }
    : { member: name, ending: 'unconfirmed', said: `${answerWords(outcome)}, ${still}` };
  return {
    found: withEvidence(found, outcome, { before: wasStarted, now: nowStarted }),
    // The same PostgreSQL still runs.
    runsOn: wasStarted !== null && nowStarted === wasStarted,
  };
}

/** The answer, and since when PostgreSQL runs, before and after. */
function withEvidence(
  seen: MemberOutcome,
  outcome: CallOutcome,
  started: { before: string | null; now: string | null } | null,
): MemberOutcome {
  const words = [answerWords(outcome)];
  if (started) {
    words.push(`PostgreSQL ran since ${started.before ?? 'an unknown time'} before`);
    words.push(`PostgreSQL runs since ${started.now ?? 'an unknown time'} now`);
  }
  const evidence = words.map((said) => ({ witness: 'REST', subject: seen.member, said }));
  return { ...seen, evidence };
}

/** What Patroni answers to POST /restart when another postmaster runs [Ha.restart]. */
const RESTARTED = 'restarted successfully';

/** What an answer says; its line is patronictl's. */
function judge(member: string, outcome: CallOutcome): MemberOutcome {
  const said = answerWords(outcome);
  if (outcome.kind === 'not_sent') return { member, ending: 'unreachable', said };
  if (outcome.kind === 'lost') return { member, ending: 'unconfirmed', said };
  const { status } = outcome.answer;
  const text = bodyText(outcome);
  if (status === 200 || status === 202) return { member, ending: 'ok', said: text };
  if (text === NOT_WANTED) return { member, ending: 'ok', said: text };
  if (text === 'restart failed' || text === 'postgres is still starting') {
    return { member, ending: 'failed', said };
  }
  if (isRefusal(status) || status === 409 || status === 503)
    return { member, ending: 'error', said };
  return { member, ending: 'unconfirmed', said };
}

function lineOf(member: string, outcome: CallOutcome, seen: MemberOutcome): string {
  if (outcome.kind === 'answered') {
    const { status } = outcome.answer;
    if (status === 200 && seen.ending === 'ok') return `Success: restart on member ${member}`;
    if (status === 409) return `Failed: another restart is already scheduled on member ${member}`;
    if (status >= 300) return `Failed: restart for member ${member}, ${answerWords(outcome)}`;
  }
  if (seen.ending === 'ok') return `Success: restart on member ${member}`;
  const word = seen.ending === 'unconfirmed' ? 'Unconfirmed' : 'Failed';
  return `${word}: restart for member ${member}, ${seen.said}`;
}

/** patronictl's line for a restart that is to come. */
function scheduledLine(member: string, outcome: CallOutcome, seen: MemberOutcome): string {
  if (seen.ending === 'ok') return `Success: restart scheduled on member ${member}`;
  const status = outcome.kind === 'answered' ? outcome.answer.status : 0;
  if (status === 409) return `Failed: another restart is already scheduled on member ${member}`;
  const word = status < 300 && seen.ending === 'unconfirmed' ? 'Unconfirmed' : 'Failed';
  return `${word}: restart for member ${member}, ${seen.said}`;
}

interface Back {
  /** null: it is back. */
  missing: string | null;
  /** Another postmaster runs than before. */
  restarted: boolean;
  /** Since when the last one that was seen runs. */
  started: string | null;
}

/** `known`: since when it had been running before. Without that a lost answer cannot be made up for. */
function settle(
  answered: MemberOutcome,
  { missing, restarted }: Back,
  known: boolean,
): MemberOutcome {
  const { member } = answered;
  if (answered.ending === 'unconfirmed' && !(known && restarted)) {
    const now = missing === null ? 'runs, but possibly without having been restarted' : missing;
    return { ...answered, said: `${answered.said}; it ${now}` };
  }
  if (missing === null) return { member, ending: 'ok', said: 'restarted' };
  return { member, ending: 'failed', said: `restarted, but it ${missing}` };
}

async function waitBack(
  context: Context,
  { cluster, member }: Selected,
  before: RestStatus | null,
  request: RestartRequest & { atMs: number; tell: Tell },
): Promise<Back> {
  const { apiUrl, name } = member;
  if (apiUrl === null) return { missing: 'has no api_url', restarted: false, started: null };
  const patroni = await context.patroni();
  const wanted = {
    startedBefore: before === null ? null : startTimeOf(before),
    leads: name === cluster.leaderName,
    mayStayPending: request.mayStayPending,
  };
  let last: Back = { missing: 'was not seen', restarted: false, started: null };
  let pendingSinceMs: number | null = null;
  const goesOn = `the restart of ${name} was requested and continues there`;
  const awaits = () => `${name}, which ${last.missing ?? 'is back'}`;
  const limit = { atMs: request.atMs, everyMs: LOOK_MS, goesOn, awaits, tell: request.tell };
  const ended = await until(context, limit, async () => {
    const now = await patroni.status(
      { apiUrl, name, scope: cluster.scope },
      context.flags.timeoutMs,
    );
    if (!now.ok) {
      last = { ...last, missing: `does not answer: ${now.reason}` };
      return null;
    }
    const missing = notBack(now.value, wanted);
    const started = startTimeOf(now.value);
    last = {
      missing: missing?.said ?? null,
      restarted: last.restarted || (started !== null && started !== wanted.startedBefore),
      started,
    };
    if (missing === null) return last;
    if (!missing.pending) return null;
    pendingSinceMs ??= context.clock.nowMs();
    return context.clock.nowMs() - pendingSinceMs >= PENDING_STAYS_MS ? last : null;
  });
  return ended ?? last;
}

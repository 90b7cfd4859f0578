/** Reinitializes replicas: one request to each, then watched until each streams. */
import { loopTimes } from '../../cluster/model/loop-times.js';
import {
  AS_REQUESTED,
  beginReinit,
  seeReinit,
  type Reinit,
} from '../../cluster/progress/copy-state.js';
import type { Selected } from '../../cluster/select-members.js';
import type { RestStatus } from '../../cluster/model/model.js';
import { ToolError, type Ending } from '../../errors.js';
import { chooseMembers, confirmAction, type MembersMeant } from '../kit/choose-members.js';
import { copied, copyWords, type Copied } from './copy-progress.js';
import { isRefusal } from '../kit/after-answer.js';
import {
  answerWords,
  askMember,
  bodyText,
  leftUnanswered,
  type Asked,
  foreignAnswer,
  isForeign,
} from '../kit/member-request.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import { conclude, type MemberOutcome } from '../kit/results.js';
import { TELL_MS, until } from '../kit/until.js';
import type { Context } from '../../context.js';
import { bytes } from '../../output/bytes.js';

export interface ReinitRequest extends MembersMeant {
  /** The copy comes from the leader, not from a replica that is meant for it. */
  readonly fromLeader: boolean;
  /** A reinitialization that is running is cancelled, too. */
  readonly force: boolean;
  /** Limit of the wait until they stream, ms; null: not waited for. */
  readonly waitMs: number | null;
}

const STALL_MS = 300_000;
/** Patroni begins in a thread of its own as soon as it has answered. */
const BEGUN_WITHIN_MS = 10_000;
const LOOK_MS = 300;
/** A copy of little data takes 200 ms. */
const LOOK_FOR_COPY_MS = 100;
/** How often the progress of the copy is reported. */
const MOVES_MS = 1000;

/** Tells patronictl's line for each member; every ending but ok is thrown. */
export async function reinitMembers(
  context: Context,
  asking: AskAndTell,
  asked: ReinitRequest,
): Promise<Ending> {
  const { asker, tell } = asking;
  const { waitMs, force } = asked;
  const choice = { ...asked, role: 'replica', action: 'reinitialize' } as const;
  const { members } = await chooseMembers(context, asking, choice);
  tell({ kind: 'chosen', members });
  await confirmAction(asker, 'reinitialize', members, force);
  const outcomes: MemberOutcome[] = [];
  const waiting: Waiting[] = [];
  for (const one of members) {
    const { outcome, before } = await request(context, asking, one, asked);
    outcomes.push(outcome);
    const isAwaited = waitMs !== null && outcome.ending === 'ok';
    const told = isAwaited ? notSeenYet(outcome) : outcome;
    tell({ kind: 'member', group: one.cluster.group, outcome: told });
    if (outcome.ending === 'ok') waiting.push(watchOf(one, before, context.clock.nowMs()));
  }
  if (waitMs === null || waiting.length === 0) return conclude('reinitialize', outcomes);
  const seen = await waitAll(context, waiting, waitMs, tell);
  const rest = outcomes.filter(({ ending }) => ending !== 'ok');
  return conclude('reinitialize', [...rest, ...seen]);
}

/** What stays in the document when the wait is interrupted. */
function notSeenYet(outcome: MemberOutcome): MemberOutcome {
  const said = `${outcome.said}; the end of the copy was not seen`;
  return { ...outcome, ending: 'unconfirmed', changed: true, said };
}

/**
 * Asked once; again only when Patroni refused because one is running, and each time the operator wants it cancelled.
 */
async function request(
  context: Context,
  { asker, tell }: AskAndTell,
  { cluster, member }: Selected,
  { fromLeader, force, waitMs }: ReinitRequest,
): Promise<{ outcome: MemberOutcome; before: RestStatus | null }> {
  const { name } = member;
  let cancels = force;
  for (;;) {
    const asked = await askMember(context, cluster.scope, member, {
      method: 'POST',
      path: '/reinitialize',
      body: { force: cancels, from_leader: fromLeader },
      // Cancelling a running copy takes a while.
      timeoutMs: context.flags.timeoutMs + CANCEL_MS,
      tell,
      whenLeft: () => tell(leftUnanswered({ cluster, member })),
    });
    const answered = judge(name, asked);
    if (isForeign(asked, 'reinitialize started')) {
      const outcome = foreignAnswer(name, asked.outcome);
      tell({ kind: 'line', text: `Unconfirmed: reinitialize for member ${name}, ${outcome.said}` });
      return { outcome, before: asked.before };
    }
    const outcome = await seenBegun(context, { cluster, member }, asked, {
      answered,
      isAwaited: waitMs !== null,
      tell,
    });
    const line =
      outcome.ending === 'ok' ? 'Success' : answered === outcome ? 'Failed' : 'Unconfirmed';
    const words = outcome.ending === 'ok' ? '' : `, ${outcome.said}`;
    tell({ kind: 'line', text: `${line}: reinitialize for member ${name}${words}` });
    const running = bodyText(asked.outcome).endsWith(' already in progress');
    if (!running || force || outcome.ending !== 'error') return { outcome, before: asked.before };
    if (!(await asker.confirm('Do you want to cancel it and reinitialize anyway?'))) {
      return { outcome, before: asked.before };
    }
    cancels = true;
  }
}

const CANCEL_MS = 30_000;

function judge(member: string, { outcome }: Asked): MemberOutcome {
  const said = answerWords(outcome);
  const evidence = [{ witness: 'REST', subject: member, said }];
  const as = (ending: Ending): MemberOutcome => ({ member, ending, said, evidence });
  if (outcome.kind === 'not_sent') return as('unreachable');
  if (outcome.kind === 'lost') return as('unconfirmed');
  const { status } = outcome.answer;
  if (status < 400) return as('ok');
  return as(isRefusal(status) || status === 503 ? 'error' : 'unconfirmed');
}

/** What the member shows decides: after an answer that is not awaited further, and after one that was lost. */
async function seenBegun(
  context: Context,
  one: Selected,
  { before }: Asked,
  { answered, isAwaited, tell }: { answered: MemberOutcome; isAwaited: boolean; tell: Tell },
): Promise<MemberOutcome> {
  const { ending, said } = answered;
  const isOpen = ending === 'unconfirmed' || (ending === 'ok' && !isAwaited);
  if (!isOpen || before === null) return answered;
  const seen = await seeBegun(context, one, { before, answered: said, tell });
  return ending === 'ok' || seen.ending === 'ok' ? seen : answered;
}

/** The answer comes before the copy: the member must stop, or tell that it is being copied. */
async function seeBegun(
  context: Context,
  one: Selected,
  { before, answered, tell }: { before: RestStatus; answered: string; tell: Tell },
): Promise<MemberOutcome> {
  const { name } = one.member;
  const waiting = watchOf(one, before, context.clock.nowMs());
  const limit = {
    atMs: context.clock.nowMs() + BEGUN_WITHIN_MS,
    everyMs: LOOK_MS,
    goesOn: `the reinitialization of ${name} was requested`,
    awaits: () => `${name} to stop`,
    tell,
  };
  const seen = await until(context, limit, async () => {
    await read(context, waiting);
    return waiting.state.said === AS_REQUESTED ? null : true;
  });
  const { said } = waiting.state;
  if (!seen) {
    const still = `${answered}, but it is still ${before.state}`;
    return { member: name, ending: 'unconfirmed', said: still };
  }
  tell({ kind: 'note', text: `${name} ${said}`, notWith: 'compat' });
  return { member: name, ending: 'ok', said };
}

// ---------------------------------------------------------------- --wait

interface Waiting {
  one: Selected;
  state: Reinit;
  samples: (Copied & { atMs: number })[];
  toldMs: number;
  toldWords: string;
  /** Since when nothing has moved. */
  stillMs: number;
}

function watchOf(one: Selected, before: RestStatus | null, nowMs: number): Waiting {
  const state = beginReinit(before, nowMs);
  return { one, state, samples: [], toldMs: 0, toldWords: '', stillMs: nowMs };
}

async function waitAll(
  context: Context,
  all: Waiting[],
  deadlineMs: number,
  tell: Tell,
): Promise<MemberOutcome[]> {
  const names = all.map(({ one }) => one.member.name).join(', ');
  tell({ kind: 'line', text: `Waiting for reinitialize to complete on: ${names}` });
  const atMs = context.clock.nowMs() + deadlineMs;
  const waits = all.map(async (waiting) => {
    const outcome = await waitOne(context, waiting, atMs, tell);
    const { cluster, member } = waiting.one;
    const evidence = [{ witness: 'REST', subject: member.name, said: outcome.said }];
    tell({ kind: 'member', group: cluster.group, outcome: { ...outcome, evidence } });
    return outcome;
  });
  return Promise.all(waits);
}

async function waitOne(
  context: Context,
  waiting: Waiting,
  atMs: number,
  tell: Tell,
): Promise<MemberOutcome> {
  const { name } = waiting.one.member;
  for (;;) {
    await look(context, waiting, tell);
    const { phase, said } = waiting.state;
    if (phase === 'done') {
      tell({ kind: 'line', text: `Reinitialize is completed on: ${name}` });
      return { member: name, ending: 'ok', said };
    }
    if (phase === 'failed') return { member: name, ending: 'failed', said };
    if (context.signal.aborted) {
      throw new ToolError('interrupted', `interrupted: the reinitialization of ${name} continues`);
    }
    const nowMs = context.clock.nowMs();
    if (nowMs >= atMs)
      return { member: name, ending: 'unconfirmed', said: `${said}; the time limit was reached` };
    if (nowMs - waiting.stillMs >= STALL_MS) {
      const minutes = Math.round(STALL_MS / 60_000);
      const words = `${said}; no progress for ${minutes} minutes`;
      return { member: name, ending: 'unconfirmed', said: words };
    }
    await context.clock.wait(phase === 'asked' ? LOOK_FOR_COPY_MS : LOOK_MS, context.signal);
  }
}

async function look(context: Context, waiting: Waiting, tell: Tell): Promise<void> {
  await read(context, waiting);
  if (waiting.state.phase === 'creating') await measure(context, waiting);
  tellState(waiting, context.clock.nowMs(), tell);
}

/** What the member says of itself now. */
async function read(context: Context, waiting: Waiting): Promise<void> {
  const { cluster, member } = waiting.one;
  const { apiUrl, name } = member;
  const patroni = await context.patroni();
  const target = { apiUrl: apiUrl ?? '', name, scope: cluster.scope };
  const now = await patroni.status(target, context.flags.timeoutMs);
  const nowMs = context.clock.nowMs();
  if (now.ok) {
    const loopWait = loopTimes(cluster.config).loopWaitSeconds;
    const next = seeReinit(waiting.state, now.value, nowMs, loopWait);
    if (next.said !== waiting.state.said) waiting.stillMs = nowMs;
    waiting.state = next;
    // A replica that replays WAL moves, though it says the same all the time.
    if (next.phase === 'starting' && now.value.replayedLocation !== null) waiting.stillMs = nowMs;
  }
}

const SAMPLES = 20;

async function measure(context: Context, waiting: Waiting): Promise<void> {
  const { cluster, member } = waiting.one;
  const atMs = context.clock.nowMs();
  const copy = await copied(context, cluster, member);
  if (copy === null) {
    // It is unknown whether it moves: only the deadline counts.
    waiting.stillMs = atMs;
    return;
  }
  if (copy.bytes !== waiting.samples.at(-1)?.bytes) waiting.stillMs = atMs;
  waiting.samples = [...waiting.samples.slice(-SAMPLES), { ...copy, atMs }];
}

function tellState(waiting: Waiting, nowMs: number, tell: Tell): void {
  const { state, samples, one } = waiting;
  const copy = state.phase === 'creating' ? copyWords(samples, bytes) : '';
  const words = copy === '' ? state.said : `${state.said}: ${copy}`;
  const soon = state.phase === 'creating' && waiting.toldWords.startsWith(state.said);
  const sinceMs = nowMs - waiting.toldMs;
  if (sinceMs < TELL_MS && (words === waiting.toldWords || (soon && sinceMs < MOVES_MS))) return;
  tell({ kind: 'note', text: `${one.member.name} ${words}`, notWith: 'compat' });
  waiting.toldMs = nowMs;
  waiting.toldWords = words;
}

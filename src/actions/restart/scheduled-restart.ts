/** A restart for later, set or withdrawn: asked for once, then the member itself is looked at. */
import type { JsonObject, Member } from '../../cluster/model/model.js';
import type { Selected } from '../../cluster/select-members.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';
import { isRefusal, saysNo } from '../kit/after-answer.js';
import { readClusters } from '../../observe/read-keys.js';
import { answerWords, askMember } from '../kit/member-request.js';
import type { Tell } from '../kit/report.js';
import type { MemberOutcome } from '../kit/results.js';
import { until } from '../kit/until.js';

/** Patroni keeps the schedule in memory and in its member key, and has written both before it answers. */
const SEEN_WITHIN_MS = 5000;
const LOOK_MS = 300;

/** null: nothing is scheduled; undefined: unknown to the member and the DCS. */
type Scheduled = JsonObject | null | undefined;

/** Withdraws what is scheduled on one member; tells patronictl's line of `flush`. */
export async function flushRestart(
  context: Context,
  scope: string,
  member: Member,
  tell: Tell,
): Promise<MemberOutcome> {
  const { judged, wasGone } = await withdraw(context, scope, member, tell);
  if (wasGone) {
    tell({ kind: 'line', text: `No scheduled restart for member ${member.name}` });
    return { ...judged, changed: false };
  }
  if (judged.ending === 'ok') {
    tell({ kind: 'line', text: `Success: flush scheduled restart for member ${member.name}` });
  } else sayNotFlushed(tell, member, judged);
  return judged;
}

/** The same before another restart is scheduled; as patronictl, only a failure is told. */
export async function replaceRestart(
  context: Context,
  scope: string,
  member: Member,
  tell: Tell,
): Promise<void> {
  const { judged } = await withdraw(context, scope, member, tell);
  if (judged.ending !== 'ok') sayNotFlushed(tell, member, judged);
}

function sayNotFlushed(tell: Tell, { name }: Member, { said }: MemberOutcome): void {
  tell({ kind: 'line', text: `Failed: flush scheduled restart for member ${name}, ${said}` });
}

async function withdraw(
  context: Context,
  scope: string,
  member: Member,
  tell: Tell,
): Promise<{ judged: MemberOutcome; wasGone: boolean }> {
  const { timeoutMs } = context.flags;
  const request = { method: 'DELETE', path: '/restart', body: null, timeoutMs, tell } as const;
  const { outcome } = await askMember(context, scope, member, request);
  const seen = await seenAs(context, { scope, member, tell }, outcome, (now) => now === null);
  const wasGone = outcome.kind === 'answered' && outcome.answer.status === 404 && seen === 'yes';
  return { judged: judge(member.name, outcome, seen, 'its restart is still scheduled'), wasGone };
}

/** What became of POST /restart with a schedule. */
export async function seeScheduled(
  context: Context,
  { cluster, member }: Selected,
  outcome: CallOutcome,
  { schedule, tell }: { schedule: string; tell: Tell },
): Promise<MemberOutcome> {
  const atMs = Date.parse(schedule);
  const isIt = (now: JsonObject | null) =>
    typeof now?.['schedule'] === 'string' && Math.abs(Date.parse(now['schedule']) - atMs) < 1000;
  const seen = await seenAs(context, { scope: cluster.scope, member, tell }, outcome, isIt);
  return judge(member.name, outcome, seen, 'it has no such restart scheduled');
}

/** not looked: the answer decides alone. */
type Seen = 'yes' | 'no' | 'unknown' | 'not looked';

async function seenAs(
  context: Context,
  { scope, member, tell }: { scope: string; member: Member; tell: Tell },
  outcome: CallOutcome,
  isIt: (now: JsonObject | null) => boolean,
): Promise<Seen> {
  if (outcome.kind === 'not_sent') return 'not looked';
  const status = outcome.kind === 'answered' ? outcome.answer.status : null;
  // Another restart is scheduled (409), or none is (404): the second may be the requested state.
  if (status === 409 || (status !== null && status !== 404 && isRefusal(status)))
    return 'not looked';
  const limit = {
    atMs: context.clock.nowMs() + SEEN_WITHIN_MS,
    everyMs: LOOK_MS,
    goesOn: `the request had been sent to ${member.name}`,
    awaits: () => `${member.name} to report what it has scheduled`,
    tell,
  };
  let last: Seen = 'unknown';
  await until(context, limit, async () => {
    const now = await scheduledOn(context, scope, member);
    if (now !== undefined) last = isIt(now) ? 'yes' : 'no';
    return last === 'yes' || (last === 'no' && status === 404) ? last : null;
  });
  return last;
}

/** The member's own word; where it does not answer, its key. */
async function scheduledOn(context: Context, scope: string, member: Member): Promise<Scheduled> {
  const { apiUrl, name } = member;
  const patroni = await context.patroni();
  const target = { apiUrl: apiUrl ?? '', name, scope };
  const now = await patroni.status(target, context.flags.timeoutMs);
  if (now.ok) return now.value.scheduledRestart;
  const clusters = await readClusters(context, scope, null).catch(() => []);
  return clusters.flatMap(({ members }) => members).find((one) => one.name === name)
    ?.scheduledRestart;
}

function judge(member: string, outcome: CallOutcome, seen: Seen, still: string): MemberOutcome {
  const answered = answerWords(outcome);
  const as = (ending: MemberOutcome['ending'], found: string | null): MemberOutcome => ({
    member,
    ending,
    said: found === null || ending === 'ok' ? answered : `${answered}; ${found}`,
    evidence: [answered, ...(found === null ? [] : [found])].map((said) => {
      return { witness: 'REST', subject: member, said };
    }),
  });
  if (outcome.kind === 'not_sent') return as('unreachable', null);
  if (seen === 'yes') return as('ok', 'the member itself reports it');
  if (seen === 'not looked') return as('error', null);
  if (seen === 'unknown') return as('unconfirmed', 'it does not report what is scheduled');
  return as(saysNo(outcome) ? 'error' : 'unconfirmed', still);
}

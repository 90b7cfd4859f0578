/** The one request of a change: over Patroni's REST API, or, when asked for, into the DCS. */
import type { Cluster, JsonObject, Member } from '../../cluster/model/model.js';
import type { Answer } from '../../cluster/progress/change-outcome.js';
import type { Plan } from '../../cluster/preflight/plan-model.js';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { RestAnswer } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';
import { planArgument } from './advice.js';

/** The answer and the member that gave it; the path of a request that was really sent. */
export interface Sent {
  /** A member's name, or `DCS`. */
  to: string;
  /** Null: what became of it was seen, or the time was over, before the answer came. */
  answer: Answer | null;
}

/** Called right before the request is sent, with the member it goes to; with null if it certainly did not arrive. */
export type Asking = (to: string | null) => void;

const UNHEARD: Asking = () => undefined;

/** The body of the POST, key by key as patronictl sends it: a candidate that is Patroni's choice is null. */
export function requestBody(plan: Plan): JsonObject {
  const body: JsonObject = {};
  if (plan.kind === 'switchover' && plan.leader !== null) body['leader'] = plan.leader;
  body['candidate'] = plan.candidate;
  if (plan.scheduledAt !== null) body['scheduled_at'] = offsetForm(plan.scheduledAt);
  return body;
}

/** Patroni before 4 reads the offset, not every one reads Z. */
function offsetForm(iso: string): string {
  return iso.replace(/(\.\d+)?Z$/, '+00:00');
}

/**
 * Sends the request to the leader; a failover, which every Patroni takes, to the first member that can be
 * connected to, the leader and the candidate before the others. Sent at most once: only what surely was not
 * sent is tried at the next. ToolError `unreachable` if no member accepted a connection.
 */
export async function sendOverRest(
  context: Context,
  cluster: Cluster,
  plan: Plan,
  timeoutMs: number,
  asking: Asking = UNHEARD,
): Promise<Sent & { answer: Answer }> {
  const patroni = await context.patroni();
  const reasons: { member: string; reason: string }[] = [];
  for (const { name, apiUrl } of targets(cluster, plan)) {
    if (apiUrl === null) {
      reasons.push({ member: name, reason: 'its DCS key has no api_url' });
      continue;
    }
    // A Patroni that is frozen or gone would keep the request, or us, waiting: it is not asked at all.
    const target = { apiUrl, name, scope: cluster.scope };
    const alive = await patroni.status(target, context.flags.timeoutMs);
    if (!alive.ok && (alive.kind === 'unreachable' || alive.kind === 'misidentified')) {
      reasons.push({ member: name, reason: alive.reason });
      continue;
    }
    if (context.signal.aborted) throw notSentYet(plan);
    const body = requestBody(plan);
    asking(name);
    let outcome = await patroni.call('POST', apiUrl, `/${plan.kind}`, body, timeoutMs);
    if (outcome.kind === 'answered' && isTooOld(plan, outcome.answer)) {
      outcome = await patroni.call('POST', apiUrl, '/failover', body, timeoutMs);
    }
    if (outcome.kind === 'lost') return { to: name, answer: outcome };
    if (outcome.kind === 'answered') {
      const { status, body: text } = outcome.answer;
      return { to: name, answer: { kind: 'answered', status, text: oneLine(text).trim() } };
    }
    asking(null);
    reasons.push({ member: name, reason: outcome.reason });
  }
  throw unreachable(plan, reasons);
}

/** Patroni before 1.2 has no /switchover and says so; nothing was done. */
function isTooOld(plan: Plan, { status, body }: RestAnswer): boolean {
  return (
    plan.kind === 'switchover' &&
    status === 501 &&
    body.includes('Server does not support this operation')
  );
}

function targets(cluster: Cluster, plan: Plan): Member[] {
  const named = (name: string | null) => cluster.members.filter((one) => one.name === name);
  if (plan.kind === 'switchover' && plan.leader !== null) return named(plan.leader);
  const first = [...named(plan.leader), ...named(plan.candidate)];
  return [...first, ...cluster.members.filter((one) => !first.includes(one))];
}

export function notSentYet(plan: Plan): ToolError {
  return new ToolError('interrupted', `interrupted; the ${plan.kind} was not sent`);
}

function unreachable(plan: Plan, reasons: { member: string; reason: string }[]): ToolError {
  const { kind, leader } = plan;
  const byLeader = kind === 'switchover' && leader !== null;
  const whose = byLeader ? `${leader}'s` : "no member's";
  const what = byLeader ? 'did not answer' : 'answered';
  const onExpiry = leader === null ? '' : `, but not before the lock of ${leader} expires`;
  return new ToolError('unreachable', `${whose} REST API ${what}; nothing was sent`, {
    code: 'rest_unreachable',
    evidence: reasons.map(({ member, reason }) => ({
      witness: 'REST',
      subject: member,
      said: reason,
    })),
    hint:
      '--via dcs writes the request to the DCS instead; it is carried out only if ' +
      (byLeader
        ? `${leader}'s Patroni is alive and only unreachable from here`
        : `the candidate is alive${onExpiry}`),
  });
}

/** Writes the request to /failover, only if it is as it was read and empty. */
export async function sendOverDcs(
  context: Context,
  cluster: Cluster,
  plan: Plan,
  asking: Asking = UNHEARD,
): Promise<Sent & { answer: Answer }> {
  if (cluster.failover !== null) throw pending(plan);
  if (context.signal.aborted) throw notSentYet(plan);
  const dcs = await context.dcs();
  asking('DCS');
  try {
    const written = await dcs.writeFailover(cluster, {
      leader: plan.kind === 'switchover' ? plan.leader : null,
      candidate: plan.candidate,
      scheduledAt: plan.scheduledAt === null ? null : offsetForm(plan.scheduledAt),
    });
    if (!written.done) throw pending(plan);
  } catch (error) {
    if (!(error instanceof ToolError) || error.ending !== 'unconfirmed') throw error;
    return { to: 'DCS', answer: { kind: 'lost', reason: error.message } };
  }
  return { to: 'DCS', answer: { kind: 'answered', status: 202, text: 'written to /failover' } };
}

function pending(plan: Plan): ToolError {
  return new ToolError('error', `/failover holds another request; nothing was written`, {
    code: 'request_pending',
    hint: `check with: patctl status ${planArgument(plan)}; clear it with: patctl flush ${planArgument(plan)} switchover --stuck`,
  });
}

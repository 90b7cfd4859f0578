/** Withdraws the scheduled switchover, or clears a request that got stuck in /failover. */
import { leaderFirst } from '../../cluster/select-members.js';
import type { Cluster, FailoverKey } from '../../cluster/model/model.js';
import { argumentOf, commandLine } from '../../cluster/model/command-line.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import { needConsent, type Asker } from '../../output/ask.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import { lookForCritical } from '../kit/critical-findings.js';
import type { Context } from '../../context.js';
import { isRefusal, lookAfter, saysNo } from '../kit/after-answer.js';
import { readCluster } from '../../observe/read-keys.js';
import { answerWords, askMember, bodyText } from '../kit/member-request.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import { needRequests } from '../kit/need-requests.js';

export interface FlushSwitchoverRequest {
  readonly scope: string;
  /** Citus group; null: the coordinator's, where there is Citus. */
  readonly group: number | null;
  /** Nothing is asked. */
  readonly force: boolean;
  /** Clear a request that is not scheduled, too. */
  readonly stuck: boolean;
  readonly via: 'rest' | 'dcs';
}

/** Tells patronictl's lines; every ending but ok is thrown. */
export async function flushSwitchover(
  context: Context,
  { asker, tell }: AskAndTell,
  { scope, group, force, stuck, via }: FlushSwitchoverRequest,
): Promise<Ending> {
  if (stuck || via === 'dcs') await needRequests(context);
  // As patronictl: with Citus, and no group named, the coordinator's.
  const coordinator = (await context.config()).group === null ? null : 0;
  const cluster = await readCluster(context, scope, group ?? coordinator);
  const pending = cluster.failover;
  tell({ kind: 'changed', changed: false });
  if (pending === null) return nothingPending(tell);
  if (pending.scheduledAt === null) {
    if (stuck) return clearStuck(context, cluster, pending, { asker: force ? null : asker, tell });
    const text =
      `/failover holds a request that is not scheduled: ${words(pending)}. ` +
      'It is in progress or was left over; --stuck clears it.';
    tell({ kind: 'note', text });
    return nothingPending(tell);
  }
  if (via === 'dcs') return clearInDcs(context, cluster, tell, 'scheduled switchover deleted');
  return deleteSchedule(context, cluster, tell);
}

function nothingPending(tell: Tell): Ending {
  const said = 'no scheduled switchover is pending';
  tell({ kind: 'seen', evidence: [{ witness: 'DCS', subject: '/failover', said }] });
  tell({ kind: 'line', text: 'No pending scheduled switchover' });
  return 'ok';
}

function words({ leader, candidate, scheduledAt }: FailoverKey): string {
  const from = leader === null ? 'failover' : `switchover from ${leader}`;
  const to = candidate === null ? '' : ` to ${candidate}`;
  return `${from}${to}${scheduledAt === null ? '' : ` at ${scheduledAt}`}`;
}

/** Asks the leader, and the next member only where it surely was not sent; then the key tells, not the answer. */
async function deleteSchedule(context: Context, cluster: Cluster, tell: Tell): Promise<Ending> {
  const silent: Evidence[] = [];
  for (const member of leaderFirst(cluster)) {
    const timeoutMs = context.flags.timeoutMs;
    const whenLeft = () => tell({ kind: 'changed', changed: null });
    const target = { method: 'DELETE', path: '/switchover' } as const;
    const request = { ...target, body: null, timeoutMs, tell, whenLeft };
    const { outcome } = await askMember(context, cluster.scope, member, request);
    if (outcome.kind !== 'not_sent') {
      return deleted(context, cluster, tell, { member: member.name, outcome });
    }
    silent.push({ witness: 'REST', subject: member.name, said: answerWords(outcome) });
  }
  throw new ToolError('unreachable', `no member's REST API answered; nothing was sent`, {
    code: 'rest_unreachable',
    evidence: silent,
    hint: `to clear it in the DCS, if its revision is still the same: ${commandLine(cluster, 'flush', 'switchover', '--via', 'dcs')}`,
  });
}

/** An answer is not the key: look whether it is gone, or another one by now. */
async function deleted(
  context: Context,
  cluster: Cluster,
  tell: Tell,
  { member, outcome }: { member: string; outcome: CallOutcome },
): Promise<Ending> {
  const status = outcome.kind === 'answered' ? outcome.answer.status : null;
  const refused = status !== null && status !== 404 && isRefusal(status);
  const isWritten = (now: Cluster) => now.failoverRevision !== cluster.failoverRevision;
  const goesOn = 'the request was sent';
  const seen = refused
    ? 'not written'
    : await lookAfter(context, cluster, outcome, { isWritten, goesOn, tell });
  const said = bodyText(outcome);
  if (seen === 'written') {
    const words = status === 200 ? said : `the scheduled switchover is gone from /failover`;
    tell({ kind: 'line', text: `Success: ${words}` });
    tell({ kind: 'changed', changed: true });
    tell({
      kind: 'seen',
      evidence: [
        { witness: 'REST', subject: member, said: answerWords(outcome) },
        { witness: 'DCS', subject: '/failover', said: 'the scheduled switchover is gone' },
      ],
    });
    return 'ok';
  }
  if (status !== null && status !== 200) {
    const failed = status === 404 ? said : `member=${member}, status_code=${status}, (${said})`;
    tell({ kind: 'line', text: `Failed: ${failed}` });
  }
  const evidence: Evidence[] = [{ witness: 'REST', subject: member, said: answerWords(outcome) }];
  if (seen === 'not written') {
    evidence.push({ witness: 'DCS', subject: '/failover', said: 'the schedule has not changed' });
  }
  const hint = `check with: patctl status ${argumentOf(cluster)}`;
  if (seen === 'not written' && saysNo(outcome)) {
    const message = 'the scheduled switchover was not deleted';
    throw new ToolError('error', message, { code: 'flush_refused', evidence, hint });
  }
  tell({ kind: 'changed', changed: null });
  const state =
    seen === 'unreadable'
      ? `it is unknown whether the schedule is still in /failover`
      : `the schedule is still in /failover`;
  throw new ToolError('unconfirmed', `${state}; ${said}`, {
    code: 'flush_not_seen',
    evidence,
    hint,
  });
}

async function clearStuck(
  context: Context,
  cluster: Cluster,
  pending: FailoverKey,
  { asker, tell }: { asker: Asker | null; tell: Tell },
): Promise<Ending> {
  if (asker !== null) {
    needConsent(context, 'clearing a request', 'give --force');
    const question = `Are you sure you want to clear the request ${words(pending)} from the DCS?`;
    await lookForCritical(context, asker, cluster);
    if (!(await asker.confirm(question))) {
      throw new ToolError('error', 'Aborted flush', { code: 'declined' });
    }
  }
  return clearInDcs(context, cluster, tell, `request cleared: ${words(pending)}`);
}

/** Writes what Patroni writes when a request is over, only if it is still the one that was read. */
async function clearInDcs(
  context: Context,
  cluster: Cluster,
  tell: Tell,
  done: string,
): Promise<Ending> {
  tell({ kind: 'changed', changed: null });
  const written = await (await context.dcs()).writeFailover(cluster, null);
  tell({ kind: 'changed', changed: written.done });
  if (!written.done) {
    throw new ToolError('error', 'the request changed in the meantime; nothing was written', {
      code: 'changed_meanwhile',
      hint: `check with: patctl status ${argumentOf(cluster)}`,
    });
  }
  tell({ kind: 'line', text: `Success: ${done}` });
  tell({ kind: 'seen', evidence: [{ witness: 'DCS', subject: '/failover', said: done }] });
  return 'ok';
}

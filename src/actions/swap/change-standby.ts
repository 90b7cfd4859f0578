/** Asks the leader of one site to change standby_cluster: sent once, and what is known of it afterwards. */
import type { Cluster, JsonObject, Member } from '../../cluster/model/model.js';
import type { Context } from '../../context.js';
import { ToolError, type Evidence } from '../../errors.js';
import { isRefusal, lookAfter, saysNo } from '../kit/after-answer.js';
import type { Tell } from '../kit/report.js';
import { answerWords, askMember } from '../kit/member-request.js';

const CALL_MS = 10_000;

/** `unknown`: it was sent, and whether it was written could not be seen. */
export interface Changed {
  done: 'written' | 'not written' | 'unknown';
  evidence: Evidence[];
}

/** `standby` null: a primary cluster. */
export async function changeStandby(
  context: Context,
  cluster: Cluster,
  leader: Member,
  standby: JsonObject | null,
  tell: Tell,
): Promise<Changed> {
  let isSent = false;
  try {
    const { outcome } = await askMember(context, cluster.scope, leader, {
      method: 'PATCH',
      path: '/config',
      body: { standby_cluster: standby },
      timeoutMs: CALL_MS,
      whenLeft: () => (isSent = true),
      tell,
    });
    const evidence = [{ witness: 'REST', subject: leader.name, said: answerWords(outcome) }];
    if (outcome.kind === 'not_sent') return { done: 'not written', evidence };
    isSent = true;
    if (outcome.kind === 'answered' && isRefusal(outcome.answer.status))
      return { done: 'not written', evidence };
    const isWritten = ({ config }: Cluster) =>
      ((config?.standbyCluster ?? null) !== null) === (standby !== null);
    const seen = await lookAfter(context, cluster, outcome, {
      isWritten,
      goesOn: 'the change was sent',
      tell,
    });
    if (seen === 'written') return { done: 'written', evidence };
    const said = seen === 'unreadable' ? 'has not answered since' : 'standby_cluster is unchanged';
    evidence.push({ witness: 'DCS', subject: '/config', said });
    const isSure = seen === 'not written' && saysNo(outcome);
    return { done: isSure ? 'not written' : 'unknown', evidence };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const evidence = [{ witness: 'REST', subject: leader.name, said: error.message }];
    return { done: isSent ? 'unknown' : 'not written', evidence };
  }
}

/** Asks the leader of one site to change standby_cluster: sent once, and what is known of it afterwards. */
import type { Cluster, JsonObject, JsonValue, Member } from '../../cluster/model/model.js';
import type { Context } from '../../context.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import { isRefusal, lookAfter, saysNo } from '../kit/after-answer.js';
import type { Tell } from '../kit/report.js';
import { askMember, configAnswerWords } from '../kit/member-request.js';
import { isStandby } from './pair.js';

const CALL_MS = 10_000;

/** `unknown`: it was sent, and whether it was written could not be seen. */
export interface Changed {
  done: 'written' | 'not written' | 'unknown';
  /** How a run ends that has changed nothing else, where it was not written. */
  ending: Exclude<Ending, 'ok'>;
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
    const evidence = [{ witness: 'REST', subject: leader.name, said: configAnswerWords(outcome) }];
    if (outcome.kind === 'not_sent')
      return { done: 'not written', ending: 'unreachable', evidence };
    isSent = true;
    if (outcome.kind === 'answered' && isRefusal(outcome.answer.status))
      return { done: 'not written', ending: 'error', evidence };
    const last: { isStandby: boolean | null } = { isStandby: null };
    const isWritten = (now: Cluster): boolean => {
      last.isStandby = isStandby(now);
      return last.isStandby !== null && saysSo(now, standby);
    };
    const seen = await lookAfter(context, cluster, outcome, {
      isWritten,
      goesOn: 'the change was sent',
      tell,
    });
    if (seen === 'written') return { done: 'written', ending: 'error', evidence };
    const isRead = seen === 'not written' && last.isStandby !== null;
    const said = isRead ? 'standby_cluster is unchanged' : 'could not be read since';
    evidence.push({ witness: 'DCS', subject: '/config', said });
    const isSure = isRead && saysNo(outcome);
    return { done: isSure ? 'not written' : 'unknown', ending: 'error', evidence };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const evidence = [{ witness: 'REST', subject: leader.name, said: error.message }];
    return { done: isSent ? 'unknown' : 'not written', ending: error.ending, evidence };
  }
}

/** It may have been a standby cluster of another server before. */
function saysSo({ config }: Cluster, wanted: JsonObject | null): boolean {
  const now = config?.standbyCluster ?? null;
  if (wanted === null || now === null) return wanted === now;
  return Object.entries(wanted).every(([key, value]) => textOf(now[key]) === textOf(value));
}

/** Patroni leaves a port that was written as text. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

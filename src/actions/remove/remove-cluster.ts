/** Removes a cluster's keys from the DCS, after patronictl's questions. */
import { loopWaitMs } from '../../cluster/model/loop-times.js';
import type { Cluster, Member } from '../../cluster/model/model.js';
import { ToolError, type Ending } from '../../errors.js';
import { groupWanted } from '../../observe/read-keys.js';
import { unknownCluster } from '../../observe/unknown-cluster.js';
import { needConsent, type Asker } from '../../output/ask.js';
import { lookForCritical } from '../kit/critical-findings.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import type { Context } from '../../context.js';

export interface RemoveRequest {
  readonly scope: string;
  /** Citus group; null: none is named. */
  readonly group: number | null;
  /** Answers to the three questions; null, or false: it is asked. */
  readonly confirmName: string | null;
  readonly isAware: boolean;
  readonly confirmLeader: string | null;
}

const AWARE = 'Yes I am aware';
/** Members that live write their keys again in their next loop. */
const COMES_BACK_MS = 1000;

/** Shows the members and tells what was removed; every ending but ok is thrown. */
export async function removeCluster(
  context: Context,
  { asker, tell, show }: AskAndTell,
  request: RemoveRequest,
): Promise<Ending> {
  const { scope, group } = request;
  const { group: configured } = await context.config();
  const dcs = await context.dcs();
  const removal = await dcs.removal({ scope, group });
  const { clusters, cluster, foreign } = removal;
  if (clusters.length === 0) throw await unknownCluster(context, scope, group);
  const grouped = clusters.some((one) => one.group !== null);
  if (group === null && (configured !== null || grouped)) throw groupWanted(clusters);
  await show({ kind: 'members', scope, clusters: [cluster], group });

  needAnswers(context, cluster, request);
  if (isAsked(cluster, request)) await lookForCritical(context, asker, cluster);
  await askAll(asker, cluster, request);

  const keys = await removal.run((text) => tell({ kind: 'note', text }));
  if (foreign.length > 0) {
    const text = `kept, because they are not Patroni's keys: ${foreign.join(', ')}`;
    tell({ kind: 'note', text });
  }
  tell({ kind: 'removed', scope, keys });
  await sayWhoLives(context, cluster, tell);
  return 'ok';
}

/** Not every question has been answered by an option. */
function isAsked({ leaderName }: Cluster, { confirmName, isAware, confirmLeader }: RemoveRequest) {
  return confirmName === null || !isAware || (leaderName !== null && confirmLeader === null);
}

/** Without a terminal nothing is asked: the error names the options that answer the questions. */
function needAnswers(context: Context, { leaderName }: Cluster, request: RemoveRequest): void {
  const missing = [
    ...(request.confirmName === null ? ['--confirm-name CLUSTER'] : []),
    ...(request.isAware ? [] : ['--yes']),
    ...(leaderName !== null && request.confirmLeader === null ? ['--confirm-leader MEMBER'] : []),
  ];
  if (missing.length === 0) return;
  needConsent(context, 'remove', `give ${missing.join(' ')}`);
}

/** patronictl's three questions; each has an option that answers it. */
async function askAll(asker: Asker, cluster: Cluster, request: RemoveRequest): Promise<void> {
  const { scope, leaderName } = cluster;
  const name =
    request.confirmName ?? (await asker.text('Please confirm the cluster name to remove', null));
  if (name !== scope) throw refused('Cluster names specified do not match');
  if (!request.isAware) {
    const question = `You are about to remove all information in DCS for ${scope}, please type: "${AWARE}"`;
    const typed = await asker.text(question, null);
    if (typed !== AWARE) throw refused(`You did not exactly type "${AWARE}"`);
  }
  if (leaderName === null) return;
  const leader =
    request.confirmLeader ??
    (await asker.text(
      'This cluster currently is healthy. Please specify the leader name to continue',
      null,
    ));
  if (leader === leaderName) return;
  throw refused('You did not specify the current leader of the cluster');
}

function refused(message: string): ToolError {
  return new ToolError('error', message, { code: 'declined', hint: 'nothing was removed' });
}

/** A running Patroni writes the keys again: this is not a failure, but is reported. */
async function sayWhoLives(context: Context, cluster: Cluster, tell: Tell): Promise<void> {
  if (context.flags.compat || cluster.leaderName === null) return;
  const loopMs = loopWaitMs(cluster);
  await context.clock.wait(Math.min(loopMs, 10_000) + COMES_BACK_MS, context.signal);
  const back = await membersNow(context, cluster, tell);
  if (back === null) return;
  if (back.length === 0) return;
  const names = back.map(({ name }) => name).join(', ');
  const [runs, its] = back.length === 1 ? ['runs and has', 'its'] : ['run and have', 'their'];
  const text = `warning: ${names} still ${runs} written ${its} keys again: stop Patroni first`;
  tell({ kind: 'note', text });
}

/** It is removed, whether or not it can be looked at afterwards: null, and said. */
async function membersNow(
  context: Context,
  { scope, group }: Cluster,
  tell: Tell,
): Promise<Member[] | null> {
  try {
    return (await (await context.dcs()).follow({ scope, group })).cluster.members;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const what = 'could not check whether members still run and write their keys again';
    tell({ kind: 'note', text: `warning: ${what}: ${error.message}` });
    return null;
  }
}

/** Reloads members: one request to each, then watched until each has completed a whole loop. */
import { loopTimes, loopWaitMs } from '../../cluster/model/loop-times.js';
import type { RoleFilter, Selected } from '../../cluster/select-members.js';
import type { RestStatus } from '../../cluster/model/model.js';
import type { Ending } from '../../errors.js';
import { chooseMembers, confirmAction, type MembersMeant } from '../kit/choose-members.js';
import { isRefusal } from '../kit/after-answer.js';
import {
  answerWords,
  askMember,
  foreignAnswer,
  isForeign,
  leftUnanswered,
} from '../kit/member-request.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import { conclude, type MemberOutcome } from '../kit/results.js';
import { until } from '../kit/until.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';

export interface ReloadRequest extends MembersMeant {
  readonly role: RoleFilter;
  readonly wait: boolean;
  /** Limit of `wait`, ms; null: three loops and 5 s. */
  readonly deadlineMs: number | null;
}

const LOOK_MS = 500;
const SPARE_MS = 5000;

/** Tells patronictl's line for each member; every ending but ok is thrown. */
export async function reloadMembers(
  context: Context,
  asking: AskAndTell,
  request: ReloadRequest,
): Promise<Ending> {
  const { asker, tell } = asking;
  const { members } = await chooseMembers(context, asking, { ...request, action: 'reload' });
  tell({ kind: 'chosen', members });
  await confirmAction(asker, 'reload', members, request.force);
  const outcomes: MemberOutcome[] = [];
  for (const one of members) {
    const outcome = await reloadOne(context, one, tell);
    outcomes.push(outcome);
    tell({ kind: 'member', group: one.cluster.group, outcome });
  }
  if (!request.wait) return conclude('reload', outcomes);
  const seen = members.map(async (one, at): Promise<MemberOutcome> => {
    const sent = outcomes[at] ?? { member: one.member.name, ending: 'failed', said: '' };
    if (sent.ending !== 'ok') return sent;
    const looped = await hasLooped(context, one, request, { sent, tell });
    tell({ kind: 'member', group: one.cluster.group, outcome: looped });
    return looped;
  });
  return conclude('reload', await Promise.all(seen));
}

async function reloadOne(
  context: Context,
  { cluster, member }: Selected,
  tell: Tell,
): Promise<MemberOutcome> {
  const { name } = member;
  const asked = await askMember(context, cluster.scope, member, {
    method: 'POST',
    path: '/reload',
    body: null,
    timeoutMs: context.flags.timeoutMs,
    tell,
    whenLeft: () => tell(leftUnanswered({ cluster, member })),
  });
  const { outcome } = asked;
  if (isForeign(asked, 'reload scheduled')) {
    const found = foreignAnswer(name, outcome);
    tell({ kind: 'line', text: `Unconfirmed: reload for member ${name}, ${found.said}` });
    return found;
  }
  const { loopWaitSeconds: loopWait } = loopTimes(cluster.config);
  const status = outcome.kind === 'answered' ? outcome.answer.status : null;
  if (status === 200) tell({ kind: 'line', text: `No changes to apply on member ${name}` });
  else if (status === 202) {
    tell({
      kind: 'line',
      text: `Reload request received for member ${name} and will be processed within ${loopWait} seconds`,
    });
  } else tell({ kind: 'line', text: `Failed: reload for member ${name}, ${answerWords(outcome)}` });
  return judge(name, outcome);
}

function judge(member: string, outcome: CallOutcome): MemberOutcome {
  const said = answerWords(outcome);
  const evidence = [{ witness: 'REST', subject: member, said }];
  const as = (ending: Ending): MemberOutcome => ({ member, ending, said, evidence });
  if (outcome.kind === 'not_sent') return as('unreachable');
  if (outcome.kind === 'lost') return as('unconfirmed');
  const { status } = outcome.answer;
  // Patroni read its file again, and there was nothing new in it.
  if (status === 200) return { ...as('ok'), changed: false };
  if (status === 202) return as('ok');
  return as(isRefusal(status) ? 'error' : 'unconfirmed');
}

/**
 * Patroni reloads at the beginning of a loop and says in `dcs_last_seen` when the last one was. The loop
 * at the time of the answer may have begun before: with the second one more the reload is behind it.
 */
async function hasLooped(
  context: Context,
  { cluster, member }: Selected,
  { deadlineMs }: ReloadRequest,
  { sent, tell }: { sent: MemberOutcome; tell: Tell },
): Promise<MemberOutcome> {
  const { apiUrl, name } = member;
  const loopMs = loopWaitMs(cluster);
  const patroni = await context.patroni();
  const target = { apiUrl: apiUrl ?? '', name, scope: cluster.scope };
  const atMs = context.clock.nowMs() + (deadlineMs ?? 3 * loopMs + SPARE_MS);
  const loops = new Set<number>();
  let missing = 'was not seen';
  const goesOn = 'the reload was requested';
  const awaits = () => `${name}, which ${missing}`;
  const limit = { atMs, everyMs: LOOK_MS, goesOn, awaits, tell };
  const done = await until(context, limit, async () => {
    const now = await patroni.status(target, context.flags.timeoutMs);
    if (!now.ok) {
      missing = `does not answer: ${now.reason}`;
      return null;
    }
    if (now.value.dcsLastSeen !== null) loops.add(now.value.dcsLastSeen);
    if (loops.size < 3) missing = 'has not completed its loop';
    else if (!runs(now.value)) missing = `is ${now.value.replicationState ?? now.value.state}`;
    else return now.value;
    return null;
  });
  const seen = done === null ? missing : `has completed ${loops.size - 1} loops since, and runs`;
  const evidence = [...(sent.evidence ?? []), { witness: 'REST', subject: name, said: seen }];
  if (done === null) return { ...sent, ending: 'unconfirmed', said: missing, evidence };
  if (done.pendingRestart) {
    const names = Object.keys(done.pendingRestartReason ?? {}).join(', ');
    const text = `${name} has a restart pending${names === '' ? '' : ` for ${names}`}`;
    tell({ kind: 'note', text });
  }
  return { ...sent, ending: 'ok', said: 'reloaded', evidence };
}

function runs(now: RestStatus): boolean {
  if (now.state !== 'running' && now.state !== 'streaming') return false;
  return now.location !== null || now.replicationState !== null || now.role !== 'replica';
}

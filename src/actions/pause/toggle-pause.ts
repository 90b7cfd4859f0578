/** Sets or clears pause: asks one member once, and sees in the DCS and in every member key that it is taken. */
import { loopTimes, loopWaitMs } from '../../cluster/model/loop-times.js';
import { leaderFirst } from '../../cluster/select-members.js';
import type { Cluster } from '../../cluster/model/model.js';
import { argumentOf } from '../../cluster/model/command-line.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import { readCluster, clusterNow } from '../../observe/read-keys.js';
import { isRefusal, lookAfter, saysNo } from '../kit/after-answer.js';
import { answerWords, configAnswerWords, askMember, bodyText } from '../kit/member-request.js';
import type { Tell } from '../kit/report.js';
import { until } from '../kit/until.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';

export interface PauseRequest {
  readonly scope: string;
  readonly group: number | null;
  /** False: resume. */
  readonly paused: boolean;
  /** Until every member acknowledges it. */
  readonly wait: boolean;
  /** Do not wait for members whose REST API does not answer. */
  readonly onlyLive?: boolean;
  /** Already so is a success. */
  readonly idempotent: boolean;
  /** Limit of `wait`, ms; null: two loops and 5 s. */
  readonly deadlineMs: number | null;
}

/** Two loops for every member to read it, and some time to write the member key. */
const ACKNOWLEDGE_LOOPS = 2;
const SPARE_MS = 5000;
const LOOK_MS = 300;

/** Tells patronictl's lines; every ending but ok is thrown. */
export async function togglePause(
  context: Context,
  tell: Tell,
  asked: PauseRequest,
): Promise<Ending> {
  const { scope, group, paused } = asked;
  tell({ kind: 'cluster', scope });
  tell({ kind: 'changed', changed: false });
  const cluster = await readCluster(context, scope, group);
  const atMs = context.clock.nowMs() + limitMs(cluster, asked);
  const waits: Wait = { cluster, paused, onlyLive: asked.onlyLive ?? false, atMs, tell };
  if (isPaused(cluster) === paused) {
    const already = `Cluster is ${paused ? 'already' : 'not'} paused`;
    const said = `pause is ${paused}`;
    tell({
      kind: 'seen',
      evidence: [{ witness: 'DCS', subject: '/config', said: `${said}, unchanged` }],
    });
    if (!asked.idempotent) throw new ToolError('error', already, { code: 'already_so' });
    tell({ kind: 'line', text: already });
    if (asked.wait) await acknowledged(context, waits, false);
    return 'ok';
  }
  await request(context, waits);
  if (asked.wait) {
    const verb = paused ? 'pause' : 'resume';
    tell({
      kind: 'line',
      text: `'${verb}' request sent, waiting until it is recognized by all nodes`,
    });
    await acknowledged(context, waits, true);
  }
  tell({ kind: 'line', text: `Success: cluster management is ${paused ? 'paused' : 'resumed'}` });
  return 'ok';
}

interface Wait {
  cluster: Cluster;
  paused: boolean;
  onlyLive: boolean;
  atMs: number;
  tell: Tell;
}

function limitMs(cluster: Cluster, { deadlineMs }: PauseRequest): number {
  const loops = ACKNOWLEDGE_LOOPS * loopWaitMs(cluster);
  return deadlineMs ?? loops + SPARE_MS;
}

/** Asks the leader, and the next member only when it surely was not sent. Returns once it is seen in the DCS. */
async function request(context: Context, wait: Wait): Promise<void> {
  const { cluster, paused } = wait;
  const verb = paused ? 'pause' : 'resume';
  const silent: { member: string; reason: string }[] = [];
  for (const member of leaderFirst(cluster)) {
    const { outcome } = await askMember(context, cluster.scope, member, {
      method: 'PATCH',
      path: '/config',
      body: { pause: paused || null },
      timeoutMs: Math.max(context.flags.timeoutMs, SPARE_MS),
      tell: wait.tell,
      whenLeft: () => wait.tell({ kind: 'changed', changed: null }),
    });
    if (outcome.kind !== 'not_sent') wait.tell({ kind: 'changed', changed: null });
    if (outcome.kind === 'not_sent') {
      silent.push({ member: member.name, reason: outcome.reason });
      const why = bodyText(outcome);
      wait.tell({ kind: 'note', text: `Member ${member.name} is not accessible: ${why}` });
      continue;
    }
    return await answered(context, wait, verb, member.name, outcome);
  }
  throw new ToolError('unreachable', 'Can not find accessible cluster member', {
    code: 'no_member_answers',
    hint: `no member's REST API answered; the ${verb} was not sent`,
    evidence: silent.map(({ member, reason }) => ({
      witness: 'REST',
      subject: member,
      said: reason,
    })),
  });
}

const CONFLICT_HINT =
  'Patroni could not write it: another client wrote at the same moment, or its etcd is slow. Try again.';

/** A refusal says that nothing was written; after anything else, a plain 200 too, the DCS tells. */
async function answered(
  context: Context,
  { cluster, paused, tell }: Wait,
  verb: string,
  member: string,
  outcome: CallOutcome,
): Promise<void> {
  const refused = outcome.kind === 'answered' && isRefusal(outcome.answer.status);
  const isWritten = (now: Cluster) => isPaused(now) === paused;
  const goesOn = 'the request was sent and may take effect';
  const seen = refused
    ? 'not written'
    : await lookAfter(context, cluster, outcome, { isWritten, goesOn, tell });
  const words = configAnswerWords(outcome);
  if (seen === 'written') {
    tell({ kind: 'changed', changed: true });
    tell({
      kind: 'seen',
      evidence: [
        { witness: 'REST', subject: member, said: statusWords(outcome) },
        { witness: 'DCS', subject: '/config', said: `pause is ${paused}` },
      ],
    });
    return;
  }
  if (outcome.kind === 'answered')
    tell({ kind: 'line', text: `Failed: ${verb} cluster management ${words}` });
  const evidence = [{ witness: 'REST', subject: member, said: words }];
  if (seen === 'not written' && saysNo(outcome)) {
    tell({ kind: 'changed', changed: false });
    const isConflict = outcome.kind === 'answered' && outcome.answer.status === 409;
    throw new ToolError('error', `${member} refused to ${verb}: ${words}`, {
      code: `${verb}_refused`,
      evidence: refused ? evidence : [...evidence, notInDcs(cluster)],
      ...(isConflict ? { hint: CONFLICT_HINT } : {}),
    });
  }
  const state = seen === 'unreadable' ? 'the DCS has not answered since' : 'it is not in the DCS';
  throw new ToolError('unconfirmed', `the ${verb} was sent to ${member}, but ${state}`, {
    code: `${verb}_unconfirmed`,
    evidence,
    hint: `check before you try again: patctl show-config ${argumentOf(cluster)}`,
  });
}

/** The body of a success is the whole configuration, which may hold a secret. */
function statusWords(outcome: CallOutcome): string {
  return outcome.kind === 'answered'
    ? `status code=${outcome.answer.status}`
    : answerWords(outcome);
}

function isPaused({ config }: Cluster): boolean {
  return config?.pause ?? false;
}

function notInDcs(cluster: Cluster): Evidence {
  return { witness: 'DCS', subject: '/config', said: `pause is ${isPaused(cluster)}, unchanged` };
}

/** Members that have not said so yet: in their keys, or where those are not read (--rest), themselves. */
async function unacknowledged(
  context: Context,
  { scope, members, memberAnswers }: Cluster,
  { paused, onlyLive }: Pick<Wait, 'paused' | 'onlyLive'>,
): Promise<string[]> {
  const patroni = await context.patroni();
  const isOpen = await Promise.all(
    members.map(async ({ name, apiUrl, pause }) => {
      if (apiUrl === null) return false;
      if (!memberAnswers && (pause === paused || !onlyLive)) return pause !== paused;
      const said = await patroni.status({ apiUrl, name, scope }, context.flags.timeoutMs);
      if (!said.ok) return !onlyLive;
      return !memberAnswers || said.value.pause !== paused;
    }),
  );
  return members.filter((_, at) => isOpen[at]).map(({ name }) => name);
}

/**
 * Returns when every member that has a key says so in it; ToolError `unconfirmed` names the others.
 * `changed`: it was not so before.
 */
async function acknowledged(context: Context, wait: Wait, changed: boolean): Promise<void> {
  const { cluster, paused, atMs, tell } = wait;
  const what = paused ? 'pause' : 'resume';
  let missing: string[] = [];
  const goesOn = `the ${what} is in the DCS`;
  const awaits = async () => {
    if (missing.length === 0) return 'a DCS that answers';
    const said = await silence(context, cluster, missing);
    const words = said.map(({ witness, subject, said }) => `${subject}: ${witness} ${said}`);
    return `${missing.join(', ')} to acknowledge the ${what} (${words.join('; ')})`;
  };
  const limit = { atMs, everyMs: LOOK_MS, goesOn, awaits, tell };
  const done = await until(context, limit, async () => {
    const now = await clusterNow(context, cluster);
    if (now === null) return null;
    if (isPaused(now) !== paused) throw takenBack(now, what);
    missing = await unacknowledged(context, now, wait);
    tellAcknowledged(now, wait, missing, changed);
    return missing.length === 0 ? true : null;
  });
  if (done) return;
  if (missing.length === 0) {
    throw new ToolError('unconfirmed', 'the DCS could not be read until the deadline', {
      code: 'not_acknowledged',
      hint: `check with: patctl list ${argumentOf(cluster)}`,
    });
  }
  const names = missing.join(', ');
  const waited = loopTimes(cluster.config).loopWaitSeconds;
  if (context.flags.compat) {
    tell({
      kind: 'line',
      text: `${names} members didn't recognized pause state after ${waited} seconds`,
    });
  }
  throw new ToolError('unconfirmed', `not acknowledged by ${names}`, {
    code: 'not_acknowledged',
    hint: `the ${what} is in the DCS; a member acknowledges it in its Patroni's next loop`,
    evidence: await silence(context, cluster, missing),
  });
}

/** Each member, with what its key says; where keys are not read, what itself says. */
function tellAcknowledged(
  { group, members, memberAnswers }: Cluster,
  { paused, tell }: Wait,
  missing: readonly string[],
  changed: boolean,
): void {
  tell({ kind: 'chosen', members: [] });
  for (const { name, apiUrl } of members) {
    const isOpen = missing.includes(name);
    const so = paused ? 'paused' : 'not paused';
    const said =
      apiUrl === null
        ? 'has no api_url and cannot acknowledge it'
        : `${isOpen ? 'does not report yet that it is' : 'reports that it is'} ${so}`;
    const where = memberAnswers
      ? { witness: 'REST', subject: name }
      : { witness: 'DCS', subject: `/members/${name}` };
    const evidence = [{ ...where, said }];
    tell({
      kind: 'member',
      group,
      outcome: {
        member: name,
        ending: isOpen ? 'unconfirmed' : 'ok',
        said,
        changed: isOpen ? null : changed,
        evidence,
      },
    });
  }
}

/** Seen in the DCS, and gone again while it was waited for. */
function takenBack(now: Cluster, what: string): ToolError {
  const said = `pause is ${isPaused(now)}`;
  return new ToolError('failed', `the ${what} was in the DCS, but was reverted in the meantime`, {
    code: 'taken_back',
    evidence: [{ witness: 'DCS', subject: '/config', said }],
    hint: `find out what else changes the configuration; check with: patctl show-config ${argumentOf(now)}`,
  });
}

/** What the missing members report. */
async function silence(context: Context, cluster: Cluster, names: readonly string[]) {
  const patroni = await context.patroni();
  const { scope } = cluster;
  return Promise.all(
    names.map(async (name) => {
      const apiUrl = cluster.members.find((member) => member.name === name)?.apiUrl ?? '';
      const reading = await patroni.status({ apiUrl, name, scope }, context.flags.timeoutMs);
      const said = reading.ok
        ? `answers, and is ${reading.value.pause ? 'paused' : 'not paused'}`
        : reading.reason;
      return { witness: 'REST', subject: name, said };
    }),
  );
}

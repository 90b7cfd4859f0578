/**
 * demote-cluster and promote-cluster: one change of standby_cluster, followed until the cluster is what was asked for.
 */
import { argumentOf, commandLine } from '../../cluster/model/command-line.js';
import { readTags } from '../../cluster/model/tags.js';
import type { Cluster, JsonObject, Member } from '../../cluster/model/model.js';
import { ToolError, type Ending } from '../../errors.js';
import { lookForCritical } from '../kit/critical-findings.js';
import { timestampText } from '../../output/compat.js';
import type { CallOutcome } from '../../patroni/patroni.js';
import type { Context } from '../../context.js';
import { readCluster, readClusters, clusterNow } from '../../observe/read-keys.js';
import { isRefusal, lookAfter, saysNo } from '../kit/after-answer.js';
import { configAnswerWords, askMember } from '../kit/member-request.js';
import {
  checkSource,
  lookAtStreams,
  sourceOf,
  streamingNow,
  type Lacking,
  type WantedStreams,
} from './streams.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import { until } from '../kit/until.js';

export interface RoleChange {
  scope: string;
  /** Citus group; null: that of the configuration. */
  group: number | null;
  /** What standby_cluster becomes; null: a primary cluster. */
  standby: JsonObject | null;
  force: boolean;
  limitMs: number;
}

const LOOK_MS = 1000;
const CALL_MS = 10_000;

/** Does it and says how it ended; every ending but ok is thrown. */
export async function changeClusterRole(
  context: Context,
  { asker, tell, show }: AskAndTell,
  change: RoleChange,
): Promise<Ending> {
  const { scope, standby, force } = change;
  const verb = standby === null ? 'promot' : 'demot';
  const { group: configured } = await context.config();
  // patronictl changes the coordinator of a Citus cluster, wherever it runs, and shows all groups.
  const ofFile = configured !== null && context.flags.compat ? 0 : configured;
  const group = change.group ?? ofFile;
  const cluster = await readCluster(context, scope, group);
  const leader = leaderOf(cluster, verb);
  if (isAlready(context, cluster, leader, change)) {
    throw new ToolError('error', 'Cluster is already in the required state', {
      code: 'already_so',
    });
  }
  if (cluster.config?.pause) {
    // A paused primary continues unchanged, and a paused standby leader releases its lock.
    throw new ToolError('error', `the cluster is paused: Patroni would not ${verb}e it`, {
      code: 'paused',
      hint: `nothing was sent; end the pause first: ${commandLine(cluster, 'resume')}`,
    });
  }
  const source = standby === null ? null : sourceOf(standby);
  if (source) await checkSource(context, cluster, source, tell);
  const showTopology = async (now: Cluster, headline: string): Promise<void> => {
    const clusters =
      group === null || change.group !== null ? [now] : await readClusters(context, scope, null);
    tell({ kind: 'line', text: headline });
    await show({ kind: 'members', scope, clusters, group: null });
  };
  await showTopology(cluster, 'Current cluster topology');
  if (!force) await lookForCritical(context, asker, cluster);
  if (!force && !(await asker.confirm(`Are you sure you want to ${verb}e ${scope} cluster?`))) {
    throw new ToolError('error', `Aborted cluster ${verb}ion`, { code: 'declined' });
  }
  const atMs = context.clock.nowMs() + change.limitMs;
  const streamed = await streamingNow(context, cluster);
  const underway = { change, leader, atMs, tell };
  await send(context, cluster, underway);
  const now = await reached(context, cluster, underway);
  await settled(context, now, underway, streamed);
  const then = (await clusterNow(context, now)) ?? now;
  await showTopology(then, `${stamp(context)} cluster is successfully ${verb}ed`);
  return 'ok';
}

/** The member's key shows its old role for up to loop_wait after a change; patronictl goes by the key alone. */
function isAlready(
  { flags }: Context,
  { config }: Cluster,
  leader: Member,
  change: RoleChange,
): boolean {
  if (leader.role !== targetRole(change)) return false;
  if (flags.compat || config === null || config.unreadable) return true;
  return (config.standbyCluster !== null) === (change.standby !== null);
}

function targetRole({ standby }: RoleChange): string {
  return standby === null ? 'primary' : 'standby_leader';
}

function leaderOf(cluster: Cluster, verb: string): Member {
  const leader = cluster.members.find(({ name }) => name === cluster.leaderName);
  if (leader) return leader;
  throw new ToolError('error', `Cluster has no leader, ${verb}ion is not possible`, {
    code: 'no_leader',
  });
}

function stamp(context: Context): string {
  return timestampText(new Date(context.clock.nowMs()));
}

// ---------------------------------------------------------------- the request

interface Underway {
  readonly change: RoleChange;
  /** The leader before it. */
  readonly leader: Member;
  /** Limit of the whole wait. */
  readonly atMs: number;
  readonly tell: Tell;
}

async function send(
  context: Context,
  cluster: Cluster,
  { change, leader, tell }: Underway,
): Promise<void> {
  const verb = change.standby === null ? 'promote' : 'demote';
  const { outcome } = await askMember(context, cluster.scope, leader, {
    method: 'PATCH',
    path: '/config',
    body: { standby_cluster: change.standby },
    timeoutMs: CALL_MS,
    tell,
  });
  const words = `Failed to ${verb} ${change.scope} cluster: ${patchWords(outcome)}`;
  const evidence = [{ witness: 'REST', subject: leader.name, said: configAnswerWords(outcome) }];
  if (outcome.kind === 'not_sent') throw new ToolError('unreachable', words, { evidence });
  if (outcome.kind === 'answered' && isRefusal(outcome.answer.status)) {
    throw new ToolError('error', words, { evidence });
  }
  const isWritten = ({ config }: Cluster) =>
    ((config?.standbyCluster ?? null) !== null) === (change.standby !== null);
  const goesOn = 'the change was sent';
  const seen = await lookAfter(context, cluster, outcome, { isWritten, goesOn, tell });
  if (seen === 'written') return;
  const said = seen === 'unreadable' ? 'has not answered since' : 'standby_cluster is unchanged';
  evidence.push({ witness: 'DCS', subject: '/config', said });
  const ending = seen === 'not written' && saysNo(outcome) ? 'error' : 'unconfirmed';
  const hint = `check before you try again: patctl show-config ${argumentOf(cluster)}`;
  throw new ToolError(ending, words, { evidence, ...(ending === 'error' ? {} : { hint }) });
}

function patchWords(outcome: CallOutcome): string {
  return outcome.kind === 'answered'
    ? `/config PATCH ${configAnswerWords(outcome)}`
    : configAnswerWords(outcome);
}

// ---------------------------------------------------------------- what patronictl waits for

/** The cluster once it has a leader in the wanted role. */
async function reached(
  context: Context,
  before: Cluster,
  { change, leader: oldLeader, atMs, tell }: Underway,
): Promise<Cluster> {
  let told = '';
  let last = 'the DCS could not be read';
  const goesOn = 'the change is in the DCS';
  const awaits = () => `a ${targetRole(change).replace('_', ' ')} that runs (${last})`;
  const now = await until(context, { atMs, everyMs: LOOK_MS, goesOn, awaits, tell }, async () => {
    const cluster = await clusterNow(context, before);
    if (cluster === null) return null;
    if (isReached(cluster, oldLeader.name, change)) return cluster;
    last = stateWords(cluster, oldLeader.name, change);
    const text = `${stamp(context)} ${last}`;
    if (context.flags.compat) tell({ kind: 'line', text });
    else if (last !== told) tell({ kind: 'note', text });
    told = last;
    return null;
  });
  if (now) return now;
  const verb = change.standby === null ? 'promotion' : 'demotion';
  throw new ToolError(
    'unconfirmed',
    `the ${verb} was accepted but not observed to complete in time`,
    {
      code: 'not_reached',
      evidence: [{ witness: 'DCS', subject: before.scope, said: last }],
      hint: `it is in the configuration and continues; check with: ${commandLine(before, 'list')}`,
    },
  );
}

function isReached(cluster: Cluster, oldLeader: string, change: RoleChange): boolean {
  const leader = cluster.members.find(({ name }) => name === cluster.leaderName);
  const old = cluster.members.find(({ name }) => name === oldLeader);
  if (leader?.role !== targetRole(change) || leader.state !== 'running') return false;
  return change.standby === null || old?.state === 'running';
}

/** patronictl's line, in Python's words for what is absent. */
function stateWords(cluster: Cluster, oldLeader: string, change: RoleChange): string {
  const leader = cluster.members.find(({ name }) => name === cluster.leaderName);
  const old = cluster.members.find(({ name }) => name === oldLeader);
  const parts = [
    `cluster is unlocked: ${cluster.leaderName === null ? 'True' : 'False'}`,
    `leader role: ${leader?.role || 'None'}`,
    `leader state: ${leader?.state || 'None'}`,
  ];
  const moved = change.standby !== null && leader && leader.name !== oldLeader;
  if (moved && old && old.state !== '') parts.push(`previous leader state: '${old.state}'`);
  return parts.join(', ');
}

// ---------------------------------------------------------------- what it does not wait for

/** What each member must do after the cluster has its new role. */
function wantedOf(
  cluster: Cluster,
  oldLeader: Member,
  { standby }: RoleChange,
  streamed: readonly string[],
): WantedStreams[] {
  const follow = [...streamed, ...(standby === null ? [] : [oldLeader.name])];
  return cluster.members.flatMap((member): WantedStreams[] => {
    if (member.name !== cluster.leaderName) {
      const follows = follow.includes(member.name) && !readTags(member.tags).nostream;
      return follows ? [{ member, does: 'streams', source: null }] : [];
    }
    if (standby === null) return [{ member, does: 'accepts writes', source: null }];
    const source = sourceOf(standby);
    return source === null ? [] : [{ member, does: 'streams', source }];
  });
}

/** Waits until a standby leader streams from the given address, and every other member from it. */
async function settled(
  context: Context,
  cluster: Cluster,
  { change, leader: oldLeader, atMs, tell }: Underway,
  streamed: readonly string[],
): Promise<void> {
  const { standby } = change;
  let missing: Lacking[] = [];
  let told = '';
  const say = (words: string) => {
    const text = `${stamp(context)} ${words}`;
    if (words !== told) tell({ kind: 'note', text, notWith: 'compat' });
    told = words;
  };
  const goesOn = 'the change is in the DCS';
  const awaits = () => lackingWords(missing, ', which');
  const done = await until(context, { atMs, everyMs: LOOK_MS, goesOn, awaits, tell }, async () => {
    // Every earlier member must return; the leader may still change.
    const leaderName = (await clusterNow(context, cluster))?.leaderName ?? cluster.leaderName;
    const wanted = wantedOf({ ...cluster, leaderName }, oldLeader, change, streamed);
    const seen = await Promise.all(wanted.map((one) => lookAtStreams(context, cluster, one)));
    missing = seen.flatMap(({ lacking }) => lacking ?? []);
    if (missing.length === 0) return seen.map(({ done }) => done);
    say(`waiting: ${lackingWords(missing)}`);
    return null;
  });
  if (done) {
    done.forEach(say);
    return;
  }
  const lacks = missing.map(({ name, what }) => `${name} ${what}`).join(', ');
  const what = standby === null ? 'promoted' : 'demoted';
  throw new ToolError('failed', `the cluster is ${what}, but ${lacks}`, {
    code: 'not_streaming',
    evidence: missing.map(({ name, said }) => ({ witness: 'REST', subject: name, said })),
    hint:
      standby === null
        ? 'check the logs of these members'
        : 'check host, port, slot and pg_hba.conf of the remote node, and that it has the same ' +
          'system identifier. The change remains in the configuration; promote-cluster reverts it',
  });
}

function lackingWords(missing: readonly Lacking[], link = ''): string {
  return missing.map(({ name, what, said }) => `${name}${link} ${what} (${said})`).join(', ');
}

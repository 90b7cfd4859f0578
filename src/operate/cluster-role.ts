/** demote-cluster and promote-cluster: one change of standby_cluster, followed until the cluster is what was asked for. */
import type { Cluster, JsonObject, Member } from '../cluster/model.js';
import { ToolError, type Ending } from '../errors.js';
import type { Asker } from '../output/ask.js';
import { timestampText } from '../output/compat.js';
import type { CallOutcome } from '../patroni/patroni.js';
import type { Tool } from '../tool.js';
import { membersTable, readCluster, reread } from './clusters.js';
import { answerWords, askMember } from './request.js';
import { until } from './wait.js';

export interface RoleChange {
  scope: string;
  /** What standby_cluster becomes; null: a primary cluster. */
  standby: JsonObject | null;
  force: boolean;
  limitMs: number;
}

const LOOK_MS = 1000;
const CALL_MS = 10_000;

/** Does it and says how it ended; every ending but ok is thrown. */
export async function changeClusterRole(
  tool: Tool,
  asker: Asker,
  change: RoleChange,
): Promise<Ending> {
  const { scope, standby, force } = change;
  const verb = standby === null ? 'promot' : 'demot';
  const { group } = await tool.config();
  const cluster = await readCluster(tool, scope, group);
  const leader = leaderOf(cluster, verb);
  if (leader.role === targetRole(change)) {
    throw new ToolError('error', 'Cluster is already in the required state', {
      code: 'already_so',
    });
  }
  const table = (now: Cluster) => membersTable(tool, scope, [now], group);
  tool.io.out(`Current cluster topology\n${await table(cluster)}`);
  if (!force && !(await asker.confirm(`Are you sure you want to ${verb}e ${scope} cluster?`))) {
    throw new ToolError('error', `Aborted cluster ${verb}ion`, { code: 'declined' });
  }
  const atMs = tool.clock.nowMs() + change.limitMs;
  const streamed = await streaming(tool, cluster);
  await send(tool, cluster, leader, change, atMs);
  const now = await reached(tool, cluster, leader, change, atMs);
  await stream(tool, now, change, streamed, atMs);
  tool.io.out(`${stamp(tool)} cluster is successfully ${verb}ed\n${await table(now)}`);
  return 'ok';
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

function stamp(tool: Tool): string {
  return timestampText(new Date(tool.clock.nowMs()));
}

// ---------------------------------------------------------------- the request

async function send(
  tool: Tool,
  cluster: Cluster,
  leader: Member,
  change: RoleChange,
  atMs: number,
): Promise<void> {
  const verb = change.standby === null ? 'promote' : 'demote';
  const { outcome } = await askMember(tool, cluster.scope, leader, {
    method: 'PATCH',
    path: '/config',
    body: { standby_cluster: change.standby },
    timeoutMs: CALL_MS,
  });
  if (outcome.kind === 'answered' && outcome.answer.status === 200) return;
  const words = `Failed to ${verb} ${change.scope} cluster: ${patchWords(outcome)}`;
  const evidence = [{ witness: 'REST', subject: leader.name, said: answerWords(outcome) }];
  if (outcome.kind === 'not_sent') throw new ToolError('unreachable', words, { evidence });
  const refused =
    outcome.kind === 'answered' && (outcome.answer.status < 500 || outcome.answer.status === 503);
  if (refused) throw new ToolError('error', words, { evidence });
  const goesOn = 'the change had been sent';
  const written = await until(tool, { atMs, everyMs: LOOK_MS, goesOn }, async () => {
    const now = await reread(tool, cluster);
    const isStandby = (now?.config?.standbyCluster ?? null) !== null;
    return now && isStandby === (change.standby !== null) ? true : null;
  });
  if (!written)
    throw new ToolError('unconfirmed', words, { evidence, hint: 'look at show-config' });
}

function patchWords(outcome: CallOutcome): string {
  return outcome.kind === 'answered'
    ? `/config PATCH ${answerWords(outcome)}`
    : answerWords(outcome);
}

// ---------------------------------------------------------------- what patronictl waits for

/** The cluster once it has a leader in the wanted role. */
async function reached(
  tool: Tool,
  before: Cluster,
  oldLeader: Member,
  change: RoleChange,
  atMs: number,
): Promise<Cluster> {
  let told = '';
  let last = 'the DCS could not be read';
  const goesOn = 'the change is in the DCS';
  const now = await until(tool, { atMs, everyMs: LOOK_MS, goesOn }, async () => {
    const cluster = await reread(tool, before);
    if (cluster === null) return null;
    if (isReached(cluster, oldLeader.name, change)) return cluster;
    last = stateWords(cluster, oldLeader.name, change);
    if (tool.flags.compat) tool.io.out(`${stamp(tool)} ${last}\n`);
    else if (last !== told) tool.io.err(`${stamp(tool)} ${last}\n`);
    told = last;
    return null;
  });
  if (now) return now;
  const verb = change.standby === null ? 'promotion' : 'demotion';
  throw new ToolError('unconfirmed', `the ${verb} was accepted, and not seen to be done in time`, {
    code: 'not_reached',
    evidence: [{ witness: 'DCS', subject: before.scope, said: last }],
    hint: `it is in the configuration and goes on; look with: patctl list ${before.scope}`,
  });
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

/** Members that stream now: they have to afterwards. */
async function streaming(tool: Tool, cluster: Cluster): Promise<string[]> {
  const all = await Promise.all(cluster.members.map((one) => streamState(tool, cluster, one)));
  return cluster.members.filter((_, at) => all[at] === 'streaming').map(({ name }) => name);
}

async function streamState(tool: Tool, { scope }: Cluster, member: Member): Promise<string> {
  const { apiUrl, name } = member;
  if (apiUrl === null) return 'has no api_url';
  const reading = await (
    await tool.patroni()
  ).status({ apiUrl, name, scope }, tool.flags.timeoutMs);
  if (!reading.ok) return reading.reason;
  const { location, replicationState, state } = reading.value;
  return location === null ? (replicationState ?? state) : 'primary';
}

/** A standby leader streams from the address it was given; who streamed before streams again. */
async function stream(
  tool: Tool,
  cluster: Cluster,
  { standby }: RoleChange,
  streamed: readonly string[],
  atMs: number,
): Promise<void> {
  const byArchive = standby !== null && !('host' in standby) && !('port' in standby);
  const wanted = cluster.members.filter(({ name }) =>
    name === cluster.leaderName ? !byArchive : streamed.includes(name),
  );
  let missing: { name: string; said: string }[] = [];
  const goesOn = 'the change is in the DCS';
  const done = await until(tool, { atMs, everyMs: LOOK_MS, goesOn }, async () => {
    const said = await Promise.all(wanted.map((one) => streamState(tool, cluster, one)));
    missing = wanted.flatMap(({ name }, at) => {
      const expected = standby === null && name === cluster.leaderName ? 'primary' : 'streaming';
      const state = said[at] ?? '';
      return state === expected ? [] : [{ name, said: state }];
    });
    return missing.length === 0 ? true : null;
  });
  if (done) return;
  const names = missing.map(({ name }) => name).join(', ');
  const what = standby === null ? 'promoted' : 'demoted';
  throw new ToolError('failed', `the cluster is ${what}, but ${names} does not stream`, {
    code: 'not_streaming',
    evidence: missing.map(({ name, said }) => ({ witness: 'REST', subject: name, said })),
    hint:
      standby === null
        ? 'look at the logs of these members'
        : 'are host, port, slot and pg_hba.conf of the remote node right?',
  });
}

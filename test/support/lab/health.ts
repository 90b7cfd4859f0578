/** Is the cluster what was asked for? Asked of etcd and of every member's Patroni. */
import { httpRequest, type HttpAnswer } from './http.js';
import { kubeKey } from './kube.js';
import { keysOf, type ClusterState, type EtcdNode, type LabMember } from './state.js';

interface Walsender {
  application_name: string;
  state: string;
  sync_state: string;
}

/** What a member tells of itself by REST and, without `replication`, in its key. */
interface MemberAnswer extends Transient {
  state: string;
  role: string;
  replication_state?: string;
  replication?: Walsender[];
}

/** What the API tells at once, and the key after the member's next loop. */
interface Transient {
  /** With those that Patroni adds for the time of a restart: `nosync`, `sync_priority`. */
  tags?: Record<string, unknown>;
  scheduled_restart?: { schedule: string };
  pending_restart?: boolean;
  pause?: boolean;
}

/** One of the cluster's keys in etcd; null when it is not there. */
export async function dcsGet(state: ClusterState, key: string): Promise<string | null> {
  if (state.kube) return await kubeKey(state, state.kube, key);
  const full = `${keysOf(state.options)}${key}`;
  const answer = await askEtcd(state, '/v3/kv/range', { key: base64(full) });
  const { kvs } = answer.json as { kvs?: { value?: string }[] };
  const value = kvs?.[0]?.value;
  return value === undefined ? null : Buffer.from(value, 'base64').toString('utf8');
}

/** All of the cluster's keys, named without their common beginning. */
export async function dcsAll(state: ClusterState): Promise<Map<string, string>> {
  const prefix = keysOf(state.options);
  const answer = await askEtcd(state, '/v3/kv/range', rangeOf(prefix));
  const { kvs } = answer.json as { kvs?: { key: string; value?: string }[] };
  const text = (from: string): string => Buffer.from(from, 'base64').toString('utf8');
  const named = (kvs ?? []).map(({ key, value }): [string, string] => [
    text(key).slice(prefix.length),
    text(value ?? ''),
  ]);
  return new Map(named);
}

function rangeOf(prefix: string): { key: string; range_end: string } {
  return { key: base64(prefix), range_end: base64(prefix.replace(/\/$/, '0')) };
}

/** Deletes all keys of the cluster. */
export async function dcsForget(state: ClusterState): Promise<void> {
  await askEtcd(state, '/v3/kv/deleterange', rangeOf(keysOf(state.options)));
}

async function askEtcd(state: ClusterState, path: string, body: unknown): Promise<HttpAnswer> {
  let failure: unknown = new Error('there is no etcd');
  for (const node of state.etcd) {
    try {
      const options = { method: 'POST', body, certs: state.certs, timeoutMs: 1_000 };
      const answer = await httpRequest(`${node.url}${path}`, options);
      if (answer.status === 200) return answer;
      failure = new Error(`${node.name} answered ${answer.status}: ${answer.text}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

export async function isEtcdHealthy(state: ClusterState, node: EtcdNode): Promise<boolean> {
  try {
    const answer = await httpRequest(`${node.url}/health`, {
      certs: state.certs,
      timeoutMs: 1_000,
    });
    return (answer.json as { health?: string } | undefined)?.health === 'true';
  } catch {
    return false;
  }
}

/** Throws with the first thing that is not as it should be; returns the leader's name when all is well. */
export async function assertHealthy(state: ClusterState): Promise<string> {
  const [leader, answers] = await Promise.all([
    dcsGet(state, 'leader'),
    Promise.all(state.members.map(async (member) => await askMember(state, member))),
  ]);
  if (leader === null) throw new Error('no member holds the leader lock');
  const byName = new Map(state.members.map((member, index) => [member.name, answers[index]]));
  const primary = byName.get(leader);
  if (typeof primary !== 'object') throw new Error(`${leader} (leader): ${primary ?? 'unknown'}`);
  assertLeader(state, leader, primary);
  const senders = answers.flatMap((answer) => senderList(answer));
  for (const [name, answer] of byName) {
    if (name !== leader) assertReplica(name, answer, senders);
  }
  await assertSync(state, leader, senderList(primary));
  await assertHeartbeats(state, leader, byName);
  return leader;
}

/**
 * The members' keys in etcd trail the truth by up to loop_wait; patronictl shows what they say. The same
 * holds for what a member has read from `/config`.
 */
async function assertHeartbeats(
  state: ClusterState,
  leader: string,
  answers: ReadonlyMap<string, MemberAnswer | string | undefined>,
): Promise<void> {
  const config = JSON.parse((await dcsGet(state, 'config')) ?? '{}') as { pause?: boolean };
  for (const { name } of state.members) {
    const key = await dcsGet(state, `members/${name}`);
    const beat = JSON.parse(key ?? '{}') as Partial<MemberAnswer>;
    const isFollower = name !== leader || state.source !== null;
    const isStreaming = !isFollower || beat.replication_state === 'streaming';
    if (
      beat.state !== 'running' ||
      !isStreaming ||
      (name === leader) === (beat.role === 'replica')
    ) {
      throw new Error(`in etcd ${name} is still ${beat.role ?? 'absent'}, ${beat.state ?? ''}`);
    }
    const answer = answers.get(name);
    const byKey = transient(beat);
    const byRest = transient(typeof answer === 'object' ? answer : {});
    if (byKey !== byRest) throw new Error(`in etcd ${name} still has ${byKey}, not ${byRest}`);
    if ((beat.pause === true) !== (config.pause === true)) {
      throw new Error(`${name} has not seen yet that pause is ${config.pause === true}`);
    }
  }
}

function transient({ tags, scheduled_restart, pending_restart, pause }: Transient): string {
  const ordered = Object.entries(tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    tags: ordered,
    restartAt: scheduled_restart?.schedule ?? null,
    isPending: pending_restart === true,
    isPaused: pause === true,
  });
}

async function askMember(state: ClusterState, member: LabMember): Promise<MemberAnswer | string> {
  try {
    const answer = await httpRequest(`${member.restUrl}/patroni`, { certs: state.certs });
    return answer.json as MemberAnswer;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function senderList(answer: MemberAnswer | string): Walsender[] {
  return typeof answer === 'object' ? (answer.replication ?? []) : [];
}

function assertLeader(state: ClusterState, name: string, answer: MemberAnswer): void {
  const roles = state.source === null ? ['primary', 'master'] : ['standby_leader', 'replica'];
  if (answer.state !== 'running' || !roles.includes(answer.role)) {
    throw new Error(`${name} holds the lock but is ${answer.role}, ${answer.state}`);
  }
  if (state.source !== null && answer.replication_state !== 'streaming') {
    throw new Error(`${name} does not stream from ${state.options.standbyOf ?? 'its source'}`);
  }
}

function assertReplica(
  name: string,
  answer: MemberAnswer | string | undefined,
  senders: Walsender[],
): void {
  if (typeof answer !== 'object') throw new Error(`${name}: ${answer ?? 'no answer'}`);
  if (answer.state !== 'running' || answer.replication_state !== 'streaming') {
    throw new Error(`${name} is ${answer.state}, ${answer.replication_state ?? 'not streaming'}`);
  }
  const sender = senders.find((row) => row.application_name === name);
  if (sender?.state !== 'streaming') throw new Error(`no walsender streams to ${name}`);
}

/** Both what `/sync` promises and what PostgreSQL does. */
async function assertSync(
  state: ClusterState,
  leader: string,
  senders: Walsender[],
): Promise<void> {
  const { sync, syncNodes, tags } = state.options;
  if (sync === 'off' || state.source !== null) return;
  const able = state.members.filter(
    ({ name }) =>
      name !== leader &&
      tags[name]?.['nosync'] !== true &&
      tags[name]?.['replicatefrom'] === undefined,
  );
  const wanted = sync === 'quorum' ? able.length : Math.min(syncNodes, able.length);
  const { sync_standby: names } = JSON.parse((await dcsGet(state, 'sync')) ?? '{}') as {
    sync_standby?: string | null;
  };
  const promised = (names ?? '').split(',').filter((name) => name !== '').length;
  const kind = sync === 'quorum' ? 'quorum' : 'sync';
  const real = senders.filter((row) => row.sync_state === kind).length;
  if (promised < wanted) throw new Error(`/sync names ${promised} standbys, not ${wanted}`);
  if (real < wanted) throw new Error(`${real} walsenders are ${kind}, not ${wanted}`);
}

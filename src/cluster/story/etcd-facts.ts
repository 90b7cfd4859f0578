/** Facts from the past of a cluster's keys: each change is handed in, and only what it means is kept. */
import { formatLsn, type Lsn } from '../model/lsn.js';
import type { Cluster, Member } from '../model/model.js';
import { clusterPrefix, parseCluster } from '../model/parse-keys.js';
import type { KeyChange } from './key-past-model.js';
import type { FactCode, FactData, StoryFact } from './story-model.js';

/** Most facts that are kept, the newest: a cluster that changes its leader every minute has as many in a week. */
export const MOST_FACTS = 20_000;

export interface EtcdFacts {
  add(change: KeyChange): void;
  /** Everything so far, in the order in which it happened. */
  facts(): StoryFact[];
}

const PREFIX = clusterPrefix('service', 'x', null);

interface State {
  holder: string | null;
  /** The holder's farthest position since it has the lock. */
  lsn: Lsn | null;
  leaderLease: string | null;
  members: Map<string, { member: Member; lease: string | null }>;
  values: Map<string, string>;
  facts: StoryFact[];
  /** Changes of the revision that is being read. */
  group: KeyChange[];
}

export function etcdFacts(): EtcdFacts {
  const state: State = {
    holder: null,
    lsn: null,
    leaderLease: null,
    members: new Map(),
    values: new Map(),
    facts: [],
    group: [],
  };
  return {
    add: (change) => {
      const [first] = state.group;
      if (change.kept) return keep(state, change);
      if (first && first.revision !== change.revision) apply(state);
      state.group.push(change);
    },
    facts: () => {
      apply(state);
      return state.facts;
    },
  };
}

/** A key as it stood where the history begins: nothing happened. */
function keep(state: State, change: KeyChange): void {
  note(state, change);
}

function apply(state: State): void {
  const group = state.group;
  state.group = [];
  const deleted = group.filter(({ value }) => value === null);
  if (deleted.length > 0) deletions(state, deleted);
  for (const change of group) if (change.value !== null) put(state, change);
}

function say(
  state: State,
  { revision }: KeyChange,
  what: FactCode,
  member: string | null,
  message: string,
  data?: FactData,
): void {
  const sure = what === 'leader_key_expired' || what === 'member_key_expired' ? 'seen' : 'said';
  const fact: StoryFact = { at: null, revision, source: 'etcd', member, what, message, sure };
  state.facts.push(data ? { ...fact, data } : fact);
  if (state.facts.length > MOST_FACTS) state.facts.splice(0, state.facts.length - MOST_FACTS);
}

// ---------------------------------------------------------------- deletions

/** A lease ends all of its keys in one revision; Patroni has one for its member key and the leader key. */
function deletions(state: State, deleted: readonly KeyChange[]): void {
  const names = new Set(deleted.map(({ name }) => name));
  const [first] = deleted;
  if (!first) return;
  const { holder } = state;
  if (names.has('leader')) {
    const data: FactData = state.lsn === null ? {} : { lsn: state.lsn };
    const [what, message] = endOfLeader(state, names);
    say(state, first, what, holder, message, data);
    state.holder = null;
    state.leaderLease = null;
  }
  const isWhole = names.has('config') || names.has('initialize') || names.has('history');
  for (const name of names) {
    const member = memberIn(name);
    if (member === null || isWhole) continue;
    const isHolder = member === holder && names.has('leader');
    if (!isHolder) {
      const last = state.members.get(member)?.member.state ?? '';
      const data: FactData = last === '' ? {} : { state: last };
      const lastSaid = last === '' ? '' : ` (its last state: ${last})`;
      say(
        state,
        first,
        'member_key_expired',
        member,
        `the key of ${member} ended with its lease${lastSaid}`,
        data,
      );
    }
    state.members.delete(member);
  }
  for (const name of names) state.values.delete(name);
}

function endOfLeader(state: State, names: ReadonlySet<string>): [FactCode, string] {
  const holder = state.holder ?? 'the leader';
  if (names.has('config') || names.has('initialize') || names.has('history')) {
    return [
      'leader_key_removed',
      'the leader key was deleted together with the keys of the cluster',
    ];
  }
  if (names.has(`members/${state.holder ?? ''}`)) {
    return [
      'leader_key_expired',
      `the leader key and the member key of ${holder} ended together: their lease was not renewed within ttl`,
    ];
  }
  const ownLease = state.members.get(state.holder ?? '')?.lease ?? null;
  if (ownLease !== null && state.leaderLease !== null && ownLease !== state.leaderLease) {
    return [
      'leader_key_lost',
      `the leader key of ${holder} is gone; it had another lease than its member key`,
    ];
  }
  return ['leader_key_released', `the leader key of ${holder} was deleted, not ended by its lease`];
}

const memberIn = (name: string): string | null =>
  name.startsWith('members/') ? name.slice('members/'.length) : null;

// ---------------------------------------------------------------- writes

/** One key as Patroni's own parser reads it. */
function parsed({ name, value, revision }: KeyChange): Cluster {
  const kvs = [{ key: `${PREFIX}${name}`, value: value ?? '', modRevision: revision }];
  return parseCluster('x', null, { revision, kvs }, PREFIX);
}

function note(state: State, change: KeyChange): void {
  const { name, value, lease } = change;
  if (name === 'leader') {
    if (state.holder !== value) state.lsn = null;
    state.holder = value;
    state.leaderLease = lease;
  }
  const member = memberIn(name);
  const [now] = member === null ? [] : parsed(change).members;
  if (member !== null && now) {
    state.members.set(member, { member: now, lease });
    if (member === state.holder) farther(state, now.xlogLocation);
  }
  if (name === 'status' || name === 'optime/leader')
    farther(state, parsed(change).status?.optime ?? null);
  if (member === null && name !== 'status') state.values.set(name, value ?? '');
}

function farther(state: State, lsn: Lsn | null): void {
  if (lsn !== null && (state.lsn === null || lsn > state.lsn)) state.lsn = lsn;
}

function put(state: State, change: KeyChange): void {
  const before = state.values.get(change.name) ?? null;
  const member = memberIn(change.name);
  if (change.name === 'leader') leaderPut(state, change);
  else if (member !== null) memberPut(state, change, member);
  else if (change.name === 'failover') failoverPut(state, change, before);
  else if (change.name === 'config') configPut(state, change, before);
  else if (change.name === 'sync') syncPut(state, change, before);
  else if (change.name === 'history') historyPut(state, change);
  note(state, change);
}

function leaderPut(state: State, change: KeyChange): void {
  const { value } = change;
  if (value === state.holder || value === null) return;
  const { holder } = state;
  const after = holder === null ? '' : `, which ${holder} had`;
  say(state, change, 'leader_key_taken', value, `${value} took the leader key${after}`);
}

function memberPut(state: State, change: KeyChange, name: string): void {
  const [now] = parsed(change).members;
  if (!now) return;
  const before = state.members.get(name)?.member;
  const data: FactData = { state: now.state, role: now.role };
  if (now.xlogLocation !== null) data.lsn = now.xlogLocation;
  if (now.timeline !== null) data.timeline = now.timeline;
  const said = `${now.role || 'no role'}, ${now.state || 'no state'}`;
  if (!before) {
    say(
      state,
      change,
      'member_key_came',
      name,
      `${name} wrote its member key again: ${said}`,
      data,
    );
  } else if (before.state !== now.state || before.role !== now.role) {
    const was = `${before.role || 'no role'}, ${before.state || 'no state'}`;
    say(state, change, 'member_state', name, `${name} is ${said} (was ${was})`, data);
  }
}

function failoverPut(state: State, change: KeyChange, before: string | null): void {
  const request = parsed(change).failover;
  if (!request) {
    const had = before === null ? null : parsed({ ...change, value: before }).failover;
    if (had) say(state, change, 'failover_request_gone', null, 'the request in /failover is gone');
    return;
  }
  const { leader, candidate, scheduledAt } = request;
  say(state, change, 'failover_requested', null, requestText(request), {
    leader,
    candidate,
    scheduledAt,
  });
}

export function requestText(request: {
  leader: string | null;
  candidate: string | null;
  scheduledAt: string | null;
}): string {
  const { leader, candidate, scheduledAt } = request;
  const to = candidate === null ? '' : ` to ${candidate}`;
  const when = scheduledAt === null ? '' : `, scheduled for ${scheduledAt}`;
  const what = leader === null ? `failover${to}` : `switchover from ${leader}${to}`;
  return `/failover asks for a ${what}${when}`;
}

function configPut(state: State, change: KeyChange, before: string | null): void {
  if (before === null) return;
  const [was, now] = [parsed({ ...change, value: before }).config, parsed(change).config];
  if (!was || !now) return;
  if (was.pause !== now.pause) {
    say(
      state,
      change,
      now.pause ? 'paused' : 'resumed',
      null,
      now.pause ? 'the cluster was paused' : 'the pause ended',
    );
  }
  const names = [...new Set([...Object.keys(was.raw), ...Object.keys(now.raw)])].sort();
  const other = names.filter(
    (name) => name !== 'pause' && JSON.stringify(was.raw[name]) !== JSON.stringify(now.raw[name]),
  );
  if (other.length === 0) return;
  const standby = was.standbyCluster === null && now.standbyCluster !== null;
  say(
    state,
    change,
    'config_changed',
    null,
    `the dynamic configuration changed: ${other.join(', ')}`,
    {
      ...(standby ? { mode: 'standby_cluster' } : {}),
    },
  );
}

function syncPut(state: State, change: KeyChange, before: string | null): void {
  const now = parsed(change).sync;
  const was = before === null ? null : parsed({ ...change, value: before }).sync;
  if (!now) return;
  const text = (sync: typeof now): string =>
    sync.leader === null
      ? 'empty'
      : `leader ${sync.leader}, standbys ${sync.standbys.join(', ') || 'none'}`;
  if (was && text(was) === text(now)) return;
  say(state, change, 'sync_changed', null, `/sync is now: ${text(now)}`);
}

function historyPut(state: State, change: KeyChange): void {
  const last = parsed(change).history?.at(-1);
  if (!last) return;
  const { timeline, lsn, timestamp, newLeader } = last;
  const who = newLeader === null ? '' : `, ${newLeader} leads`;
  const message = `timeline ${timeline} ended at ${formatLsn(lsn)}; timeline ${timeline + 1} began${who}`;
  say(state, change, 'history_written', newLeader, message, { timeline, lsn, timestamp });
}

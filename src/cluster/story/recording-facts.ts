/** Facts from what `patctl record` kept: looks at one cluster, one after the other, and the events in between. */
import type { ClusterEvent } from '../events/event-model.js';
import { formatLsn, type Lsn } from '../model/lsn.js';
import type { Cluster, MemberReadings, Reading, Snapshot } from '../model/model.js';
import { requestText } from './etcd-facts.js';
import type { FactCode, FactData, StoryFact, Sure } from './story-model.js';

/** Most facts that are kept of a recording, the newest. */
const MOST_RECORDED = 20_000;

export interface RecordingFacts {
  snapshot(at: string, snapshot: Snapshot): void;
  event(event: ClusterEvent): void;
  /** After this moment nothing was recorded, until what comes next: the two are not compared. */
  interrupted(at: string): void;
  facts(): StoryFact[];
}

interface Looks {
  before: Snapshot | null;
  /** When that was, ms. */
  beforeMs: number;
  /** The DCS does not answer, since then and until then; null: it answered at the look before. */
  silence: StoryFact | null;
  facts: StoryFact[];
  /** The farthest position of each member since it took the leader key. */
  positions: Map<string, Lsn>;
  /** The shortest time since each member's Patroni reached the DCS, ms: a long one shows that clocks differ. */
  unseenMs: Map<string, number>;
  /** What is going on with each member, so that it is told once. */
  going: Map<string, StoryFact>;
}

export function recordingFacts(): RecordingFacts {
  const looks: Looks = {
    before: null,
    beforeMs: -Infinity,
    silence: null,
    facts: [],
    positions: new Map(),
    unseenMs: new Map(),
    going: new Map(),
  };
  return {
    snapshot: (at, snapshot) => {
      compare(looks, at, snapshot);
      looks.before = snapshot;
      looks.beforeMs = Date.parse(at);
      if (looks.silence) looks.silence.until = at;
      if (snapshot.cluster.cannotTell?.leader === undefined) answers(looks, at);
    },
    event: ({ code, at, message }) => {
      if (code === 'dcs_silent')
        looks.silence ??= say(looks, at, null, { what: code, member: null, message });
      if (code === 'dcs_answers') answers(looks, at);
    },
    interrupted: (at) => {
      if (looks.silence) looks.silence.until = at;
      looks.silence = null;
      looks.before = null;
      looks.going.clear();
      looks.positions.clear();
      looks.unseenMs.clear();
    },
    facts: () => looks.facts,
  };
}

/** Its keys were read again. */
function answers(looks: Looks, at: string): void {
  if (looks.silence === null) return;
  looks.silence.until = at;
  looks.silence = null;
  say(looks, at, null, { what: 'dcs_answers', member: null, message: 'the DCS answers again' });
}

interface Said {
  what: FactCode;
  member: string | null;
  message: string;
  sure?: Sure;
  data?: FactData;
}

function say(looks: Looks, at: string, revision: string | null, said: Said): StoryFact {
  const { what, member, message, sure = 'seen', data } = said;
  const fact: StoryFact = { at, revision, source: 'recording', member, what, message, sure };
  if (data) fact.data = data;
  looks.facts.push(fact);
  if (looks.facts.length > MOST_RECORDED) {
    looks.facts.splice(0, looks.facts.length - MOST_RECORDED);
  }
  return fact;
}

function compare(looks: Looks, at: string, now: Snapshot): void {
  const { before } = looks;
  if (before) {
    leaderKey(looks, at, before.cluster, now.cluster);
    claims(looks, at, before.cluster, now.cluster);
  }
  for (const readings of now.members) observed(looks, at, now, readings);
}

// ---------------------------------------------------------------- the DCS

function leaderKey(looks: Looks, at: string, was: Cluster, is: Cluster): void {
  const { revision, leaderName } = is;
  const old = was.leaderName;
  if (old === leaderName) return;
  if (old !== null) {
    const lsn = looks.positions.get(old);
    const isClose = Date.parse(at) - looks.beforeMs <= SHORTEST_TTL_MS;
    const [what, message] = endOf(looks, old, is, isClose);
    say(looks, at, revision, {
      what,
      member: old,
      message,
      ...(lsn === undefined ? {} : { data: { lsn } }),
    });
  }
  if (leaderName !== null) {
    looks.positions.delete(leaderName);
    const message = `${leaderName} took the leader key`;
    say(looks, at, revision, { what: 'leader_key_taken', member: leaderName, message });
  }
}

/** A member that gives up the lock leaves its own key, which ends with its lease: between closer looks it does not. */
const SHORTEST_TTL_MS = 20_000;

/** How it went is told only by a look while no member has it: later the member may have written its key again. */
function endOf(looks: Looks, old: string, is: Cluster, isClose: boolean): [FactCode, string] {
  const isThere = is.members.some(({ name }) => name === old);
  if (!isThere && looks.silence === null && isClose) {
    return ['leader_key_expired', `the leader key and the member key of ${old} are gone`];
  }
  if (isThere && is.leaderName === null && looks.silence === null) {
    return ['leader_key_released', `the leader key of ${old} is gone, its member key is there`];
  }
  return ['leader_key_lost', `${old} no longer has the leader key`];
}

function claims(looks: Looks, at: string, was: Cluster, is: Cluster): void {
  const { revision } = is;
  const there = new Set(is.members.map(({ name }) => name));
  for (const { name, state } of was.members) {
    if (there.has(name) || name === was.leaderName) continue;
    const message = `the key of ${name} is gone (its last state: ${state})`;
    say(looks, at, revision, {
      what: 'member_key_expired',
      member: name,
      message,
      data: { state },
    });
  }
  for (const member of is.members) {
    const before = was.members.find(({ name }) => name === member.name);
    if (before?.state === member.state && before.role === member.role) continue;
    const { state, role } = member;
    const message = `${member.name} is ${role}, ${state}`;
    say(looks, at, revision, {
      what: 'member_state',
      member: member.name,
      message,
      data: { state, role },
    });
  }
  if (is.failover && is.failover.modRevision !== was.failover?.modRevision) {
    const { leader, candidate, scheduledAt } = is.failover;
    const message = requestText(is.failover);
    const data = { leader, candidate, scheduledAt };
    say(looks, at, revision, {
      what: 'failover_requested',
      member: null,
      message,
      sure: 'said',
      data,
    });
  } else if (was.failover && !is.failover) {
    const message = 'the request in /failover is gone';
    say(looks, at, revision, { what: 'failover_request_gone', member: null, message });
  }
  const last = is.history?.at(-1);
  if (last && (was.history?.length ?? 0) < (is.history?.length ?? 0)) {
    const { timeline, lsn, timestamp, newLeader } = last;
    const message = `timeline ${timeline} ended at ${formatLsn(lsn)}`;
    const data = { timeline, lsn, timestamp };
    say(looks, at, revision, {
      what: 'history_written',
      member: newLeader,
      message,
      sure: 'said',
      data,
    });
  }
}

// ---------------------------------------------------------------- members

type How = NonNullable<FactData['how']>;

function observed(looks: Looks, at: string, now: Snapshot, readings: MemberReadings): void {
  const { name, rest, sql } = readings;
  const leads = now.cluster.leaderName === name;
  if (sql.ok && !sql.value.inRecovery && sql.value.currentLsn !== null) {
    farther(looks, name, sql.value.currentLsn);
  }
  if (!rest.ok) {
    if (rest.kind === 'off' || rest.kind === 'no_address') return;
    const how = howSilent(rest);
    const postgres = sql.ok
      ? 'answers'
      : sql.kind === 'off' || sql.kind === 'denied'
        ? ''
        : postgresSilent(sql);
    const mode = sql.ok ? 'postgres_answers' : postgres === '' ? '' : `postgres_${postgres}`;
    const also = postgres === '' ? '' : `; its PostgreSQL: ${sql.ok ? 'answers' : sql.reason}`;
    going(looks, at, name, {
      what: 'member_silent',
      member: name,
      message: `Patroni on ${name} does not answer: ${rest.reason}${also}`,
      data: { how, mode },
    });
    return;
  }
  const { value } = rest;
  if (value.location !== null) farther(looks, name, value.location);
  if (value.failsafeModeIsActive) {
    const message = `${name} continues in failsafe mode`;
    going(looks, at, name, { what: 'failsafe_holds', member: name, message, sure: 'said' });
    return;
  }
  const loopMs = (now.cluster.config?.loopWaitSeconds ?? 10) * 1000;
  const unseenMs = unseenFor(looks, name, value.dcsLastSeen, { at, loopMs });
  const retryMs = (now.cluster.config?.retryTimeoutSeconds ?? 10) * 1000;
  if (unseenMs > 2 * loopMs + retryMs) {
    const message = `Patroni on ${name} answers, and has not reached the DCS for ${Math.round(unseenMs / 1000)} s`;
    going(looks, at, name, {
      what: 'dcs_unseen',
      member: name,
      message,
      sure: 'said',
      data: { ms: unseenMs },
    });
    return;
  }
  const isPrimary = ['primary', 'master', 'promoted'].includes(value.role);
  if (leads && isPrimary && value.state === 'running') {
    going(looks, at, name, {
      what: 'patroni_leads',
      member: name,
      message: `${name} leads and answers`,
    });
  } else {
    going(looks, at, name, {
      what: 'member_answers',
      member: name,
      message: `${name} answers: ${value.role}, ${value.state}`,
      data: { role: value.role, state: value.state },
    });
  }
}

/** How long its Patroni has not reached the DCS, without the difference between its clock and the recorder's. */
function unseenFor(
  looks: Looks,
  name: string,
  dcsLastSeen: number | null,
  { at, loopMs }: { at: string; loopMs: number },
): number {
  if (dcsLastSeen === null) return 0;
  const ms = Date.parse(at) - dcsLastSeen * 1000;
  const shortest = Math.min(ms, looks.unseenMs.get(name) ?? Infinity);
  looks.unseenMs.set(name, shortest);
  return ms - Math.max(0, shortest - loopMs);
}

function farther(looks: Looks, name: string, lsn: Lsn): void {
  if (lsn > (looks.positions.get(name) ?? -1n)) looks.positions.set(name, lsn);
}

/** One fact as long as it stays so, with its last time. */
function going(looks: Looks, at: string, name: string, said: Said): void {
  const last = looks.going.get(name);
  const isSame =
    last?.what === said.what &&
    last.data?.how === said.data?.how &&
    last.data?.mode === said.data?.mode &&
    last.data?.role === said.data?.role &&
    last.data?.state === said.data?.state;
  if (last && isSame) {
    last.until = at;
    last.times = (last.times ?? 1) + 1;
    return;
  }
  looks.going.set(name, say(looks, at, null, said));
}

type Failed = Extract<Reading<unknown>, { ok: false }>;

const postgresSilent = (failed: Failed): How | 'stopping' =>
  /is shutting down/.test(failed.reason) ? 'stopping' : howSilent(failed);

function howSilent({ reason }: Failed): How {
  if (/ECONNREFUSED|refused/i.test(reason)) return 'refused';
  return /timed? ?out|no answer|within|ETIMEDOUT/i.test(reason) ? 'timeout' : 'other';
}

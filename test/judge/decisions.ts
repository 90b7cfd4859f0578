/** What is asked about one cluster, and what patctl decides about it from the same bytes. */
import type {
  JsonValue,
  MemberReadings,
  Reading,
  RestStatus,
  Snapshot,
} from '../../src/cluster/model/model.js';
import { clusterPrefix, parseCluster } from '../../src/cluster/model/parse-keys.js';
import { race } from '../../src/cluster/votes/race.js';
import { apiPrecheck, leaderGate, type Action } from '../../src/cluster/votes/step-down.js';
import { voteInput } from '../../src/cluster/votes/vote-facts.js';
import type { Outcome, VoteInput } from '../../src/cluster/votes/vote-rules.js';
import { parseJson, parseRestStatus } from '../../src/patroni/parse-status.js';
import { chance, URL_OF, type ClusterSpec, type NodeSpec } from './clusters.js';

export interface Request {
  action: Action;
  leader: string | null;
  candidate: string | null;
  scheduled: boolean;
}

export interface Questions {
  /** Members whose chances in the race are asked for. */
  racers: string[];
  /** Switchovers and failovers that the leader is asked for; none where it does not answer. */
  gates: { action: Action; candidate: string | null }[];
  requests: Request[];
}

/** One decision: what was asked, and the answer of either side. */
export type Kind = 'race' | 'gate' | 'api';

export function keysOf(spec: ClusterSpec): [string, string][] {
  const members = spec.nodes.flatMap(({ name, version, key }): [string, string][] => {
    if (key === null) return [];
    const value = {
      conn_url: `postgres://${name}.test:5432/postgres`,
      ...(key.apiUrl && { api_url: URL_OF(name) }),
      version,
      ...(key.tags && { tags: key.tags }),
    };
    return [[`members/${name}`, JSON.stringify(value)]];
  });
  return [...Object.entries(spec.keys), ...members];
}

/** As many of a cluster's possible requests are made: each costs Patroni as much as a race. */
const REQUESTS = 10;

/**
 * What is asked of Patroni `version`: it answers for the members that run it, and as the member that gets a request.
 * Every race and gate, and some requests by chance, with `seed` null all of them.
 */
export function questionsOf(spec: ClusterSpec, version: string, seed: number | null): Questions {
  const leader = spec.keys['leader'] ?? null;
  const members = spec.nodes.filter(({ key }) => key !== null);
  const others = members.map(({ name }) => name).filter((name) => name !== leader);
  const candidates = [null, ...members.map(({ name }) => name), 'nobody'];
  const holder = members.find(({ name }) => name === leader);
  const gates = (['switchover', 'failover'] as const).flatMap((action) =>
    candidates
      .filter((candidate) => action === 'switchover' || candidate !== null)
      .map((candidate) => ({ action, candidate })),
  );
  const leaders = [leader, null, others[0] ?? 'nobody'];
  // A request goes to a member that has a key; without any, the receiver is unknown.
  const takesRequests = members.length === 0 || members.some((one) => one.version === version);
  const every = (['switchover', 'failover'] as const).flatMap((action) =>
    leaders.flatMap((from) =>
      candidates.flatMap((candidate) =>
        [false, true].map((scheduled) => ({ action, leader: from, candidate, scheduled })),
      ),
    ),
  );
  return {
    racers: members
      .filter((one) => one.name !== leader && one.version === version)
      .map(({ name }) => name),
    gates: holder?.body && holder.version === version ? gates : [],
    requests: !takesRequests ? [] : seed === null ? every : picked(every, seed),
  };
}

/** Most of them for now and from the leader, because the others are refused at once. */
function picked(every: Request[], seed: number): Request[] {
  const by = chance(seed ^ 0x5bd1e995);
  const usual = every.filter(({ scheduled, leader }) => !scheduled && leader !== null);
  return Array.from({ length: REQUESTS }, () => by.one(...(by.yes(4) ? every : usual)));
}

/** The line that patroni-decides.py reads. */
export function caseOf(spec: ClusterSpec, { racers, gates, requests }: Questions): string {
  const leader = spec.keys['leader'] ?? null;
  const bodyOf = (name: string | null): string | null => {
    const body = spec.nodes.find((node) => node.name === name)?.body;
    return body ? JSON.stringify(body) : null;
  };
  return JSON.stringify({
    keys: keysOf(spec),
    answers: [...spec.nodes.map(({ name }) => [URL_OF(name), bodyOf(name)]), ['', null]],
    leader,
    leaderBody: bodyOf(leader) ?? '{}',
    goneUrls: leader === null ? [] : [URL_OF(leader)],
    former: lastLeader(spec.keys['history']),
    racers: racers.map((name) => [name, bodyOf(name) ?? '{}']),
    gates: gates.map(({ action, candidate }) => [action === 'switchover' ? leader : '', candidate]),
    requests: requests.map(({ action, leader: from, candidate, scheduled }) => ({
      action,
      body: {
        ...(from !== null && { leader: from }),
        ...(candidate !== null && { candidate }),
        ...(scheduled && { scheduled_at: '2999-01-01T00:00:00+00:00' }),
        some: 1,
      },
    })),
  });
}

function lastLeader(text: string | undefined): string | null {
  const lines = parseJson(text ?? '');
  const last = Array.isArray(lines) ? lines.at(-1) : null;
  const name: JsonValue | undefined = Array.isArray(last) ? last[4] : undefined;
  return typeof name === 'string' ? name : null;
}

// ---------------------------------------------------------------- patctl's side

const SILENT = ['off', 'denied', 'invalid'] as const;

export function snapshotOf(spec: ClusterSpec): Snapshot {
  const prefix = clusterPrefix('service', 'demo', null);
  const kvs = keysOf(spec).map(([key, value]) => ({ key: prefix + key, value, modRevision: '1' }));
  const cluster = parseCluster('demo', null, { revision: '1', kvs }, prefix);
  const off = { ok: false, kind: 'off', reason: 'not asked' } as const;
  const readings = new Map(
    spec.nodes.map((node, at): [string, MemberReadings] => [
      node.name,
      { name: node.name, rest: readingOf(node, at), sql: off },
    ]),
  );
  const silent = (name: string): MemberReadings => ({ name, rest: off, sql: off });
  const departed = Object.keys(cluster.failsafe ?? {})
    .filter((name) => !cluster.members.some((member) => member.name === name))
    .map((name) => ({
      ...(readings.get(name) ?? silent(name)),
      ...{ origin: 'failsafe' as const, host: null, port: null, listening: null },
    }));
  return {
    cluster,
    verify: 'auto',
    takenAt: '2026-11-27T10:00:00Z',
    members: cluster.members.map(({ name }) => readings.get(name) ?? silent(name)),
    departed,
    previous: null,
  } as unknown as Snapshot;
}

function readingOf({ key, body, hidden }: NodeSpec, at: number): Reading<RestStatus> {
  const no = (kind: 'off' | 'denied' | 'invalid' | 'unreachable' | 'no_address') =>
    ({ ok: false, kind, reason: kind }) as const;
  if (key && !key.apiUrl) return no('no_address');
  if (hidden) return no(SILENT[at % SILENT.length] ?? 'off');
  if (body === null) return no('unreachable');
  const value = parseRestStatus(200, body);
  return value === null ? no('invalid') : { ok: true, value, tookMs: 1 };
}

export interface Answers {
  race: { name: string; says: Outcome }[];
  gate: Outcome[];
  api: { says: Outcome; status: number | null; message: string }[];
}

export function answersOf(spec: ClusterSpec, questions: Questions): Answers {
  const input: VoteInput = voteInput(snapshotOf(spec));
  const results = race(input);
  return {
    race: questions.racers.map((name) => ({
      name,
      says: results.find((one) => one.name === name)?.mayWin ?? 'unknown',
    })),
    gate: questions.gates.map((one) => leaderGate(input, one).passes),
    api: questions.requests.map((one) => {
      const { outcome, status, message } = apiPrecheck(input, one);
      return { says: outcome, status, message };
    }),
  };
}

/** Whether something that Patroni knows was kept from patctl, or is unknown to Patroni itself. */
export function isHidden(spec: ClusterSpec): { something: boolean; byUs: boolean } {
  const silent = spec.nodes.some(({ hidden, key }) => hidden || (key !== null && !key.apiUrl));
  const unnamed = namedNowhere(spec);
  const versions = new Set(spec.nodes.filter(({ key }) => key).map(({ version }) => version));
  const byUs = silent || unnamed || versions.size > 1;
  const timeless = spec.nodes.some(({ body }) => body && typeof body['timeline'] !== 'number');
  return { something: byUs || timeless, byUs };
}

/** /failsafe names a node of which there is no answer to show, or names a node by no address. */
function namedNowhere({ nodes, keys }: ClusterSpec): boolean {
  const names = parseJson(keys['failsafe'] ?? '');
  if (typeof names !== 'object' || names === null || Array.isArray(names)) return false;
  return Object.keys(names).some((name) => !nodes.some((node) => node.name === name));
}

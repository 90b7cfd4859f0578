/** What a series of observations means for one change of leader: its steps and its outcome. */
import type {
  Cluster,
  FailoverKey,
  Finding,
  Reading,
  RestStatus,
  RestWalsender,
  SqlStatus,
  Walsender,
} from '../model/model.js';
import { isSenderOf } from '../model/member-names.js';
import { readTags } from '../model/tags.js';
import {
  routeOutage,
  withRouteProbe,
  type RouteOutage,
  type RouteProbe,
  type RouteTracks,
} from './route-outage.js';
import { routeProof, type RouteGoal, type RouteProof } from './route-proof.js';
import type { RouteState } from '../routes/route-state.js';
import {
  withProbe,
  writeOutage,
  type Probe,
  type Tracks,
  type WriteOutage,
} from './write-outage.js';

/** How much has to be seen before the change counts as done. */
export type WaitFor = 'accepted' | 'leader' | 'writable' | 'healthy' | 'routes';

/** The request, and what must be true again afterwards. */
export interface Goal {
  kind: 'switchover' | 'failover';
  /** The leader when the request was sent; null: none. */
  leader: string | null;
  /** The candidate in the request; null: Patroni chooses. */
  candidate: string | null;
  /** Members that streamed or led before: they have to stream from the new leader. */
  members: string[];
  /** Standbys that /sync named before; 0 when synchronous mode was not active. */
  syncStandbys: number;
  standbyCluster: boolean;
  /** A standby cluster's leader streamed from its remote before: the next one has to do so too. */
  remote: boolean;
  /** mod_revision of /failover before the request. */
  failoverRevision: string;
  waitFor: WaitFor;
  /** How long after its answer Patroni may still write the request, ms (retry_timeout). */
  mayWriteForMs: number;
  /** Routes to be proven; absent: none is known, or none is waited for. */
  routes?: RouteGoal;
}

/** What became of the one request. */
export type Answer =
  { kind: 'answered'; status: number; text: string } | { kind: 'lost'; reason: string };

export type Sighting =
  /** `readMs`: the keys were read again, linearizably, and asked for at this moment; null: a watch told it. */
  | { type: 'dcs'; atMs: number; cluster: Cluster; readMs: number | null }
  | {
      type: 'member';
      atMs: number;
      name: string;
      rest: Reading<RestStatus>;
      sql: Reading<SqlStatus>;
      /** When it was asked. */
      askedMs: number;
    }
  /** One member was asked over SQL whether it takes writes. */
  | { type: 'probe'; atMs: number; probe: Probe }
  /** One connection through a write route, as a client makes it. */
  | { type: 'route probe'; atMs: number; probe: RouteProbe }
  /** Every route was asked, when this member led. */
  | { type: 'routes'; atMs: number; leader: string; states: RouteState[] }
  | { type: 'answer'; atMs: number; answer: Answer };

export type StepName =
  | 'accepted'
  | 'stopping'
  | 'released'
  | 'locked'
  | 'writable'
  | 'standby_leader'
  | 'rejoined'
  | 'streaming'
  | 'sync_restored'
  | 'routes';

export interface Step {
  name: StepName;
  atMs: number;
  /** The member it is about; null: the cluster. */
  member: string | null;
  said: string;
}

interface Seen {
  rest: Reading<RestStatus>;
  sql: Reading<SqlStatus>;
}

export interface Progress {
  goal: Goal;
  steps: Step[];
  answer: Answer | null;
  answeredMs: number | null;
  cluster: Cluster | null;
  /** When the keys were last asked for that were read again. */
  readMs: number | null;
  /** The last readings of every member. */
  seen: ReadonlyMap<string, Seen>;
  /** /failover was written after the request; null: not yet. */
  request: FailoverKey | 'gone' | null;
  /** The old leader gave the lock up and has it again. */
  retaken: boolean;
  newLeader: string | null;
  timeline: number | null;
  /** When each member accepted writes. */
  writes: Tracks;
  /** What connections through each write route met. */
  routeTracks: RouteTracks;
  /** Where every route leads, as last asked after the new leader was proven to lead; null: not yet. */
  routeStates: RouteState[] | null;
  beganMs: number | null;
}

export type Verdict =
  | { done: false }
  | {
      done: true;
      ending: 'ok' | 'error' | 'failed' | 'unconfirmed' | 'diverted';
      /** Greppable. */
      code: string;
      words: string;
    };

export function begin(goal: Goal): Progress {
  return {
    goal,
    steps: [],
    answer: null,
    answeredMs: null,
    cluster: null,
    readMs: null,
    seen: new Map(),
    request: null,
    retaken: false,
    newLeader: null,
    timeline: null,
    writes: new Map(),
    routeTracks: new Map(),
    routeStates: null,
    beganMs: null,
  };
}

/** The progress after one more observation. Steps are only added, each once. */
export function advance(before: Progress, sighting: Sighting): Progress {
  const now: Progress = { ...before, steps: [...before.steps] };
  now.beganMs ??= sighting.atMs;
  switch (sighting.type) {
    case 'answer':
      now.answer = sighting.answer;
      now.answeredMs = sighting.atMs;
      break;
    case 'dcs':
      now.readMs = sighting.readMs ?? now.readMs;
      takeDcs(now, sighting.cluster, sighting.atMs);
      break;
    case 'member':
      now.seen = new Map(now.seen).set(sighting.name, sighting);
      takeWrites(now, sighting);
      takeOldLeader(now, sighting.atMs);
      break;
    case 'probe':
      now.writes = withProbe(now.writes, sighting.probe);
      break;
    case 'route probe':
      now.routeTracks = withRouteProbe(now.routeTracks, sighting.probe, now.newLeader !== null);
      break;
    case 'routes':
      takeRoutes(now, sighting);
      break;
  }
  takeNewLeader(now, sighting.atMs);
  return now;
}

export function stepOf(progress: Progress, name: StepName): Step | null {
  return progress.steps.find((step) => step.name === name) ?? null;
}

function add(
  now: Progress,
  name: StepName,
  atMs: number,
  member: string | null,
  said: string,
): void {
  if (stepOf(now, name) === null) now.steps.push({ name, atMs, member, said });
}

function takeDcs(now: Progress, cluster: Cluster, atMs: number): void {
  const { goal } = now;
  now.cluster = cluster;
  if (BigInt(cluster.failoverRevision) > BigInt(goal.failoverRevision)) {
    now.request = cluster.failover ?? 'gone';
    if (cluster.failover) add(now, 'accepted', atMs, null, 'the request is in /failover');
    else add(now, 'accepted', atMs, null, 'the request was in /failover');
  }
  const lock = cluster.leaderName;
  if (goal.leader !== null && lock !== goal.leader) {
    add(now, 'released', atMs, goal.leader, `${goal.leader} released the leader lock`);
  }
  if (lock === goal.leader) {
    if (stepOf(now, 'released') && lock !== null) now.retaken = true;
    now.newLeader = null;
  } else if (lock !== now.newLeader) {
    now.newLeader = lock;
    // Another winner after a winner, or none: what was seen of the first proves nothing any more.
    now.steps = now.steps.filter((step) => !PROOFS.includes(step.name));
    now.timeline = null;
    now.routeStates = null;
    if (lock !== null) add(now, 'locked', atMs, lock, `${lock} holds the leader lock`);
  }
}

const PROOFS: StepName[] = [
  'locked',
  'writable',
  'standby_leader',
  'rejoined',
  'streaming',
  'sync_restored',
  'routes',
];

/** The new leader was seen to lead: a primary accepts writes, a standby leader follows its remote. */
export function leadsSince(progress: Progress): Step | null {
  return stepOf(progress, progress.goal.standbyCluster ? 'standby_leader' : 'writable');
}

function takeOldLeader(now: Progress, atMs: number): void {
  const { leader } = now.goal;
  if (leader === null || stepOf(now, 'accepted') === null || stepOf(now, 'locked')) return;
  const rest = now.seen.get(leader)?.rest;
  if (!rest?.ok || !['stopping', 'stopped'].includes(rest.value.state)) return;
  add(now, 'stopping', atMs, leader, `${leader} is ${rest.value.state}`);
}

/** Over REST a primary says where it writes; one that does not answer says nothing about writes. */
function takeWrites(
  now: Progress,
  { name, rest, askedMs, atMs }: Extract<Sighting, { type: 'member' }>,
): void {
  if (!rest.ok) return;
  const takesWrites = rest.value.state === 'running' && rest.value.location !== null;
  const probe: Probe = { member: name, witness: 'REST', askedMs, atMs, takesWrites };
  now.writes = withProbe(now.writes, probe);
}

/** Proven as long as the last answers are right: a proxy may change its mind again. */
function takeRoutes(
  now: Progress,
  { leader, states, atMs }: Extract<Sighting, { type: 'routes' }>,
): void {
  const { routes } = now.goal;
  if (routes === undefined || leader !== now.newLeader || leadsSince(now) === null) return;
  now.routeStates = states;
  const { wrong, unasked, said } = routeProof(states, routes);
  if (wrong.length > 0) now.steps = now.steps.filter(({ name }) => name !== 'routes');
  else if (unasked.length === 0) add(now, 'routes', atMs, null, `every route is proven: ${said}`);
}

/** What the routes are to be proven by: null while they were not asked since the new leader leads. */
export function routesProven({ goal, routeStates }: Progress): RouteProof | null {
  if (goal.routes === undefined || routeStates === null) return null;
  return routeProof(routeStates, goal.routes);
}

/** Everything that has to be proven of the new leader, in order: nothing counts before it leads. */
function takeNewLeader(now: Progress, atMs: number): void {
  const { goal, newLeader, cluster } = now;
  if (newLeader === null || cluster === null) return;
  const seen = now.seen.get(newLeader);
  const leads = goal.standbyCluster ? standbyLeading(now, seen) : leading(seen);
  if (leads !== null) {
    now.timeline = leads.timeline ?? now.timeline;
    const on = leads.timeline === null ? '' : ` on timeline ${leads.timeline}`;
    const said = `${newLeader} ${leads.what}${on} (${leads.witness})`;
    add(now, goal.standbyCluster ? 'standby_leader' : 'writable', atMs, newLeader, said);
  }
  if (leadsSince(now) === null) return;
  if (goal.leader !== null && goal.members.includes(goal.leader)) {
    if (streams(now, goal.leader)) {
      add(now, 'rejoined', atMs, goal.leader, `${goal.leader} streams from ${newLeader}`);
    }
  }
  const missing = awaitedStreams(now);
  if (missing.length === 0) {
    const said = now.timeline === null ? '' : ` on timeline ${now.timeline}`;
    add(now, 'streaming', atMs, null, `every replica streams${said}`);
  }
  if (syncRestored(now)) {
    const names = cluster.sync?.standbys.join(', ') ?? '';
    if (goal.syncStandbys > 0) {
      add(now, 'sync_restored', atMs, null, `synchronous again: ${newLeader} with ${names}`);
    }
  }
}

interface Leads {
  timeline: number | null;
  what: string;
  witness: 'SQL' | 'REST';
}

function leading(seen: Seen | undefined): Leads | null {
  if (seen === undefined) return null;
  const { rest, sql } = seen;
  const what = 'accepts writes';
  if (sql.ok) {
    return sql.value.inRecovery ? null : { timeline: sql.value.timeline, what, witness: 'SQL' };
  }
  if (!rest.ok || rest.value.state !== 'running' || rest.value.location === null) return null;
  return { timeline: rest.value.timeline, what, witness: 'REST' };
}

/** Only Patroni knows that it is one; PostgreSQL knows best where it streams from. */
function standbyLeading({ goal, cluster }: Progress, seen: Seen | undefined): Leads | null {
  if (seen === undefined) return null;
  const { rest, sql } = seen;
  if (!rest.ok || rest.value.role !== 'standby_leader' || rest.value.state !== 'running')
    return null;
  const { timeline } = rest.value;
  const is = 'is the standby leader';
  if (!goal.remote) return { timeline, what: is, witness: 'REST' };
  if (!sql.ok) {
    if (rest.value.replicationState !== 'streaming') return null;
    return { timeline, what: `${is} and streams`, witness: 'REST' };
  }
  const { walReceiver } = sql.value;
  if (walReceiver?.status !== 'streaming') return null;
  const { senderHost, senderPort, receivedTimeline } = walReceiver;
  // Its receiver may still be the one that followed the old leader.
  const isMember = cluster?.members.some((m) => m.host === senderHost && m.port === senderPort);
  if (isMember) return null;
  const what = `${is} and streams from ${senderHost ?? '?'}:${senderPort ?? '?'}`;
  return { timeline: receivedTimeline ?? timeline, what, witness: 'SQL' };
}

/** Members that streamed before and do not yet stream on the new leader's timeline. */
export function awaitedStreams(progress: Progress): string[] {
  const { goal, newLeader } = progress;
  return goal.members.filter((name) => name !== newLeader && !streams(progress, name));
}

/** The member has a streaming walsender row on any member, and does not say it is on an older timeline. */
function streams({ seen, newLeader, timeline, cluster }: Progress, name: string): boolean {
  const own = seen.get(name);
  if (own === undefined) return false;
  const { tags } = cluster?.members.find((member) => member.name === name) ?? {};
  const upstream = readTags(tags).replicatefrom;
  const hasRow = [newLeader, upstream].some(
    (from) => from !== null && from !== name && hasStreamingRow(seen.get(from), name),
  );
  if (!hasRow) return false;
  const { rest, sql } = own;
  if (sql.ok && sql.value.inRecovery) {
    return (sql.value.walReceiver?.receivedTimeline ?? timeline) === timeline;
  }
  if (!rest.ok || rest.value.location !== null) return false;
  return timeline === null || (rest.value.timeline ?? timeline) >= timeline;
}

function hasStreamingRow(seen: Seen | undefined, name: string): boolean {
  return rowsOf(seen).some(
    (row) => isSenderOf(row.applicationName, name) && row.state === 'streaming',
  );
}

function rowsOf(seen: Seen | undefined): readonly (Walsender | RestWalsender)[] {
  if (seen?.sql.ok) {
    return seen.sql.value.walsenders.filter((row) => row.slotType !== 'logical');
  }
  return seen?.rest.ok ? (seen.rest.value.replication ?? []) : [];
}

function syncRestored({ goal, cluster, newLeader, seen }: Progress): boolean {
  if (goal.syncStandbys === 0) return true;
  const sync = cluster?.sync;
  if (!sync || newLeader === null) return false;
  // The REST API does not show the leader of /sync: the walsenders below must confirm its standbys.
  if (!sync.fromRoles && sync.leader !== newLeader) return false;
  if (sync.standbys.length < goal.syncStandbys) return false;
  const rows = rowsOf(seen.get(newLeader));
  const really = rows.filter((row) => row.syncState === 'sync' || row.syncState === 'quorum');
  return sync.standbys.every((name) => really.some((row) => isSenderOf(row.applicationName, name)));
}

// ---------------------------------------------------------------- what it comes to

/** Whether it is over, as far as has been seen. A deadline is unknown here: see `atDeadline`. */
export function changeVerdict(progress: Progress): Verdict {
  const { goal, answer, newLeader } = progress;
  const refusal = refusedBeforehand(progress);
  if (refusal !== null) return refusal;
  if (goal.waitFor === 'accepted' && stepOf(progress, 'accepted')) {
    return { done: true, ending: 'ok', code: 'accepted', words: `the ${goal.kind} was accepted` };
  }
  if (newLeader !== null && reached(progress)) return won(progress, newLeader);
  const unwritten = neverWritten(progress);
  if (unwritten !== null) return unwritten;
  if (progress.request !== 'gone' || newLeader !== null) return { done: false };
  // The request is gone and no other member leads: Patroni has dropped it, unless the race is still open.
  if (goal.leader === null || progress.cluster?.leaderName !== goal.leader) return { done: false };
  if (progress.retaken || stepOf(progress, 'stopping')) {
    const words = `${goal.leader} stepped down and became the leader again: the ${goal.kind} failed`;
    return { done: true, ending: 'failed', code: 'retaken', words };
  }
  const text = answer?.kind === 'answered' ? ` (${answer.status}: ${answer.text})` : '';
  const words = `Patroni accepted the request and dropped it${text}; ${goal.leader} is still the leader`;
  return { done: true, ending: 'error', code: 'dropped_by_patroni', words };
}

/**
 * An answer came, Patroni has had its time to write, and the DCS, read after that, shows nothing. A 200 then
 * came from something else than Patroni, or a 408, 502 or 504 from a proxy before it: that is not sure.
 */
function neverWritten(progress: Progress): Verdict | null {
  const { goal, answer, answeredMs, readMs, request, newLeader, cluster } = progress;
  if (answer?.kind !== 'answered' || answeredMs === null || readMs === null) return null;
  if (request !== null || newLeader !== null || stepOf(progress, 'stopping')) return null;
  if (cluster?.leaderName !== goal.leader) return null;
  const { status, text } = answer;
  const isProxy = status === 408 || status === 502 || status === 504;
  const waitedMs = readMs - answeredMs;
  if (waitedMs < goal.mayWriteForMs * (isProxy ? 2 : 1)) return null;
  const isRead = cluster.cannotTell?.failover === undefined;
  const leads = goal.leader === null ? 'there is still no leader' : `${goal.leader} still leads`;
  const seen = isRead ? 'nothing was written into /failover' : leads;
  const nothing = `${Math.round(waitedMs / 1000)} s after that ${seen}`;
  // Without /failover only Patroni's answer shows that the request is over, and it may say that it is not.
  const isOpen = !isRead && text.includes('status unknown');
  if (status < 400 || isProxy || isOpen) {
    const words = `Patroni said ${status}: ${text}; ${nothing}`;
    return { done: true, ending: 'unconfirmed', code: 'no_trace', words };
  }
  const words = `${titleOf(goal)} failed, details: ${status}, ${text}; ${nothing}`;
  return { done: true, ending: 'error', code: 'not_written', words };
}

function titleOf({ kind }: Goal): string {
  return kind === 'switchover' ? 'Switchover' : 'Failover';
}

/** Answers that Patroni gives before it writes anything. */
const BEFOREHAND = [400, 401, 403, 404, 405, 412, 422, 501];

function refusedBeforehand({ goal, answer }: Progress): Verdict | null {
  if (answer?.kind !== 'answered' || !BEFOREHAND.includes(answer.status)) return null;
  const { status, text } = answer;
  const words = `${titleOf(goal)} failed, details: ${status}, ${text}`;
  return { done: true, ending: 'error', code: refusalCode(status), words };
}

function refusalCode(status: number): string {
  if (status === 401) return 'rest_login_wanted';
  if (status === 403) return 'rest_forbidden';
  return status === 412 ? 'refused_by_patroni' : 'request_refused';
}

function reached(progress: Progress): boolean {
  const has = (name: StepName) => stepOf(progress, name) !== null;
  switch (progress.goal.waitFor) {
    case 'accepted':
    case 'leader':
      return has('locked');
    case 'writable':
      return leadsSince(progress) !== null;
    case 'healthy':
      return isHealthy(progress);
    case 'routes':
      return (
        isHealthy(progress) &&
        routesProven(progress)?.wrong.length === 0 &&
        isOutageMeasured(progress)
      );
  }
}

/** The connections that are made one after the other have met the new leader too, on every route that leads to it. */
function isOutageMeasured({ routeStates, routeTracks, newLeader }: Progress): boolean {
  return (routeStates ?? []).every(({ name, leadsTo }) => {
    const track = routeTracks.get(name);
    const isOver = track === undefined || track.refused !== null || track.firstNew !== null;
    return isOver || newLeader === null || !leadsTo.includes(newLeader);
  });
}

/** Every replica streams and synchronous replication is back; routes apart. */
export function isHealthy(progress: Progress): boolean {
  const has = (name: StepName) => stepOf(progress, name) !== null;
  return has('streaming') && (progress.goal.syncStandbys === 0 || has('sync_restored'));
}

function won(progress: Progress, newLeader: string): Verdict {
  const { goal } = progress;
  const { kind, candidate } = goal;
  const title = kind === 'switchover' ? 'Switched' : 'Failed';
  if (candidate !== null && candidate !== newLeader) {
    const words = `${title} over to "${newLeader}" instead of "${candidate}"`;
    return { done: true, ending: 'diverted', code: 'diverted', words };
  }
  const words = `Successfully ${title.toLowerCase()} over to "${newLeader}"`;
  const [unasked] = goal.waitFor === 'routes' ? (routesProven(progress)?.unasked ?? []) : [];
  if (unasked !== undefined) {
    const but = `${title} over to "${newLeader}", but ${unasked.message}`;
    return { done: true, ending: 'unconfirmed', code: 'routes_unknown', words: but };
  }
  return { done: true, ending: 'ok', code: 'done', words };
}

/** The outcome when no time is left, after `waitedMs`. */
export function atDeadline(progress: Progress, waitedMs: number): Extract<Verdict, { done: true }> {
  const verdict = changeVerdict(progress);
  if (verdict.done) return verdict;
  const { newLeader } = progress;
  const within = `within ${Math.round(waitedMs / 1000)} s`;
  if (newLeader === null) return nobodyYet(progress, within);
  const outcome = won(progress, newLeader);
  if (outcome.done && outcome.ending === 'diverted') {
    return { ...outcome, words: `${outcome.words}; ${unproven(progress)} ${within}` };
  }
  const leads = leadsSince(progress) !== null;
  const silent = !leads && !answers(progress.seen.get(newLeader));
  const what = unproven(progress);
  const ending = silent ? 'unconfirmed' : 'failed';
  const notYet = progress.goal.standbyCluster ? 'not_following' : 'not_writable';
  const code = leads ? (isHealthy(progress) ? 'routes_wrong' : 'not_healthy') : notYet;
  const words = `${newLeader} leads, but ${what} ${within}`;
  return { done: true, ending, code, words };
}

function answers(seen: Seen | undefined): boolean {
  return seen !== undefined && (seen.rest.ok || seen.sql.ok);
}

/** What is still missing for the awaited level. */
export function unproven(progress: Progress): string {
  const { goal, newLeader } = progress;
  if (leadsSince(progress) === null) {
    const who = newLeader ?? 'no member';
    if (!goal.standbyCluster) return `${who} did not accept writes`;
    const how = goal.remote ? ' that streams from the remote' : '';
    return `${who} was not seen as a standby leader${how}`;
  }
  const missing = awaitedStreams(progress);
  if (missing.length > 0) return missingText(progress, missing);
  if (!isHealthy(progress)) return 'synchronous replication was not restored';
  return routesProven(progress)?.wrong[0]?.message ?? 'its routes were not asked';
}

function missingText({ seen }: Progress, missing: readonly string[]): string {
  const silent = missing.filter((name) => seen.get(name)?.rest.ok === false);
  const why = silent.length === 0 ? '' : ` (the Patroni of ${silent.join(', ')} does not answer)`;
  return `${missing.join(', ')} did not stream from it${why}`;
}

/** Members that do not stream and whose Patroni is silent: nothing else points them to the new leader. */
export function withoutPatroni(progress: Progress): string[] {
  return awaitedStreams(progress).filter((name) => progress.seen.get(name)?.rest.ok === false);
}

function nobodyYet(progress: Progress, within: string): Extract<Verdict, { done: true }> {
  const { goal, answer, request } = progress;
  const end = (code: string, words: string): Extract<Verdict, { done: true }> => ({
    done: true,
    ending: 'unconfirmed',
    code,
    words,
  });
  const who = goal.leader ?? 'the old leader';
  if (stepOf(progress, 'released')) {
    return end('no_leader', `${who} released the lock, but no member took it ${within}`);
  }
  if (stepOf(progress, 'stopping')) {
    return end('still_stopping', `${who} is still stopping ${within}`);
  }
  if (request !== null && request !== 'gone') {
    return end('still_pending', `the request is still in /failover ${within}`);
  }
  if (request === 'gone')
    return end('no_leader', `the request is gone and there is no leader ${within}`);
  const lost = answer?.kind === 'lost' ? `; the answer was lost: ${answer.reason}` : '';
  const said =
    answer?.kind === 'answered' ? `; Patroni answered ${answer.status}: ${answer.text}` : '';
  return end(
    'no_trace',
    `the request was sent, but it had no visible effect ${within}${lost}${said}`,
  );
}

// ---------------------------------------------------------------- what was measured

export interface Measured {
  /** As clients see it; null in a standby cluster, and if no member was seen to accept writes in the end. */
  writeOutage: WriteOutage | null;
  /** From the loss of the lock to the first answer of the new leader out of recovery; none in a standby cluster. */
  lockFreeMs: number | null;
  newLeader: string | null;
  timeline: number | null;
  /** Every route that was asked afterwards; empty: none is known, or it did not come to that. */
  routes: MeasuredRoute[];
}

export interface MeasuredRoute {
  route: string;
  leadsTo: string[];
  /** What is wrong with it. */
  findings: Finding[];
  /** How long its clients were without a primary; null: not measured, a read route among others. */
  outage: RouteOutage | null;
}

function measuredRoutes({ routeStates, routeTracks }: Progress): MeasuredRoute[] {
  return (routeStates ?? []).map(({ name, leadsTo, findings }) => {
    const track = routeTracks.get(name);
    return { route: name, leadsTo, findings, outage: track ? routeOutage(track) : null };
  });
}

export function measured(progress: Progress): Measured {
  const { goal, newLeader, timeline, writes, beganMs } = progress;
  const writable = stepOf(progress, 'writable')?.atMs ?? null;
  const releasedMs = stepOf(progress, 'released')?.atMs ?? null;
  const lockedMs = stepOf(progress, 'locked')?.atMs ?? null;
  const began = { beganMs: beganMs ?? 0, releasedMs, lockedMs: lockedMs ?? 0 };
  return {
    writeOutage:
      goal.standbyCluster || newLeader === null || lockedMs === null
        ? null
        : writeOutage(writes, goal.leader, newLeader, began),
    lockFreeMs:
      writable === null || releasedMs === null ? null : Math.max(0, writable - releasedMs),
    newLeader,
    timeline,
    routes: measuredRoutes(progress),
  };
}

/** `patctl retire`: what the cluster is without one member for good, and why that member should stay. */
import { commandLine } from '../model/command-line.js';
import { isObject } from '../model/patroni-values.js';
import { plural } from '../model/words.js';
import { sameName } from '../model/member-names.js';
import { slotName } from '../model/slot-name.js';
import type { Cluster, Witnessed } from '../model/model.js';
import { readTags } from '../model/tags.js';
import { absentMembers } from '../roles/absent.js';
import type { MemberView, View } from '../roles/view.js';
import { forecast, forecastFacts } from '../votes/loss-forecast.js';
import type { Forecast, ForecastFacts } from '../votes/loss-model.js';
import { survivable } from '../votes/fault-tolerance.js';
import { withoutForGood } from '../votes/without.js';
import { roleSeen } from '../findings/evidence.js';
import { besideLeader } from './data-loss-check.js';
import type { CheckResult, PlanCheck } from './plan-model.js';

export interface Retirement {
  member: string;
  cluster: string;
  group: number | null;
  /** Of its member key, or of what the DCS remembers of it; null: unknown. */
  host: string | null;
  /** It has no member key: what is left is to remove what it leaves. */
  hasLeft: boolean;
  checks: PlanCheck[];
  /** Some check is refused or unknown. */
  refused: boolean;
  /** What to do on its host. */
  runThere: string;
  /** What is removed or noted once it is gone, in order. */
  removes: string[];
}

/** The names of the checks that refuse it. */
export function refusedBy({ checks }: Retirement): string[] {
  return checks
    .filter(({ result }) => result === 'refused' || result === 'unknown')
    .map(({ name }) => name);
}

/** null: the cluster neither has this member nor remembers it. */
export function planRetirement(view: View, member: string): Retirement | null {
  const { cluster } = view.snapshot;
  const own = view.members.find((one) => one.member !== null && one.name === member) ?? null;
  const left = own === null ? remembered(view, member) : null;
  if (own === null && left === null) return null;
  const checks =
    own === null
      ? [left?.isAlive === true ? runsOn(member, left.evidence) : alreadyGone(member)]
      : checksOf(view, own).filter((one) => one !== null);
  const host = own?.member?.host ?? left?.host ?? null;
  return {
    member,
    cluster: cluster.scope,
    group: cluster.group,
    host,
    hasLeft: own === null,
    checks,
    refused: checks.some(({ result }) => result === 'refused' || result === 'unknown'),
    runThere: runThere(cluster, member),
    removes: removals(cluster, member, own !== null),
  };
}

/** A member without a key that something still speaks of, or that was retired before. */
function remembered(
  view: View,
  member: string,
): { host: string | null; isAlive: boolean; evidence: Witnessed[] } | null {
  const { cluster } = view.snapshot;
  const absent = absentMembers(view).find(
    ({ name, isSlotOnly }) => name === member || (isSlotOnly && name === slotName(member)),
  );
  if (absent !== undefined)
    return {
      host: absent.departed?.host ?? null,
      isAlive: absent.isAlive,
      evidence: absent.evidence,
    };
  const isNoted = cluster.retired?.some(({ name }) => name === member) === true;
  return isNoted ? { host: null, isAlive: false, evidence: [] } : null;
}

function checksOf(view: View, own: MemberView): (PlanCheck | null)[] {
  const { cluster } = view.snapshot;
  if (cluster.leaderName === own.name) return [leads(cluster, own)];
  if (cluster.leaderName === null) return [noLeader(own.name)];
  const beside = besideLeader(view);
  if (beside !== null) return [twoPrimaries(cluster, beside)];
  const { now, after } = factsWithout(view, own.name);
  return [
    ok('role', `${own.name} is ${own.observed === 'replica' ? 'a replica' : own.observed}`),
    election(cluster, own, now, after),
    tolerance(now, after),
    commits(own, now, after),
    followers(view, own),
    watchdogs(after),
    consumers(own),
    permanentSlot(cluster, own.name),
    paused(cluster),
  ];
}

/** Whether the cluster can do without this replica: it could elect a new leader then, and commits would go on. */
export function canDoWithout(view: View, own: MemberView): PlanCheck[] {
  const { cluster } = view.snapshot;
  if (cluster.leaderName === null) return [noLeader(own.name)];
  const beside = besideLeader(view);
  if (beside !== null) return [twoPrimaries(cluster, beside)];
  const { now, after } = factsWithout(view, own.name);
  return [election(cluster, own, now, after), commits(own, now, after)].filter(
    (one) => one !== null,
  );
}

function factsWithout(view: View, name: string): { now: ForecastFacts; after: ForecastFacts } {
  const now = unpaused(forecastFacts(view.snapshot));
  const count = view.snapshot.cluster.config?.syncNodeCount ?? 1;
  return { now, after: withoutForGood(now, name, count) };
}

/** A pause is a check of its own. */
function unpaused(facts: ForecastFacts): ForecastFacts {
  return { ...facts, input: { ...facts.input, paused: false } };
}

function ok(name: string, said: string): PlanCheck {
  return { name, result: 'ok', said, evidence: [], next: null };
}

function found(
  name: string,
  result: CheckResult,
  said: string,
  { evidence = [], next }: { evidence?: Witnessed[]; next: string | null },
): PlanCheck {
  return { name, result, said, evidence, next };
}

function alreadyGone(member: string): PlanCheck {
  return ok('role', `${member} has no member key: only what it leaves is removed`);
}

function runsOn(member: string, evidence: Witnessed[]): PlanCheck {
  return found('role', 'refused', `${member} has no member key, and its PostgreSQL still runs`, {
    evidence,
    next: `stop PostgreSQL and Patroni of ${member} first; if its host is lost, wait until wal_sender_timeout ends its walsender`,
  });
}

function leads(cluster: Cluster, { name }: MemberView): PlanCheck {
  return found('role', 'refused', `${name} is the leader`, {
    evidence: [{ witness: 'DCS', subject: '/leader', said: name }],
    next: `move the leadership first: ${commandLine(cluster, 'switchover', '--avoid', name)}`,
  });
}

function noLeader(name: string): PlanCheck {
  return found('role', 'refused', `no member leads: ${name} may be needed`, {
    evidence: [{ witness: 'DCS', subject: '/leader', said: 'is absent' }],
    next: 'wait until a member leads',
  });
}

/** What either of them has may be nowhere else: no member may go. */
function twoPrimaries(cluster: Cluster, beside: MemberView): PlanCheck {
  const said = `${beside.name} is a primary beside ${cluster.leaderName ?? 'the leader'}: what it acknowledges may exist on no other member`;
  return found('role', 'refused', said, {
    evidence: [roleSeen(beside)],
    next: `end that first: ${commandLine(cluster, 'check')}`,
  });
}

// ---------------------------------------------------------------- votes

/** Whether the members that are left could elect a new leader, if the leader were lost then. */
function election(
  cluster: Cluster,
  { name, rest, sql, member }: MemberView,
  now: ForecastFacts,
  after: ForecastFacts,
): PlanCheck {
  const leader = cluster.leaderName ?? '';
  const [before, then] = [forecast(now, [leader]), forecast(after, [leader])];
  const next = `see the votes: ${commandLine(cluster, 'quorum', '--lose', name, '--lose', leader)}`;
  const evidence = heirsSeen(then);
  const seen = { evidence, next };
  const who = after.input.nodes.length > 1 ? 'no other member' : `only ${leader} is left, and none`;
  if (then.leadership === 'moves') {
    const heirs = then.heirs.filter(({ mayWin }) => mayWin === 'yes').map((heir) => heir.name);
    const words = `without ${name}, ${heirs.join(' or ')} could take over from ${leader}`;
    return { ...ok('votes', words), evidence };
  }
  // Neither of the two could take over, nor give a vote that could be missed.
  const isDead = !rest.ok && !sql.ok;
  const isBarred = readTags(member?.tags).nofailover && before.leadership === 'none';
  if (then.leadership === 'none' && (isBarred || isDead))
    return found('votes', 'warning', `no member can take over from ${leader} already now`, seen);
  if (then.leadership === 'none')
    return found('votes', 'refused', `without ${name}, ${who} could take over from ${leader}`, {
      evidence,
      next: `add or repair another member first; ${next}`,
    });
  const words = `it is unknown whether a member could take over from ${leader} without ${name}`;
  return found('votes', isDead ? 'warning' : 'unknown', words, seen);
}

function heirsSeen({ heirs }: Forecast): Witnessed[] {
  return heirs.map(({ name, mayWin, counted, needed, reasons }) => {
    const votes = needed === 0 ? '' : `, ${counted} of ${plural(needed, 'vote')}`;
    const why = reasons.length === 0 ? '' : `: ${reasons.join(', ')}`;
    return { witness: 'DCS', subject: name, said: `may take over: ${mayWin}${votes}${why}` };
  });
}

function tolerance(now: ForecastFacts, after: ForecastFacts): PlanCheck | null {
  const [before, then] = [survivable(now.input), survivable(after.input)];
  if (then.leaderLoss !== 'yes') return null;
  const same = before.sentence === then.sentence;
  return ok(
    'failures',
    same ? `${then.sentence}, as now` : `${then.sentence} (${before.sentence} now)`,
  );
}

/** Whether writes go on: while it stops, and when it is gone. */
function commits({ name }: MemberView, now: ForecastFacts, after: ForecastFacts): PlanCheck | null {
  const [stopping, then] = [forecast(now, [name]), forecast(after, [])];
  if (then.writes === 'none') return null;
  const next = 'add another standby first, or turn synchronous_mode_strict off';
  if (then.writes === 'wait')
    return found('commits', 'refused', `without ${name}, ${then.writesBecause}`, { next });
  if (then.writes === 'unknown')
    return found('commits', 'unknown', `without ${name}: ${then.writesBecause}`, { next: null });
  if (stopping.writes === 'pause' || stopping.writes === 'wait')
    return found('commits', 'warning', `while ${name} stops, ${stopping.writesBecause}`, {
      next: 'writes wait for about loop_wait if its host fails; a clean stop of Patroni takes less',
    });
  return ok('commits', `writes go on: ${then.writesBecause}`);
}

// ---------------------------------------------------------------- what depends on it

/** Members that stream from it, by their tag or in fact. */
function followers(view: View, { name, streams }: MemberView): PlanCheck {
  const { cluster } = view.snapshot;
  const tagged = cluster.members.filter(({ tags }) => readTags(tags).replicatefrom === name);
  const inFact = cluster.members.filter((one) =>
    streams.some(({ applicationName }) => sameName(applicationName, one.name)),
  );
  const names = [...new Set([...tagged, ...inFact].map((one) => one.name))];
  if (names.length === 0) return ok('followers', `no member streams from ${name}`);
  const [stream, its] = names.length === 1 ? ['streams', 'its tag'] : ['stream', 'their tags'];
  const said = `${names.join(', ')} ${stream} from ${name} and will stream from the leader`;
  return found('followers', 'warning', said, {
    evidence: tagged.map((one) => ({
      witness: 'DCS',
      subject: `/members/${one.name}`,
      said: `replicatefrom: ${name}`,
    })),
    next:
      tagged.length === 0
        ? null
        : `replace replicatefrom in ${its} (patroni.yml of ${tagged.map((one) => one.name).join(', ')})`,
  });
}

/** A member that requires a watchdog and has none cannot lead; the one that is left may be such a member. */
function watchdogs({ input }: ForecastFacts): PlanCheck {
  const failed = input.nodes.filter(({ watchdogFailed }) => watchdogFailed === true);
  if (failed.length === 0) return ok('watchdog', 'no member that stays lacks its watchdog');
  const names = failed.map(({ name }) => name);
  const said = `${names.join(', ')} ${names.length === 1 ? 'stays, requires a watchdog and has' : 'stay, require a watchdog and have'} none`;
  const evidence = names.map((name): Witnessed => ({
    witness: 'REST',
    subject: name,
    said: 'watchdog_failed: true',
  }));
  return found('watchdog', 'warning', said, { evidence, next: 'repair the watchdog there' });
}

/** Clients that read a logical slot of this very server lose it. */
function consumers({ name, sql }: MemberView): PlanCheck {
  if (!sql.ok)
    return found('slots', 'warning', `the slots on ${name} were not read: ${sql.reason}`, {
      next: 'check whether a client streams from it',
    });
  const used = sql.value.slots.filter(({ slotType, active }) => slotType === 'logical' && active);
  if (used.length === 0) return ok('slots', `no client reads a logical slot on ${name}`);
  const names = used.map((slot) => slot.slotName).join(', ');
  const said = `${plural(used.length, 'logical slot')} on ${name} in use: ${names}`;
  const evidence = used.map(({ slotName: slot, activePid }): Witnessed => {
    return { witness: 'SQL', subject: name, said: `${slot} is active, pid ${activePid ?? '?'}` };
  });
  return found('slots', 'warning', said, { evidence, next: 'move these clients first' });
}

/** `slots` of the dynamic configuration names the slot of this member: Patroni never drops it. */
export function hasPermanentSlot({ config }: Cluster, member: string): boolean {
  const { slots } = config?.raw ?? {};
  return isObject(slots) && Object.hasOwn(slots, slotName(member));
}

function permanentSlot(cluster: Cluster, member: string): PlanCheck | null {
  if (!hasPermanentSlot(cluster, member)) return null;
  const slot = slotName(member);
  return found('permanent_slot', 'warning', `slot ${slot} is permanent: it stays and keeps WAL`, {
    evidence: [{ witness: 'DCS', subject: '/config', said: `slots has ${slot}` }],
    next: `remove it afterwards: ${commandLine(cluster, 'edit-config', '-s', `slots.${slot}=null`)}`,
  });
}

function paused(cluster: Cluster): PlanCheck | null {
  if (cluster.config?.pause !== true) return null;
  const said = 'the cluster is paused: Patroni leaves PostgreSQL running when it is stopped';
  return found('pause', 'warning', said, {
    evidence: [{ witness: 'DCS', subject: '/config', said: 'pause is true' }],
    next: `stop PostgreSQL there too, or resume first: ${commandLine(cluster, 'resume')}`,
  });
}

// ---------------------------------------------------------------- what is done

function runThere({ kubernetes, scope }: Cluster, member: string): string {
  return kubernetes === undefined
    ? 'systemctl disable --now patroni'
    : `remove pod ${member} by lowering the replicas of the StatefulSet of ${scope}`;
}

function removals(cluster: Cluster, member: string, hasKey: boolean): string[] {
  const slot = slotName(member);
  return [
    ...(hasKey ? [`its member key /members/${member}, if it has no lease that ends it`] : []),
    ...(hasPermanentSlot(cluster, member) ? [] : [`its replication slot ${slot} on every member`]),
  ];
}

/** Leadership: the key in the DCS compared with the servers out of recovery. */
import { commandLine } from '../model/command-line.js';
import type { Finding } from '../model/model.js';
import { isStandbyCluster } from '../roles/dcs-roles.js';
import type { MemberView, View } from '../roles/view.js';
import type { Limits } from './limits.js';
import { noPromotion, promotion } from './next-steps.js';
import { leaderKeySays, list, roleSeen, silence } from './evidence.js';

export function twoPrimaries({ primaries, snapshot, members }: View): Finding[] {
  const { cluster } = snapshot;
  if (primaries.length >= 2) {
    const strangers = primaries.filter(({ name }) => name !== cluster.leaderName);
    const gone = strangers.filter(({ departed }) => departed !== null);
    return [
      {
        code: 'two_primaries',
        severity: 'critical',
        members: primaries.map(({ name }) => name),
        message:
          `${list(primaries.map(({ name }) => name))} are both primaries and accept writes` +
          (gone.length > 0
            ? `; ${list(gone.map(({ name }) => name))} is no longer in the DCS`
            : ''),
        evidence: [leaderKeySays(cluster), ...primaries.map(roleSeen)],
        next: `fence or stop PostgreSQL on ${list(strangers.map(({ name }) => name))}; what was written there exists on no other member`,
      },
    ];
  }
  return members.filter(mayBeAPrimary).map((view) => ({
    code: 'two_primaries',
    severity: 'unknown',
    members: [view.name],
    message: `${view.name} is no longer in the DCS, but PostgreSQL still answers at ${address(view)}: it may be a second primary`,
    evidence: [
      leaderKeySays(cluster),
      { witness: 'SQL', subject: view.name, said: `${address(view)} speaks PostgreSQL's protocol` },
      { witness: 'REST', subject: view.name, said: silence(view) },
    ],
    next: 'give a database login (-U, PGUSER, or postgresql.authentication in -c FILE) so that it can be asked, or check that host',
  }));
}

/** A departed member whose PostgreSQL lives but could not be asked for its role. */
function mayBeAPrimary({ departed, witness, observed }: MemberView): boolean {
  return departed?.listening === true && (witness === null || observed === 'not running');
}

function address({ departed }: MemberView): string {
  return `${departed?.host ?? '?'}:${departed?.port ?? '?'}`;
}

export function primaryWithoutLock({ primaries, snapshot }: View): Finding[] {
  const { cluster } = snapshot;
  return primaries
    .filter(({ name }) => name !== cluster.leaderName)
    .map((view) => {
      const isKeptAlive = inFailsafe(view);
      const isFree = cluster.leaderName === null;
      return {
        code: 'primary_without_lock',
        severity: isKeptAlive && isFree && primaries.length === 1 ? 'info' : 'critical',
        members: [view.name],
        message:
          `${view.name} is a primary, but the leader key ` +
          (isFree ? 'does not exist' : `is held by ${cluster.leaderName}`) +
          (isKeptAlive ? ' (failsafe mode is active)' : ''),
        evidence: [leaderKeySays(cluster), roleSeen(view)],
        next: isKeptAlive
          ? `restore the connection between ${view.name} and the DCS; until then failsafe mode keeps this primary alive, and no member takes the lock while it answers`
          : `check whether Patroni runs on ${view.name}; if another member leads, stop that PostgreSQL`,
      };
    });
}

function inFailsafe({ rest }: MemberView): boolean {
  return rest.ok && rest.value.failsafeModeIsActive;
}

export function noLeader(view: View): Finding[] {
  const { primaries, snapshot, members } = view;
  const { cluster } = snapshot;
  if (cluster.leaderName !== null || primaries.length > 0) return [];
  const untold = members.filter(
    ({ member, observed }) => member !== null && observed === 'unknown',
  );
  return [
    {
      code: 'no_leader',
      severity: untold.length > 0 ? 'unknown' : 'critical',
      members: [],
      message:
        untold.length > 0
          ? `no member holds the leader key; whether ${list(untold.map(({ name }) => name))} is a primary is unknown`
          : 'no member holds the leader key, and no primary was seen',
      evidence: [leaderKeySays(cluster), ...members.map(roleSeen)],
      next:
        untold.length > 0
          ? 'ask them first (--verify auto, an SQL login), before you promote a member'
          : whoCouldLead(view),
    },
  ];
}

/** The vote first; then those that can be promoted manually, if there are any. */
function whoCouldLead(view: View): string {
  const promote = promotion(view);
  if (promote === null) return noPromotion(view);
  return `see which members could win the vote: ${commandLine(view.snapshot.cluster, 'quorum')}; promote one manually: ${promote}`;
}

export function lockWithoutPrimary({ leader, snapshot }: View): Finding[] {
  const { cluster } = snapshot;
  if (cluster.leaderName === null) return [];
  if (!leader) {
    return [
      {
        code: 'lock_without_primary',
        severity: 'critical',
        members: [cluster.leaderName],
        message: `the leader key is held by ${cluster.leaderName}, which has no member key`,
        evidence: [leaderKeySays(cluster)],
        next: `check whether Patroni runs on ${cluster.leaderName}`,
      },
    ];
  }
  if (leader.observed !== 'replica' && leader.observed !== 'not running') return [];
  const state = leader.rest.ok ? leader.rest.value.state : leader.observed;
  const claim = isStandbyCluster(cluster)
    ? `but its PostgreSQL does not run, so the standby cluster receives nothing (${state})`
    : `but is not a primary: it is ${leader.observed} (${state})`;
  return [
    {
      code: 'lock_without_primary',
      severity: 'critical',
      members: [leader.name],
      message: `${leader.name} holds the leader key ${claim}`,
      evidence: [leaderKeySays(cluster), roleSeen(leader)],
      next:
        state === 'stopping'
          ? `its shutdown waits for a walsender (see docs/findings.md); list them: ${commandLine(cluster, 'status')}`
          : `check Patroni's log on ${leader.name}`,
    },
  ];
}

export function leaderUnreachable({ leader, members, snapshot }: View): Finding[] {
  if (!leader || leader.observed !== 'unreachable') return [];
  const streaming = members.filter(
    ({ name, rest }) =>
      name !== leader.name && rest.ok && rest.value.replicationState === 'streaming',
  );
  return [
    {
      code: 'leader_unreachable',
      severity: streaming.length > 0 ? 'warning' : 'critical',
      members: [leader.name],
      message:
        `the leader ${leader.name} does not answer` +
        (streaming.length > 0
          ? `; ${list(streaming.map(({ name }) => name))} still stream`
          : ' and no replica streams from it'),
      evidence: [leaderKeySays(snapshot.cluster), roleSeen(leader)],
      next: `check the host of ${leader.name}; see which members could take over: ${commandLine(snapshot.cluster, 'quorum')}`,
    },
  ];
}

export function failsafeActive({ members, snapshot }: View): Finding[] {
  const active = members.filter(inFailsafe);
  if (active.length === 0) return [];
  return [
    {
      code: 'failsafe_active',
      severity: 'warning',
      members: active.map(({ name }) => name),
      message: `failsafe mode is active on ${list(active.map(({ name }) => name))}: ${failsafeCause(active)}`,
      evidence: active.map(({ name }) => ({
        witness: 'REST',
        subject: name,
        said: 'failsafe_mode_is_active',
      })),
      next: failsafeNext(active, snapshot.cluster.leaderName),
    },
  ];
}

/** Those whose Patroni answers although their key has expired: they alone do not reach the DCS. */
function cutOff(active: readonly MemberView[]): string[] {
  return active.filter(({ departed }) => departed !== null).map(({ name }) => name);
}

/** A replica says so for ttl after a primary in failsafe mode has last asked it to stay. */
function failsafeCause(active: readonly MemberView[]): string {
  const names = cutOff(active);
  if (names.length > 0) return `${list(names)} does not reach the DCS`;
  return active.some(({ observed }) => observed === 'primary')
    ? 'the DCS was lost'
    : 'a primary lost the DCS and asked them to stay replicas; they do not take the lock for ttl after its last request';
}

function failsafeNext(active: readonly MemberView[], leader: string | null): string {
  const names = cutOff(active);
  if (names.length > 0) return `restore the connection between ${list(names)} and the DCS`;
  if (leader !== null || active.some(({ observed }) => observed === 'primary'))
    return 'repair the DCS';
  return 'find that primary, and restore its connection to the DCS';
}

/** An api_url at which another member, or another cluster, answers. */
export function memberMisidentified({ members }: View): Finding[] {
  return members.flatMap(({ name, member, rest }): Finding[] => {
    if (!member || rest.ok || rest.kind !== 'misidentified') return [];
    return [
      {
        code: 'member_misidentified',
        severity: 'critical',
        members: [name],
        message: `another member answers at the api_url of ${name}: ${rest.reason}`,
        evidence: [{ witness: 'REST', subject: name, said: rest.reason }],
        next: `set restapi.connect_address of ${name} to an address that belongs only to it`,
      },
    ];
  });
}

/**
 * A member key whose owner's Patroni does not answer; a leader that does not answer at all is `leader_unreachable`. Too
 * few may answer as well because some have no key any more.
 */
export function memberUnreachable({ members, leader }: View, { minMembers }: Limits): Finding[] {
  const here = members.filter(({ member }) => member !== null);
  const answering = here.filter((one) => !isSilent(one));
  const silent = here.filter(
    (one) => isSilent(one) && !(one === leader && one.observed === 'unreachable'),
  );
  const found = silent.map((one): Finding => ({
    code: 'member_unreachable',
    severity: answering.length < minMembers ? 'critical' : 'warning',
    members: [one.name],
    message: `${one.name} does not answer${one.sql.ok ? ', although its PostgreSQL does' : ''}`,
    evidence: [{ witness: 'REST', subject: one.name, said: silence(one) }],
    next: `check whether Patroni runs on ${one.name}`,
  }));
  // By default one has to answer; where not even one has a key, other findings say so.
  const isTooFew = minMembers > 1 && answering.length < minMembers;
  return isTooFew && found.length === 0 ? [tooFew(here, answering.length, minMembers)] : found;
}

function tooFew(here: MemberView[], answering: number, minMembers: number): Finding {
  const names = here.length === 0 ? 'none' : list(here.map(({ name }) => name));
  return {
    code: 'member_unreachable',
    severity: 'critical',
    members: [],
    message: `${answering} of the ${minMembers} required members answer`,
    evidence: [{ witness: 'DCS', subject: '/members', said: names }],
    next: 'start Patroni on the missing members, or lower --min-members',
  };
}

function isSilent({ rest, observed }: MemberView): boolean {
  if (rest.ok || rest.kind === 'misidentified') return false;
  return rest.kind === 'unreachable' || observed === 'unreachable';
}

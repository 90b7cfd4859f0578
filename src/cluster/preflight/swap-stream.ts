/** Swap: whether the other site has what this one writes, and will have the rest. */
import { bytesText, roleSeen, silence } from '../findings/evidence.js';
import { memberAt } from '../model/member-address.js';
import { sendersOf } from '../model/member-names.js';
import { formatLsn, lagBytes } from '../model/lsn.js';
import type { Member, Witnessed } from '../model/model.js';
import type { MemberView } from '../roles/view.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import { memberOf, siteCommand, systemIdOf, type Site, type SwapEvidence } from './swap-model.js';

export function sameDatabase(here: Site, there: Site): PlanCheck {
  const name = 'same_database';
  const [a, b] = [here, there].map(systemIdOf);
  const evidence = [here, there].map((site) =>
    dcs(`/initialize of ${site.label}`, systemIdOf(site) ?? 'unknown'),
  );
  if (isSameCluster(here, there))
    return bad(
      name,
      'refused',
      'both sites are the same cluster',
      evidence,
      'give the configuration of the other site with --to',
    );
  if (a === null || b === null || a === undefined || b === undefined)
    return bad(
      name,
      'unknown',
      'the system identifier of a site is unknown',
      evidence,
      'ask with a login, or read its DCS',
    );
  if (a !== b)
    return bad(
      name,
      'refused',
      `${there.label} is another database (system identifier ${b}, not ${a})`,
      evidence,
      'give the configuration of the site that has the same database with --to',
    );
  return ok(name, `one system identifier, ${a}`, evidence);
}

/** The leaders listen at one address. */
function isSameCluster(here: Site, there: Site): boolean {
  const [a, b] = [here, there].map(({ view }) => view.leader);
  const [one, other] = [a?.member, b?.member];
  if (!one?.apiUrl || one.apiUrl !== other?.apiUrl || one.name !== other.name) return false;
  return one.host === other.host && one.port === other.port;
}

/** By SQL on both sides: the receiver there has its connection to the leader here, which has the walsender of it. */
export function streams(here: Site, there: Site, seen: SwapEvidence): PlanCheck {
  const [sender, receiver] = [here.view.leader, there.view.leader];
  if (sender === null || receiver === null)
    return bad('streams', 'unknown', 'a site has no leader', [], 'wait until both have one');
  const who = memberOf(there, receiver.name);
  const from = memberOf(here, sender.name);
  if (!receiver.sql.ok || !sender.sql.ok)
    return streamUnread(
      receiver.sql.ok ? sender : receiver,
      receiver,
      `${who} streams from ${from}`,
    );
  const wal = receiver.sql.value.walReceiver;
  const [host, port] = [wal?.senderHost ?? null, wal?.senderPort ?? null];
  const address = `${host ?? '?'}:${port ?? '?'}`;
  const said =
    wal === null
      ? 'it has no WAL receiver'
      : `its WAL receiver is ${wal.status ?? 'in an unknown state'}, from ${address}`;
  const rows = sendersOf(sender.streams, receiver.name).filter(
    ({ slotType }) => slotType !== 'logical',
  );
  const evidence: Witnessed[] = [
    { witness: 'SQL', subject: who, said },
    { witness: 'SQL', subject: `${from} pg_stat_replication`, said: rowWords(rows) },
  ];
  if (wal?.status !== 'streaming')
    return bad(
      'streams',
      'refused',
      `${who} does not stream: ${said}`,
      evidence,
      `see why: ${siteCommand(there, 'check')}`,
    );
  const upstream =
    host === null || port === null
      ? undefined
      : memberAt(here.view.snapshot.cluster, seen.addresses, [host], port);
  const isSent = rows.filter(({ state }) => state === 'streaming').length > ownRows(here, receiver);
  return (
    wrongSource({ here, there, seen }, { who, from, address, upstream, isSent, evidence }) ??
    ok('streams', `${who} streams from ${from}`, evidence)
  );
}

/** A member here with the same name has a walsender of its own. */
function ownRows({ view: { members, leader } }: Site, { name }: MemberView): number {
  return members.filter((one) => one.name === name && name !== leader?.name && one.member !== null)
    .length;
}

interface Stream {
  who: string;
  from: string;
  /** Where its receiver is connected to. */
  address: string;
  /** The member here at that address. */
  upstream: Member | undefined;
  /** The leader here has a walsender of its name that does not belong to a member here. */
  isSent: boolean;
  evidence: Witnessed[];
}

/** What is wrong with where it streams from; null: nothing. */
function wrongSource(
  { here, there, seen }: { here: Site; there: Site; seen: SwapEvidence },
  { who, from, address, upstream, isSent, evidence }: Stream,
): PlanCheck | null {
  const name = 'streams';
  if (upstream !== undefined && upstream.name !== here.view.leader?.name)
    return bad(
      name,
      'refused',
      `${who} streams from ${memberOf(here, upstream.name)}, not from the leader`,
      evidence,
      `set standby_cluster.host of ${there.label} to the leader, or switch over: ${siteCommand(here, 'switchover', '--candidate', upstream.name)}`,
    );
  // A walsender of that name may be another standby's.
  const leads = `asked from this machine, ${address}, from which ${who} streams, leads to ${seen.upstream}, not to ${from}`;
  const sees = `check standby_cluster of ${there.label}: ${siteCommand(there, 'show-config')}`;
  if (upstream === undefined && seen.upstream === 'another database')
    return bad(name, 'unknown', leads, evidence, sees);
  if (!isSent)
    return bad(
      name,
      'refused',
      `${from} has no walsender that streams to ${who}`,
      evidence,
      upstream === undefined
        ? `the address ${address} leads to another server: check standby_cluster of ${there.label}`
        : `see why: ${siteCommand(there, 'check')}`,
    );
  // An address may lead elsewhere from here than from there.
  if (upstream === undefined && seen.upstream === 'another server')
    return bad(
      name,
      'warning',
      `${leads}; ${from} has a walsender that streams to ${there.view.leader?.name ?? who}`,
      evidence,
      sees,
    );
  return null;
}

/** PostgreSQL of `silent`, one of the two, was not read. */
function streamUnread(silent: MemberView, receiver: MemberView, what: string): PlanCheck {
  return bad(
    'streams',
    'unknown',
    `it is unknown whether ${what}: PostgreSQL of ${silent.name} was not read`,
    [{ witness: 'SQL', subject: silent.name, said: silence(silent) }, ...byRest(receiver)],
    'give a login that may read pg_stat_replication and pg_stat_wal_receiver on both sites (pg_monitor)',
  );
}

function byRest({ name, rest }: MemberView): Witnessed[] {
  if (!rest.ok) return [];
  return [{ witness: 'REST', subject: name, said: rest.value.replicationState ?? 'no state' }];
}

function rowWords(rows: readonly { state: string | null; slotName: string | null }[]): string {
  const words = rows.map(({ state, slotName }) => {
    return `${state ?? 'unknown'}${slotName === null ? '' : ` from slot ${slotName}`}`;
  });
  return words.join(', ') || 'no row with its name';
}

export function timelines(here: Site, there: Site): PlanCheck {
  const name = 'timelines';
  const [a, b] = [here.view.leader?.timeline ?? null, there.view.leader?.timeline ?? null];
  const evidence = leadersSeen(here, there);
  if (a === null || b === null)
    return bad(name, 'unknown', 'the timeline of a site is unknown', evidence, 'ask with a login');
  if (a !== b)
    return bad(
      name,
      'refused',
      `${here.label} is on timeline ${a}, ${there.label} on ${b}`,
      evidence,
      `wait until ${there.label} follows: ${siteCommand(there, 'check')}`,
    );
  return ok(name, `both on timeline ${a}`, evidence);
}

export function lag(here: Site, there: Site, maxLagBytes: number): PlanCheck {
  const name = 'lag';
  const [ahead, got] = [here.view.leader?.position ?? null, there.view.leader?.position ?? null];
  const evidence = leadersSeen(here, there);
  if (ahead === null || got === null)
    return bad(name, 'unknown', 'the position of a site is unknown', evidence, 'ask with a login');
  const behind = lagBytes(ahead, got);
  if (behind > maxLagBytes)
    return bad(
      name,
      'refused',
      `${there.label} is ${bytesText(behind)} behind (limit ${bytesText(maxLagBytes)}, --max-lag)`,
      evidence,
      'writes would wait for it: wait until it has caught up',
    );
  return ok(name, `${there.label} is ${bytesText(behind)} behind`, evidence);
}

/** Replay has to reach the end as well: a promotion waits for it. A primary replays nothing. */
export function replay(there: Site, maxLagBytes: number): PlanCheck | null {
  const name = 'replay';
  const { leader, snapshot } = there.view;
  if (leader === null) return bad(name, 'unknown', `${there.label} has no leader`, [], 'wait');
  if (leader.observed === 'primary') return null;
  const who = memberOf(there, leader.name);
  const delay = snapshot.cluster.config?.standbyCluster?.['recovery_min_apply_delay'] ?? null;
  if (delay !== null && delay !== 0 && delay !== '0' && delay !== '')
    return bad(
      name,
      'refused',
      `${there.label} replays with a delay (recovery_min_apply_delay)`,
      [dcs('/config', `standby_cluster.recovery_min_apply_delay: ${JSON.stringify(delay)}`)],
      `remove it first: ${siteCommand(there, 'edit-config', '--set', 'standby_cluster.recovery_min_apply_delay=null')}`,
    );
  const paused =
    (leader.sql.ok && leader.sql.value.replayPaused === true) ||
    (leader.rest.ok && leader.rest.value.replayPaused === true);
  if (paused)
    return bad(
      name,
      'refused',
      `replay is paused on ${who}`,
      [{ witness: leader.witness ?? 'REST', subject: leader.name, said: 'WAL replay is paused' }],
      `SELECT pg_wal_replay_resume() on ${who}`,
    );
  const { position, replayed } = leader;
  if (position === null || replayed === null)
    return bad(
      name,
      'unknown',
      `what ${who} has replayed is unknown`,
      [roleSeen(leader)],
      'ask with a login',
    );
  const behind = lagBytes(position, replayed);
  const evidence: Witnessed[] = [
    {
      witness: leader.witness ?? 'REST',
      subject: who,
      said: `received ${formatLsn(position)}, replayed ${formatLsn(replayed)}`,
    },
  ];
  if (behind > maxLagBytes)
    return bad(
      name,
      'refused',
      `${who} has received ${bytesText(behind)} more than it has replayed`,
      evidence,
      'wait until it has replayed that',
    );
  return ok(name, `${who} replays what it receives`, evidence);
}

function leadersSeen(here: Site, there: Site): Witnessed[] {
  return [here, there].flatMap((site) => {
    const { leader } = site.view;
    return leader === null ? [] : [{ ...roleSeen(leader), subject: memberOf(site, leader.name) }];
  });
}

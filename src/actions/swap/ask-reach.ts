/** Whether the members here reach the other site's leader and are let in, asked of the servers themselves. */
import { wayBack } from '../../cluster/preflight/swap-way-back.js';
import {
  systemIdOf,
  type Answering,
  type Reach,
  type StandbySource,
  type SwapEvidence,
  type SwapRequest,
} from '../../cluster/preflight/swap-model.js';
import { loopback } from '../../cluster/model/member-address.js';
import type { Member, Reading } from '../../cluster/model/model.js';
import { addressesOf } from '../../observe/addresses.js';
import type { Clients, ReachAnswer } from '../../postgres/postgres.js';
import { siteCluster, type LivePair, type LiveSite } from './pair.js';

/** More than the two seconds that the server itself has for each address of the other one. */
const REACH_MS = 6000;

/** Nothing is changed on any server. What cannot be asked is unknown, with the reason. */
export async function swapEvidence(
  pair: LivePair,
  request: Pick<SwapRequest, 'host' | 'port' | 'primarySlotName'>,
): Promise<SwapEvidence> {
  const { here, there } = pair;
  const back = wayBack(there, request);
  const user = replicationUser(pair);
  const hosts = [...hostsOf(pair), ...(back === null ? [] : [back.host])];
  const source = senderOf(there);
  const [addresses, rules, clients, sender] = await Promise.all([
    addressesOf(here.context, hosts),
    rulesThere(there),
    back === null ? null : clientsAt(there, back),
    source === null ? null : clientsAt(here, source),
  ]);
  const answers = answering(there, clients);
  const access = { user, ...rules, answers };
  const upstream = answering(here, sender);
  if (back === null) return { addresses, access, upstream, reach: [], restThere: null };
  const isElsewhere = answers === 'another server' || answers === 'another database';
  const asked = { back, user, addresses, clients: isElsewhere ? null : clients };
  const reach = await Promise.all(
    siteCluster(here).members.map((one) => reachOf(here, one, asked)),
  );
  return { addresses, access, upstream, reach, restThere: null };
}

/** The members here, and where the leader there streams from. */
function hostsOf({ here, there }: LivePair): string[] {
  const sender = senderOf(there);
  return [
    ...siteCluster(here).members.flatMap(({ host }) => host ?? []),
    ...(sender === null ? [] : [sender.host]),
  ];
}

/** Where the leader there streams from, where that address means the same server here. */
function senderOf({ view: { leader } }: LiveSite): StandbySource | null {
  const receiver = leader?.sql.ok ? leader.sql.value.walReceiver : null;
  const { senderHost: host, senderPort: port } = receiver ?? {};
  if (!host || !port || isSocket(host)) return null;
  const isOnItsMachine = isLoopback(host) && !isLoopback(leader?.member?.host ?? '');
  return isOnItsMachine ? null : { host, port };
}

function isSocket(host: string): boolean {
  return host.startsWith('/') || host.startsWith('@');
}

/** Of the machine that names it. */
function isLoopback(host: string): boolean {
  return loopback(host.toLowerCase()) === 'localhost' || /^127(\.\d+){3}$/.test(host);
}

function answering(site: LiveSite, clients: Reading<Clients> | null): Answering {
  if (clients?.ok !== true) return null;
  const { systemId, startedAt } = clients.value;
  const wanted = systemIdOf(site);
  if (wanted !== null && systemId !== null && systemId !== wanted) return 'another database';
  const { leader } = site.view;
  const leaderStartedAt = leader?.sql.ok ? (leader.sql.value.startedAt ?? null) : null;
  if (leaderStartedAt === null || startedAt === null) return null;
  return startedAt === leaderStartedAt ? 'leader' : 'another server';
}

/** The role with which replicas here, or the other site, stream from the leader here. */
function replicationUser({ here: { view } }: LivePair): string | null {
  const { leader } = view;
  const rows = leader?.sql.ok
    ? leader.sql.value.walsenders.filter(({ slotType }) => slotType !== 'logical')
    : leader?.rest.ok
      ? (leader.rest.value.replication ?? [])
      : [];
  const own = rows.find(({ applicationName }) =>
    view.members.some(({ name, member }) => member !== null && name === applicationName),
  );
  return (own ?? rows[0])?.usename ?? null;
}

async function rulesThere({
  context,
  view: { leader },
}: LiveSite): Promise<Pick<SwapEvidence['access'], 'rules' | 'why'>> {
  const postgres = await context.postgres();
  const { host, port } = leader?.member ?? {};
  if (!postgres.hasLogin) return { rules: null, why: 'no login is configured' };
  if (!host || !port) return { rules: null, why: 'the leader there has no address' };
  const read = await postgres.accessRules({ host, port }, context.flags.timeoutMs);
  return read.ok ? { rules: read.value, why: '' } : { rules: null, why: read.reason };
}

async function clientsAt(
  { context }: LiveSite,
  { host, port }: StandbySource,
): Promise<Reading<Clients> | null> {
  const postgres = await context.postgres();
  return postgres.hasLogin ? postgres.clients({ host, port }, context.flags.timeoutMs) : null;
}

interface Asked {
  back: StandbySource;
  user: string | null;
  addresses: SwapEvidence['addresses'];
  /** Of the server at the address that will be used; null: not asked, or another server. */
  clients: Reading<Clients> | null;
}

async function reachOf(here: LiveSite, member: Member, asked: Asked): Promise<Reach> {
  const { back, user, clients } = asked;
  const { name } = member;
  const where = `${back.host}:${back.port}`;
  if (streamsFrom(here, member, back))
    return { member: name, reached: true, admitted: true, said: `streams from ${where}` };
  const own = await askedItself(here, member, back, user);
  if (own.ok && own.value.reached !== null) return { member: name, ...own.value };
  const seen = clients?.ok === true ? seenFrom(member, back, asked.addresses, clients.value) : null;
  if (seen !== null) {
    const said = `${where} has a connection from ${seen}`;
    return { member: name, reached: true, admitted: null, said };
  }
  const why = own.ok ? own.value.said : own.reason;
  const said = `${why}; ${where} has no connection from it that we can see`;
  return { member: name, reached: null, admitted: null, said };
}

function streamsFrom({ view }: LiveSite, { name }: Member, { host, port }: StandbySource): boolean {
  const sql = view.members.find((one) => one.name === name && one.member !== null)?.sql;
  const receiver = sql?.ok ? sql.value.walReceiver : null;
  return (
    receiver?.status === 'streaming' && receiver.senderHost === host && receiver.senderPort === port
  );
}

async function askedItself(
  { context }: LiveSite,
  { host, port }: Member,
  back: StandbySource,
  user: string | null,
): Promise<Reading<ReachAnswer>> {
  const postgres = await context.postgres();
  if (!postgres.hasLogin) return { ok: false, kind: 'off', reason: 'no login is configured' };
  if (host === null || port === null)
    return { ok: false, kind: 'no_address', reason: 'it has no address' };
  const to = { host: back.host, port: back.port, user };
  return postgres.reaches({ host, port }, to, REACH_MS);
}

/** An address of this member from which that server has a connection: any program on its host shows the way. */
function seenFrom(
  { host }: Member,
  back: StandbySource,
  addresses: SwapEvidence['addresses'],
  clients: Clients,
): string | null {
  const isHere = (address: string): boolean => loopback(address) === 'localhost';
  const isSameMachine = [back.host, ...(addresses.get(back.host) ?? [])].some(isHere);
  const own = host === null ? [] : [host, ...(addresses.get(host) ?? [])];
  const found = clients.addresses.find((one) => own.includes(one));
  if (found === undefined) return null;
  // A loopback address is another machine's own, unless both sites are on one.
  return isHere(found) && !isSameMachine ? null : found;
}

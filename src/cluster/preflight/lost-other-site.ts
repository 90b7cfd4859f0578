/** `patctl swap --from-lost`: whether the site that is said to be lost still has a primary, as far as it can be asked. */
import { roleSeen } from '../findings/evidence.js';
import type { Witnessed } from '../model/model.js';
import { plural } from '../model/words.js';
import type { MemberView, View } from '../roles/view.js';
import type { OtherSite } from './lost-model.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import { siteCommand, type Site } from './swap-model.js';

const NAME = 'other_site';

/**
 * refused: a server there is a primary, or a member holds its leader lock. ok: every member there answers, and none is
 * a primary. Silence proves nothing.
 */
export function lostSite(here: Site, other: OtherSite): PlanCheck {
  const evidence = [...sourcesSeen(other), ...viewSeen(other)];
  const lives = livingPrimary(here, other);
  if (lives !== null) return twoPrimaries(here, other, lives, evidence);
  const { view, label } = other;
  const holder = view?.snapshot.cluster.leaderName ?? null;
  if (view !== null && holder !== null && !view.snapshot.cluster.config?.standbyCluster)
    return bad(
      NAME,
      'refused',
      `${holder} of ${label} holds the leader lock: its Patroni was alive a moment ago`,
      [...evidence, dcs('/leader', holder)],
      `wait until the lock has expired (ttl ${view.snapshot.cluster.config?.ttlSeconds ?? 30} s): ${otherCommand(other, view, 'list')}`,
    );
  const mute = view?.members.filter((one) => !isKnown(view, one)) ?? [];
  if (view !== null && view.members.length > 0 && mute.length === 0)
    return ok(NAME, `every member of ${label} answers, and none is a primary`, evidence);
  return bad(NAME, 'unknown', silentWords(other, mute), evidence, keepAway(other));
}

/** A Patroni there that answers may make a member the primary at any moment; null: none answers, or it may not. */
export function mayElect(other: OtherSite): PlanCheck | null {
  const { view, label, way, silent } = other;
  const stop = `stop Patroni on every member of ${label} first`;
  const refused = (said: string, evidence: Witnessed[], next: string): PlanCheck =>
    bad('other_election', 'refused', said, evidence, next);
  if (view === null)
    return other.refuses
      ? refused(
          `something at ${label} answers and refuses to tell what it is: its Patroni may elect a primary at any moment`,
          [{ witness: 'REST', subject: label, said: silent ?? 'refused' }],
          `${stop}; or name it with --to FILE, which has the login of its REST API`,
        )
      : null;
  if (view.snapshot.cluster.config?.standbyCluster) return null;
  const answering = view.members.filter((one) => one.rest.ok || isDenied(one));
  if (answering.length === 0) return null;
  const [running, denied] = [answering.filter(({ rest }) => rest.ok), answering.filter(isDenied)];
  const said = [
    ...(running.length === 0 ? [] : [`Patroni of ${namesOf(running)} of ${label} runs`]),
    ...(denied.length === 0 ? [] : [deniedWords(denied, label)]),
  ];
  return refused(
    `${said.join('; ')} and may elect a primary at any moment`,
    answering.map((one) => restSeen(one, label)),
    `${stop}; see: ${siteCommand({ way: way ?? [], view }, 'list')}`,
  );
}

/** It answers, and refuses our login, our address or our certificate. */
function isDenied({ rest }: MemberView): boolean {
  return !rest.ok && rest.kind === 'denied' && !rest.unasked;
}

function deniedWords(denied: readonly MemberView[], label: string): string {
  return `Patroni of ${namesOf(denied)} of ${label} refuses to tell its state`;
}

function namesOf(members: readonly MemberView[]): string {
  return members.map(({ name }) => name).join(', ');
}

function restSeen(one: MemberView, label: string): Witnessed {
  const subject = `${one.name} of ${label}`;
  return one.rest.ok
    ? { ...roleSeen(one), subject }
    : { witness: 'REST', subject, said: one.rest.reason };
}

/** Not a primary now; a standby whose Patroni does not answer may be promoted by it unseen. */
function isKnown({ snapshot }: View, { observed, rest }: MemberView): boolean {
  if (observed === 'not running') return true;
  const isSeen = rest.ok || Boolean(snapshot.cluster.config?.standbyCluster);
  return isSeen && isStanding(observed);
}

function isStanding(observed: MemberView['observed']): boolean {
  return observed === 'replica' || observed === 'standby leader';
}

function silentWords(other: OtherSite, mute: MemberView[]): string {
  const { label, way, view, silent, sources } = other;
  const asked = sources.map(({ host, port }) => `${host}:${port}`).join(', ');
  const means = 'from here it cannot be told whether it still accepts writes';
  if (way === null) {
    const said = asked === '' ? 'it was not named' : `${asked} does not answer as a primary`;
    return `${label}: ${said}; ${means}`;
  }
  if (view === null) {
    const does = other.refuses ? 'answers and refuses to tell what it is' : 'does not answer';
    return `${label} ${does} (${silent ?? 'not asked'}); ${means}`;
  }
  if (view.members.length === 0) return `the DCS of ${label} has no member; ${means}`;
  const denied = mute.filter(isDenied);
  const names = (isStandby: boolean): string =>
    namesOf(mute.filter((one) => !isDenied(one) && isStanding(one.observed) === isStandby));
  const [silentOnes, standbys] = [names(false), names(true)];
  const said = [
    ...(denied.length === 0 ? [] : [deniedWords(denied, label)]),
    ...(silentOnes === '' ? [] : [`no answer from ${silentOnes} of ${label}`]),
    ...(standbys === ''
      ? []
      : [`no answer from Patroni of ${standbys} of ${label}, where PostgreSQL is a standby`]),
  ];
  return `${said.join('; ')}; ${means}`;
}

function keepAway({ label, way }: OtherSite): string {
  const stopped = `make sure of it there: stop Patroni and PostgreSQL of ${label}, or keep every client from it`;
  return way === null
    ? `${stopped}; name it to have it asked: --to FILE or --to-rest URL`
    : stopped;
}

interface Living {
  who: string;
}

/** A server of the lost site that is out of recovery. */
function livingPrimary(here: Site, { label, view, sources }: OtherSite): Living | null {
  const primary = view?.primaries[0];
  if (primary !== undefined) return { who: `${primary.name} of ${label}` };
  const systemId = here.view.snapshot.cluster.systemId;
  for (const { host, port, reading } of sources) {
    if (!reading.ok || reading.value.inRecovery) continue;
    const isSame = systemId === null || [null, systemId].includes(reading.value.systemId);
    if (isSame) return { who: `PostgreSQL at ${host}:${port}` };
  }
  return null;
}

function twoPrimaries(
  here: Site,
  { label }: OtherSite,
  { who }: Living,
  evidence: Witnessed[],
): PlanCheck {
  return bad(
    NAME,
    'refused',
    `${who} is a primary: ${label} is not lost, and there would be two primaries`,
    evidence,
    `change the roles without loss: swap there, with this site as --to; or stop ${who} first; see: ${siteCommand(here, 'check')}`,
  );
}

function otherCommand({ way }: OtherSite, view: View, verb: string): string {
  return siteCommand({ way: way ?? [], view }, verb);
}

function sourcesSeen({ sources }: OtherSite): Witnessed[] {
  return sources.map(({ host, port, reading }) => ({
    witness: 'SQL',
    subject: `${host}:${port}`,
    said: reading.ok ? (reading.value.inRecovery ? 'a standby' : 'a primary') : reading.reason,
  }));
}

function viewSeen({ view, label, silent }: OtherSite): Witnessed[] {
  if (silent !== null) return [dcs(label, silent)];
  if (view === null) return [];
  const { cluster } = view.snapshot;
  const said = `leader ${cluster.leaderName ?? 'none'}, ${plural(cluster.members.length, 'member')}`;
  const seen = view.members.map((one) => ({
    ...roleSeen(one),
    subject: `${one.name} of ${label}`,
  }));
  return [dcs(label, said), ...seen];
}

/** `patctl swap --from-lost`: what the standby site is, what is known of the lost one, and what a promotion loses. */
import { bytesText, durationText, roleSeen, silence } from '../findings/evidence.js';
import { formatLsn, lagBytes, type Lsn } from '../model/lsn.js';
import type { Witnessed } from '../model/model.js';
import { readTags } from '../model/tags.js';
import type { MemberView } from '../roles/view.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import type { KnownLoss, LostPlan, LostRequest, OtherSite } from './lost-model.js';
import { lostSite, mayElect } from './lost-other-site.js';
import { countedChecks } from './swap-skipped.js';
import { leaderChanged, lossGrown, newlyRefused } from './swap-differences.js';
import { memberOf, plannedSite, siteCommand, type Site } from './swap-model.js';
import { foundCritical, leads, notPaused, nothingPending } from './swap-site-checks.js';
import { replay, sameDatabase } from './swap-stream.js';

/** As --skip-check takes them with --from-lost; standby_leader, other_site and data_loss are not among them. */
export const LOST_CHECKS = [
  'other_election',
  'receiving',
  'most_advanced',
  'replay',
  'synchronous_mode',
  'paused',
  'pending',
] as const;

/** A lost site is unknown by its nature; the leader here must not be. */
const GUARDS: readonly string[] = ['standby_leader'];

/** Whatever was received is replayed by the promotion, however much it is: only a pause of the replay counts. */
const ANY_BYTES = Number.MAX_SAFE_INTEGER;
/** PostgreSQL's default of wal_receiver_timeout: a receiver that hears nothing for so long ends. */
const RECEIVER_TIMEOUT_MS = 60_000;

export function lostPlan(here: Site, other: OtherSite, request: LostRequest): LostPlan {
  const known = knownLoss(here, other);
  const site = lostSite(here, other);
  const all = [
    standbyLeads(here),
    site,
    site.result === 'refused' ? null : mayElect(other),
    sameOrigin(here, other),
    receiving(here),
    mostAdvanced(here),
    replay(here, ANY_BYTES),
    dataLoss(here, other, known, request),
    synchronousAlone(here),
    notPaused(here, 'paused'),
    nothingPending(here, 'pending'),
    critical(here),
  ];
  return {
    here: plannedSite(here),
    other: other.label,
    known,
    ...countedChecks(all, { skippable: LOST_CHECKS, guards: GUARDS }, request.skipChecks),
  };
}

// ---------------------------------------------------------------- what is known of the loss

/** Members here by what they have, the one with most first; those that did not say are left out. */
export function byPosition({ view }: Pick<Site, 'view'>): MemberView[] {
  const heard = view.members.filter(({ member, position }) => member !== null && position !== null);
  return heard.sort((one, other) => {
    const [a, b] = [one.timeline ?? 0, other.timeline ?? 0];
    if (a !== b) return b - a;
    const [p, q] = [one.position ?? 0n, other.position ?? 0n];
    return p === q ? 0 : p > q ? -1 : 1;
  });
}

function knownLoss(here: Site, other: OtherSite): KnownLoss {
  const best = byPosition(here)[0] ?? null;
  const { leader } = here.view;
  const sql = leader?.sql.ok ? leader.sql.value : null;
  const wrote = primaryWrote(other);
  const received = best?.position ?? null;
  return {
    member: best?.name ?? null,
    timeline: best?.timeline ?? null,
    received: lsnText(received),
    replayed: lsnText(best?.replayed ?? null),
    lastMessageAgeMs: sql?.walReceiver?.lastMessageAgeMs ?? null,
    lastCommitAgeMs: sql?.lastXactReplayAgeMs ?? replayAgeMs(here),
    primaryWrote: lsnText(wrote),
    lostAtLeastBytes: wrote === null || received === null ? null : lagBytes(wrote, received),
  };
}

const lsnText = (lsn: Lsn | null): string | null => (lsn === null ? null : formatLsn(lsn));

/** GET /patroni tells the time of the last commit that was replayed, on the primary's clock. */
function replayAgeMs({ view: { leader, snapshot } }: Site): number | null {
  const at = leader?.rest.ok ? leader.rest.value.replayedTimestamp : null;
  const ageMs = at === null ? NaN : Date.parse(snapshot.takenAt) - Date.parse(at);
  return Number.isFinite(ageMs) ? Math.max(0, ageMs) : null;
}

/** The farther of what the DCS of the lost site and its members say. */
function primaryWrote({ view }: OtherSite): Lsn | null {
  if (view === null) return null;
  const optime = view.snapshot.cluster.status?.optime ?? null;
  const positions = view.members.map(({ position }) => position);
  const all = [optime, ...positions].filter((one) => one !== null);
  return all.reduce<Lsn | null>((most, one) => (most === null || one > most ? one : most), null);
}

function dataLoss(
  here: Site,
  other: OtherSite,
  known: KnownLoss,
  { acceptDataLoss }: LostRequest,
): PlanCheck {
  const evidence = byPosition(here).map((one) => positionSeen(here, one));
  const said = `what ${other.label} committed after that is lost: ${lossWords(here, known)}`;
  return bad(
    'data_loss',
    acceptDataLoss ? 'warning' : 'refused',
    said,
    evidence,
    acceptDataLoss
      ? 'accepted by --accept-data-loss'
      : `if ${other.label} can still come back, bring it back instead; else accept the loss: --accept-data-loss`,
  );
}

/** `pg1 of west received up to 0/5000128 on timeline 3, last heard from the primary 42 s ago, …` */
export function lossWords(here: Site, known: KnownLoss): string {
  const { member, received, timeline, lastMessageAgeMs, lastCommitAgeMs, lostAtLeastBytes } = known;
  if (member === null || received === null)
    return 'no member here said what it received: the loss is unknown';
  const heard =
    lastMessageAgeMs === null
      ? 'when it last heard from the primary is unknown'
      : `it last heard from the primary ${durationText(lastMessageAgeMs)} ago`;
  const commit =
    lastCommitAgeMs === null
      ? 'the age of its last commit is unknown'
      : `its last replayed commit is ${durationText(lastCommitAgeMs)} old`;
  const least =
    lostAtLeastBytes === null || lostAtLeastBytes === 0
      ? []
      : [
          `at least ${bytesText(lostAtLeastBytes)} of WAL were not received (${known.primaryWrote})`,
        ];
  const at = `${memberOf(here, member)} has received up to ${received} on timeline ${timeline ?? '?'}`;
  return [at, heard, commit, ...least].join(', ');
}

function positionSeen(here: Site, one: MemberView): Witnessed {
  const { name, position, replayed, timeline, witness } = one;
  const received = lsnText(position) ?? 'unknown';
  const said = `received ${received}, replayed ${lsnText(replayed) ?? 'unknown'}, on timeline ${timeline ?? '?'}`;
  return { witness: witness ?? 'REST', subject: memberOf(here, name), said };
}

// ---------------------------------------------------------------- this site

function standbyLeads(here: Site): PlanCheck {
  const name = 'standby_leader';
  const { view, label } = here;
  const { config } = view.snapshot.cluster;
  if (config === null || config.unreadable)
    return bad(
      name,
      'unknown',
      `the configuration of ${label} could not be read`,
      [dcs('/config', config === null ? 'is absent' : 'cannot be read')],
      `see why: ${siteCommand(here, 'check')}`,
    );
  if (config.standbyCluster === null)
    return bad(
      name,
      'refused',
      `${label} is not a standby cluster`,
      [dcs('/config', 'standby_cluster is absent')],
      'give the configuration of the standby site: the one to be promoted',
    );
  const [primary] = view.primaries;
  if (primary !== undefined)
    return bad(
      name,
      'refused',
      `${memberOf(here, primary.name)} is a primary already, in a standby cluster`,
      view.primaries.map(roleSeen),
      `see why: ${siteCommand(here, 'check')}`,
    );
  return leads(here, name, 'standby leader');
}

/** The site that was named must be the one from which this one streamed; null: it was not read. */
function sameOrigin(here: Site, { view, label, way }: OtherSite): PlanCheck | null {
  return view === null ? null : sameDatabase(here, { side: 'there', label, view, way: way ?? [] });
}

/** A receiver that hears from a primary has one that lives. */
function receiving(here: Site): PlanCheck {
  const name = 'receiving';
  const { leader } = here.view;
  if (leader === null)
    return bad(name, 'unknown', `${here.label} has no leader`, [], 'wait for one');
  const who = memberOf(here, leader.name);
  if (!leader.sql.ok) {
    const byRest = leader.rest.ok ? leader.rest.value.replicationState : null;
    const evidence: Witnessed[] = [
      { witness: 'SQL', subject: who, said: silence(leader) },
      { witness: 'REST', subject: who, said: byRest ?? 'does not stream' },
    ];
    if (byRest === 'streaming')
      return bad(name, 'refused', `${who} still streams from the primary`, evidence, stillHeard());
    return bad(
      name,
      'unknown',
      `it is unknown whether ${who} still hears from the primary: PostgreSQL was not read`,
      evidence,
      'give a login that may read pg_stat_wal_receiver (pg_monitor)',
    );
  }
  const wal = leader.sql.value.walReceiver;
  const from = `${wal?.senderHost ?? '?'}:${wal?.senderPort ?? '?'}`;
  const ageMs = wal?.lastMessageAgeMs ?? null;
  const age = ageMs === null ? 'no message yet' : `last message ${durationText(ageMs)} ago`;
  const said = wal === null ? 'it has no WAL receiver' : `its WAL receiver is ${wal.status ?? '?'}`;
  const evidence: Witnessed[] = [{ witness: 'SQL', subject: who, said }];
  if (wal?.status !== 'streaming') return ok(name, `${who} does not stream: ${said}`, evidence);
  if (ageMs !== null && ageMs >= RECEIVER_TIMEOUT_MS)
    return ok(name, `${who} hears nothing from ${from} (${age})`, evidence);
  return bad(
    name,
    'refused',
    `${who} still streams from ${from} (${age}): a server lives there`,
    evidence,
    stillHeard(),
  );
}

const stillHeard = (): string =>
  `if the primary lives, swap there, with this site as --to; a connection that was cut ends after wal_receiver_timeout (default ${durationText(RECEIVER_TIMEOUT_MS)}): try again then`;

/** Patroni promotes the standby leader: no other member is to have more. */
function mostAdvanced(here: Site): PlanCheck {
  const name = 'most_advanced';
  const { leader } = here.view;
  const known = byPosition(here);
  const evidence = known.map((one) => positionSeen(here, one));
  const position = leader?.position ?? null;
  if (leader === null || position === null)
    return bad(
      name,
      'unknown',
      'what the standby leader received is unknown',
      evidence,
      'ask with a login',
    );
  const isAhead = (one: MemberView): boolean =>
    (one.timeline ?? 0) >= (leader.timeline ?? 0) && (one.position ?? 0n) > position;
  const ahead = known.filter((one) => one.name !== leader.name && isAhead(one));
  const fit = ahead.find(({ member }) => !readTags(member?.tags).nofailover);
  const [best] = ahead;
  if (best !== undefined) {
    const more = bytesText(lagBytes(best.position ?? 0n, position));
    const what = `${memberOf(here, best.name)} has ${more} more than ${leader.name}, which would be promoted`;
    const next =
      fit === undefined
        ? 'it is tagged nofailover: remove the tag, or accept that what it has more is lost'
        : `let it lead first: ${siteCommand(here, 'switchover', '--candidate', fit.name)}`;
    return bad(name, 'refused', what, evidence, next);
  }
  const mute = here.view.members.filter((one) => one.member !== null && one.position === null);
  if (mute.length > 0)
    return bad(
      name,
      'unknown',
      `what ${mute.map((one) => one.name).join(', ')} received is unknown: no member that answers has more than ${leader.name}`,
      [...evidence, ...mute.map(roleSeen)],
      `see why: ${siteCommand(here, 'check')}`,
    );
  return ok(name, `no member has more than ${memberOf(here, leader.name)}`, evidence);
}

/** Once it is a primary cluster, its own synchronous mode holds. */
function synchronousAlone(here: Site): PlanCheck {
  const name = 'synchronous_mode';
  const config = here.view.snapshot.cluster.config;
  const mode = config?.syncMode ?? 'off';
  const evidence = [dcs('/config', `synchronous_mode: ${mode}`)];
  const replicas = here.view.members.filter(
    (one) => one.member !== null && one.observed === 'replica',
  );
  if (mode !== 'off' && config?.syncModeStrict === true && replicas.length === 0)
    return bad(
      name,
      'refused',
      `${here.label} is in strict synchronous mode and has no replica: writes would wait`,
      evidence,
      `let them go on without one: ${siteCommand(here, 'edit-config', '--set', 'synchronous_mode_strict=false')}`,
    );
  return ok(name, `${mode} in ${here.label}`, evidence);
}

/** A site that lost its primary has findings: they are shown, and do not keep it from being promoted. */
function critical(here: Site): PlanCheck {
  const found = foundCritical(here);
  const name = 'critical';
  if (found.length === 0) return ok(name, `nothing is critical in ${here.label}`);
  return bad(
    name,
    'warning',
    found.map(({ code, message }) => `${message} [${code}]`).join('; '),
    found.flatMap(({ evidence }) => evidence),
    `see whether it is more than the loss of the primary: ${siteCommand(here, 'check')}`,
  );
}

/** What has changed for the worse since the plan was shown, a line each. */
export function lostDifferences(shown: LostPlan, now: LostPlan): string[] {
  return [
    ...leaderChanged(shown.here, now.here),
    ...newlyRefused(shown, now),
    ...lossGrown(now.here.label, shown.known, now.known),
  ];
}

/** `patctl swap --rejoin`: whether an old site may become the standby of the new one, and what each member needs. */
import { bytesText, roleSeen, silence } from '../findings/evidence.js';
import { formatLsn } from '../model/lsn.js';
import { permanentPhysicalSlots } from '../model/config-slots.js';
import type { Witnessed } from '../model/model.js';
import type { MemberView } from '../roles/view.js';
import { forkOf, type WalBranch, type Fork } from './fork-point.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import type { MemberReturn, RejoinPlan, RejoinRequest } from './rejoin-model.js';
import { rewindCheck, rewindOf, type Rewind } from './rejoin-rewind.js';
import { countedChecks } from './swap-skipped.js';
import { leaderChanged, newlyRefused, returnsChanged, sourceChanged } from './swap-differences.js';
import {
  memberOf,
  plannedSite,
  siteCommand,
  type Site,
  type StandbySource,
  type SwapEvidence,
} from './swap-model.js';
import { besidePrimary, leads, nothingPending, notPaused } from './swap-site-checks.js';
import { sameDatabase } from './swap-stream.js';
import { address } from './swap-reach.js';
import { slots, wayBack } from './swap-way-back.js';

/** As --skip-check takes them with --rejoin. */
export const REJOIN_CHECKS = ['way_back', 'slots', 'rewind', 'pending'] as const;

/** Not knowing refuses: nothing could be promised of what comes back. */
const GUARDS: readonly string[] = ['new_primary', 'old_site', 'same_database'];

export function rejoinPlan(
  here: Site,
  there: Site,
  request: RejoinRequest,
  evidence: SwapEvidence,
): RejoinPlan {
  const source = sourceFor(here, there, request);
  const members = returns(here, there);
  const all = [
    newPrimary(there),
    oldSite(here),
    sameDatabase(there, here),
    timelines(here, there, members, source),
    dataLoss(here, there, members, request),
    rewindCheck(here, there, members),
    address(here, there, source, evidence),
    slots(here, there, source),
    paused(here, source),
    nothingPending(here, 'pending'),
  ];
  const rules = { skippable: REJOIN_CHECKS, guards: GUARDS };
  return {
    here: plannedSite(here),
    there: plannedSite(there),
    ...countedChecks(all, rules, request.skipChecks),
    standbyCluster: source,
    isWritten: source !== null && isSame(here, source),
    members,
  };
}

/** A slot that is configured here already, for this site, is kept. */
function sourceFor(here: Site, there: Site, request: RejoinRequest): StandbySource | null {
  const before = here.view.snapshot.cluster.config?.standbyCluster?.['primary_slot_name'];
  const kept = typeof before === 'string' ? before : sharedSlot(here, there);
  const slot = request.primarySlotName ?? kept;
  return wayBack(there, { ...request, primarySlotName: slot });
}

/** The one permanent physical slot that both sites have under one name: it serves whichever is the standby. */
function sharedSlot(here: Site, there: Site): string | null {
  const [mine, theirs] = [here, there].map(({ view }) =>
    permanentPhysicalSlots(view.snapshot.cluster.config?.raw ?? {}),
  );
  const shared = mine?.filter((name) => theirs?.includes(name) === true) ?? [];
  return shared.length === 1 ? (shared[0] ?? null) : null;
}

function isSame({ view }: Site, { host, port, primary_slot_name: slot }: StandbySource): boolean {
  const now = view.snapshot.cluster.config?.standbyCluster ?? null;
  if (now === null) return false;
  const isSlot = (now['primary_slot_name'] ?? undefined) === slot;
  return now['host'] === host && Number(now['port']) === port && isSlot;
}

// ---------------------------------------------------------------- both sites

function newPrimary(there: Site): PlanCheck {
  const name = 'new_primary';
  const { view, label } = there;
  const { config } = view.snapshot.cluster;
  if (config?.standbyCluster)
    return bad(
      name,
      'refused',
      `${label} is a standby cluster, not a primary`,
      [dcs('/config', 'standby_cluster is set')],
      `give the site that is the primary with --to; if the primary site is gone, first: ${siteCommand(there, 'swap', '--from-lost')}`,
    );
  return besidePrimary(there, name) ?? leads(there, name, 'primary');
}

/** Everything that may write there must be known, and under a Patroni that takes the configuration. */
function oldSite(here: Site): PlanCheck {
  const name = 'old_site';
  const { view, label } = here;
  const { config, leaderName, members } = view.snapshot.cluster;
  const see = `see why: ${siteCommand(here, 'check')}`;
  if (config === null || config.unreadable)
    return bad(
      name,
      'unknown',
      `the configuration of ${label} could not be read: whether it leads by itself is unknown`,
      [dcs('/config', config === null ? 'is absent' : 'cannot be read')],
      see,
    );
  const [wild] = view.primaries.filter((one) => !one.rest.ok && one.rest.kind !== 'off');
  if (wild !== undefined)
    return bad(
      name,
      'refused',
      `${memberOf(here, wild.name)} is a primary, and its Patroni does not answer: it still accepts writes`,
      [roleSeen(wild), { witness: 'REST', subject: wild.name, said: silence(wild) }],
      `stop PostgreSQL of ${wild.name}, or start its Patroni`,
    );
  const holder = view.leader;
  if (leaderName !== null && (holder === null || isSilent(holder)))
    return bad(
      name,
      'unknown',
      `${memberOf(here, leaderName)} holds the leader lock and does not answer`,
      [dcs('/leader', leaderName), ...(holder === null ? [] : [roleSeen(holder)])],
      `wait until it answers, or until the lock has expired (ttl ${config.ttlSeconds} s)`,
    );
  const evidence = view.members.map((one) => ({ ...roleSeen(one), subject: one.name }));
  const [primary] = view.primaries;
  if (primary !== undefined)
    return bad(
      name,
      'warning',
      `${memberOf(here, primary.name)} is a primary that accepts writes: it is demoted`,
      evidence,
      'keep clients from it until it is a standby',
    );
  const running = view.members.filter(({ member, rest }) => member !== null && rest.ok);
  if (running.length === 0)
    return ok(
      name,
      `no Patroni of ${label} answers (${members.length === 0 ? 'no member key' : members.map((one) => one.name).join(', ')}): standby_cluster is written before it starts`,
      evidence,
    );
  const mute = view.members.filter(isSilent).map((one) => one.name);
  if (mute.length > 0)
    return bad(
      name,
      'warning',
      `no member of ${label} that answers is a primary; ${mute.join(', ')} ${mute.length === 1 ? 'does' : 'do'} not answer`,
      evidence,
      `make sure that no PostgreSQL runs there without its Patroni: ${mute.join(', ')}`,
    );
  return ok(name, `no member of ${label} is a primary`, evidence);
}

/** Without standby_cluster the end of a pause lets this site elect a primary of its own. */
function paused(here: Site, source: StandbySource | null): PlanCheck {
  const made = notPaused(here, 'paused');
  if (made.result === 'ok' || here.view.snapshot.cluster.config?.standbyCluster) return made;
  const settings = Object.entries(source ?? {}).flatMap(([key, value]) => [
    '--set',
    `standby_cluster.${key}=${value}`,
  ]);
  const resume = siteCommand(here, 'resume');
  const write =
    settings.length === 0
      ? 'standby_cluster has to be in its configuration first'
      : siteCommand(here, 'edit-config', ...settings);
  return {
    ...made,
    next: `a resume alone lets ${here.label} elect a primary of its own; once what it wrote may be thrown away (data_loss): ${write}; then: ${resume}`,
  };
}

function isSilent({ observed }: MemberView): boolean {
  return observed === 'unknown' || observed === 'unreachable';
}

// ---------------------------------------------------------------- what each member needs

/** What is known of the WAL of both: the members that answer, else the DCS of the old site. */
function returns(here: Site, there: Site): MemberReturn[] {
  const main = branchOf(there.view.leader, there);
  return here.view.members.map((one): MemberReturn => {
    const fork = forkOf(branchOf(one, here), main);
    return returnOf(one.name, fork, rewindOf(here, there, one));
  });
}

function branchOf(one: MemberView | null, { view }: Pick<Site, 'view'>): WalBranch {
  return {
    history: view.snapshot.cluster.history,
    timeline: one?.timeline ?? null,
    position: one?.position ?? null,
  };
}

function returnOf(member: string, fork: Fork, rewind: Rewind): MemberReturn {
  if (fork.kind === 'unknown')
    return { member, needs: 'unknown', aheadBytes: null, said: fork.because };
  if (fork.kind === 'follows')
    return {
      ...{ member, needs: 'nothing', aheadBytes: null },
      said: `all that it has is on the new primary (timeline ${fork.timeline})`,
    };
  const { timeline, lsn, aheadBytes, own } = fork;
  const ahead = aheadBytes === null ? 'WAL of its own' : `${bytesText(aheadBytes)} of its own`;
  const said = `has ${ahead} after ${formatLsn(lsn)} of timeline ${timeline}`;
  if (own) return { member, needs: 'new_site', aheadBytes, said };
  return { member, needs: rewind.can === false ? 'reinit' : 'pg_rewind', aheadBytes, said };
}

/** The farthest position that the DCS of the old site shows, on the timeline on which it was. */
function lastKnown(here: Site): WalBranch {
  const { history, status } = here.view.snapshot.cluster;
  const last = history?.at(-1)?.timeline;
  const timeline = history === null ? null : last === undefined ? 1 : last + 1;
  return { history, timeline, position: status?.optime ?? null };
}

/** A site that led again since has a timeline of its own: Patroni does not lead it back to that of the other one. */
function timelines(
  here: Site,
  there: Site,
  members: readonly MemberReturn[],
  source: StandbySource | null,
): PlanCheck {
  const name = 'timelines';
  const main = branchOf(there.view.leader, there);
  const own = members.filter(({ needs }) => needs === 'new_site').map(({ member }) => member);
  const byDcs = forkOf(lastKnown(here), main);
  const isMute = members.every(({ needs }) => needs === 'unknown');
  const evidence = [here, there].map((site): Witnessed => {
    const ends = (site.view.snapshot.cluster.history ?? []).map(
      ({ timeline, lsn }) => `${timeline} ended at ${formatLsn(lsn)}`,
    );
    return dcs(`/history of ${site.label}`, ends.join(', ') || 'empty');
  });
  if (isMute && byDcs.kind === 'unknown')
    return bad(
      name,
      'unknown',
      `it is unknown whether ${here.label} led again after ${there.label} was promoted: no member tells, nor its DCS`,
      evidence,
      `see once a member runs: ${siteCommand(here, 'history')}`,
    );
  if (own.length === 0 && !(isMute && byDcs.kind === 'diverged' && byDcs.own))
    return ok(name, `${here.label} began no timeline of its own after ${there.label} was promoted`);
  const who = own.length > 0 ? `${own.join(', ')} of ${here.label}` : here.label;
  return bad(
    name,
    'refused',
    `${who} led again and began a timeline of its own after ${there.label} was promoted: Patroni does not rewind that, and two timelines of one number would be mixed`,
    evidence,
    madeAgain(here, source),
  );
}

/** Its DCS is emptied: Patroni makes it again from bootstrap.dcs, and its first member by a copy of the new primary. */
function madeAgain(here: Site, source: StandbySource | null): string {
  const standby =
    source === null ? 'standby_cluster' : `standby_cluster: ${JSON.stringify(source)}`;
  return [
    `make the site again; first keep its configuration in a file, as printed by: ${siteCommand(here, 'show-config')}`,
    `then stop Patroni on every member of ${here.label}, remove their data directories, and put this into bootstrap.dcs of their configuration: ${standby}`,
    `then: ${siteCommand(here, 'remove')}`,
    'then start Patroni',
    `then: ${siteCommand(here, 'edit-config', '--apply', 'FILE')}`,
  ].join('; ');
}

function dataLoss(
  here: Site,
  there: Site,
  members: readonly MemberReturn[],
  { acceptDataLoss }: RejoinRequest,
): PlanCheck {
  const name = 'data_loss';
  const ahead = members.filter(({ needs }) => needs !== 'nothing' && needs !== 'unknown');
  const mute = members.filter(({ needs }) => needs === 'unknown');
  const evidence = members.map(({ member, said }): Witnessed => {
    return { witness: 'SQL', subject: memberOf(here, member), said };
  });
  const byDcs = forkOf(lastKnown(here), branchOf(there.view.leader, there));
  const writing = here.view.primaries.map((one) => one.name).join(', ');
  if (members.length > 0 && ahead.length === 0 && mute.length === 0 && writing === '')
    return ok(name, `no member of ${here.label} has WAL that ${there.label} lacks`, evidence);
  const result = acceptDataLoss ? 'warning' : 'refused';
  const next = acceptDataLoss
    ? 'accepted by --accept-data-loss'
    : 'save what you need of it first; then accept that it is thrown away: --accept-data-loss';
  if (ahead.length > 0 || writing !== '') {
    const words = [
      ...ahead.map(({ member, said }) => `${member} ${said}`),
      ...(writing === '' ? [] : [`what ${writing} writes until it is demoted`]),
    ].join('; ');
    return bad(
      name,
      result,
      `what ${here.label} committed after ${there.label} was promoted is thrown away: ${words}`,
      evidence,
      next,
    );
  }
  const dcsSeen: Witnessed[] = [dcs(`/status of ${here.label}`, forkWords(byDcs))];
  const known = byDcs.kind === 'diverged' ? `; its DCS shows ${forkWords(byDcs)}` : '';
  const who = mute.map(({ member }) => member).join(', ') || 'no member';
  return bad(
    name,
    result,
    members.length === 0
      ? `no member of ${here.label} can be asked: what it wrote after ${there.label} was promoted is unknown${known}`
      : `what ${who} of ${here.label} wrote after ${there.label} was promoted is unknown${known}`,
    [...evidence, ...dcsSeen],
    next,
  );
}

function forkWords(fork: Fork): string {
  if (fork.kind === 'unknown') return `nothing certain (${fork.because})`;
  if (fork.kind === 'follows') return 'nothing that the new primary lacks, up to its last word';
  const { lsn, aheadBytes, timeline } = fork;
  const more = aheadBytes === null ? 'WAL' : `at least ${bytesText(aheadBytes)}`;
  return `${more} after ${formatLsn(lsn)} of timeline ${timeline}`;
}

/** What has changed for the worse since the plan was shown, a line each. Once it is written nothing more is sent. */
export function rejoinDifferences(shown: RejoinPlan, now: RejoinPlan): string[] {
  return [
    ...leaderChanged(shown.there, now.there),
    ...sourceChanged(now.here.label, shown.standbyCluster, now.standbyCluster),
    ...newlyRefused(shown, now),
    ...(shown.isWritten && now.isWritten ? [] : returnsChanged(shown.members, now.members)),
  ];
}

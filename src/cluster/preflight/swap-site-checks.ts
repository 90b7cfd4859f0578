/** Swap: what each of the two sites must be by itself. */
import { look } from '../findings/find.js';
import { roleSeen } from '../findings/evidence.js';
import { DEFAULT_LIMITS } from '../findings/limits.js';
import type { Finding, Witnessed } from '../model/model.js';
import { readTags } from '../model/tags.js';
import { plural } from '../model/words.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import {
  memberOf,
  siteCommand,
  type RestTaken,
  type Site,
  type SwapEvidence,
} from './swap-model.js';

/** The first version that stops the old primary cleanly when it becomes a standby cluster. */
const CLEAN_SINCE = [4, 1] as const;

export function hereLeads(here: Site): PlanCheck {
  const name = 'leader_here';
  const { view, label } = here;
  const { cluster } = view.snapshot;
  if (cluster.config?.standbyCluster)
    return bad(
      name,
      'refused',
      `${label} is a standby cluster already`,
      [dcs('/config', 'standby_cluster is set')],
      'start the swap at the site that is the primary now, and give this one with --to',
    );
  return besidePrimary(here, name) ?? leads(here, name, 'primary');
}

/** null: no member is a primary but the one that holds the lock. */
export function besidePrimary(site: Site, name: string): PlanCheck | null {
  const { primaries, snapshot } = site.view;
  const beside = primaries.find((one) => one.name !== snapshot.cluster.leaderName);
  if (beside === undefined) return null;
  return bad(
    name,
    'refused',
    `${memberOf(site, beside.name)} is a primary beside the leader`,
    primaries.map(roleSeen),
    `end that first: ${siteCommand(site, 'check')}`,
  );
}

export function thereLeads(there: Site): PlanCheck {
  const name = 'leader_there';
  const { view, label } = there;
  if (!view.snapshot.cluster.config?.standbyCluster)
    return bad(
      name,
      'refused',
      `${label} is not a standby cluster`,
      [dcs('/config', 'standby_cluster is absent')],
      `${label} must stream from this site first, as its standby cluster`,
    );
  return leads(there, name, 'standby leader');
}

/** The promotion is asked of it after the writes here have ended. */
export function restThere(there: Site, { restThere: asked }: SwapEvidence): PlanCheck | null {
  const name = 'rest_there';
  if (asked === null) return null;
  const { taken, lacks, said } = asked;
  const who = memberOf(there, there.view.leader?.name ?? null);
  const evidence: Witnessed[] = [{ witness: 'REST', subject: who, said }];
  if (taken === true) return ok(name, `Patroni of ${who} takes changes from here`, evidence);
  if (taken === null)
    return bad(
      name,
      'unknown',
      `it is unknown whether Patroni of ${who} takes changes from here: ${said}`,
      evidence,
      `see why: ${siteCommand(there, 'check')}`,
    );
  return bad(
    name,
    'refused',
    `Patroni of ${who} does not take changes from here: ${said}`,
    evidence,
    restNext(there, lacks),
  );
}

/** What its answer says is lacking belongs into the file that leads there. */
function restNext({ way, view: { leader } }: Site, lacks: RestTaken['lacks']): string {
  if (lacks === 'address')
    return 'run this on a host that its restapi.allowlist lets in, or add this one there';
  if (lacks === null)
    return `check what answers at ${leader?.member?.apiUrl ?? 'that address'}, which is restapi.connect_address there`;
  const needed =
    lacks === 'login'
      ? 'the login of its REST API (ctl.authentication)'
      : 'a client certificate (ctl.certfile and ctl.keyfile)';
  return way[0] === '--rest'
    ? `name the site with --to FILE, and put ${needed} there`
    : `put ${needed} into ${way[1] ?? 'its configuration file'}`;
}

export function leads(site: Site, name: string, role: 'primary' | 'standby leader'): PlanCheck {
  const { leader, snapshot } = site.view;
  const see = `see why: ${siteCommand(site, 'check')}`;
  if (leader === null) {
    const evidence = [dcs('/leader', snapshot.cluster.leaderName ?? 'is absent')];
    return bad(name, 'refused', `${site.label} has no leader`, evidence, see);
  }
  const who = memberOf(site, leader.name);
  const evidence = [roleSeen(leader)];
  if (leader.observed === 'unknown')
    return bad(name, 'unknown', `it is unknown whether ${who} runs as ${role}`, evidence, see);
  if (leader.observed !== role)
    return bad(name, 'refused', `${who} is ${leader.observed}, not ${role}`, evidence, see);
  if (!leader.rest.ok && leader.rest.kind !== 'off')
    return bad(
      name,
      'refused',
      `Patroni of ${who} does not answer: ${leader.rest.reason}`,
      evidence,
      'its Patroni has to take the request',
    );
  return ok(name, `${who} holds the lock and runs as ${role}`, evidence);
}

export function notPaused(site: Site, name: string): PlanCheck {
  if (site.view.snapshot.cluster.config?.pause !== true)
    return ok(name, `${site.label} is not paused`);
  return bad(
    name,
    'refused',
    `${site.label} is paused: Patroni would not change its role`,
    [dcs('/config', 'pause: true')],
    `end the pause first: ${siteCommand(site, 'resume')}`,
  );
}

export function nothingPending(site: Site, name: string): PlanCheck {
  const { failover } = site.view.snapshot.cluster;
  if (failover === null) return ok(name, `no switchover is pending in ${site.label}`);
  return bad(
    name,
    'refused',
    `a switchover is pending in ${site.label}`,
    [dcs('/failover', `from ${failover.leader ?? 'any'} to ${failover.candidate ?? 'any'}`)],
    `wait for it, or remove it: ${siteCommand(site, 'flush', 'switchover')}`,
  );
}

/** What `check` calls critical, of the site as it is now. */
export function foundCritical({ view }: Pick<Site, 'view'>): Finding[] {
  const found = look(view, DEFAULT_LIMITS, () => true).findings;
  return found.filter(({ severity }) => severity === 'critical');
}

export function notCritical(site: Site, name: string): PlanCheck {
  const critical = foundCritical(site);
  if (critical.length === 0) return ok(name, `nothing is critical in ${site.label}`);
  return bad(
    name,
    'refused',
    `${plural(critical.length, 'critical finding')} in ${site.label}: ${critical.map(findingWords).join('; ')}`,
    critical.flatMap(({ evidence }) => evidence),
    `repair that first: ${siteCommand(site, 'check')}`,
  );
}

function findingWords({ code, message }: Finding): string {
  return `${message} [${code}]`;
}

/** Synchronous mode: what becomes of the promises of each site. */
export function synchronous(here: Site, there: Site): PlanCheck {
  const name = 'synchronous_mode';
  const [now, then] = [here, there].map((site) => site.view.snapshot.cluster.config);
  const [before, after] = [now?.syncMode ?? 'off', then?.syncMode ?? 'off'];
  const evidence = [
    dcs(`/config of ${here.label}`, `synchronous_mode: ${before}`),
    dcs(`/config of ${there.label}`, `synchronous_mode: ${after}`),
  ];
  const replicas = there.view.members.filter(
    (one) => one.member !== null && one.observed === 'replica',
  );
  if (after !== 'off' && then?.syncModeStrict === true && replicas.length === 0)
    return bad(
      name,
      'refused',
      `${there.label} is in strict synchronous mode and has no replica: writes would wait`,
      evidence,
      `add a replica there first, or: ${siteCommand(there, 'edit-config', '--set', 'synchronous_mode_strict=false')}`,
    );
  const shared = sharedNames(here, there);
  if (after !== 'off' && shared.length > 0)
    return bad(
      name,
      'refused',
      `commits would not wait in ${there.label}: a replica there and a member of ${here.label} have the same name (${shared.join(', ')}), ` +
        'and Patroni does not maintain /sync where two walsenders have one name',
      evidence,
      `give the members of one site other names (name in the Patroni configuration), or: ${siteCommand(there, 'edit-config', '--set', 'synchronous_mode=off')}`,
    );
  if (before !== 'off' && after === 'off')
    return bad(
      name,
      'warning',
      `commits wait for a standby in ${here.label} (synchronous_mode ${before}), and will not in ${there.label}`,
      evidence,
      `if they have to: ${siteCommand(there, 'edit-config', '--set', `synchronous_mode=${before}`)}`,
    );
  if (before !== 'off' && here.view.snapshot.cluster.sync !== null)
    return bad(
      name,
      'warning',
      `Patroni leaves /sync of ${here.label} as it is: as a standby cluster it can elect only members that are named there`,
      [...evidence, dcs('/sync', here.view.snapshot.cluster.sync.standbys.join(',') || 'empty')],
      `keep these members running until the way back, and see afterwards: ${siteCommand(here, 'check')}`,
    );
  return ok(name, `${before} in ${here.label}, ${after} in ${there.label}`, evidence);
}

/** Replicas there with the name of a member that may lead here: its walsender would have that name too. */
function sharedNames(here: Site, there: Site): string[] {
  const { members } = here.view.snapshot.cluster;
  const may = members.filter(({ tags }) => !readTags(tags).nofailover);
  const names = new Set(may.map(({ name }) => name.toLowerCase()));
  const { leaderName, members: others } = there.view.snapshot.cluster;
  return others
    .map(({ name }) => name)
    .filter((name) => name !== leaderName && names.has(name.toLowerCase()));
}

export function versions(here: Site, there: Site): PlanCheck {
  const name = 'versions';
  const [now, then] = [here, there].map(({ view }) => postgresVersion(view.leader));
  const evidence = [here, there].map((site) =>
    dcs(
      `leader of ${site.label}`,
      `PostgreSQL ${major(postgresVersion(site.view.leader)) ?? '?'}, Patroni ${patroniVersion(site) ?? '?'}`,
    ),
  );
  const [before, after] = [major(now ?? null), major(then ?? null)];
  if (before === null || after === null)
    return bad(
      name,
      'unknown',
      'the version of PostgreSQL of a site is unknown',
      evidence,
      'ask with a login, or find out why its REST API did not report it',
    );
  if (before !== after)
    return bad(
      name,
      'refused',
      `PostgreSQL ${before} in ${here.label}, ${after} in ${there.label}`,
      evidence,
      'physical replication needs one major version',
    );
  return ok(name, `PostgreSQL ${before} in both sites`, evidence);
}

function major(version: number | null): number | null {
  return version === null ? null : Math.floor(version / 10_000);
}

function postgresVersion(leader: Site['view']['leader']): number | null {
  if (leader?.sql.ok) return leader.sql.value.serverVersion;
  return leader?.rest.ok ? leader.rest.value.serverVersion : null;
}

export function patroniVersion({ view: { leader } }: Pick<Site, 'view'>): string | null {
  const byRest = leader?.rest.ok ? leader.rest.value.patroniVersion : null;
  return byRest ?? leader?.member?.version ?? null;
}

/** Patroni since 4.1 stops the old primary cleanly; before, it stops it at once, as in a crash. */
export function stopsCleanly(version: string | null): boolean | null {
  const [first, second] = (version ?? '').split('.').map(Number);
  if (first === undefined || second === undefined || Number.isNaN(first + second)) return null;
  return first > CLEAN_SINCE[0] || (first === CLEAN_SINCE[0] && second >= CLEAN_SINCE[1]);
}

/**
 * How the old primary ends. One that is stopped at once keeps every commit that was flushed, and the other site gets
 * it when the old primary streams as a standby; what synchronous_commit = off left in memory is lost.
 */
export function demotion(here: Site): PlanCheck {
  const name = 'demotion';
  const version = patroniVersion(here);
  const clean = stopsCleanly(version);
  const who = memberOf(here, here.view.leader?.name ?? null);
  const evidence = [dcs(`leader of ${here.label}`, `Patroni ${version ?? 'of unknown version'}`)];
  if (clean === true) return ok(name, `Patroni ${version ?? ''} stops ${who} cleanly`, evidence);
  const sql = here.view.leader?.sql;
  const commit = sql?.ok ? (sql.value.settings['synchronous_commit']?.value ?? null) : null;
  const how = `Patroni ${version ?? 'of unknown version'} may stop ${who} at once, as in a crash`;
  if (commit === 'off')
    return bad(
      name,
      'refused',
      `${how}, and synchronous_commit is off: commits in memory would be lost`,
      evidence,
      `turn it on first, or update Patroni to 4.1: ${siteCommand(here, 'edit-config', '--pg', 'synchronous_commit=on')}`,
    );
  return bad(
    name,
    'warning',
    `${how}: sessions that set synchronous_commit = off themselves may lose their last commits`,
    evidence,
    'Patroni 4.1 and later stop it cleanly',
  );
}

/** Is the leader the one that was said, does it live, and is nothing else asked of the cluster already? */
import { loopTimes } from '../model/loop-times.js';
import { commandLine } from '../model/command-line.js';
import { leaderKeySays, list, roleSeen } from '../findings/evidence.js';
import { noPromotion, promotion } from '../findings/next-steps.js';
import type { Witnessed } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import type { MemberView, View } from '../roles/view.js';
import { race } from '../votes/race.js';
import { askNext, bad, dcs, ok, type PlanFacts } from './plan-facts.js';

export function leaderNamed({ cluster, request }: PlanFacts): PlanCheck | null {
  const name = 'leader_named';
  const { leader, avoid } = request;
  const evidence = [leaderKeySays(cluster)];
  if (avoid !== null && !isKnown(cluster, avoid)) {
    const members = cluster.members.map((member) => member.name).join(', ');
    return bad(
      name,
      'refused',
      `${avoid}, given with --avoid, is not a member`,
      evidence,
      `members: ${members}`,
    );
  }
  if (leader === null) {
    if (cluster.leaderName === null) return null;
    return ok(name, `${cluster.leaderName} is the leader; no leader was given`, evidence);
  }
  if (leader === cluster.leaderName) return ok(name, `${leader} is the leader, as given`, evidence);
  const is =
    cluster.leaderName === null ? 'there is no leader' : `the leader is ${cluster.leaderName}`;
  const next =
    cluster.leaderName === null ? 'omit --leader' : `name ${cluster.leaderName}, or omit --leader`;
  return bad(name, 'refused', `${leader} is not the leader: ${is}`, evidence, next);
}

/** Members and former members: `--avoid` with a departed node is not a typing error. */
export function isKnown(cluster: PlanFacts['cluster'], member: string): boolean {
  const names = [
    ...cluster.members.map(({ name }) => name),
    ...(cluster.history ?? []).map(({ newLeader }) => newLeader),
    cluster.leaderName,
  ];
  return names.includes(member);
}

/** Keys that decide about a change and were not read, each with the reason. */
function unreadClaims({ cannotTell }: PlanFacts['cluster']): Witnessed[] {
  return (['sync', 'failover', 'config'] as const).flatMap((key) => {
    const why = cannotTell?.[key];
    return why === undefined ? [] : [dcs(`/${key}`, why)];
  });
}

/** What Patroni wrote and cannot be read would be taken for absent: synchronous mode for off, say. */
export function dcsReadable({ cluster, config }: PlanFacts): PlanCheck {
  const name = 'dcs_readable';
  const { problems } = cluster;
  const evidence = problems.map(({ key, problem }) => dcs(key, problem));
  const next = `find out what wrote that key: ${commandLine(cluster, 'status')}`;
  if (config === null) {
    const said = '/config cannot be read: synchronous mode is unknown';
    return bad(name, 'refused', said, [...evidence, dcs('/config', 'not read')], next);
  }
  if (problems.length === 0) {
    const open = unreadClaims(cluster);
    if (open.length === 0) return ok(name, 'every key of the cluster was read');
    const said = `unknown over the REST API:  ${open.map(({ subject }) => subject).join(', ')}`;
    return bad(name, 'unknown', said, open, 'read the DCS itself: -c FILE or --dcs-url');
  }
  const decides = problems.filter(
    ({ key, partly }) => !partly && /\/(config|sync|failover|leader)$/.test(key),
  );
  const keys = problems.map(({ key }) => key).join(', ');
  const result = decides.length > 0 ? 'refused' : 'unknown';
  return bad(name, result, `unreadable in the DCS: ${keys}`, evidence, next);
}

export function leaderAlive(ctx: PlanFacts): PlanCheck {
  const { cluster, leader, leaderState, action } = ctx;
  const name = 'leader_alive';
  const evidence = [leaderKeySays(cluster), ...(leader ? [roleSeen(leader)] : [])];
  const who = cluster.leaderName ?? '';
  switch (leaderState) {
    case 'none':
      return noLock(ctx);
    case 'alive':
      return aloneAlive(ctx, evidence);
    case 'unknown':
      return bad(
        name,
        'unknown',
        `it is unknown whether ${who} is alive`,
        evidence,
        askNext(ctx, who),
      );
    case 'silent':
    case 'down': {
      const state = leaderState === 'silent' ? 'its Patroni does not answer' : downWords(ctx);
      const said = `${who} holds the lock, but ${state}`;
      if (action === 'switchover') return bad(name, 'refused', said, evidence, withoutIt(ctx));
      return bad(
        name,
        'warning',
        said,
        evidence,
        `nothing happens before the lock expires (ttl ${loopTimes(ctx.config).ttlSeconds} s)`,
      );
    }
  }
}

/** Once the lock has expired: the member that wins by itself, else those that a failover can promote. */
function withoutIt({ cluster, config, input, view }: PlanFacts): string {
  const repair = `repair PostgreSQL and Patroni on ${cluster.leaderName ?? 'the leader'}`;
  const winners = config?.pause ? [] : race(input).filter(({ mayWin }) => mayWin === 'yes');
  if (winners.length === 0) return `${repair}; ${manually(view)}`;
  const names = list(winners.map(({ name }) => name));
  return `${repair}; when its lock has expired ${names} may take over automatically`;
}

function manually(view: View): string {
  const promote = promotion(view);
  return promote === null ? noPromotion(view) : `promote a member manually: ${promote}`;
}

/** It runs; beside the next leader it would be a second primary. */
function aloneAlive({ cluster, leader, view }: PlanFacts, evidence: Witnessed[]): PlanCheck {
  const name = 'leader_alive';
  const who = cluster.leaderName ?? '';
  const others = view.primaries.filter((one) => one.name !== who);
  if (others.length === 0)
    return ok(name, `${who} holds the lock and runs as ${leader?.observed ?? 'leader'}`, evidence);
  const names = others.map((one) => one.name).join(', ');
  const seen = [...evidence, ...others.map(roleSeen)];
  const said = `${who} holds the lock and is alive, but ${names} also runs as a primary`;
  const next = `fence ${names} first: ${commandLine(cluster, 'status')}; --skip-check ${name} continues anyway`;
  return bad(name, 'refused', said, seen, next);
}

/** A standby leader streams from its remote; null: unknown. */
export function streamsFromRemote({ sql, rest }: MemberView): boolean | null {
  if (sql.ok) return sql.value.walReceiver?.status === 'streaming';
  return rest.ok ? rest.value.replicationState === 'streaming' : null;
}

/** In a standby cluster: the next standby leader gets everything from the same remote. */
export function remoteStreams(ctx: PlanFacts): PlanCheck | null {
  const { config, leader, leaderState } = ctx;
  const name = 'remote_streams';
  if (!config?.standbyCluster || leader === null || leaderState !== 'alive') return null;
  const { host, port, restore_command: archive } = config.standbyCluster;
  const where = [host, port].filter((part) => typeof part === 'string' || typeof part === 'number');
  const remote = where.length > 0 ? `the remote ${where.join(':')}` : 'the remote';
  const evidence = [dcs('/config', `standby_cluster of ${where.join(':') || 'an archive'}`)];
  const streams = streamsFromRemote(leader);
  if (streams === true) return ok(name, `${leader.name} streams from ${remote}`, evidence);
  if (!host && archive) return ok(name, `${leader.name} reads WAL from an archive`, evidence);
  if (streams === null) {
    const said = `it is unknown whether ${leader.name} streams from ${remote}`;
    return bad(name, 'unknown', said, evidence, askNext(ctx, leader.name));
  }
  const said = `${leader.name} does not stream from ${remote}; the next leader may not either`;
  return bad(
    name,
    'warning',
    said,
    evidence,
    `check the remote cluster and the log of ${leader.name}`,
  );
}

function downWords({ leader }: PlanFacts): string {
  if (leader === null) return 'it has no member key';
  const state = leader.rest.ok ? leader.rest.value.state : '';
  const named = state === '' || state === 'running' ? '' : ` (${state})`;
  return `it is seen as ${leader.observed}${named}`;
}

function noLock({ cluster, view, action, now }: PlanFacts): PlanCheck {
  const name = 'leader_alive';
  const evidence = [leaderKeySays(cluster), ...view.primaries.map(roleSeen)];
  const primary = view.primaries[0];
  if (primary)
    return bad(
      name,
      'refused',
      `no member holds the lock, but ${primary.name} runs as a primary`,
      evidence,
      primary.rest.ok && primary.rest.value.failsafeModeIsActive
        ? `${primary.name} is in failsafe mode: restore its connection to the DCS; while it answers, no member takes the lock`
        : 'it may be in failsafe mode or about to take the lock: check the DCS and that node first',
    );
  if (action === 'switchover')
    return bad(
      name,
      'refused',
      'there is no leader that could step down',
      evidence,
      now.verify === 'off' ? 'ask with --verify auto' : manually(view),
    );
  return ok(name, 'no member holds the lock and no primary was seen', evidence);
}

export function failoverPending({ cluster }: PlanFacts): PlanCheck {
  const name = 'failover_pending';
  const { failover } = cluster;
  const unread = cluster.cannotTell?.failover;
  if (failover === null && unread !== undefined) {
    const said = 'no switchover is scheduled; whether another request is pending is unknown';
    const next = 'read the DCS itself: -c FILE or --dcs-url';
    return bad(name, 'unknown', said, [dcs('/failover', unread)], next);
  }
  if (failover === null) return ok(name, 'no request is pending', [dcs('/failover', 'empty')]);
  const from = failover.leader === null ? '' : ` from ${failover.leader}`;
  const to = failover.candidate === null ? '' : ` to ${failover.candidate}`;
  const at = failover.scheduledAt === null ? '' : ` at ${failover.scheduledAt}`;
  const what = failover.leader === null ? 'failover' : 'switchover';
  const said = `a ${what}${from}${to}${at} is pending and would be replaced silently`;
  const isStuck = failover.scheduledAt === null;
  const flag = isStuck ? 'when no member can act on it any more' : '';
  const flush = commandLine(cluster, 'flush', 'switchover', ...(isStuck ? ['--stuck'] : []));
  return bad(
    name,
    'refused',
    said,
    [dcs('/failover', `${what}${from}${to}${at}`)],
    flag === '' ? flush : `${flag}: ${flush}`,
  );
}

export function pausedNeedsCandidate({ config, candidate, cluster }: PlanFacts): PlanCheck | null {
  const name = 'paused_needs_candidate';
  if (!config?.pause) return null;
  const evidence = [dcs('/config', 'pause: true')];
  if (candidate !== null)
    return ok(name, 'the cluster is paused, and a candidate is named', evidence);
  return bad(
    name,
    'refused',
    'the cluster is paused, and no candidate is named',
    evidence,
    `name a candidate, or end the pause: ${commandLine(cluster, 'resume')}`,
  );
}

/** A standby leader is not a primary: while paused it ignores every request, and carries it out after the resume. */
export function pausedStandbyCluster(ctx: PlanFacts): PlanCheck | null {
  const { config, leaderState, cluster } = ctx;
  if (!config?.pause || !config.standbyCluster) return null;
  // The lock of one that is gone expires: then the candidate takes it, paused or not.
  if (leaderState !== 'alive' && leaderState !== 'unknown') return null;
  return bad(
    'paused_standby_cluster',
    'refused',
    `the cluster is paused, and a paused standby cluster carries out a ${ctx.request.kind} only after a resume`,
    [dcs('/config', 'pause: true, standby_cluster')],
    `a request sent now would be carried out at the next resume; end the pause first: ${commandLine(cluster, 'resume')}`,
  );
}

export function pausedNoSchedule({ config, request, cluster }: PlanFacts): PlanCheck | null {
  if (!config?.pause || request.scheduledAt === null) return null;
  const said = 'the cluster is paused: nothing can be scheduled';
  return bad(
    'paused_no_schedule',
    'refused',
    said,
    [dcs('/config', 'pause: true')],
    `do it now, or end the pause: ${commandLine(cluster, 'resume')}`,
  );
}

/** Patroni refuses or drops a schedule in the past, or of a failover. */
export function schedule({ request, now }: PlanFacts): PlanCheck | null {
  const { scheduledAt } = request;
  const name = 'schedule';
  if (scheduledAt === null) return null;
  const refused = (said: string, next: string) => bad(name, 'refused', said, [], next);
  if (request.kind === 'failover')
    return refused('a failover cannot be scheduled', 'omit the schedule, or use switchover');
  const at = Date.parse(scheduledAt);
  if (Number.isNaN(at))
    return refused(`${scheduledAt} is not a valid time`, 'give ISO 8601 with an offset');
  const inMs = at - Date.parse(now.takenAt);
  if (inMs <= 0) return refused(`${scheduledAt} has passed`, 'give a future time');
  return ok(name, `at ${scheduledAt}; the candidate is checked again only then`);
}

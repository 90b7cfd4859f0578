/** Does the candidate have what the leader wrote, and will it get the rest? */
import { commandLine } from '../model/command-line.js';
import { rowSeen } from '../findings/evidence.js';
import { reinitStep } from '../findings/next-steps.js';
import { formatLsn, lagBytes, type Lsn } from '../model/lsn.js';
import type { Witnessed } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import type { MemberView } from '../roles/view.js';
import { plural } from '../model/words.js';
import { askNext, bad, dcs, isGone, ok, type PlanFacts } from './plan-facts.js';
import { whyStill } from './stalled-standby.js';

/** The named member, unless it is not a member or already leads. */
function standby({ candidate, one, cluster }: PlanFacts): MemberView | null {
  return candidate === cluster.leaderName ? null : one;
}

export function candidateStreams(ctx: PlanFacts): PlanCheck | null {
  const name = 'candidate_streams';
  const one = standby(ctx);
  if (one === null || isGone(ctx)) return null;
  const who = one.name;
  const from = ctx.cluster.leaderName ?? 'the leader';
  const evidence = [rowSeen(one, ctx.view)];
  const streams = ctx.node?.streamsFromLeader ?? null;
  if (streams === null)
    return bad(
      name,
      'unknown',
      `it is unknown whether ${who} streams from ${from}`,
      evidence,
      askNext(ctx, from),
    );
  if (!streams) {
    const upstream = one.row && one.row.upstream !== from ? `, but from ${one.row.upstream}` : '';
    const state =
      one.row?.upstream === from
        ? ` (its walsender is in state ${one.row.state ?? 'unknown'})`
        : '';
    return bad(
      name,
      'refused',
      `${who} does not stream from ${from}${upstream}${state}`,
      evidence,
      `the shutdown of ${from} will not wait for it; see why: ${commandLine(ctx.cluster, 'check')}`,
    );
  }
  const still = whyStill(ctx, one);
  if (still !== null)
    return bad(
      name,
      'refused',
      `${who} streams from ${from}, but ${still}`,
      evidence,
      `its WAL receiver or disk may be stuck: check the host of ${who}, and try again`,
    );
  return ok(name, `${who} streams from ${from}`, evidence);
}

export function candidateLag(ctx: PlanFacts): PlanCheck | null {
  const name = 'candidate_lag';
  const one = standby(ctx);
  if (one === null) return null;
  const most = ctx.input.maximumLagOnFailoverBytes;
  const mine = ctx.node?.walPosition ?? null;
  const against = reference(ctx);
  if (mine === null || against === null) {
    const whose = mine === null ? one.name : (ctx.cluster.leaderName ?? 'the leader');
    return bad(
      name,
      'unknown',
      `the lag of ${one.name} is unknown: no WAL position of ${whose}`,
      [],
      askNext(ctx, whose),
    );
  }
  const lag = lagBytes(against.lsn, mine);
  const evidence = [
    against.seen,
    { witness: one.witness ?? 'REST', subject: one.name, said: `at ${formatLsn(mine)}` },
  ];
  const said = `${one.name} is ${plural(lag, 'byte')} behind ${against.what}, of ${most} allowed`;
  return lag > most
    ? bad(name, 'refused', said, evidence, lagNext(ctx, most))
    : ok(name, said, evidence);
}

/** Only what streams catches up. */
function lagNext(ctx: PlanFacts, most: number): string {
  const raise = `raise maximum_lag_on_failover (${most})`;
  if (isGone(ctx)) return `it catches up from no leader; ${raise} if the WAL it lacks may be lost`;
  return ctx.node?.streamsFromLeader === false
    ? 'it does not stream, so it does not catch up: see candidate_streams'
    : `wait until it has caught up, or ${raise}`;
}

/** The leader's own position; where it does not tell, what it last wrote into the DCS. */
function reference({
  leader,
  input,
  view,
}: PlanFacts): { lsn: Lsn; what: string; seen: Witnessed } | null {
  if (leader?.position) {
    const seen: Witnessed = {
      witness: leader.witness ?? 'REST',
      subject: leader.name,
      said: `at ${formatLsn(leader.position)}`,
    };
    return { lsn: leader.position, what: leader.name, seen };
  }
  if (input.optime === null || view.snapshot.verify === 'off') return null;
  const seen = dcs('/status', `optime ${formatLsn(input.optime)}`);
  return { lsn: input.optime, what: 'the position that the leader last wrote to the DCS', seen };
}

export function candidateTimeline(ctx: PlanFacts): PlanCheck | null {
  const name = 'candidate_timeline';
  const one = standby(ctx);
  if (one === null) return null;
  const mine = one.timeline;
  const theirs = ctx.leader?.timeline ?? ctx.input.clusterTimeline;
  const evidence: Witnessed[] = [
    { witness: one.witness ?? 'REST', subject: one.name, said: `timeline ${mine ?? 'unknown'}` },
    ctx.leader?.timeline
      ? {
          witness: ctx.leader.witness ?? 'REST',
          subject: ctx.leader.name,
          said: `timeline ${ctx.leader.timeline}`,
        }
      : dcs('/history', `timeline ${ctx.input.clusterTimeline ?? 'unknown'}`),
  ];
  if (mine === null || theirs === null)
    return bad(
      name,
      'unknown',
      `the timeline of ${mine === null ? one.name : 'the cluster'} is unknown`,
      evidence,
      mine !== null && isGone(ctx)
        ? `see the last promotions: ${commandLine(ctx.cluster, 'history')}`
        : askNext(ctx, mine === null ? one.name : (ctx.cluster.leaderName ?? 'the leader')),
    );
  if (mine === theirs)
    return ok(name, `${one.name} is on timeline ${mine}, the cluster's own`, evidence);
  const how = mine < theirs ? 'behind' : 'beyond';
  // Without a stream the timeline comes from the control file, which trails until the next restartpoint.
  const isSure = !isGone(ctx) || mine > theirs || ctx.input.checkTimeline;
  return bad(
    name,
    isSure ? 'refused' : 'warning',
    `${one.name} is on timeline ${mine}, ${how} the cluster's ${theirs}`,
    evidence,
    mine < theirs
      ? `it has not followed the last promotion; check its log, and copy it again if it cannot follow: ${reinitStep(ctx.now, one)}`
      : `it was promoted beside the cluster: save what only it has if you need it, then copy it again: ${reinitStep(ctx.now, one)}`,
  );
}

/** Promotion ends a pause of the replay, but has to replay what has gathered before clients can write. */
export function candidateReplay(ctx: PlanFacts): PlanCheck | null {
  const name = 'replay_paused';
  const one = standby(ctx);
  if (one === null) return null;
  const paused = one.sql.ok
    ? one.sql.value.replayPaused
    : one.rest.ok
      ? one.rest.value.replayPaused
      : null;
  const witness = one.sql.ok ? ('SQL' as const) : ('REST' as const);
  const evidence: Witnessed[] = [
    { witness, subject: one.name, said: `replay paused: ${paused ?? 'unknown'}` },
  ];
  if (paused === null)
    return bad(
      name,
      'unknown',
      `it is unknown whether ${one.name} replays`,
      evidence,
      askNext(ctx, one.name),
    );
  if (!paused) return ok(name, `${one.name} replays`, evidence);
  const backlog =
    one.position !== null && one.replayed !== null ? lagBytes(one.position, one.replayed) : null;
  const far = backlog === null || backlog > ctx.input.maximumLagOnFailoverBytes;
  const said = `replay is paused on ${one.name}, ${backlog === null ? 'an unknown number of bytes' : plural(backlog, 'byte')} not yet replayed`;
  return bad(
    name,
    far ? 'refused' : 'warning',
    said,
    evidence,
    `select pg_wal_replay_resume() on ${one.name}`,
  );
}

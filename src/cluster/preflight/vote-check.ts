/** Sync state and votes: the arithmetic is in votes/race.ts and votes/step-down.ts. */
import { isListed } from '../model/member-names.js';
import { commandLine } from '../model/command-line.js';
import { rowSeen, syncKeySays } from '../findings/evidence.js';
import { formatLsn } from '../model/lsn.js';
import type { Witnessed } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import { race, type RaceResult } from '../votes/race.js';
import { apiPrecheck, leaderGate, type GateResult } from '../votes/step-down.js';
import { quorumActive, syncActive, votingSet } from '../votes/vote-rules.js';
import { askNext, bad, dcs, isGone, ok, unlessAccepted, type PlanFacts } from './plan-facts.js';

export function candidateSync(ctx: PlanFacts): PlanCheck | null {
  const { one, candidate, cluster, input, action } = ctx;
  const name = 'candidate_sync';
  if (one === null || candidate === null || candidate === cluster.leaderName) return null;
  if (input.mode === 'off' || input.standbyCluster) return null;
  const evidence = [syncKeySays(cluster), rowSeen(one, ctx.view)];
  if (!syncActive(input)) {
    const said = `synchronous mode is ${input.mode}, but /sync is empty: no member is known to have every commit`;
    if (action === 'switchover' && input.mode === 'quorum')
      return bad(
        name,
        'warning',
        said,
        evidence,
        `see what it is: ${commandLine(ctx.cluster, 'status')}`,
      );
    // Patroni itself answers 412 to a switchover, whatever may be lost.
    return bad(
      name,
      action === 'switchover' ? 'refused' : unlessAccepted(ctx),
      said,
      evidence,
      `wait until Patroni has written /sync: ${commandLine(ctx.cluster, 'status')}`,
    );
  }
  if (!isListed(votingSet(input), candidate)) return notListed(ctx, evidence);
  if (isGone(ctx))
    return ok(name, `${candidate} is in /sync; there is no leader, so no member streams`, evidence);
  return trulySync(ctx, evidence);
}

function notListed(ctx: PlanFacts, evidence: Witnessed[]): PlanCheck {
  const name = 'candidate_sync';
  const names = ctx.input.voters.join(', ') || 'none';
  const said = `${ctx.candidate ?? ''} is asynchronous: /sync names ${names}`;
  if (ctx.action === 'switchover')
    return bad(
      name,
      'refused',
      said,
      evidence,
      'Patroni switches over only to members in /sync; a failover takes others too, and may lose commits',
    );
  const next = ctx.request.allowDataLoss
    ? 'accepted by --allow-data-loss'
    : 'accept that commits may be lost: --allow-data-loss';
  return bad(name, unlessAccepted(ctx), said, evidence, next);
}

function trulySync(ctx: PlanFacts, evidence: Witnessed[]): PlanCheck {
  const name = 'candidate_sync';
  const { one } = ctx;
  const who = ctx.candidate ?? '';
  const state = one?.syncState ?? 'unknown';
  if (state === 'sync' || state === 'quorum')
    return ok(name, `${who} is in /sync, and pg_stat_replication says ${state}`, evidence);
  if (state === 'unknown' || state === '')
    return bad(
      name,
      'unknown',
      `${who} is in /sync; its state in PostgreSQL is unknown`,
      evidence,
      askNext(ctx, ctx.cluster.leaderName ?? 'the leader'),
    );
  const said = `/sync says that ${who} is synchronous, pg_stat_replication says ${state}`;
  return bad(
    name,
    unlessAccepted(ctx),
    said,
    evidence,
    'do not assume that it has every commit: check synchronous_standby_names on the leader',
  );
}

/** Patroni 4.0.5 wants the votes of all from the one member that is named (patroni#3307). */
export function bug405(ctx: PlanFacts): PlanCheck | null {
  const { input, candidate, action, cluster, leaderState } = ctx;
  const name = 'patroni_405_quorum';
  if (!quorumActive(input) || candidate === null || leaderState === 'none') return null;
  const version = input.leaderVersion;
  const who = cluster.leaderName ?? '';
  const evidence = [
    dcs(`/members/${who}`, `version ${version ?? 'unknown'}`),
    syncKeySays(cluster),
  ];
  if (version === null)
    return bad(
      name,
      'unknown',
      `the Patroni version of ${who} is unknown`,
      evidence,
      '4.0.5 refuses every named candidate in quorum mode',
    );
  const gate = leaderGate(input, { candidate, action });
  if (!gate.refusedByBug405)
    return ok(
      name,
      `Patroni ${version} on ${who} accepts a named candidate in quorum mode`,
      evidence,
    );
  const said = `${who} runs Patroni 4.0.5, which refuses every named candidate in quorum mode (patroni#3307)`;
  return bad(
    name,
    'refused',
    said,
    evidence,
    'name no candidate, or upgrade Patroni, or set synchronous_mode to on temporarily',
  );
}

/** Will the leader let itself be demoted; or, without a leader, would the candidate win by itself? */
export function votes(ctx: PlanFacts): PlanCheck | null {
  if (ctx.candidate !== null && ctx.one === null) return null;
  if (isGone(ctx) || ctx.leaderState === 'silent') return withoutLeader(ctx);
  const gate = gateOf(ctx);
  const name = 'votes';
  const answer = beforehand(ctx);
  if (answer !== null) return answer;
  const evidence: Witnessed[] = gate.members.map((m) => ({
    witness: 'REST',
    subject: m.name,
    said: m.why,
  }));
  if (quorumActive(ctx.input)) evidence.unshift(syncKeySays(ctx.cluster));
  const who = ctx.cluster.leaderName ?? '';
  const count = `${gate.healthy.length} healthy of ${gate.needed} needed`;
  const why = gate.reasons.join('; ');
  if (gate.passes === 'yes')
    return ok(name, `${who} can step down: ${count} (${gate.healthy.join(', ')})`, evidence);
  if (gate.passes === 'unknown')
    return bad(
      name,
      'unknown',
      `it is unknown whether ${who} steps down: ${why}`,
      evidence,
      askNext(
        ctx,
        ...gate.members.filter(({ healthy }) => healthy === 'unknown').map(({ name: one }) => one),
      ),
    );
  const see = `see each vote: ${commandLine(ctx.cluster, 'quorum')}`;
  const next = gate.needed > 1 ? `bring the missing members back; ${see}` : see;
  return bad(name, 'refused', `${who} will not step down: ${why}`, evidence, next);
}

/** No candidate is named, and Patroni's API would refuse the request: for example, no member of /sync is there. */
function beforehand({ input, candidate, action, cluster }: PlanFacts): PlanCheck | null {
  if (candidate !== null || action !== 'switchover' || input.paused) return null;
  const { leaderName: leader } = cluster;
  const { outcome, status, message } = apiPrecheck(input, { action, leader, candidate });
  if (outcome !== 'no') return null;
  const said = `Patroni would answer ${status ?? ''}: ${message}`;
  return bad(
    'votes',
    'refused',
    said,
    [syncKeySays(cluster)],
    `see what it is: ${commandLine(cluster, 'status')}`,
  );
}

/** The leader's own gate; the defect of 4.0.5 is reported separately, so that each can be skipped by name. */
export function gateOf({ input, candidate, action }: PlanFacts): GateResult {
  return leaderGate(input, { candidate, action, withoutBug405: true });
}

function withoutLeader(ctx: PlanFacts): PlanCheck | null {
  const name = 'votes';
  const result = race(ctx.input).find((r) => r.name === ctx.candidate);
  if (!result) return null;
  const evidence = raceEvidence(ctx, result);
  const count = result.needed > 0 ? `, with ${result.counted} of ${result.needed} votes` : '';
  if (result.mayWin === 'yes')
    return ok(name, `${result.name} would win the race by itself${count}`, evidence);
  const said = `${result.name} might not win the race${count}: ${result.reasons.join('; ')}`;
  return bad(
    name,
    'warning',
    said,
    evidence,
    'Patroni counts no votes for a named candidate: see data_loss for what that may cost',
  );
}

function raceEvidence({ input, cluster }: PlanFacts, result: RaceResult): Witnessed[] {
  const seen = input.nodes.flatMap((n): Witnessed[] =>
    n.walPosition === null
      ? []
      : [{ witness: 'REST', subject: n.name, said: `at ${formatLsn(n.walPosition)}` }],
  );
  return result.needed > 0 ? [syncKeySays(cluster), ...seen] : seen;
}

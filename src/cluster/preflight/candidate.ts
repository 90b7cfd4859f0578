/** Is the candidate a member that Patroni would let promote? */
import type { MemberView } from '../roles/view.js';
import { commandLine } from '../model/command-line.js';
import { roleSeen } from '../findings/evidence.js';
import { restStep } from '../findings/next-steps.js';
import type { Witnessed } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok, type PlanFacts } from './plan-facts.js';

export function candidateExists({ candidate, one, cluster }: PlanFacts): PlanCheck | null {
  const name = 'candidate_exists';
  if (candidate === null) return null;
  const names = cluster.members.map((member) => member.name);
  const evidence = [dcs('/members', names.join(', ') || 'none')];
  if (one !== null) return ok(name, `${candidate} is a member`, evidence);
  const close = names.find((other) => other.toLowerCase() === candidate.toLowerCase());
  const next = close ? `did you mean ${close}?` : `members: ${names.join(', ') || 'none'}`;
  return bad(name, 'refused', `${candidate} is not a member of ${cluster.scope}`, evidence, next);
}

export function candidateNotLeader({ candidate, cluster, one }: PlanFacts): PlanCheck | null {
  const name = 'candidate_not_leader';
  if (candidate === null || one === null) return null;
  if (candidate !== cluster.leaderName) return ok(name, `${candidate} is not the leader`);
  const evidence = [dcs('/leader', `held by ${candidate}`)];
  return bad(name, 'refused', `${candidate} is already the leader`, evidence, 'nothing to do');
}

/** The other members and the leader ask it over REST, as we do: a silent member is not promoted. */
export function candidateAnswers({ candidate, one, cluster }: PlanFacts): PlanCheck | null {
  const name = 'candidate_answers';
  if (one === null || candidate === null || candidate === cluster.leaderName) return null;
  const { rest } = one;
  if (!rest.ok) return unheard(name, candidate, one, rest);
  if (one.observed === 'primary')
    return bad(
      name,
      'refused',
      `${candidate} is out of recovery: a second primary`,
      [roleSeen(one)],
      `fence it; look at both: ${commandLine(cluster, 'status')}`,
    );
  if (one.observed === 'not running')
    return bad(
      name,
      'refused',
      `${candidate} does not run PostgreSQL: ${rest.value.state || 'no state'}`,
      [roleSeen(one)],
      `check the logs of Patroni and PostgreSQL on ${candidate}`,
    );
  return ok(name, `${candidate} answers under its own name, as ${one.observed}`, [roleSeen(one)]);
}

/** The candidate did not answer as Patroni does. */
function unheard(
  name: string,
  candidate: string,
  one: MemberView,
  { kind, reason }: Extract<MemberView['rest'], { ok: false }>,
): PlanCheck {
  const evidence: Witnessed[] = [{ witness: 'REST', subject: candidate, said: reason }];
  const found = (result: 'unknown' | 'refused', said: string, next = restStep(one)): PlanCheck =>
    bad(name, result, `${candidate} ${said}`, evidence, next);
  switch (kind) {
    case 'off':
      return found('unknown', 'was not asked over REST', 'use --verify auto or rest');
    case 'denied':
      return found('unknown', `denied our request: ${reason}`);
    case 'invalid':
      return found('unknown', `gives an answer that Patroni never gives: ${reason}`);
    case 'misidentified':
    case 'no_address':
    case 'unreachable':
      return found('refused', `does not answer under its own name: ${reason}`);
  }
}

export function candidateNofailover({
  candidate,
  node,
  one,
  cluster,
}: PlanFacts): PlanCheck | null {
  const name = 'candidate_nofailover';
  if (candidate === null || node === null || candidate === cluster.leaderName) return null;
  const tags = one?.member?.tags ?? {};
  const evidence = [dcs(`/members/${candidate}`, `tags ${JSON.stringify(tags)}`)];
  if (!node.nofailover) return ok(name, `${candidate} may be promoted by its tags`, evidence);
  return bad(
    name,
    'refused',
    `${candidate} is tagged nofailover, or has failover_priority 0`,
    evidence,
    `remove the tag from Patroni's configuration on ${candidate}, and reload it`,
  );
}

export function candidateWatchdog({ candidate, node, cluster }: PlanFacts): PlanCheck | null {
  const name = 'candidate_watchdog';
  if (candidate === null || node === null || candidate === cluster.leaderName) return null;
  const evidence = (said: string): Witnessed[] => [{ witness: 'REST', subject: candidate, said }];
  if (node.watchdogFailed === null)
    return bad(
      name,
      'unknown',
      `the watchdog state of ${candidate} is unknown`,
      evidence('not read'),
      'see candidate_answers',
    );
  if (node.watchdogFailed)
    return bad(
      name,
      'refused',
      `${candidate} requires a watchdog and has none`,
      evidence('watchdog_failed: true'),
      `repair the watchdog of ${candidate}`,
    );
  return ok(
    name,
    `the watchdog does not prevent a promotion of ${candidate}`,
    evidence('watchdog_failed is not set'),
  );
}

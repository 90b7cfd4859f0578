/** Will every other member follow the new leader? Its own Patroni points a member to it, and nothing else does. */
import type { Witnessed } from '../model/model.js';
import type { MemberView } from '../roles/view.js';
import type { PlanCheck } from './plan-model.js';
import { askNext, bad, ok, type PlanFacts } from './plan-facts.js';

/** Members other than the old and the new leader whose Patroni is silent, or denies our requests. */
export function bystandersFollow(ctx: PlanFacts): PlanCheck | null {
  const name = 'bystanders_follow';
  const { cluster, candidate, view } = ctx;
  const others = view.members.filter(
    (one) =>
      one.departed === null &&
      one.member !== null &&
      one.name !== cluster.leaderName &&
      one.name !== candidate,
  );
  if (others.length === 0) return null;
  const silent = others.filter((one) => isSilent(one));
  const unheard = others.filter((one) => !one.rest.ok && !isSilent(one));
  if (silent.length > 0) {
    const who = names(silent);
    const said = `Patroni on ${who} does not answer: ${who} will not follow, because nothing else points it to the new leader`;
    const next = `start Patroni on ${who} first, or do not wait for it: --wait writable`;
    return bad(name, 'warning', said, silent.map(restSays), next);
  }
  if (unheard.length > 0) {
    const who = names(unheard);
    const said = `whether ${who} will follow is unknown`;
    return bad(
      name,
      'unknown',
      said,
      unheard.map(restSays),
      askNext(ctx, ...unheard.map(({ name }) => name)),
    );
  }
  return ok(name, `the Patroni of ${names(others)} answers`);
}

function isSilent({ rest }: MemberView): boolean {
  return !rest.ok && ['unreachable', 'misidentified', 'no_address'].includes(rest.kind);
}

function names(members: readonly MemberView[]): string {
  return members.map(({ name }) => name).join(', ');
}

function restSays({ name, rest }: MemberView): Witnessed {
  return { witness: 'REST', subject: name, said: rest.ok ? 'answers' : rest.reason };
}

/** Which subscribers would go on after the change, and on which candidate they would not. */
import { commandLine } from '../model/command-line.js';
import { slotSeen } from '../findings/failover-slots.js';
import { brokenOn, logicalSlots, type Broken, type LogicalSlot } from '../roles/logical-slots.js';
import type { Witnessed } from '../model/model.js';
import { readTags } from '../model/tags.js';
import type { PlanCheck } from './plan-model.js';
import { race } from '../votes/race.js';
import type { MemberView } from '../roles/view.js';
import { plural } from '../model/words.js';
import { bad, isGone, ok, sqlNotRead, type PlanFacts } from './plan-facts.js';

const NAME = 'logical_slots';

/** How many subscribers would stop on this member; 0 where it cannot be told. */
export function brokenCount(ctx: PlanFacts): number {
  if (ctx.one === null) return 0;
  return brokenOn(ctx.one, logicalSlots(ctx.view).slots)?.length ?? 0;
}

/**
 * Refused where a slot was made to survive and would not; a warning where nothing was asked to carry it, and
 * of a failover from a leader that is gone: then a subscriber is worth less than a primary.
 */
export function subscribers(ctx: PlanFacts): PlanCheck | null {
  const { leader, view } = ctx;
  if (ctx.cluster.config?.standbyCluster) return null;
  const { slots, seenOn } = logicalSlots(view);
  if (seenOn === null && !isGone(ctx)) return sqlNotRead(NAME, leader, 'which clients subscribe');
  if (slots.length === 0) return seenOn === null ? null : ok(NAME, `${seenOn} has no logical slot`);
  const asked = candidates(ctx);
  if (asked.length === 0) return null;
  const silent = asked.find((one) => brokenOn(one, slots) === null);
  if (silent) return sqlNotRead(NAME, silent, `whether ${names(slots)} would continue`);
  const stopped = asked
    .map((one) => ({ one, broken: brokenOn(one, slots) ?? [] }))
    .filter(({ broken }) => broken.length > 0);
  if (stopped.length === 0) {
    const where = asked.map(({ name }) => name).join(', ');
    const said = `${plural(slots.length, 'logical slot')} (${names(slots)}) can be used on ${where}`;
    return ok(
      NAME,
      said,
      asked.flatMap((one) => evidenceOf(ctx, one, slots)),
    );
  }
  return wouldStop(ctx, better(ctx, slots), stopped);
}

/** The named candidate, or every member that Patroni may choose. */
function candidates(ctx: PlanFacts): MemberView[] {
  const { one, candidate, cluster } = ctx;
  if (candidate !== null) return one === null || candidate === cluster.leaderName ? [] : [one];
  const able = race(ctx.input)
    .filter(({ mayWin }) => mayWin !== 'no')
    .map(({ name }) => name);
  return ctx.view.members.filter(
    ({ name, departed }) => departed === null && name !== cluster.leaderName && able.includes(name),
  );
}

interface Stopped {
  one: MemberView;
  broken: Broken[];
}

/** Members on which every subscriber would go on, also those that Patroni would not choose by itself. */
function better({ view, cluster, one }: PlanFacts, slots: readonly LogicalSlot[]): MemberView[] {
  return view.members.filter(
    (other) =>
      other.member !== null &&
      other.departed === null &&
      other.name !== cluster.leaderName &&
      other.name !== one?.name &&
      !readTags(other.member.tags).nofailover &&
      brokenOn(other, slots)?.length === 0,
  );
}

function wouldStop(ctx: PlanFacts, instead: MemberView[], stopped: Stopped[]): PlanCheck {
  const said = stopped.map(({ one, broken }) => `on ${one.name} ${reasons(broken)}`).join('; ');
  const evidence = stopped.flatMap(({ one, broken }) =>
    evidenceOf(
      ctx,
      one,
      broken.map(({ slot }) => slot),
    ),
  );
  const wasPromised = stopped.some(({ broken }) => broken.some(({ slot }) => slot.keptBy !== null));
  // Patroni may still choose one on which all continue; this is unknown.
  const isRefused = wasPromised && !isGone(ctx);
  return bad(
    NAME,
    isRefused ? 'refused' : 'warning',
    `subscribers would stop: ${said}`,
    evidence,
    instead.length > 0
      ? `name ${instead.map(({ name }) => name).join(' or ')} with --candidate`
      : `accept it with --skip-check logical_slots, or wait until the slots are synchronized: ${commandLine(ctx.cluster, 'check')}`,
  );
}

function reasons(broken: readonly Broken[]): string {
  return broken.map(({ slot, because }) => `${slot.name} (${because})`).join(', ');
}

function names(slots: readonly LogicalSlot[]): string {
  return slots.map(({ name }) => name).join(', ');
}

function evidenceOf(
  ctx: PlanFacts,
  one: MemberView,
  slots: readonly Pick<LogicalSlot, 'name'>[],
): Witnessed[] {
  return [ctx.leader, one].flatMap((who) => {
    if (!who?.sql.ok) return [];
    const sql = who.sql.value;
    return slots.map(({ name }) => slotSeen(sql, who.name, name));
  });
}

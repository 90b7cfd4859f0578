/** What of a swap's plan is not as it was shown, a line each: leaders, the address to stream from, checks, what is lost. */
import { bytesText } from '../findings/evidence.js';
import { parseLsn, type Lsn } from '../model/lsn.js';
import type { KnownLoss } from './lost-model.js';
import type { PlanCheck } from './plan-model.js';
import type { MemberReturn } from './rejoin-model.js';
import type { PlannedSite, StandbySource } from './swap-model.js';

interface Checked {
  checks: readonly PlanCheck[];
  refusedBy: readonly string[];
}

export function leaderChanged(shown: PlannedSite, now: PlannedSite): string[] {
  const [before, after] = [shown.leader, now.leader];
  if (before === after) return [];
  return [`leader of ${now.label}: was ${before ?? 'no member'}, is ${after ?? 'no member'}`];
}

export function newlyRefused(shown: Checked, now: Checked): string[] {
  return now.checks.flatMap(({ name, said }) => {
    const isNew = now.refusedBy.includes(name) && !shown.refusedBy.includes(name);
    return isNew ? [`${name}: ${said}`] : [];
  });
}

/** `label`: the site that will stream. */
export function sourceChanged(
  label: string,
  shown: StandbySource | null,
  now: StandbySource | null,
): string[] {
  const [before, after] = [sourceWords(shown), sourceWords(now)];
  return before === after ? [] : [`where ${label} will stream from: was ${before}, is ${after}`];
}

function sourceWords(source: StandbySource | null): string {
  if (source === null) return 'unknown';
  const { host, port, primary_slot_name: slot } = source;
  return `${host}:${port}${slot === undefined ? ' without a slot' : `, slot ${slot}`}`;
}

/** The operator accepted what was shown, and no more. */
export function lossGrown(label: string, shown: KnownLoss, now: KnownLoss): string[] {
  const [before, after] = [receivedIn(shown), receivedIn(now)];
  const isLess = before !== null && (after === null || after < before);
  const less = isLess
    ? [`received in ${label}: was ${shown.received ?? '?'}, is ${now.received ?? 'unknown'}`]
    : [];
  const { lostAtLeastBytes: known } = shown;
  const { lostAtLeastBytes: more } = now;
  if (more === null || more <= (known ?? 0)) return less;
  const was = known === null ? 'unknown' : `at least ${bytesText(known)}`;
  return [...less, `WAL that was not received: was ${was}, is at least ${bytesText(more)}`];
}

function receivedIn({ received }: KnownLoss): Lsn | null {
  return received === null ? null : parseLsn(received);
}

/** A member that throws WAL away now, and was not shown so. */
export function returnsChanged(
  shown: readonly MemberReturn[],
  now: readonly MemberReturn[],
): string[] {
  return now.flatMap(({ member, needs, said }) => {
    const before = shown.find((one) => one.member === member)?.needs ?? 'unknown';
    const isHarmless = needs === 'nothing' || needs === 'unknown' || needs === before;
    return isHarmless ? [] : [`${member}: ${said}`];
  });
}

/** Members that left unannounced: Patroni forgets them with their lease, so they are reported here. */
import { argumentOf, shellWord } from '../model/command-line.js';
import type { Absent } from '../roles/absent.js';
import type { Cluster, Finding, Severity } from '../model/model.js';
import type { View } from '../roles/view.js';
import { survivable } from '../votes/fault-tolerance.js';
import { unpausedInput } from '../votes/vote-facts.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { durationText } from './evidence.js';
import { leftMembers } from './left-members.js';

export function memberLeft(view: View, { maxAbsenceMs }: Limits): Finding[] {
  const left = leftMembers(view, maxAbsenceMs);
  if (left.length === 0) return [];
  const isLast = survivesNothing(view);
  return left.map((one) => ({
    code: 'member_left',
    severity: severityOf(one, isLast),
    members: [one.name],
    message: messageOf(one, isLast),
    evidence: one.evidence,
    next: nextOf(one, view.snapshot.cluster),
  }));
}

/** Its last word was that it stops. */
export function isCleanlyStopped({ lastState, isAlive }: Absent): boolean {
  return lastState === 'stopped' && !isAlive;
}

function severityOf(one: Absent, isLast: boolean): Severity {
  if (isCleanlyStopped(one)) return 'info';
  return one.wasSynchronous || isLast ? 'critical' : 'warning';
}

/** No member could take over from the current leader; a pause is another finding. */
function survivesNothing(view: View): boolean {
  if (view.snapshot.cluster.leaderName === null) return false;
  return survivable(unpausedInput(view)).leaderLoss === 'no';
}

function messageOf(one: Absent, isLast: boolean): string {
  const { name, isSlotOnly, lastState, wasSynchronous, isAlive, hasPatroni, view } = one;
  const who = isSlotOnly ? `the member with slot ${name}` : name;
  const role =
    view?.observed === 'primary' || view?.observed === 'replica' ? ` as a ${view.observed}` : '';
  return [
    `${who} has left the DCS${whenText(one)}`,
    isCleanlyStopped(one) ? 'it was shut down cleanly' : '',
    isAlive && !hasPatroni ? `its PostgreSQL still runs${role} without Patroni` : '',
    isAlive && hasPatroni ? `PostgreSQL still runs${role}, and Patroni answers there` : '',
    !isAlive && lastState !== null && lastState !== 'stopped'
      ? `its last state was "${lastState}"`
      : '',
    wasSynchronous ? 'it was synchronous' : '',
    isLast ? 'the cluster survives no further loss' : '',
  ]
    .filter((words) => words !== '')
    .join('; ');
}

/** Bounds that say something: a least age of minutes, a greatest one of a day. */
function whenText({ isAlive, atLeastMs, atMostMs }: Absent): string {
  if (isAlive) return '';
  if (atLeastMs >= 60_000) return `, at least ${durationText(atLeastMs)} ago`;
  if (atMostMs === null || atMostMs > DEFAULT_LIMITS.maxAbsenceMs) return '';
  return `, at most ${durationText(atMostMs)} ago`;
}

function nextOf({ name, isAlive, hasPatroni, departed }: Absent, cluster: Cluster): string {
  const where = departed?.host ? `${name} (${departed.host}:${departed.port ?? '?'})` : name;
  if (hasPatroni)
    return `restore the connection between ${where} and the DCS: its Patroni answers but does not renew its key (see its log)`;
  return isAlive
    ? `start Patroni on ${where}; to remove that member, stop its PostgreSQL too`
    : `check whether the host of ${where} and Patroni on it run; if it was removed on purpose: patctl retire ${shellWord(name)} ${argumentOf(cluster)}`;
}

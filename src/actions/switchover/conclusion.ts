/** What a change came to: patronictl's lines and tables, ours below them, or one JSON document. */
import type { Cluster } from '../../cluster/model/model.js';
import {
  measured,
  type Measured,
  type MeasuredRoute,
  type Progress,
} from '../../cluster/progress/change-outcome.js';
import type { RouteOutage } from '../../cluster/progress/route-outage.js';
import type { End, WriteOutage } from '../../cluster/progress/write-outage.js';
import type { Plan } from '../../cluster/preflight/plan-model.js';
import { exitCode, ToolError, type Ending } from '../../errors.js';
import { membersOnScreen } from '../../output/members-on-screen.js';
import type { Screen } from '../../output/screen.js';
import { planDocument, type PlanDocument } from '../../output/plan-table.js';
import type { EndOfRun } from '../../output/refusal-document.js';
import { seconds } from '../../output/progress.js';
import { oneLine } from '../../output/text.js';
import type { ChangeResult, Conclusion, LeaderChange } from './change.js';

interface WithoutPlan extends EndOfRun {
  schemaVersion: 1;
  command: Plan['kind'];
  cluster: string;
  group: number | null;
  dryRun: boolean;
  /** Null: nothing was sent. */
  sent: { to: string; status: number | null; text: string | null; lost: string | null } | null;
  scheduledAt: string | null;
  steps: { step: string; at: string; elapsedMs: number; member: string | null; said: string }[];
  /** Null: no member was seen to take over. */
  result: {
    oldLeader: string | null;
    newLeader: string | null;
    timeline: number | null;
    /** As a client sees it, at most; null in a standby cluster, and where the old leader took no write any more. */
    writeOutageMs: number | null;
    /** The range of each end, and its witness; null in a standby cluster. */
    writeOutage: {
      atLeastMs: number;
      atMostMs: number | null;
      /** The old leader took writes at `from`, and did not at `to`; null: it was not seen to take any. */
      last: OutageEnd | null;
      /** The new leader did not take writes at `from`, and did at `to`. */
      first: OutageEnd;
    } | null;
    /** From the loss of the lock to the first answer that accepted writes; null in a standby cluster. */
    lockFreeMs: number | null;
    /** Every route that was proven or found wrong; empty: none is known, or none was waited for. */
    routes: {
      /** `rw HOST:PORT`, without a login. */
      route: string;
      /** Members or addresses at which its clients end. */
      leadsTo: string[];
      /** Codes of what is wrong with it. */
      codes: string[];
      /** How long clients of a write route were without a primary, at most; null: not measured. */
      outageMs: number | null;
      /** The range of each end; null: not measured. */
      outage: {
        atLeastMs: number;
        atMostMs: number | null;
        last: { from: string; to: string } | null;
        first: { from: string; to: string };
      } | null;
    }[];
  } | null;
}

/** `switchover -f json` and `failover -f json`. */
export interface ChangeDocument extends WithoutPlan {
  plan: PlanDocument;
}

/** A change that ended before it was planned: a wrong name, a DCS that does not answer, no terminal to ask at. */
export interface UnplannedDocument extends WithoutPlan {
  plan: null;
}

/** Everything that a change prints. */
export type AnyChangeDocument = ChangeDocument | UnplannedDocument;

export interface OutageEnd {
  member: string;
  witness: 'SQL' | 'REST' | 'DCS';
  from: string;
  to: string;
}

/** What a change came to that ended before it was planned. */
export function unplannedDocument(
  { kind, scope, group, dryRun }: LeaderChange,
  { ending, code, message, hint, evidence }: ToolError,
): UnplannedDocument {
  return {
    schemaVersion: 1,
    command: kind,
    cluster: scope,
    group,
    ending,
    exit: exitCode(ending),
    code,
    message,
    hint: hint ?? null,
    evidence,
    dryRun,
    plan: null,
    sent: null,
    scheduledAt: null,
    steps: [],
    result: null,
  };
}

export function changeDocument(result: ChangeResult): ChangeDocument {
  const { conclusion, plan, dryRun, startedMs, sent, progress } = result;
  const { ending, code, message, hint, evidence } = conclusion;
  const answer = sent?.answer;
  const figures = progress && progress.newLeader !== null ? measured(progress) : null;
  return {
    schemaVersion: 1,
    command: plan.kind,
    cluster: plan.cluster,
    group: plan.group,
    ending,
    exit: exitCode(ending),
    code,
    message,
    hint: hint ?? null,
    evidence: evidence ?? [],
    dryRun,
    plan: planDocument(plan),
    sent: sent && {
      to: sent.to,
      status: answer?.kind === 'answered' ? answer.status : null,
      text: answer?.kind === 'answered' ? answer.text : null,
      lost: answer?.kind === 'lost' ? answer.reason : null,
    },
    scheduledAt: plan.scheduledAt,
    steps: (progress?.steps ?? []).map(({ name, atMs, member, said }) => ({
      step: name,
      at: new Date(atMs).toISOString(),
      elapsedMs: Math.max(0, atMs - startedMs),
      member,
      said,
    })),
    result: figures && { oldLeader: plan.leader, ...resultOf(figures) },
  };
}

function resultOf({ writeOutage: outage, ...rest }: Measured) {
  const end = ({ member, witness, ...between }: End): OutageEnd => ({
    member,
    witness,
    ...isoSpan(between),
  });
  const { newLeader, timeline, lockFreeMs } = rest;
  return {
    newLeader,
    timeline,
    writeOutageMs: outage?.atMostMs ?? null,
    writeOutage: outage && {
      atLeastMs: outage.atLeastMs,
      atMostMs: outage.atMostMs,
      last: outage.last && end(outage.last),
      first: end(outage.first),
    },
    lockFreeMs,
    routes: rest.routes.map(routeResult),
  };
}

function isoSpan({ fromMs, toMs }: RouteOutage['first']): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

function routeResult({ route, leadsTo, findings, outage }: MeasuredRoute) {
  return {
    route,
    leadsTo,
    codes: findings.map(({ code }) => code),
    outageMs: outage?.atMostMs ?? null,
    outage: outage && {
      atLeastMs: outage.atLeastMs,
      atMostMs: outage.atMostMs,
      last: outage.last && isoSpan(outage.last),
      first: isoSpan(outage.first),
    },
  };
}

/** patronictl's table of members, as wide as the screen at most. */
export function topologyText(
  entry: { scope: string; clusters: readonly Cluster[] },
  { group, citus }: { group: number | null; citus: boolean },
  screen: Screen,
): string {
  return membersOnScreen(entry, { format: 'pretty', group, citus }, screen);
}

/** `2026-11-21 08:00:00.12345 Successfully switched over to "pg2"`, as patronictl stamps it. */
export function stampedLine(atMs: number, text: string): string {
  const at = new Date(atMs);
  const two = (value: number, length = 2): string => String(value).padStart(length, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((one) => two(one)).join(':');
  return `${day} ${time}.${two(at.getMilliseconds(), 3)}00 ${oneLine(text)}\n`;
}

/** What was measured, below the table. */
export function resultLines(progress: Progress | null): string {
  if (progress === null || progress.newLeader === null) return '';
  const { newLeader, timeline, writeOutage, lockFreeMs, routes } = measured(progress);
  const on = timeline === null ? '' : `, timeline ${timeline}`;
  const lines = [`New leader    ${newLeader ?? ''}${on}`];
  if (writeOutage !== null) lines.push(`Write outage  ${outageText(writeOutage, lockFreeMs)}`);
  lines.push(...routes.map(routeText));
  return lines.map((line) => `${oneLine(line)}\n`).join('');
}

function routeText({ route, leadsTo, findings, outage }: MeasuredRoute): string {
  const where = `leads to ${leadsTo.join(', ') || 'no server that is known'}`;
  const codes = findings.length === 0 ? '' : ` [${findings.map(({ code }) => code).join(', ')}]`;
  return `Route ${route} ${where}${codes}${outage === null ? '' : `, ${routeOutageText(outage)}`}`;
}

function routeOutageText({ atLeastMs, atMostMs }: RouteOutage): string {
  if (atMostMs === null) return 'and was not seen to lead to a primary before';
  return `its clients were without a primary for ${rangeText(atLeastMs, atMostMs)}`;
}

/** `2.3 to 2.5 s`, or `2.4 s` where both ends read alike. */
function rangeText(atLeastMs: number, atMostMs: number): string {
  const [least, most] = [seconds(atLeastMs), seconds(atMostMs)];
  return least === most ? most : `${least.replace(' s', '')} to ${most}`;
}

/** The headline is what clients see; how each end was seen stands behind it. */
export function outageText(outage: WriteOutage, lockFreeMs: number | null): string {
  const { atLeastMs, atMostMs, last, first } = outage;
  const time = (ms: number) => new Date(ms).toISOString().slice(11, 23);
  const next = `${first.member} took the first at ${time(first.toMs)} (${first.witness})`;
  if (atMostMs === null || last === null) {
    return `at least ${seconds(atLeastMs)}: the old leader was not seen to take a write; ${next} UTC`;
  }
  const range = rangeText(atLeastMs, atMostMs);
  const lock = lockFreeMs === null ? '' : `; the lock was lost for ${seconds(lockFreeMs)} of it`;
  return `${range}: ${last.member} took the last write at ${time(last.fromMs)} (${last.witness}), ${next} UTC${lock}`;
}

/** Throws what is not a success, for main to say. */
export function orThrow({ ending, code, message, hint, evidence }: Conclusion): Ending {
  if (ending === 'ok') return 'ok';
  throw new ToolError(ending, message, {
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(evidence === undefined ? {} : { evidence }),
  });
}

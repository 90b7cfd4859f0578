/** The document of `patctl check`: what was found in each cluster, what was transient, what is unknown. */
import { commandLine } from '../model/command-line.js';
import { plural } from '../model/words.js';
import { SEVERITIES, worstFirst, type Looked, type Unlooked } from '../findings/find.js';
import { checkedRoutes, type CheckedRoute } from '../findings/route-findings.js';
import type { Cluster, Finding, Severity, VerifyMode } from '../model/model.js';
import type { View } from '../roles/view.js';

/** Exit codes of `check` alone: the monitoring convention. */
export const CHECK_EXITS = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;
export type CheckStatus = keyof typeof CHECK_EXITS;

export interface CheckedMember {
  name: string;
  observedRole: string;
  lagBytes: number | null;
  replayLagBytes: number | null;
  syncState: string;
}

export interface CheckedCluster {
  cluster: string;
  group: number | null;
  takenAt: string;
  dcsRevision: string;
  status: CheckStatus;
  leader: string | null;
  members: CheckedMember[];
  verify: VerifyMode;
  /** How many times it was read; more than once when there were findings, to see what persists. */
  readings: number;
  /** The routes that were asked (--route, `patctl.routes`). */
  routes: CheckedRoute[];
  /** Worst first. */
  findings: Finding[];
  consequences: { finding: Finding; of: string }[];
  /** Found in an earlier reading, and no longer in the last one. */
  transient: Finding[];
  /** What could not be looked for. */
  unknown: Unlooked[];
  /** Why the status is unknown although no finding is: what --require asks for is missing. */
  lacking: string | null;
}

export interface CheckDocument {
  schemaVersion: 1;
  status: CheckStatus;
  exit: number;
  clusters: CheckedCluster[];
}

/** What the user made of the catalogue's severities. */
export interface Overrides {
  only: readonly string[];
  ignore: readonly string[];
  warn: readonly string[];
  critical: readonly string[];
  /** What could not be looked for without a database login counts as unknown. */
  requireSql: boolean;
}

export function isWanted(code: string, { only, ignore }: Overrides): boolean {
  return (only.length === 0 || only.includes(code)) && !ignore.includes(code);
}

/** Severities as the user wants them. A consequence that was made worse than its cause stands for itself. */
export function overridden(looked: Looked, { warn, critical }: Overrides): Looked {
  const severityOf = ({ code, severity }: Finding): Severity =>
    critical.includes(code) ? 'critical' : warn.includes(code) ? 'warning' : severity;
  const change = (finding: Finding): Finding => ({ ...finding, severity: severityOf(finding) });
  const findings = looked.findings.map(change);
  const rank = ({ severity }: Finding) => SEVERITIES.indexOf(severity);
  const isRaised = ({ finding, of }: Looked['consequences'][number]): boolean => {
    const now = rank(change(finding));
    const causes = findings.filter(({ code }) => code === of);
    return now < rank(finding) && causes.every((cause) => now < rank(cause));
  };
  const alone = looked.consequences.filter(isRaised).map(({ finding }) => change(finding));
  return {
    findings: worstFirst([...findings, ...alone]),
    consequences: looked.consequences
      .filter((one) => !isRaised(one))
      .map(({ finding, of }) => ({ finding: change(finding), of })),
    unlooked: looked.unlooked,
  };
}

function isTrouble({ severity }: Finding): boolean {
  return severity !== 'info';
}

/** The same finding in two readings: its code, about the same members. */
export function isSameFinding(a: Finding, b: Finding): boolean {
  return a.code === b.code && [...a.members].sort().join() === [...b.members].sort().join();
}

/** Found by comparing readings, so never in the first. */
const PROVEN_BY_TIME = new Set(['logical_walsender_stuck']);

/** Whether all that the last reading found has been said in so many readings on end. */
export function hasPersisted(readings: readonly Looked[], times: number): boolean {
  const recent = readings.slice(-times);
  const everyTime = (finding: Finding) =>
    recent.length === times &&
    recent.every((one) => saidIn(one).some((other) => isSameFinding(other, finding)));
  const found = readings.at(-1)?.findings ?? [];
  return found.every((finding) => needsNoProof(finding) || everyTime(finding));
}

function needsNoProof(finding: Finding): boolean {
  return !isTrouble(finding) || PROVEN_BY_TIME.has(finding.code);
}

/**
 * Whether to read again: what the last reading found is to be found in `times` readings on end. A cluster in
 * which trouble follows trouble is read for `settle` readings more, and for as many again while each last one
 * finds something critical that none before it found.
 */
export function wantsAnother(readings: readonly Looked[], times: number, settle: number): boolean {
  if (hasPersisted(readings, times)) return false;
  const most = times + settle;
  return readings.length < most || (readings.length < most + settle && isFresh(readings));
}

/** The last reading found something critical that no reading before it found. */
function isFresh(readings: readonly Looked[]): boolean {
  const before = readings.slice(0, -1).flatMap(saidIn);
  return (readings.at(-1)?.findings ?? []).some(
    (finding) =>
      finding.severity === 'critical' && !before.some((other) => isSameFinding(other, finding)),
  );
}

/** The result of the last reading, which is valid now; `transient` has what only earlier readings found. */
export function persisting(readings: readonly Looked[]): { looked: Looked; transient: Finding[] } {
  const looked = readings.at(-1) ?? { findings: [], consequences: [], unlooked: [] };
  const said = saidIn(looked);
  const transient = new Map<string, Finding>();
  for (const finding of readings.flatMap(saidIn).filter(isTrouble)) {
    if (said.some((other) => isSameFinding(other, finding))) continue;
    transient.set(`${finding.code} ${finding.members.join()}`, finding);
  }
  return { looked, transient: [...transient.values()] };
}

/** In so many readings trouble has to begin that was not there in the reading before. */
const UNSTABLE_TIMES = 5;

/** Trouble that comes and goes from reading to reading: none of it lasts, and the cluster is not well. */
export function unstable(
  readings: readonly Looked[],
  cluster: Pick<Cluster, 'scope' | 'group'>,
): Finding[] {
  const troubles = readings.map((reading) => saidIn(reading).filter(isTrouble));
  const begun = troubles.map((now, at) =>
    now.filter((one) => !(troubles[at - 1] ?? []).some((other) => isSameFinding(one, other))),
  );
  const times = begun.filter((found) => found.length > 0).length;
  if (times < UNSTABLE_TIMES) return [];
  const criticals = troubles.filter((found) => found.some((one) => one.severity === 'critical'));
  return [
    {
      code: 'unstable',
      severity: criticals.length >= UNSTABLE_TIMES ? 'critical' : 'warning',
      members: [],
      message: `trouble began in ${times} of ${readings.length} readings: it comes and goes, and the cluster does not settle`,
      evidence: begun.flatMap((found, at) =>
        found.map(({ code, message }) => ({
          witness: 'DCS' as const,
          subject: `reading ${at + 1}`,
          said: `${message} [${code}]`,
        })),
      ),
      next: `see the logs of Patroni and etcd for what changes, and watch for longer: ${commandLine(cluster, 'check', '--settle', '10')}`,
    },
  ];
}

function saidIn({ findings, consequences }: Looked): Finding[] {
  return [...findings, ...consequences.map(({ finding }) => finding)];
}

export function checkedCluster(
  view: View,
  looked: Looked,
  transient: Finding[],
  readings: number,
  overrides: Overrides,
): CheckedCluster {
  const { cluster, takenAt, verify } = view.snapshot;
  const lacking = overrides.requireSql ? lackingSql(looked.unlooked) : null;
  const worst = statusOf(looked.findings);
  return {
    cluster: cluster.scope,
    group: cluster.group,
    takenAt,
    dcsRevision: cluster.revision,
    status: lacking === null ? worst : worse(worst, 'unknown'),
    leader: cluster.leaderName,
    members: view.members
      .filter(({ member }) => member !== null)
      .map(({ name, observed, lagBytes, replayLagBytes, syncState }) => ({
        name,
        observedRole: observed,
        lagBytes,
        replayLagBytes,
        syncState,
      })),
    verify,
    readings,
    routes: checkedRoutes(view),
    findings: looked.findings,
    consequences: looked.consequences,
    transient,
    unknown: looked.unlooked,
    lacking,
  };
}

/** What --require sql misses, in one sentence; null when SQL was there wherever it is needed. */
function lackingSql(unlooked: readonly Unlooked[]): string | null {
  const without = unlooked.filter(({ needs }) => needs.startsWith('SQL'));
  if (without.length === 0) return null;
  const why = [...new Set(without.map(({ reason }) => reason))].join('; ');
  return `--require sql: ${plural(without.length, 'check')} skipped (${why})`;
}

export function checkDocument(clusters: CheckedCluster[]): CheckDocument {
  const status = clusters.map((one) => one.status).reduce<CheckStatus>(worse, 'ok');
  return { schemaVersion: 1, status, exit: CHECK_EXITS[status], clusters };
}

const RANK: readonly CheckStatus[] = ['critical', 'unknown', 'warning', 'ok'];

function worse(a: CheckStatus, b: CheckStatus): CheckStatus {
  return RANK.indexOf(a) <= RANK.indexOf(b) ? a : b;
}

function statusOf(found: readonly Finding[]): CheckStatus {
  const worst = SEVERITIES.find((severity) => found.some((one) => one.severity === severity));
  return worst === undefined || worst === 'info' ? 'ok' : worst;
}

/** patctl's reading commands, run without pause beside the trouble, each held against the judge. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckDocument } from '../../../src/cluster/documents/check-document.js';
import type { Finding } from '../../../src/cluster/model/model.js';
import type { ProgramResult } from '../lab/process.js';
import type { Facts } from './facts.js';
import { holds, isJudged, told } from './holds.js';
import type { Held, Judge } from './judge.js';
import type { Site } from './shapes.js';
import { isTold, truthsIn, type Truth } from './truths.js';

/** Something that patctl said and that was not so, or did not say and that was. */
export interface Incident {
  at: string;
  shape: string;
  /** false critical, false warning, false calm, wrong ending, broken promise, lost commits, no reading, no repair. */
  what: string;
  /** The fault that was on at that time. */
  during: string;
  /** The command. */
  command: string;
  code: number | null;
  /** What it is about: a finding, or what was not told. */
  about: string;
  /** What the judge saw. */
  judge: string;
  /** What the command printed of it. */
  said: string;
}

export type Report = (incident: Omit<Incident, 'at' | 'shape' | 'during'>) => void;

/** What `quorum` said of the leader's loss. */
export interface LeaderLoss {
  at: number;
  leader: string | null;
  survives: string;
  dataLoss: string;
}

export interface Beside {
  /** Runs by command and exit code, e.g. `check 0`. */
  runs: Map<string, number>;
  /** Of these, those during which the machine stalled. */
  unjudged(): number;
  /** Settled checks that began after this time and are over. */
  checkedSince(time: number): number;
  /** What `quorum` said last, before this time. */
  promised(before: number): LeaderLoss | null;
  stop(): Promise<void>;
}

const READ_LIMIT_MS = 90_000;
/** What is gone a moment before, or comes a moment after, a reading is not its error. */
const BEFORE_MS = 1_500;
const AFTER_MS = 1_000;
/** What a stall held up is made up for within this time. */
const STALL_BEFORE_MS = 5_000;
/** One reading without settling: heartbeats are loop_wait old, and a key lives up to ttl. */
const LIST_GRACE_MS = 25_000;
const BLIND = new Set(['paused', '/failover lies there']);

/** Begins to run them, until `stop`. */
export function startBeside({ lab, patctl }: Site, judge: Judge, report: Report): Beside {
  const runs = new Map<string, number>();
  let unjudged = 0;
  const checks: { start: number }[] = [];
  const promises: LeaderLoss[] = [];
  let isOver = false;

  const run = async (name: string, args: string[]): Promise<Timed> => {
    const start = Date.now();
    const heldBefore = judge.held();
    const nearBefore = judge.near();
    const ran = await patctl(args, READ_LIMIT_MS);
    const end = Date.now();
    const key = `${name} ${ran.code ?? 'killed'}`;
    runs.set(key, (runs.get(key) ?? 0) + 1);
    // The judge's last word may be older than the end of the command: what had ended by then it knows later.
    await sleep(AFTER_MS);
    const heldAfter = judge.held();
    // What is true at its start and at its end is true in between when it is the same truth.
    const held = heldAcross(heldBefore, heldAfter);
    const near = [...nearBefore, ...judge.near()];
    const moments = judge.between(start - BEFORE_MS, end + AFTER_MS);
    const isJudgeable = !judge.stalledBetween(start - STALL_BEFORE_MS, end + AFTER_MS);
    if (!isJudgeable) unjudged += 1;
    return { ...ran, command: args.join(' '), start, end, held, near, moments, isJudgeable };
  };

  const loop = async (betweenMs: number, once: () => Promise<void>): Promise<void> => {
    while (!isOver) {
      await once();
      await sleep(betweenMs);
    }
  };
  const loops = [
    loop(1_500, async () => {
      const ran = await run('check', ['check', lab.scope, '-f', 'json']);
      if (ran.isJudgeable) judgeCheck(ran, report);
      checks.push({ start: ran.start });
    }),
    loop(5_000, async () => {
      judgeCalm(await run('list --strict', ['list', lab.scope, '--strict']), [0], report, isListed);
    }),
    loop(8_000, async () => {
      const args = ['wait', lab.scope, '--for', 'healthy', '--deadline', '1s'];
      judgeCalm(await run('wait --for healthy', args), [0], report, () => true);
    }),
    loop(5_000, async () => {
      const ran = await run('quorum', ['quorum', lab.scope, '-f', 'json']);
      const promise = promiseOf(ran);
      if (promise !== null) promises.push(promise);
    }),
  ];
  return {
    runs,
    unjudged: () => unjudged,
    checkedSince: (time) => checks.filter(({ start }) => start >= time).length,
    promised: (before) => promises.filter(({ at }) => at < before).at(-1) ?? null,
    stop: async () => {
      isOver = true;
      await Promise.all(loops);
    },
  };
}

interface Timed extends ProgramResult {
  command: string;
  start: number;
  end: number;
  /** All the time. */
  held: Held[];
  /** At its start or at its end. */
  near: Truth[];
  moments: ReturnType<Judge['between']>;
  /** The machine did not stall. */
  isJudgeable: boolean;
}

function heldAcross(before: Held[], after: Held[]): Held[] {
  return before.filter((one) =>
    after.some(({ truth, since }) => truth.what === one.truth.what && since === one.since),
  );
}

/** Longer than it may last before it has to be told. */
const isDue =
  (start: number, graceMs = 0) =>
  ({ truth, since }: Held): boolean =>
    start - since >= Math.max(truth.graceMs, graceMs);

function judgeCheck(ran: Timed, report: Report): void {
  const findings = findingsOf(ran);
  const lastSaid = ran.moments.at(-1);
  const judgeSaid = lastSaid === undefined ? '' : told(lastSaid);
  const base = { command: ran.command, code: ran.code, judge: judgeSaid };
  if (findings === null) {
    const wasAway = ran.moments.some(({ dcs }) => !dcs);
    if (ran.code === 3 && wasAway) return;
    // An etcd that did not answer patctl in time, and did answer the judge: a busy machine, and not calm.
    const what = ran.code === 3 ? 'no reading' : 'wrong ending';
    report({ ...base, what, about: 'no document', said: ran.err });
    return;
  }
  const alwaysAway = ran.moments.length > 2 && ran.moments.every(({ dcs }) => !dcs);
  if (alwaysAway && ran.code !== 3 && ran.code !== 2) {
    report({ ...base, what: 'false calm', about: 'etcd does not answer', said: textOf(findings) });
  }
  for (const finding of findings) {
    if (finding.severity !== 'critical' && finding.severity !== 'warning') continue;
    if (!isJudged(finding.code) && finding.severity === 'warning') continue;
    if (ran.moments.some((facts) => isSo(finding, facts))) continue;
    if (ran.near.some((truth) => isTold(truth, [finding]))) continue;
    report({
      ...base,
      what: `false ${finding.severity}`,
      about: `${finding.code} ${finding.members.join(',')}`,
      said: JSON.stringify(finding),
    });
  }
  for (const { truth, since } of ran.held.filter(isDue(ran.start))) {
    if (isTold(truth, findings)) continue;
    const about = `${truth.what}, for ${seconds(ran.end - since)} s`;
    report({ ...base, what: 'false calm', about, said: `${textOf(findings)}${shownBy(ran)}` });
  }
}

/** Trouble that comes and goes has no single moment: any trouble is enough. */
function isSo(finding: Finding, facts: Facts): boolean {
  return finding.code === 'unstable' ? truthsIn(facts).length > 0 : holds(finding, facts);
}

/** What was found and dropped as transient: that is where most false calms come from. */
function shownBy({ out }: Timed): string {
  const { clusters } = JSON.parse(out) as CheckDocument;
  return clusters
    .map(({ transient, readings }) => ` | transient in ${readings}: ${textOf(transient)}`)
    .join('');
}

/** null: it printed no document. */
function findingsOf({ out }: Timed): Finding[] | null {
  try {
    const { clusters } = JSON.parse(out) as CheckDocument;
    return clusters.flatMap(({ findings, consequences }) => [
      ...findings,
      ...consequences.map(({ finding }) => finding),
    ]);
  } catch {
    return null;
  }
}

const textOf = (findings: readonly Finding[]): string =>
  findings
    .map(({ severity, code, members }) => `${severity} ${code} ${members.join(',')}`)
    .join('; ') || 'nothing found';

/** A command that says by its exit code that all is well. */
function judgeCalm(
  ran: Timed,
  calm: number[],
  report: Report,
  counts: (truth: Truth) => boolean,
): void {
  if (!ran.isJudgeable || !calm.includes(ran.code ?? -1)) return;
  const last = ran.moments.at(-1);
  for (const { truth, since } of ran.held.filter(isDue(ran.start, LIST_GRACE_MS))) {
    if (!counts(truth) || isPrinted(truth, ran.out)) continue;
    report({
      what: 'false calm',
      command: ran.command,
      code: ran.code,
      about: `${truth.what}, for ${seconds(ran.end - since)} s`,
      judge: last === undefined ? '' : told(last),
      said: ran.out,
    });
  }
}

/**
 * Whether a line below a table warns of it. `--strict` counts claims that are false; a member that has left claims
 * nothing, and is printed as a warning.
 */
function isPrinted({ member }: Truth, out: string): boolean {
  const about = member === null ? /^WARNING: / : new RegExp(`^WARNING: .*\\b${member}\\b`);
  return out.split('\n').some((line) => about.test(line));
}

/** `list` shows claims: it need not report anything else, and the lag has a column. */
const isListed = ({ what }: Truth): boolean =>
  !BLIND.has(what) &&
  !/^\/config|restart is pending|confirms nothing|one name|clients|far behind/.test(what);

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

function promiseOf({ out, code, start }: Timed): LeaderLoss | null {
  if (code !== 0) return null;
  const said = JSON.parse(out) as {
    leader: string | null;
    survives?: { leaderLoss?: string };
    dataLoss?: { verdict?: string };
  };
  return {
    at: start,
    leader: said.leader,
    survives: said.survives?.leaderLoss ?? 'unknown',
    dataLoss: said.dataLoss?.verdict ?? 'unknown',
  };
}

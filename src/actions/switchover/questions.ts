/** What patronictl would ask, in its order and words; and its refusals of names that cannot be. */
import type { Cluster } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { Asker } from '../../output/ask.js';
import type { ChangeRequest } from '../../cluster/preflight/plan-model.js';
import type { Checked } from '../../output/menu-screen.js';
import { localText, parseSchedule, utcText } from '../kit/schedule.js';
import { candidateNames, type CandidateRows } from './candidate-rows.js';

/** The old leader, the new leader and the time; what no option gave is asked for, or left to Patroni. */
export interface Wanted {
  leader: string | null;
  candidate: string | null;
  scheduled: string | null;
}

/** Null for `asker`: nothing is asked, as with patronictl's --force. */
export async function completeWanted(
  kind: ChangeRequest['kind'],
  cluster: Cluster,
  given: Wanted & { avoid: string | null },
  asker: Asker | null,
  when: { nowMs: () => number; compat: boolean },
  /** What is known of each candidate; null: it is not looked at, as patronictl does. */
  rows: CandidateRows | null = null,
): Promise<Wanted> {
  const { scope, leaderName } = cluster;
  let { leader, candidate, scheduled } = given;
  if (kind === 'switchover') {
    if (leaderName === null) throw refusal('no_leader', 'This cluster has no leader');
    if (given.avoid === null) {
      const word = cluster.config?.standbyCluster ? 'Standby Leader' : 'Primary';
      if (leader === null) {
        leader = asker ? await askLeader(asker, word, cluster) : leaderName;
      }
      if (leader !== leaderName) {
        const words = `Member ${leader} is not the leader of cluster ${scope}`;
        throw refusal('not_the_leader', words, `the leader is ${leaderName}`);
      }
    }
  }
  const names = candidateNames(cluster);
  if (names.length === 0) throw refusal('no_candidate', `No candidates found to ${kind} to`);
  if (candidate === null && asker && given.avoid === null) {
    candidate = (await askCandidate(asker, kind, names, rows)) || null;
  }
  if (kind === 'failover' && candidate === null) {
    const words = 'Failover could be performed only to a specific candidate';
    throw refusal('no_candidate', words, `give one with --candidate: ${names.join(', ')}`);
  }
  if (candidate !== null && candidate !== 'auto') {
    checkCandidate(cluster, candidate, when.compat ? names : null);
  }
  if (kind === 'switchover' && scheduled === null && asker) {
    scheduled = await askTime(asker, {
      question: whenQuestion(when.nowMs(), when.compat),
      what: 'switchover',
      nowMs: when.nowMs,
      isPaused: cluster.config?.pause === true,
    });
  }
  return { leader, candidate, scheduled };
}

/** There is one right answer, so Enter accepts it: the question shows which member steps down. */
async function askLeader(asker: Asker, word: string, cluster: Cluster): Promise<string> {
  const { leaderName, members } = cluster;
  const leader = leaderName ?? '';
  if (asker.menu === null) return asker.text(word, leader);
  const state = members.find(({ name }) => name === leader)?.state ?? '';
  const row = { value: leader, name: leader, cells: ['leads now', state], details: [] };
  return asker.menu.choose(word, [row], leader);
}

/** Empty: Patroni chooses. */
async function askCandidate(
  asker: Asker,
  kind: ChangeRequest['kind'],
  names: readonly string[],
  candidates: CandidateRows | null,
): Promise<string> {
  const { menu } = asker;
  if (menu === null || candidates === null) return asker.text(`Candidate ${pythonList(names)}`, '');
  const rows = kind === 'switchover' ? [...candidates.rows, ANY_MEMBER] : candidates.rows;
  return menu.choose('Candidate', rows, candidates.recommended);
}

const ANY_MEMBER = {
  value: '',
  name: 'any',
  cells: ['', '', 'Patroni chooses', ''],
  details: [],
};

/** What a time is asked for. */
export interface TimeQuestion {
  readonly question: string;
  /** switchover, restart: goes into the problem. */
  readonly what: string;
  readonly nowMs: () => number;
  /** While the cluster is paused, nothing can be scheduled. */
  readonly isPaused: boolean;
}

/** A time says what it means while it is typed, and what cannot be asks again; patronictl takes any text. */
export async function askTime(asker: Asker, asked: TimeQuestion): Promise<string> {
  const { question, nowMs } = asked;
  if (asker.menu === null) return asker.text(question, 'now');
  const zone = localZone();
  const nextHour = localText(nowMs() + 3_600_000, zone);
  return asker.menu.checked({
    question: question.replace(/ *\(e\.g\..*$/, ''),
    fallback: 'now',
    example: `e.g. ${nextHour.slice(0, 16)}${nextHour.slice(19)}, +30m, now`,
    check: (typed) => checkTime(typed, zone, asked),
  });
}

/** What a time means, in UTC and from now, or why it cannot be. */
export function checkTime(
  typed: string,
  localZone: string,
  { what, nowMs, isPaused }: Omit<TimeQuestion, 'question'>,
): Checked {
  try {
    const now = nowMs();
    const when = parseSchedule(typed, { nowMs: now, localZone, naiveIsLocal: false });
    if (when === null) return { understood: 'at once' };
    if (isPaused) return { problem: `Can't schedule ${what} in the paused state` };
    const minutes = Math.round((when.atMs - now) / 60_000);
    const [hours, rest] = [Math.trunc(minutes / 60), minutes % 60];
    return { understood: `${utcText(when.atMs)}, in ${hours > 0 ? `${hours} h ` : ''}${rest} min` };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { problem: [error.message, error.hint ?? ''].filter(Boolean).join('; ') };
  }
}

/**
 * The plan refuses a member tagged nofailover, unless `allowed` lists the possible candidates, as patronictl
 * does; there is no plan for an unknown member.
 */
function checkCandidate(
  { members, leaderName, scope }: Cluster,
  candidate: string,
  allowed: readonly string[] | null,
): void {
  if (candidate === leaderName) {
    const words = `Member ${candidate} is already the leader of cluster ${scope}`;
    throw refusal('already_leader', words);
  }
  const isAllowed = allowed?.includes(candidate) ?? true;
  if (isAllowed && members.some(({ name }) => name === candidate)) return;
  const words = `Member ${candidate} does not exist in cluster ${scope} or is tagged as nofailover`;
  throw refusal('unknown_member', words, `members: ${members.map(({ name }) => name).join(', ')}`);
}

/** patronictl's example has no zone; a required zone must be shown. */
function whenQuestion(nowMs: number, compat: boolean): string {
  const local = localText(nowMs + 3_600_000, localZone());
  const nextHour = local.slice(0, 16) + (compat ? '' : local.slice(19));
  return `When should the switchover take place (e.g. ${nextHour} ) `;
}

export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** ['pg2', 'pg3'] */
function pythonList(names: readonly string[]): string {
  const quoted = names.map((name) => (name.includes("'") ? `"${name}"` : `'${name}'`));
  return `[${quoted.join(', ')}]`;
}

/** patronictl's last questions. ToolError `error` when the answer is no. */
export async function consent(
  request: ChangeRequest,
  cluster: Cluster,
  candidate: string | null,
  scheduledText: string | null,
  asker: Asker,
): Promise<void> {
  const { kind } = request;
  if (kind === 'failover' && candidate !== null && isAsynchronous(cluster, candidate)) {
    const question = `Are you sure you want to failover to the asynchronous node ${candidate}?`;
    if (!(await asker.confirm(question))) throw declined(kind);
  }
  const { scope, leaderName } = cluster;
  const demoting = leaderName === null ? '' : `, demoting current leader ${leaderName}`;
  if (scheduledText !== null) {
    const question = `Are you sure you want to schedule switchover of cluster ${scope} at ${scheduledText}${demoting}?`;
    if (!(await asker.confirm(question))) throw declined(`scheduled ${kind}`);
    return;
  }
  const question = `Are you sure you want to ${kind} cluster ${scope}${demoting}?`;
  if (!(await asker.confirm(question))) throw declined(kind);
}

function isAsynchronous({ config, sync }: Cluster, candidate: string): boolean {
  if ((config?.syncMode ?? 'off') === 'off' || config?.standbyCluster) return false;
  if (!sync || sync.leader === null) return false;
  const named = [sync.leader, ...sync.standbys].map((name) => name.toLowerCase());
  return !named.includes(candidate.toLowerCase());
}

function declined(what: string): ToolError {
  return new ToolError('error', `Aborting ${what}`, { code: 'declined' });
}

function refusal(code: string, message: string, hint?: string): ToolError {
  return new ToolError('error', message, hint === undefined ? { code } : { code, hint });
}

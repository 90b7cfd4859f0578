/** Restarts PostgreSQL on some members: now or later, one after another or rolling. */
import { leaderLast, planRolling } from '../../cluster/preflight/restart-order.js';
import type { RoleFilter, Selected } from '../../cluster/select-members.js';
import type { Cluster, JsonObject } from '../../cluster/model/model.js';
import { ToolError, type Ending } from '../../errors.js';
import {
  chooseMembers,
  confirmAction,
  type Chosen,
  type MembersMeant,
} from '../kit/choose-members.js';
import { restartMember } from './restart-member.js';
import { conclude, type MemberOutcome } from '../kit/results.js';
import type { Asker } from '../../output/ask.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import type { Context } from '../../context.js';
import type { Scheduled } from '../kit/schedule.js';

export interface RestartsRequest extends MembersMeant {
  readonly role: RoleFilter;
  /** One of them, whichever. */
  readonly any: boolean;
  /** As the operator wrote it; null: asked for, or now. */
  readonly scheduled: string | null;
  /** Restart only an older PostgreSQL; empty: whatever it is; null: asked for. */
  readonly pgVersion: string | null;
  readonly pending: boolean;
  /** Patroni's own limit, as it reads it. */
  readonly timeout: string | null;
  /** Until each runs and streams with its new settings. */
  readonly wait: boolean;
  /** For each member, ms. */
  readonly deadlineMs: number;
  readonly rolling: boolean;
  /** With `rolling`: switch over before the primary is restarted. */
  readonly switchover: boolean;
  /** With `rolling`: show the plan only. */
  readonly dryRun: boolean;
}

/** Tells patronictl's line for each member; every ending but ok is thrown. */
export async function restartMembers(
  context: Context,
  asking: AskAndTell,
  request: RestartsRequest,
): Promise<Ending> {
  const { asker, tell } = asking;
  checkRequest(request, context.flags.compat);
  const { force } = request;
  const takesAll = force || request.any || request.rolling || request.pending;
  const chosen = await chooseMembers(context, asking, { ...request, action: 'restart', takesAll });
  const content: JsonObject = {};
  const when = await askWhen(context, asking, chosen, request);
  let { members } = chosen;
  if (request.pending) {
    content['restart_pending'] = true;
    if (!when) members = members.filter(({ member }) => member.pendingRestart);
  }
  if (request.any) members = pickOne(members);
  if (!context.flags.compat) members = leaderLast(members);
  tell({ kind: 'chosen', members });
  if (when) tell({ kind: 'scheduled', atMs: when.atMs });
  if (members.length === 0) {
    const text = 'No member has a restart pending: nothing to do';
    tell({ kind: 'note', text, notWith: 'compat' });
    return 'ok';
  }
  if (request.rolling) return rolling(context, asking, { members, content, request });

  await confirm(asker, members, when, request);
  const version = request.pgVersion ?? (force ? '' : await askVersion(asker));
  if (version !== '')
    content['postgres_version'] = checkVersion(version, context.flags.compat ? 'error' : 'usage');
  if (when) content['schedule'] = await offsetTime(when);
  if (request.timeout !== null) content['timeout'] = request.timeout;

  const outcomes: MemberOutcome[] = [];
  for (const one of members) {
    if (when && force) await flushFirst(context, one, tell);
    const { deadlineMs: limitMs, wait } = request;
    const order = { content, limitMs, wait, mayStayPending: false };
    outcomes.push(await restartMember(context, one, order, tell));
  }
  return conclude('restart', outcomes);
}

const VERSION_QUESTION = 'Restart if the PostgreSQL version is less than provided (e.g. 9.5.2) ';

function checkRequest(request: RestartsRequest, compat: boolean): void {
  const wrong = (words: string) => new ToolError('usage', words, { code: 'options' });
  const { rolling, scheduled } = request;
  if (!rolling && request.switchover) throw wrong('--switchover needs --rolling');
  if (!rolling && request.dryRun) throw wrong('--dry-run needs --rolling');
  if (rolling && scheduled !== null && scheduled !== 'now') {
    throw wrong(
      '--rolling cannot be scheduled: Patroni schedules only the restart of a single member',
    );
  }
  if (rolling && request.any)
    throw wrong('--any restarts one member; it cannot be combined with --rolling');
  // An empty one is none: scripts pass empty variables.
  if (request.pgVersion && !compat) checkVersion(request.pgVersion, 'usage');
}

/** What is not a version asks again; patronictl takes any text. */
async function askVersion(asker: Asker): Promise<string> {
  if (asker.menu === null) return asker.text(VERSION_QUESTION, '');
  const answer = await asker.menu.checked({
    question: 'Restart if the PostgreSQL version is less than',
    fallback: ANY_VERSION,
    example: `e.g. 17.5, ${ANY_VERSION}`,
    check: (typed) => {
      if (typed === ANY_VERSION) return { understood: 'whatever its version is' };
      try {
        return { understood: `only if it is older than ${checkVersion(typed, 'usage')}` };
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        return { problem: error.message };
      }
    },
  });
  return answer === ANY_VERSION ? '' : answer;
}

const ANY_VERSION = 'any';

/** As Patroni reads it: X.Y.Z, or X.Y since 10. */
function checkVersion(version: string, ending: 'usage' | 'error'): string {
  const parts = version.split('.');
  if (!parts.every((part) => /^\s*[0-9]+\s*$/.test(part))) {
    throw badVersion(ending, `Invalid PostgreSQL version: ${version}`);
  }
  const isWhole = parts.length === 3 || (parts.length === 2 && Number(parts[0]) >= 10);
  if (isWhole) return version;
  const words = `Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: ${version}`;
  throw badVersion(ending, words);
}

function badVersion(ending: 'usage' | 'error', message: string): ToolError {
  return new ToolError(ending, message, { code: 'pg_version' });
}

async function askWhen(
  context: Context,
  { asker, tell }: AskAndTell,
  { clusters }: Chosen,
  { scheduled, force, rolling: isRolling }: RestartsRequest,
): Promise<Scheduled | null> {
  const asks = scheduled === null && !force && !isRolling;
  if (!asks && scheduled === null) return null;
  const { localText, parseSchedule, utcText } = await import('../kit/schedule.js');
  const { askTime, localZone } = await import('../switchover/questions.js');
  const nowMs = context.clock.nowMs();
  const zone = localZone();
  const nextHour = localText(nowMs + 3_600_000, zone).slice(0, 16);
  const question = `When should the restart take place (e.g. ${nextHour}) `;
  const text =
    scheduled ??
    (await askTime(asker, {
      question,
      what: 'restart',
      nowMs: () => context.clock.nowMs(),
      isPaused: clusters.some(({ config }) => config?.pause === true),
    }));
  const rules = { nowMs, localZone: zone, naiveIsLocal: context.flags.compat };
  const when = parseSchedule(text, rules);
  if (when === null) return null;
  if (clusters.some(({ config }) => config?.pause)) {
    throw new ToolError('error', "Can't schedule restart in the paused state", { code: 'paused' });
  }
  const local = localText(when.atMs, when.zone ?? zone);
  const told = `Scheduled for ${local}, that is ${utcText(when.atMs)}`;
  tell({ kind: 'note', text: told, notWith: 'compat' });
  return when;
}

async function offsetTime(when: Scheduled): Promise<string> {
  const { statedText } = await import('../kit/schedule.js');
  const { localZone } = await import('../switchover/questions.js');
  return statedText(when, localZone());
}

function pickOne(members: Selected[]): Selected[] {
  const chosen = members[Math.floor(Math.random() * members.length)];
  return chosen ? [chosen] : [];
}

async function confirm(
  asker: Asker,
  members: Selected[],
  when: Scheduled | null,
  { force, pending }: RestartsRequest,
): Promise<void> {
  if (force) return;
  if (!when) return confirmAction(asker, 'restart', members, force);
  const names = members.map(({ member }) => member.name).join(', ');
  const at = (await offsetTime(when)).replace('T', ' ');
  const question = pending
    ? 'The nodes needing a restart will be identified at the scheduled time, and might be different ' +
      'from the ones showing pending restart right now. Is this fine?'
    : `Are you sure you want to schedule restart of members ${names} at ${at}?`;
  if (await asker.confirm(question)) return;
  throw new ToolError('error', 'Aborted scheduled restart', { code: 'declined' });
}

/** --force replaces a restart that is scheduled already, as patronictl does; a failure is in its line. */
async function flushFirst(
  context: Context,
  { cluster, member }: Selected,
  tell: Tell,
): Promise<void> {
  if (!member.scheduledRestart) return;
  const { replaceRestart } = await import('./scheduled-restart.js');
  await replaceRestart(context, cluster.scope, member, tell);
}

interface Rolling {
  members: Selected[];
  content: JsonObject;
  request: RestartsRequest;
}

async function rolling(
  context: Context,
  asking: AskAndTell,
  { members, content, request }: Rolling,
): Promise<Ending> {
  const cluster = oneCluster(members);
  const plan = planRolling(cluster, {
    members: members.map(({ member }) => member.name),
    switchover: request.switchover,
  });
  const { dryRun } = request;
  asking.tell({ kind: 'rolling', plan });
  await asking.show({ kind: 'rolling', plan, dryRun });
  if (plan.refused !== null)
    throw new ToolError('error', plan.refused, { code: 'rolling_refused' });
  if (dryRun) return 'ok';
  await confirmAction(asking.asker, 'restart', members, request.force);
  if (request.pgVersion) content['postgres_version'] = request.pgVersion;
  if (request.timeout !== null) content['timeout'] = request.timeout;
  const { restartRolling } = await import('./rolling-restart.js');
  const { deadlineMs: limitMs } = request;
  return restartRolling(context, { cluster, plan, content, limitMs, telling: asking });
}

function oneCluster(members: readonly Selected[]): Cluster {
  const clusters = [...new Set(members.map(({ cluster }) => cluster))];
  const [only] = clusters;
  if (only && clusters.length === 1) return only;
  throw new ToolError('usage', '--rolling restarts one Citus group: give --group', {
    code: 'group_wanted',
  });
}

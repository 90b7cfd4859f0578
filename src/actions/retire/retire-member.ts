/** Takes a member out for good: shows what the cluster is without it, waits until it is gone, removes what it leaves. */
import { argumentOf, commandLine, shellWord } from '../../cluster/model/command-line.js';
import type { Cluster, Member } from '../../cluster/model/model.js';
import { planRetirement, refusedBy, type Retirement } from '../../cluster/preflight/retirement.js';
import { viewOf } from '../../cluster/roles/view.js';
import type { Context } from '../../context.js';
import { noWrite } from '../../dcs/recording/no-write.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import { isRecorded, PLAIN_ASKING, readSnapshotSettled } from '../../observe/read-snapshot.js';
import { needConsent } from '../../output/ask.js';
import { oneLine } from '../../output/text.js';
import { clusterNow } from '../../observe/read-keys.js';
import { needRequests } from '../kit/need-requests.js';
import type { AskAndTell, Tell } from '../kit/report.js';
import { until } from '../kit/until.js';
import { removeSlot } from './remove-slot.js';

export interface RetireRequest {
  readonly scope: string;
  /** Citus group; null: outside Citus. */
  readonly group: number | null;
  readonly member: string;
  readonly dryRun: boolean;
  /** Nothing is asked. */
  readonly force: boolean;
  /** Its slot is left to member_slots_ttl. */
  readonly keepSlot: boolean;
  /** Limit of the wait until it is gone, ms. */
  readonly waitMs: number;
}

const LOOK_MS = 500;

/** Shows the plan and tells what was removed; every ending but ok is thrown. */
export async function retireMember(
  context: Context,
  { asker, tell, show }: AskAndTell,
  request: RetireRequest,
): Promise<Ending> {
  const { scope, group, member: name, dryRun, force } = request;
  if (!(await isRecorded(context))) await needRequests(context);
  const snapshot = await readSnapshotSettled(context, { scope, group, ...PLAIN_ASKING });
  const plan = planRetirement(viewOf(snapshot), name);
  const { cluster } = snapshot;
  if (plan === null) throw unknownMember(cluster, name);
  tell({ kind: 'retirement', plan });
  tell({ kind: 'changed', changed: false });
  if (dryRun || !plan.refused) await show({ kind: 'retirement', plan, dryRun });
  if (plan.refused) throw refused(plan);
  if (dryRun) return 'ok';
  if (await isRecorded(context)) throw noWrite();
  if (!force) await consent(context, asker, plan);
  const member = cluster.members.find((one) => one.name === name) ?? null;
  if (member !== null) {
    const where = plan.host === null ? name : `${name} (${plan.host})`;
    tell({ kind: 'note', text: `Now stop Patroni on ${where}: ${plan.runThere}` });
  }
  const key = await awaitGone(context, cluster, {
    name,
    member,
    waitMs: request.waitMs,
    plan,
    tell,
  });
  if (key !== 'unnoted') tell({ kind: 'changed', changed: true });
  const said = keyWords(name, key);
  say(tell, cluster, { member: name, said: [said] });
  const slot = await removeSlot(context, cluster, name, { keepSlot: request.keepSlot, tell });
  say(tell, cluster, { member: name, said: [said, slot] });
  tell({ kind: 'line', text: `Success: ${oneLine(name)} is retired from ${oneLine(scope)}` });
  return 'ok';
}

function unknownMember({ scope, members }: Cluster, name: string): ToolError {
  const names = members.map((one) => one.name);
  return new ToolError(
    'error',
    `${name} is not a member of ${scope}, and no key, slot or history names it`,
    {
      code: 'unknown_member',
      hint: `members: ${names.join(', ') || 'none'}`,
    },
  );
}

// ---------------------------------------------------------------- the plan

function refused(plan: Retirement): ToolError {
  const bad = plan.checks.filter(({ name }) => refusedBy(plan).includes(name));
  const next = bad.flatMap((check) => check.next ?? []);
  return new ToolError(
    'error',
    `${plan.member} is not retired: ${bad.map(({ said }) => said).join('; ')}`,
    {
      code: 'retire_refused',
      evidence: bad.flatMap(({ evidence }) => evidence),
      ...(next.length === 0 ? {} : { hint: next.join('\n') }),
    },
  );
}

async function consent(
  context: Context,
  asker: AskAndTell['asker'],
  { member, cluster }: Retirement,
): Promise<void> {
  needConsent(context, 'retire', 'give --force');
  if (await asker.confirm(`Are you sure you want to retire member ${member} of ${cluster}?`))
    return;
  throw new ToolError('error', 'Aborted retire', { code: 'declined' });
}

// ---------------------------------------------------------------- gone

/** removed: by patctl; ended: with its lease; unnoted: this DCS takes no note of it. */
type KeyEnd = 'removed' | 'ended' | 'unnoted';

interface Awaited {
  name: string;
  /** null: it had no key to begin with. */
  member: Member | null;
  waitMs: number;
  plan: Retirement;
  tell: Tell;
}

/**
 * Until Patroni and PostgreSQL of the member do not answer and its key is gone, and the note of that is written.
 * ToolError `unconfirmed` at the limit, with what is still there; then nothing was changed.
 */
async function awaitGone(context: Context, cluster: Cluster, awaited: Awaited): Promise<KeyEnd> {
  const { name, member, plan, tell } = awaited;
  let there: Evidence[] = [];
  const limit = {
    atMs: context.clock.nowMs() + awaited.waitMs,
    everyMs: LOOK_MS,
    goesOn: `nothing was changed in the DCS; ${name} may be stopped already`,
    awaits: () =>
      `${name} to be gone (${there.map(({ witness, said }) => `${witness}: ${said}`).join('; ')})`,
    tell,
  };
  const end = await until(context, limit, async () => {
    const now = await clusterNow(context, cluster);
    if (now === null) there = [{ witness: 'DCS', subject: name, said: 'could not be read' }];
    if (now === null) return null;
    if (now.leaderName === name) throw leadsNow(now, name);
    const key = now.members.find((one) => one.name === name) ?? null;
    there = await answers(context, now, key ?? member);
    if (there.length > 0) return null;
    const end = await keyEnd(context, now, name, key);
    if (end === null)
      there = [{ witness: 'DCS', subject: `/members/${name}`, said: 'is still there' }];
    return end;
  });
  if (end !== null) return end;
  throw new ToolError('unconfirmed', `${name} is not gone within the limit (--deadline)`, {
    code: 'not_gone',
    evidence: there,
    hint: `on its host: ${plan.runThere}\nthen continue with: ${retireLine(cluster, name)}`,
  });
}

/** The member comes before the cluster. */
function retireLine({ scope, group }: Cluster, name: string): string {
  return `patctl retire ${shellWord(name)} ${argumentOf({ scope, group })}`;
}

function leadsNow(cluster: Cluster, name: string): ToolError {
  return new ToolError('error', `${name} has become the leader; nothing was changed`, {
    code: 'leads_now',
    evidence: [{ witness: 'DCS', subject: '/leader', said: name }],
    hint: `move the leadership first: ${commandLine(cluster, 'switchover', '--avoid', name)}`,
  });
}

/** What of the member still runs. */
async function answers(
  context: Context,
  { scope }: Cluster,
  member: Member | null,
): Promise<Evidence[]> {
  if (member === null) return [];
  const { name, apiUrl, host, port } = member;
  const patroni = await context.patroni();
  const { speaksPostgres } = await import('../../postgres/probe.js');
  const { timeoutMs } = context.flags;
  const [rest, listens] = await Promise.all([
    apiUrl === null ? null : patroni.status({ apiUrl, name, scope }, timeoutMs),
    host === null || port === null ? false : speaksPostgres(host, port, timeoutMs),
  ]);
  return [
    ...(rest?.ok ? [{ witness: 'REST', subject: name, said: 'Patroni answers' }] : []),
    ...(listens
      ? [{ witness: 'SQL', subject: name, said: `PostgreSQL answers on ${host}:${port}` }]
      : []),
  ];
}

/** null: its key is still there. */
async function keyEnd(
  context: Context,
  now: Cluster,
  name: string,
  key: Member | null,
): Promise<KeyEnd | null> {
  const dcs = await context.dcs();
  if (!dcs.retireMember) return key === null ? 'unnoted' : null;
  const done = await dcs.retireMember(now, name);
  if (done !== 'noted') return null;
  return key === null ? 'ended' : 'removed';
}

function keyWords(name: string, end: KeyEnd): string {
  return end === 'removed'
    ? `the member key of ${name} had no lease and was removed`
    : `${name} has no member key`;
}

/** The latest that is known of it. */
function say(
  tell: Tell,
  { group }: Cluster,
  { member, said }: { member: string; said: readonly string[] },
): void {
  tell({ kind: 'note', text: said.at(-1) ?? '' });
  tell({ kind: 'member', group, outcome: { member, ending: 'ok', said: said.join('; ') } });
}

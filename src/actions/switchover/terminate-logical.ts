/** Ends stuck logical walsenders right before the request: later PostgreSQL accepts no login. */
import type { Cluster } from '../../cluster/model/model.js';
import type { LogicalHolder, Plan } from '../../cluster/preflight/plan-model.js';
import { ToolError } from '../../errors.js';
import type { ProgressEvent } from '../../output/progress.js';
import type { LogicalTarget, PgTarget } from '../../postgres/postgres.js';
import type { Context } from '../../context.js';

/** A client that reconnects at once needs about so long; those that came back are ended once more. */
const RETURN_MS = 300;

/** Ends exactly the stuck ones of the plan, and those of the same slots that came back, once more; all their pids. */
export async function terminateLogical(
  context: Context,
  cluster: Cluster,
  plan: Plan,
  report: (event: ProgressEvent) => void,
): Promise<number[]> {
  const stuck = plan.logical.filter((holder) => holder.stuck);
  if (stuck.length === 0) return [];
  const target = addressOf(cluster, plan);
  await end(context, target, stuck.map(targetOf), plan, report);
  await context.clock.wait(RETURN_MS, context.signal);
  const back = await returned(context, target, stuck);
  if (back.length > 0) await end(context, target, back, plan, report);
  return [...stuck, ...back].map(({ pid }) => pid);
}

function addressOf(cluster: Cluster, plan: Plan): PgTarget {
  const leader = cluster.members.find(({ name }) => name === plan.leader);
  if (leader?.host && leader.port !== null) return { host: leader.host, port: leader.port };
  throw cannot(plan, 'the leader has no conn_url in the DCS');
}

function targetOf({ pid, slotName }: LogicalHolder): LogicalTarget {
  return { pid, slotName: slotName ?? '' };
}

async function end(
  context: Context,
  target: PgTarget,
  walsenders: LogicalTarget[],
  plan: Plan,
  report: (event: ProgressEvent) => void,
): Promise<void> {
  const postgres = await context.postgres();
  const done = await postgres.terminateLogical(target, walsenders, context.flags.timeoutMs);
  if (!done.ok) throw cannot(plan, done.reason);
  for (const { pid, slotName } of walsenders) {
    const said = done.value.includes(pid)
      ? `terminated the logical walsender of slot ${slotName}, pid ${pid}`
      : `the logical walsender of slot ${slotName}, pid ${pid}, had already ended`;
    report({ step: 'terminated', atMs: context.clock.nowMs(), member: plan.leader, said });
  }
}

/** Walsenders on the slots of those that were ended, whatever their pid is now. */
async function returned(
  context: Context,
  target: PgTarget,
  ended: LogicalHolder[],
): Promise<LogicalTarget[]> {
  const slots = new Set(ended.map(({ slotName }) => slotName));
  const read = await (await context.postgres()).status(target, context.flags.timeoutMs);
  if (!read.ok) return [];
  return read.value.walsenders
    .filter(({ slotType, slotName }) => slotType === 'logical' && slots.has(slotName))
    .map(({ pid, slotName }) => ({ pid, slotName: slotName ?? '' }));
}

function cannot(plan: Plan, reason: string): ToolError {
  return new ToolError(
    'error',
    `stuck logical walsenders could not be terminated; nothing was sent`,
    {
      code: 'terminate_failed',
      evidence: [{ witness: 'SQL', subject: plan.leader ?? '', said: reason }],
      hint: 'the login needs pg_signal_backend, or superuser for the walsender of a superuser',
    },
  );
}

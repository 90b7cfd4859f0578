/** Whether every member has taken a new configuration, asked until the limit. */
import type { ConfigProblem } from '../../cluster/configuration/config-check.js';
import { isInForce } from '../../cluster/findings/configuration.js';
import type { Cluster, JsonObject, JsonValue, Member } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import { reread } from '../kit/choose-members.js';
import { until } from '../kit/until.js';
import type { Context } from '../../context.js';

const LOOK_MS = 400;

/**
 * Patroni reads a configuration at the beginning of a loop and applies it at the end: PostgreSQL is reloaded,
 * and looked at a second later. A loop that began so long after it was read is not that one any more.
 */
const APPLIED_AFTER_SECONDS = 3;

/** A member that has taken it. */
export interface Taken {
  name: string;
  /** Settings that wait for a restart there; null: none is pending. */
  pending: string[] | null;
}

/**
 * Waits until every member's Patroni has read this configuration, has gone through another loop since, and
 * tells in the DCS whether a restart is pending. ToolError `unconfirmed` names who has not.
 */
export async function waitTaken(
  context: Context,
  cluster: Cluster,
  config: JsonValue,
  limitMs: number,
): Promise<Taken[]> {
  const wanted = canonical(config);
  const waiting = new Map(cluster.members.map(({ name }) => [name, 'not asked yet']));
  const readAt = new Map<string, number>();
  const taken = new Map<string, Taken>();
  const atMs = context.clock.nowMs() + limitMs;
  const goesOn = 'the configuration is in the DCS; members apply it in their next loop';
  const awaits = () => [...waiting].map(([name, said]) => `${name}, which ${said}`).join('; ');
  await until(context, { atMs, everyMs: LOOK_MS, goesOn, awaits }, async () => {
    const now = await reread(context, cluster);
    if (now === null) return null;
    const looks = [...waiting.keys()].map(async (name) => {
      const member = now.members.find((one) => one.name === name);
      const seen = member ? await look(context, now, member, wanted, readAt) : 'has left the DCS';
      if (typeof seen === 'string') waiting.set(name, seen);
      else {
        waiting.delete(name);
        taken.set(name, seen);
      }
    });
    await Promise.all(looks);
    return waiting.size === 0 ? true : null;
  });
  if (waiting.size === 0) return cluster.members.flatMap(({ name }) => taken.get(name) ?? []);
  throw new ToolError('unconfirmed', `not yet applied by ${[...waiting.keys()].join(', ')}`, {
    code: 'config_not_taken',
    hint: 'the configuration is in the DCS; Patroni on each member applies it in its next loop',
    evidence: [...waiting].map(([name, said]) => ({ witness: 'REST', subject: name, said })),
  });
}

/** ToolError `failed` when Patroni cannot use it: no member ever takes it, whatever GET /config shows. */
export function refuseUntaken(problems: readonly ConfigProblem[]): void {
  const rejected = problems.filter(({ effect }) => effect === 'rejected');
  if (rejected.length === 0) return;
  throw new ToolError('failed', 'no member takes the configuration: Patroni cannot use it', {
    code: 'config_not_taken',
    hint: 'it is in the DCS; correct it with edit-config',
    evidence: rejected.map(({ key, message }) => ({
      witness: 'check',
      subject: key,
      said: message,
    })),
  });
}

/**
 * ToolError `failed` when PostgreSQL runs with another value than the one that was written, and no restart is
 * pending for it. What cannot be read there is left to Patroni's word.
 */
export async function seenInForce(
  context: Context,
  { members }: Cluster,
  taken: readonly Taken[],
  written: JsonObject,
): Promise<void> {
  const postgres = await context.postgres();
  if (!postgres.hasLogin || Object.keys(written).length === 0) return;
  const others = await Promise.all(
    taken.map(async ({ name, pending }) => {
      const { host = null, port = null } = members.find((one) => one.name === name) ?? {};
      if (host === null || port === null) return [];
      const sql = await postgres.status({ host, port }, context.flags.timeoutMs);
      if (!sql.ok) return [];
      return Object.entries(written).flatMap(([setting, wanted]) => {
        const seen = sql.value.settings[setting];
        const waits = seen?.pendingRestart === true || (pending ?? []).includes(setting);
        if (!seen || waits || isInForce(setting, wanted, seen) !== false) return [];
        const said = `${setting} = ${seen.value} (${seen.sourcefile ?? seen.source ?? 'source unknown'}), written ${JSON.stringify(wanted)}`;
        return [{ witness: 'SQL', subject: name, said }];
      });
    }),
  );
  const evidence = others.flat();
  if (evidence.length === 0) return;
  throw new ToolError('failed', 'every member has read it, and a setting is not in force', {
    code: 'config_not_taken',
    hint: 'see what overrides it: ALTER SYSTEM, the file of Patroni on that member, or a least value of Patroni',
    evidence,
  });
}

/** Why it has not taken it yet, or how it did. `readAt`: by whom, and at which of its loops, it was first seen read. */
async function look(
  context: Context,
  { scope }: Cluster,
  member: Member,
  wanted: string,
  readAt: Map<string, number>,
): Promise<string | Taken> {
  const { apiUrl, name } = member;
  if (apiUrl === null) return 'its DCS key has no api_url';
  const patroni = await context.patroni();
  const { timeoutMs } = context.flags;
  const outcome = await patroni.call('GET', apiUrl, '/config', null, timeoutMs);
  if (outcome.kind !== 'answered') return outcome.reason;
  const { status, json } = outcome.answer;
  if (status !== 200) return `GET /config answers ${status}`;
  if (canonical(json) !== wanted) {
    readAt.delete(name);
    return 'has another configuration';
  }
  const now = await patroni.status({ apiUrl, name, scope }, timeoutMs);
  if (!now.ok) return now.reason;
  const { dcsLastSeen, pendingRestart, pendingRestartReason } = now.value;
  if (dcsLastSeen === null) return 'does not report its last loop';
  const since = readAt.get(name) ?? dcsLastSeen;
  readAt.set(name, since);
  if (dcsLastSeen < since + APPLIED_AFTER_SECONDS) {
    return 'has read it but has not completed another loop yet';
  }
  const told =
    member.pendingRestart === pendingRestart &&
    canonical(member.pendingRestartReason) === canonical(pendingRestartReason);
  if (!told) return 'has not yet written to the DCS whether a restart is pending';
  return { name, pending: pendingRestart ? Object.keys(pendingRestartReason ?? {}) : null };
}

function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_, item: JsonValue) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** Whether every member has taken a new configuration, asked until the limit. */
import type { ConfigProblem } from '../../cluster/configuration/config-check.js';
import { isInForce } from '../../cluster/findings/configuration.js';
import type { Cluster, JsonObject, JsonValue, Member } from '../../cluster/model/model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import { clusterNow } from '../../observe/read-keys.js';
import type { Tell } from '../kit/report.js';
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
 * shows in the DCS whether a restart is pending. ToolError `unconfirmed` names the others.
 */
export async function waitTaken(
  context: Context,
  cluster: Cluster,
  config: JsonValue,
  { limitMs, tell }: { limitMs: number; tell: Tell },
): Promise<Taken[]> {
  const wanted = canonical(config);
  const waiting = new Map(cluster.members.map(({ name }) => [name, 'not asked yet']));
  const readAt = new Map<string, number>();
  const taken = new Map<string, Taken>();
  const atMs = context.clock.nowMs() + limitMs;
  const goesOn = 'the configuration is in the DCS; members apply it in their next loop';
  const awaits = () => [...waiting].map(([name, said]) => `${name}, which ${said}`).join('; ');
  await until(context, { atMs, everyMs: LOOK_MS, goesOn, awaits, tell }, async () => {
    const now = await clusterNow(context, cluster);
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

/** Settings for which it is unknown whether PostgreSQL runs with them. */
export interface Untold {
  settings: string[];
  why: string;
  /** Members, in order. */
  on: string[];
}

/** PostgreSQL reads its file again a moment after Patroni told it to. */
const REREAD_MS = 3000;

/**
 * Asks PostgreSQL on every member for what was written. ToolError `failed` when it runs with another value, and no
 * restart is pending for it. Gives what cannot be read there, or not be compared.
 */
export async function seenInForce(
  context: Context,
  cluster: Cluster,
  { taken, written, tell }: { taken: readonly Taken[]; written: JsonObject; tell: Tell },
): Promise<Untold[]> {
  if (Object.keys(written).length === 0) return [];
  let evidence: Evidence[] = [];
  let untold: (Omit<Untold, 'on'> & { name: string })[] = [];
  const limit = {
    atMs: context.clock.nowMs() + REREAD_MS,
    everyMs: LOOK_MS,
    goesOn: 'every member has read the configuration',
    awaits: () => evidence.map(({ subject, said }) => `${subject}: ${said}`).join('; '),
    tell,
  };
  await until(context, limit, async () => {
    const all = await Promise.all(taken.map((one) => inForceOn(context, cluster, one, written)));
    evidence = all.flatMap(({ others }) => others);
    untold = all.flatMap(({ untold: ofOne }) => ofOne);
    return evidence.length === 0 ? true : null;
  });
  if (evidence.length === 0) return together(untold);
  throw new ToolError('failed', 'every member has read it, and a setting is not in force', {
    code: 'config_not_taken',
    hint: "see what overrides it: ALTER SYSTEM, Patroni's file on that member, or a minimum that Patroni sets",
    evidence,
  });
}

interface InForce {
  /** Settings that have another value. */
  others: Evidence[];
  untold: { name: string; settings: string[]; why: string }[];
}

async function inForceOn(
  context: Context,
  { members }: Cluster,
  { name, pending }: Taken,
  written: JsonObject,
): Promise<InForce> {
  const settings = Object.keys(written);
  const untold = (why: string, which = settings): InForce['untold'] =>
    which.length === 0 ? [] : [{ name, settings: which, why }];
  const { host = null, port = null } = members.find((one) => one.name === name) ?? {};
  const postgres = await context.postgres();
  if (!postgres.hasLogin) return { others: [], untold: untold('no SQL login') };
  if (host === null || port === null) return { others: [], untold: untold('no address') };
  const sql = await postgres.settings({ host, port }, settings, context.flags.timeoutMs);
  if (!sql.ok) return { others: [], untold: untold(`SQL: ${sql.reason}`) };
  const looks = Object.entries(written).map(([setting, wanted]) => {
    const seen = sql.value[setting.toLowerCase()];
    const waits = seen?.pendingRestart === true || (pending ?? []).includes(setting);
    const isSo = waits ? true : seen ? isInForce(setting, wanted, seen) : null;
    return { setting, wanted, seen, isSo };
  });
  const others = looks.flatMap(({ setting, wanted, seen, isSo }) => {
    if (isSo !== false || !seen) return [];
    const said = `${setting} = ${seen.value} (${seen.sourcefile ?? seen.source ?? 'source unknown'}), written ${JSON.stringify(wanted)}`;
    return [{ witness: 'SQL', subject: name, said }];
  });
  const open = looks.filter(({ isSo }) => isSo === null);
  const named = (isRead: boolean) =>
    open.filter(({ seen }) => (seen !== undefined) === isRead).map(({ setting }) => setting);
  return {
    others,
    untold: [
      ...untold('a text that PostgreSQL may spell differently', named(true)),
      ...untold('PostgreSQL does not show it to this login', named(false)),
    ],
  };
}

/** The same of several members said once. */
function together(all: readonly { name: string; settings: string[]; why: string }[]): Untold[] {
  const found = new Map<string, Untold>();
  for (const { name, settings, why } of all) {
    const key = JSON.stringify([settings, why]);
    const one = found.get(key) ?? { settings, why, on: [] };
    one.on.push(name);
    found.set(key, one);
  }
  return [...found.values()];
}

/** `taken by pg1, pg2` where PostgreSQL shows it too, else `read by …` and what is not known. */
export function takenLines(taken: readonly Taken[], untold: readonly Untold[]): string[] {
  const names = taken.map(({ name }) => name).join(', ');
  return [
    oneLine(`${untold.length === 0 ? 'taken' : 'read'} by ${names}`),
    ...untold.map(({ settings, why, on }) =>
      oneLine(
        `unknown whether PostgreSQL runs with ${settings.join(', ')} on ${on.join(', ')}: ${why}`,
      ),
    ),
  ];
}

/** Why it does not use it yet, or how it took it. `readAt`: the member, and its loop, in which it was first read. */
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

/** The one write of the port that Patroni's REST API has: PATCH /config, sent once. */
import { commandLine } from '../../cluster/model/command-line.js';
import type { Cluster, JsonObject, JsonValue } from '../../cluster/model/model.js';
import { isObject } from '../../cluster/model/patroni-values.js';
import { ToolError } from '../../errors.js';
import { parseJson } from '../../patroni/parse-status.js';
import type { CallOutcome, Patroni, RestAnswer } from '../../patroni/patroni.js';
import type { Written } from '../dcs.js';

/**
 * Writes the dynamic configuration, if it is still what `cluster` has when it is read once more. Patroni compares
 * the revision of what it reads itself; between our reading and its own another change may come, and both are kept
 * as far as they are about different keys.
 */
export async function patchConfig(
  patroni: Patroni,
  cluster: Cluster,
  text: string,
  timeoutMs: number,
): Promise<Written> {
  const url = urlOf(cluster);
  const now = await get(patroni, url, timeoutMs);
  const before = cluster.config?.text ?? null;
  if (!isSameJson(parseJson(now), before === null ? null : parseJson(before))) {
    return { done: false, current: now };
  }
  const [base, wanted] = [parseJson(now), parseJson(text)];
  if (!isObject(base) || !isObject(wanted)) throw notAnObject();
  const patch = mergePatch(base, wanted);
  const outcome = await patroni.call('PATCH', url, '/config', patch, timeoutMs);
  return judged(patroni, url, { cluster, outcome, wanted, before: now }, timeoutMs);
}

interface Sent {
  cluster: Cluster;
  outcome: CallOutcome;
  wanted: JsonObject;
  /** As it was read just before. */
  before: string;
}

async function judged(
  patroni: Patroni,
  url: string,
  { cluster, outcome, wanted, before }: Sent,
  timeoutMs: number,
): Promise<Written> {
  if (outcome.kind === 'not_sent') throw silent(url, outcome.reason);
  if (outcome.kind === 'answered') {
    const { status, json } = outcome.answer;
    if (status === 200 && isSameJson(json, wanted)) return { done: true };
    if (status === 409) return { done: false, current: await get(patroni, url, timeoutMs) };
    if (status !== 200 && status !== 502 && status !== 504) throw refused(url, outcome.answer);
  }
  // The answer was lost, or reports something other than the request: the present value decides.
  const now = await get(patroni, url, timeoutMs).catch(() => null);
  if (now !== null && isSameJson(parseJson(now), wanted)) return { done: true };
  const asBefore = now !== null && isSameJson(parseJson(now), parseJson(before));
  const seen =
    now === null
      ? 'could not be read since then'
      : asBefore
        ? 'is unchanged'
        : 'is now a different one';
  throw new ToolError(
    'unconfirmed',
    `PATCH /config was sent to ${url}, but the configuration ${seen}`,
    {
      code: 'config_unconfirmed',
      hint: `check with: ${commandLine(cluster, 'show-config')}`,
    },
  );
}

function urlOf({ memberAnswers }: Cluster): string {
  if (!memberAnswers) throw new ToolError('error', 'the cluster was not read over a REST API');
  return memberAnswers.url;
}

async function get(patroni: Patroni, url: string, timeoutMs: number): Promise<string> {
  // Patroni serves /config from its memory, which GET /cluster brings up to date.
  await patroni.call('GET', url, '/cluster', null, timeoutMs);
  const outcome = await patroni.call('GET', url, '/config', null, timeoutMs);
  if (outcome.kind !== 'answered') throw silent(url, outcome.reason);
  if (outcome.answer.status !== 200) throw refused(url, outcome.answer);
  return outcome.answer.body;
}

function silent(url: string, reason: string): ToolError {
  return new ToolError('unreachable', `${url} did not answer, nothing was sent: ${reason}`, {
    code: 'rest_unreachable',
  });
}

function refused(url: string, { status, body }: RestAnswer): ToolError {
  const hint =
    status === 401
      ? 'set ctl.authentication.username and password'
      : status === 403
        ? "see restapi.allowlist and restapi.verify_client in Patroni's file"
        : undefined;
  const said = body.replace(/\s+/g, ' ').trim().slice(0, 200);
  return new ToolError('error', `${url} refused with HTTP ${status}${said && `: ${said}`}`, {
    code: 'rest_refused',
    ...(hint !== undefined && { hint }),
  });
}

function notAnObject(): ToolError {
  return new ToolError('error', 'the dynamic configuration is not an object', {
    code: 'unreadable_config',
    hint: 'give the DCS itself: -c FILE or --dcs-url',
  });
}

/** What PATCH /config has to be given so that `base` becomes `wanted`: null takes a key out. */
export function mergePatch(base: JsonObject, wanted: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const key of Object.keys(base)) if (!(key in wanted)) patch[key] = null;
  for (const [key, value] of Object.entries(wanted)) {
    const old = base[key];
    if (isSameJson(old, value)) continue;
    patch[key] = isObject(old) && isObject(value) ? mergePatch(old, value) : value;
  }
  return patch;
}

/** The same value, in whatever order objects have their keys. */
function isSameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  const sorted = (_: string, value: unknown): unknown =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
      : value;
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}

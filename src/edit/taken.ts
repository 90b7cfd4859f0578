/** Whether every member has taken a new configuration, asked until the limit. */
import type { Cluster, JsonValue } from '../cluster/model.js';
import { ToolError } from '../errors.js';
import { until } from '../operate/wait.js';
import type { Tool } from '../tool.js';

const LOOK_MS = 400;

/**
 * Waits until every member's Patroni answers with this configuration: GET /config is what its last loop
 * has read. ToolError `unconfirmed` names who has not.
 */
export async function waitTaken(
  tool: Tool,
  cluster: Cluster,
  config: JsonValue,
  limitMs: number,
): Promise<string[]> {
  const wanted = canonical(config);
  const waiting = new Map(cluster.members.map(({ name }) => [name, 'not asked yet']));
  const atMs = tool.clock.nowMs() + limitMs;
  const goesOn = 'the configuration is in the DCS, and the members take it as they read it';
  await until(tool, { atMs, everyMs: LOOK_MS, goesOn }, async () => {
    const members = cluster.members.filter(({ name }) => waiting.has(name));
    const said = await Promise.all(members.map((member) => ask(tool, member.apiUrl, wanted)));
    members.forEach(({ name }, at) => {
      const reason = said[at] ?? null;
      if (reason === null) waiting.delete(name);
      else waiting.set(name, reason);
    });
    return waiting.size === 0 ? true : null;
  });
  if (waiting.size === 0) return cluster.members.map(({ name }) => name);
  throw new ToolError('unconfirmed', `not taken yet by ${[...waiting.keys()].join(', ')}`, {
    code: 'config_not_taken',
    hint: 'the configuration is in the DCS; a member takes it when its Patroni runs its loop',
    evidence: [...waiting].map(([name, said]) => ({ witness: 'REST', subject: name, said })),
  });
}

/** null when it has it, else why not. */
async function ask(tool: Tool, apiUrl: string | null, wanted: string): Promise<string | null> {
  if (apiUrl === null) return 'its DCS key has no api_url';
  const patroni = await tool.patroni();
  const outcome = await patroni.call('GET', apiUrl, '/config', null, tool.flags.timeoutMs);
  if (outcome.kind !== 'answered') return outcome.reason;
  const { status, json } = outcome.answer;
  if (status !== 200) return `GET /config answers ${status}`;
  return canonical(json) === wanted ? null : 'has an older configuration';
}

function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_, item: JsonValue) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

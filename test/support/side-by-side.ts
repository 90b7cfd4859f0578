/** patctl --compat and the real patronictl on one cluster, and what each of them sends to its members. */
import type { Lab } from './lab/cluster.js';
import type { Call, RestProxies } from './recording-proxy.js';
import { runPatctl, runPatronictl, type RunOptions, type RunResult } from './run.js';

export type Sent = Omit<Call, 'by'>;

export interface Run extends RunResult {
  /** The calls that act, in their order. */
  sent: Sent[];
}

type Program = (args: string[], config?: string, options?: RunOptions) => Promise<Run>;

export interface SideBySide {
  ours: Program;
  theirs: Program;
  /** Words with CLUSTER in them, as arguments. */
  words(line: string): string[];
  /** Calls that act and belong to no run: there are none, or the proxies confuse the runs. */
  unclaimed(): Call[];
}

export const acts = ({ method }: Call): boolean => method !== 'GET';

export function sentOf({ member, method, path, body, authenticated }: Call): Sent {
  return { member, method, path, body, authenticated };
}

export function sideBySide(lab: Lab, proxies: RestProxies): SideBySide {
  const claimed = new Set<Call>();
  /** The run, and what its program has sent in the meantime; both may run at once. */
  async function recorded(by: Call['by'], start: () => Promise<RunResult>): Promise<Run> {
    const from = proxies.calls.length;
    const result = await start();
    const calls = proxies.calls.slice(from).filter((call) => call.by === by && acts(call));
    for (const call of calls) claimed.add(call);
    return { ...result, sent: calls.map(sentOf) };
  }
  return {
    ours: (args, config = lab.config, options = {}) =>
      recorded('patctl', () => runPatctl(['-c', config, '--compat', ...args], options)),
    theirs: (args, config = lab.config, options = {}) =>
      recorded('patroni', () =>
        runPatronictl({ patronictl: lab.patronictl, config }, args, options),
      ),
    words: (line) => line.replaceAll('CLUSTER', lab.scope).split(' '),
    unclaimed: () => proxies.calls.filter((call) => acts(call) && !claimed.has(call)),
  };
}

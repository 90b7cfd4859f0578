/** The port over members' REST APIs: one address that answers leads to the whole cluster. */
import type { Cluster } from '../../cluster/model/model.js';
import { pause } from '../../clock.js';
import { ToolError } from '../../errors.js';
import type { ClusterName, Dcs, Followable } from '../dcs.js';
import { claimsOf, noClaims, scopeOf, type Stamp } from './claims.js';
import { compareViews, type ViewsAsked } from './compare-views.js';
import { firstAnswers, type Answers } from './member-answers.js';
import { patchConfig } from './write-claims.js';

export interface RestAccess extends ViewsAsked {
  /** `http://host:port`, tried in this order; at least one. */
  urls: readonly string[];
  /** The Citus group that was asked for: no member tells of which group it is. */
  group: number | null;
}

/** How often a cluster that is followed is read. */
const FOLLOW_MS = 500;

export function restDcs(access: RestAccess): Dcs {
  const { urls, patroni, group, timeoutMs } = access;
  const closing = new AbortController();
  const stamp = makeStamp();
  /** Addresses that the cluster itself named, for when the given ones fall silent. */
  let named: string[] = [];
  let answered: string | null = null;
  /** The members that have answered so far, by address: a proxy may choose another member for the next reading. */
  const answerers = new Map<string, string[]>();

  const ask = async (): Promise<Answers> => {
    const all = [...(answered === null ? [] : [answered]), ...urls, ...named];
    const answers = await firstAnswers(patroni, [...new Set(all)], timeoutMs);
    if (urls.includes(answers.url)) answered = answers.url;
    return answers;
  };
  const readCluster = async (): Promise<Cluster> => {
    const cluster = claimsOf(await ask(), nextRevision(stamp), stamp);
    named = cluster.members.flatMap(({ apiUrl }) => originOf(apiUrl) ?? []);
    return { ...cluster, group, ...withEarlierAnswerers(cluster, answerers) };
  };
  const read = async ({ scope, group: asked }: ClusterName): Promise<Cluster[]> => {
    if (asked !== null && asked !== group) throw noGroup();
    const cluster = await readCluster();
    return cluster.scope === scope ? [cluster] : [];
  };
  const ownScope = async (): Promise<string> => scopeOf(await ask());
  return {
    name: 'the REST API',
    where: urls.join(','),
    weakGuard:
      'the REST API compares no revision; the configuration is only read once more right before the write',
    ownScope,
    read,
    readAll: async () => [await readCluster()],
    scopes: async () => [await ownScope()],
    follow: async (name): Promise<Followable> => {
      const [cluster] = await read(name);
      const base = cluster ?? noClaims(name, nextRevision(stamp));
      return {
        cluster: base,
        changes: (signal) =>
          changes(base, () => read(name), AbortSignal.any([signal, closing.signal])),
      };
    },
    compareViews: (cluster) => compareViews(access, cluster),
    goneMembers: () =>
      Promise.resolve({ members: [], incomplete: 'a REST API does not show departed members' }),
    lastWord: () => Promise.resolve(null),
    writeConfig: async (cluster, text) => patchConfig(patroni, cluster, text, timeoutMs),
    // A schedule is withdrawn by DELETE /switchover, which `flush` sends to a member.
    noRequests,
    writeFailover: () => Promise.reject(noRequests()),
    removal: () => Promise.reject(needsDcs('remove')),
    close: () => {
      closing.abort();
      return Promise.resolve();
    },
  };
}

const noRequests = (): ToolError => needsDcs('writing /failover (--via dcs, --stuck)');

/** What has no REST API. */
export function needsDcs(what: string): ToolError {
  return new ToolError('usage', `${what} needs the DCS, and --rest reaches members only`, {
    code: 'needs_dcs',
    hint: 'give -c FILE with an etcd3 or kubernetes section, or --dcs-url etcd3://host:port',
  });
}

function noGroup(): ToolError {
  return new ToolError('usage', '--group: a REST API does not report its Citus group', {
    code: 'no_group',
    hint: 'leave --group out, and give --rest the address of a member of that group',
  });
}

function withEarlierAnswerers(
  { memberAnswers }: Cluster,
  answerers: Map<string, string[]>,
): Pick<Cluster, 'memberAnswers'> {
  if (!memberAnswers) return {};
  const { url, answeredBy } = memberAnswers;
  const all = [...new Set([...(answerers.get(url) ?? []), ...answeredBy])];
  answerers.set(url, all);
  return { memberAnswers: { ...memberAnswers, answeredBy: all } };
}

function originOf(apiUrl: string | null): string | null {
  return apiUrl !== null && URL.canParse(apiUrl) ? new URL(apiUrl).origin : null;
}

// ---------------------------------------------------------------- revisions

/** A REST API has no revision: the time of the reading replaces it, and each text keeps the one it came with. */
function makeStamp(): Stamp {
  const texts = new Map<string, { text: string; revision: string }>();
  let last = 0n;
  return (key, text) => {
    const known = texts.get(key);
    if (known !== undefined && known.text === text) return known.revision;
    const now = BigInt(Date.now()) * 1000n;
    last = now > last ? now : last + 1n;
    texts.set(key, { text, revision: last.toString() });
    return last.toString();
  };
}

let readings = 0;

/** A revision that no earlier reading had. */
function nextRevision(stamp: Stamp): string {
  readings += 1;
  return stamp('', String(readings));
}

// ---------------------------------------------------------------- changes

/** Reads periodically, and yields every change. */
async function* changes(
  base: Cluster,
  read: () => Promise<Cluster[]>,
  signal: AbortSignal,
): AsyncGenerator<Cluster> {
  let before = whole(base);
  for (;;) {
    await pause(FOLLOW_MS, signal);
    if (signal.aborted) return;
    // Members that do not answer just now are asked again: the caller has a deadline of its own.
    const [now] = await read().catch(() => []);
    if (now === undefined || whole(now) === before) continue;
    before = whole(now);
    yield now;
  }
}

/** What every reading changes, whatever the cluster does. */
const OF_THE_READING = ['revision', 'memberAnswers'];

function whole(cluster: Cluster): string {
  return JSON.stringify(cluster, (key, value: unknown) => {
    if (OF_THE_READING.includes(key)) return undefined;
    return typeof value === 'bigint' ? value.toString() : value;
  });
}

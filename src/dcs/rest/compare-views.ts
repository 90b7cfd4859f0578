/** GET /cluster of several members side by side: one that is cut off from the DCS shows an old state. */
import type { Cluster, ClusterAnswer } from '../../cluster/model/model.js';
import { pause } from '../../clock.js';
import type { Patroni } from '../../patroni/patroni.js';
import { clusterAnswerOf, nameAt } from './claims.js';
import { clusterAnswerIn } from './member-answers.js';

const VIEW_AGAIN_MS = 1000;

export interface ViewsAsked {
  /** Addresses that were given, `http://host:port`. */
  urls: readonly string[];
  patroni: Patroni;
  /** Limit of one call, ms. */
  timeoutMs: number;
  /**
   * Two views that differ are read again after this time: a change does not reach two members at the same moment.
   * Default 1000.
   */
  viewAgainMs?: number;
}

/**
 * `cluster` with the view of each other member that differs from the one which answered, and differs again a moment
 * later. Asked are the members that the cluster names and the addresses that were given: the key of a member which
 * is cut off expires, and only its address is left of it.
 */
export async function compareViews(
  { urls, patroni, timeoutMs, viewAgainMs = VIEW_AGAIN_MS }: ViewsAsked,
  cluster: Cluster,
): Promise<Cluster> {
  const answers = cluster.memberAnswers;
  const own = answers?.views[0];
  if (!answers || !own) return cluster;
  const named = namedIn(cluster);
  const look = (url: string) =>
    viewAt(patroni, url, named.find((one) => one.url === url)?.name, timeoutMs);
  const others = othersOf(named, answers.url, answers.answeredBy, urls);
  const first = await Promise.all(others.map(look));
  const differing = others.flatMap((url, at) => {
    const view = first[at] ?? null;
    return view !== null && differs(view, own) ? [{ url, view }] : [];
  });
  if (differing.length === 0) return cluster;
  await pause(viewAgainMs);
  const [mine, ...theirs] = await Promise.all([
    look(answers.url),
    ...differing.map(({ url }) => look(url)),
  ]);
  const basis = mine === null ? own : { ...mine, member: own.member };
  const isStill = !differs(basis, own);
  const old = theirs.filter((view, at) => {
    const before = differing[at]?.view;
    if (view === null || before === undefined || !differs(view, basis)) return false;
    // If both have changed, the cluster changes and neither is stalled.
    return isStill || !differs(view, before);
  });
  const views = [basis, ...old.filter((view) => view !== null)];
  return { ...cluster, memberAnswers: { ...answers, views: onePerMember(views) } };
}

interface Named {
  name: string;
  url: string;
}

function namedIn({ members }: Cluster): Named[] {
  return members.flatMap(({ name, apiUrl }) =>
    apiUrl === null || !URL.canParse(apiUrl) ? [] : [{ name, url: new URL(apiUrl).origin }],
  );
}

/** Behind a proxy it is unknown which member's view was read: each member is asked. */
function othersOf(
  named: readonly Named[],
  asked: string,
  answeredBy: readonly string[],
  urls: readonly string[],
): string[] {
  const [only, ...more] = answeredBy;
  const own = new Set(
    named.filter(({ name }) => more.length === 0 && name === only).map(({ url }) => url),
  );
  const all = new Set([...named.map(({ url }) => url), ...urls]);
  return [...all].filter((url) => url !== asked && !own.has(url));
}

async function viewAt(
  patroni: Patroni,
  url: string,
  name: string | undefined,
  timeoutMs: number,
): Promise<ClusterAnswer | null> {
  const answer = clusterAnswerIn(await patroni.call('GET', url, '/cluster', null, timeoutMs));
  return answer === null ? null : clusterAnswerOf(name ?? nameAt(url, answer) ?? url, answer);
}

function onePerMember(views: readonly ClusterAnswer[]): ClusterAnswer[] {
  return views.filter((view, at) => views.findIndex(({ member }) => member === view.member) === at);
}

function differs(view: ClusterAnswer, from: ClusterAnswer): boolean {
  const said = ({ leader, roles, pause: paused, scheduledAt }: ClusterAnswer): string =>
    JSON.stringify([leader, roles, paused, scheduledAt]);
  return said(view) !== said(from);
}

/** Follows an old site until its leader streams from the new one, and every other member from its leader. */
import type { Cluster } from '../../cluster/model/model.js';
import type { RejoinPlan } from '../../cluster/preflight/rejoin-model.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import { lacking } from './follows-on.js';
import { lookAt, siteCluster, standingOf, type LivePair } from './pair.js';
import type { SwapRecord } from './swap-record.js';

const LOOK_MS = 1000;

export interface Rejoining {
  pair: LivePair;
  plan: RejoinPlan;
  /** When all of it must be done, ms. */
  atMs: number;
  record: SwapRecord;
}

interface Seen {
  cluster: Cluster;
  missing: Evidence[];
}

/** Names of the members that stream. Every other ending is thrown. */
export async function followRejoined(rejoining: Rejoining): Promise<string[]> {
  const { pair, plan, atMs, record } = rejoining;
  const { here, there } = pair;
  const known = siteCluster(here).members.map(({ name }) => name);
  if (known.length === 0)
    record.tell({ kind: 'note', text: `Start Patroni on the members of ${here.label} now` });
  const seen: { last: Seen | null } = { last: null };
  const limit = {
    atMs,
    everyMs: LOOK_MS,
    goesOn: `${here.label} is a standby cluster of ${there.label} in its configuration`,
    awaits: () => awaited(here.label, seen.last),
    tell: record.tell,
  };
  const done = await until(here.context, limit, async () => {
    const cluster = await clusterNow(here.context, siteCluster(here));
    const timeline = await timelineThere(rejoining);
    if (cluster === null || timeline === null) return null;
    const names = [...new Set([...known, ...cluster.members.map(({ name }) => name)])];
    const missing = await lacking(here, names, { timeline, leader: 'streams' });
    seen.last = { cluster, missing };
    const { leaderName } = cluster;
    const leader = memberOf(here, leaderName);
    if (leaderName === null || missing.some(({ subject }) => subject === leader)) return null;
    const from = `${here.label} streams from ${there.label} on timeline ${timeline}`;
    record.once('follows', leader, from);
    return missing.length === 0 ? names : null;
  });
  if (done === null) throw notThere(rejoining, seen.last, await isHeard(rejoining, seen.last));
  record.step('streaming', memberOf(here, null), `${done.join(', ')} of ${plan.here.label} stream`);
  return done;
}

/** It may fail over meanwhile. */
async function timelineThere({ pair: { there }, plan }: Rejoining): Promise<number | null> {
  const now = await clusterNow(there.context, siteCluster(there));
  const leader = now?.members.find(({ name }) => name === now.leaderName);
  const standing = leader === undefined ? null : standingOf(await lookAt(there, leader));
  return standing?.role === 'primary' ? standing.timeline : plan.there.timeline;
}

function awaited(label: string, last: Seen | null): string {
  if (last === null) return `${label} to answer`;
  if (last.cluster.members.length === 0) return `Patroni to start on a member of ${label}`;
  const words = last.missing.map(({ subject, said }) => `${subject} (${said})`);
  return words.join(', ') || `a leader of ${label}`;
}

/** The keys of members that were stopped outlive them, up to ttl. */
async function isHeard({ pair: { here } }: Rejoining, last: Seen | null): Promise<boolean> {
  const looks = (last?.cluster.members ?? []).map((one) => lookAt(here, one));
  return (await Promise.all(looks)).some(({ rest, sql }) => rest.ok || sql.ok);
}

function notThere({ pair, plan }: Rejoining, last: Seen | null, heard: boolean): ToolError {
  const { here, there } = pair;
  const told = `${here.label} is a standby cluster of ${there.label} in its configuration`;
  if (last === null)
    return new ToolError(
      'unconfirmed',
      `${told}; its members could not be read in time (--deadline)`,
      {
        code: 'not_started',
        hint: `run the command again, which follows them, or see: ${siteCommand(here, 'list')}`,
      },
    );
  if (!heard)
    return new ToolError('unconfirmed', `${told}, and no member of it runs yet (--deadline)`, {
      code: 'not_started',
      evidence: last.missing,
      hint: `start Patroni on its members; then run the command again, which follows them, or see: ${siteCommand(here, 'list')}`,
    });
  const names = last.missing.map(({ subject }) => subject).join(', ');
  const what = names === '' ? 'it has no leader' : `not every member follows: ${names}`;
  return new ToolError('failed', `${told}, but ${what}`, {
    code: 'not_following',
    evidence: last.missing,
    hint: [`see why: ${siteCommand(here, 'check')}`, ...nextFor(pair, plan, last)].join('\n'),
  });
}

/** A copy is made again by Patroni, but not that of the member which leads. */
function nextFor({ here }: LivePair, plan: RejoinPlan, { cluster, missing }: Seen): string[] {
  const wanting = missing.map(({ subject }) => subject);
  const names = [
    ...plan.members.map(({ member }) => member),
    ...cluster.members.map(({ name }) => name),
  ].filter((name, at, all) => all.indexOf(name) === at && wanting.includes(memberOf(here, name)));
  return names.map((name) =>
    name === cluster.leaderName
      ? `if ${name} was not rewound (its log says why): stop its Patroni, remove its data directory, and start it again`
      : `if ${name} was not rewound: ${siteCommand(here, 'reinit', name)}`,
  );
}

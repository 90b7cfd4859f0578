/** Watches from outside whether as many votes are alive as /sync promises for an election. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab/cluster.js';

/** One look at a moment at which /sync stood still. */
export interface VoteLook {
  atMs: number;
  /** quorum + 1: so many of `voters` and the leader of /sync are needed to elect. */
  needed: number;
  /** Of these, members whose PostgreSQL runs. */
  alive: string[];
  /** All of them. */
  voting: string[];
}

const EVERY_MS = 100;
/** A busy member answers late; one that is gone refuses at once. */
const LATE_MS = 5000;

/** Looks every 100 ms until stopped. A look in which /sync changed, or a member answered late, counts for nothing. */
export function watchVotes(lab: Lab): { looks: VoteLook[]; stop: () => Promise<void> } {
  const looks: VoteLook[] = [];
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const nextMs = Date.now() + EVERY_MS;
      const found = await look(lab).catch(() => null);
      if (found !== null) looks.push(found);
      await sleep(Math.max(0, nextMs - Date.now()));
    }
  };
  const done = run();
  return {
    looks,
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

async function look(lab: Lab): Promise<VoteLook | null> {
  const before = await syncKey(lab);
  const states = await Promise.all(
    lab.members.map(async ({ name }) => [name, await isRunning(lab, name)] as const),
  );
  const after = await syncKey(lab);
  if (before === null || before !== after) return null;
  const { leader, sync_standby: standbys, quorum } = JSON.parse(before) as SyncValue;
  if (!leader || states.some(([, running]) => running === null)) return null;
  const voting = [leader, ...(standbys ?? '').split(',').filter((name) => name !== '')];
  const running = new Set(states.flatMap(([name, is]) => (is === true ? [name] : [])));
  const alive = voting.filter((name) => running.has(name));
  return { atMs: Date.now(), needed: Number(quorum ?? 0) + 1, alive, voting };
}

interface SyncValue {
  leader: string | null;
  sync_standby: string | null;
  quorum: number | string | null;
}

/** Over etcd's own HTTP: a program for each look would be too slow. */
async function syncKey(lab: Lab): Promise<string | null> {
  const url = lab.etcd[0]?.url ?? '';
  const key = Buffer.from(`/service/${lab.scope}/sync`).toString('base64');
  const answer = await fetch(`${url}/v3/kv/range`, {
    method: 'POST',
    body: JSON.stringify({ key }),
    signal: AbortSignal.timeout(LATE_MS),
  });
  const { kvs } = (await answer.json()) as { kvs?: { value: string }[] };
  const value = kvs?.[0]?.value;
  return value === undefined ? null : Buffer.from(value, 'base64').toString('utf8');
}

/** null: it answered late. */
async function isRunning(lab: Lab, name: string): Promise<boolean | null> {
  try {
    const { json } = await lab.rest(name, '/patroni', { timeoutMs: LATE_MS });
    return (json as { state?: string } | null)?.state === 'running';
  } catch (error) {
    return String(error).includes('ECONNREFUSED') ? false : null;
  }
}

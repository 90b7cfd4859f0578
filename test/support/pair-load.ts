/** A client that commits all the time, wherever a primary of two sites takes it, and what became of each commit. */
import pg from 'pg';
import { eventually } from './eventually.js';
import type { Lab } from './lab/cluster.js';
import { PASSWORDS } from './lab/configs.js';

export interface PairLoad {
  /** Ids that PostgreSQL acknowledged, with the time of the answer. */
  acknowledged: { id: number; atMs: number }[];
  /** Of the longest time between two acknowledged commits, ms. */
  longestGapMs(): number;
  stop(): Promise<void>;
}

/** Into table logged (id int), which it makes. */
export async function pairLoad(...sites: Lab[]): Promise<PairLoad> {
  const acknowledged: PairLoad['acknowledged'] = [];
  let isStopped = false;
  let client: pg.Client | null = null;
  client = await eventually('a primary takes writes', 30_000, () => connected(sites));
  await client.query('CREATE TABLE IF NOT EXISTS logged (id int)');
  await client.query('TRUNCATE logged');
  const run = async (): Promise<void> => {
    for (let id = 1; !isStopped; id += 1) {
      try {
        client ??= await connected(sites);
        if (client !== null) {
          await client.query('INSERT INTO logged VALUES ($1)', [id]);
          acknowledged.push({ id, atMs: Date.now() });
        }
      } catch {
        client?.end().catch(() => undefined);
        client = null;
      }
      await new Promise((resolve) => setTimeout(resolve, client === null ? 50 : 4));
    }
    await client?.end().catch(() => undefined);
  };
  const done = run();
  return {
    acknowledged,
    longestGapMs: () =>
      Math.max(
        0,
        ...acknowledged.map(({ atMs }, at) => atMs - (acknowledged[at - 1]?.atMs ?? atMs)),
      ),
    stop: () => {
      isStopped = true;
      return done;
    },
  };
}

/** The acknowledged ids that a member does not have. */
export async function lostOn(
  lab: Lab,
  member: string,
  { acknowledged }: PairLoad,
): Promise<number[]> {
  const rows = (await lab.psql(member, 'SELECT id FROM logged')).split('\n');
  const has = new Set(rows.map(Number));
  return acknowledged.map(({ id }) => id).filter((id) => !has.has(id));
}

/** null: no member of any site takes writes. */
async function connected(sites: readonly Lab[]): Promise<pg.Client | null> {
  for (const { host, port } of sites.flatMap(({ members }) => members)) {
    const login = { user: 'postgres', password: PASSWORDS.superuser, database: 'postgres' };
    const client = new pg.Client({ host, port, ...login, connectionTimeoutMillis: 3000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ is: boolean }>('SELECT pg_is_in_recovery() AS is');
      if (rows[0]?.is === false) return client;
    } catch {
      // The next one.
    }
    client.end().catch(() => undefined);
  }
  return null;
}

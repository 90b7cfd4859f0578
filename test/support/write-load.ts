/** A client that commits all the time, and what became of each commit. */
import pg from 'pg';
import type { Lab } from './lab/cluster.js';
import { PASSWORDS } from './lab/configs.js';

export interface Write {
  id: number;
  atMs: number;
  tookMs: number;
  failed: string | null;
}

/** One commit after another into table load (id int) on the leader, until stopped. */
export function writeLoad(lab: Lab): { writes: Write[]; stop: () => Promise<void> } {
  const writes: Write[] = [];
  let stopped = false;
  const run = async (): Promise<void> => {
    let client: pg.Client | null = null;
    for (let id = 1; !stopped; id += 1) {
      const atMs = Date.now();
      let failed: string | null = null;
      try {
        client ??= await connected(lab);
        await client.query('INSERT INTO load VALUES ($1)', [id]);
      } catch (error) {
        failed = error instanceof Error ? error.message : String(error);
        void client?.end().catch(() => undefined);
        client = null;
      }
      writes.push({ id, atMs, tookMs: Date.now() - atMs, failed });
      await new Promise((resolve) => setTimeout(resolve, failed === null ? 10 : 100));
    }
    await client?.end();
  };
  const done = run();
  return {
    writes,
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

async function connected(lab: Lab): Promise<pg.Client> {
  const { host, port } = lab.member((await lab.leader()) ?? '');
  const password = PASSWORDS.superuser;
  const client = new pg.Client({ host, port, user: 'postgres', password, database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

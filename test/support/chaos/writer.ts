/** A client that writes without pause, and remembers every commit that PostgreSQL acknowledged. */
import { join } from 'node:path';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Lab } from '../lab/cluster.js';
import { primariesOf } from './holds.js';
import type { Judge } from './judge.js';

const BETWEEN_MS = 40;
/** A commit that waits for so long is given up; it was not acknowledged. */
const COMMIT_LIMIT_MS = 15_000;
const CREATE = 'CREATE TABLE IF NOT EXISTS chaos (id bigint PRIMARY KEY, line text)';
const INSERT = "INSERT INTO chaos VALUES ($1, repeat('x', 200))";

export interface Commit {
  id: number;
  /** When the acknowledgement came, ms since 1970. */
  at: number;
  /** The member that acknowledged it. */
  on: string;
}

export interface Writer {
  /** Commits acknowledged in all. */
  count(): number;
  /** Those since the last call that the primary does not have; only for a healthy cluster. */
  lost(leader: string): Promise<Commit[]>;
  stop(): Promise<void>;
}

interface Session {
  on: string;
  commit(id: number): Promise<boolean>;
  close(): void;
}

/** Begins to write to the primary, and stays there while it answers. */
export function startWriter(lab: Lab, judge: Judge): Writer {
  let isOver = false;
  let lastId = 0;
  let acknowledged = 0;
  let unchecked: Commit[] = [];

  const write = async (): Promise<void> => {
    let session: Session | null = null;
    while (!isOver) {
      const on: string = session?.on ?? primariesOf(judge.latest())[0] ?? '';
      try {
        session ??= await openSession(lab, on);
        lastId += 1;
        if (await session.commit(lastId)) {
          acknowledged += 1;
          unchecked.push({ id: lastId, at: Date.now(), on });
        }
        await sleep(BETWEEN_MS);
      } catch {
        session?.close();
        session = null;
        await sleep(200);
      }
    }
    session?.close();
  };
  const writing = write();
  return {
    count: () => acknowledged,
    lost: async (leader) => {
      const asked = [...unchecked];
      const first = asked[0]?.id;
      if (first === undefined) return [];
      const there = await lab.psql(leader, `SELECT id FROM chaos WHERE id >= ${first}`);
      const present = new Set(there.split('\n').map(Number));
      unchecked = unchecked.slice(asked.length);
      return asked.filter(({ id }) => !present.has(id));
    },
    stop: async () => {
      isOver = true;
      await writing;
    },
  };
}

async function openSession(lab: Lab, on: string): Promise<Session> {
  const socket = new Socket();
  const client = new pg.Client({
    host: join(lab.root, 'run'),
    port: lab.member(on).port,
    user: 'postgres',
    database: 'postgres',
    stream: () => socket,
  });
  client.on('error', () => undefined);
  let isDoubtful = false;
  // A commit whose wait for a standby was cancelled is acknowledged with this warning: it may be lost.
  client.on('notice', ({ severity }) => (isDoubtful ||= severity === 'WARNING'));
  const within = async <T>(work: Promise<T>): Promise<T> => {
    const limit = setTimeout(() => socket.destroy(new Error('too late')), COMMIT_LIMIT_MS);
    return await work.finally(() => clearTimeout(limit));
  };
  try {
    await within(client.connect());
    await within(client.query(CREATE));
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    on,
    commit: async (id) => {
      isDoubtful = false;
      await within(client.query(INSERT, [id]));
      return !isDoubtful;
    },
    close: () => void socket.destroy(),
  };
}

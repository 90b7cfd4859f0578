/** A real pgbouncer, pooling transactions, which knows one user and one database. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { unprivilegedUser } from './lab/process.js';
import { ensurePgbouncer } from './setup.js';

export interface Pgbouncer {
  port: number;
  end(): Promise<void>;
}

export interface Pool {
  /** Folder for its files. */
  root: string;
  /** Where its connections lead. */
  backendPort: number;
  database: string;
  user: string;
  password: string;
}

/** Listens when this returns; what is behind it may still be away. */
export async function startPgbouncer(pool: Pool): Promise<Pgbouncer> {
  const program = await ensurePgbouncer();
  const port = await freePort();
  const folder = `${pool.root}/pgbouncer-${port}`;
  mkdirSync(folder);
  const config = [
    '[databases]',
    `${pool.database} = host=127.0.0.1 port=${pool.backendPort} dbname=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${folder}/users.txt`,
    'pool_mode = transaction',
    'server_login_retry = 1',
    'server_fast_close = 1',
  ];
  writeFileSync(`${folder}/pgbouncer.ini`, `${config.join('\n')}\n`);
  writeFileSync(`${folder}/users.txt`, `"${pool.user}" "${pool.password}"\n`);
  const user = unprivilegedUser();
  if (user !== null) chownSync(folder, user.uid, user.gid);
  const process = spawn(program, [`${folder}/pgbouncer.ini`], { stdio: 'ignore', ...user });
  const ended = once(process, 'exit');
  await eventually('pgbouncer listens', 20_000, () => accepts(port));
  return {
    port,
    end: async () => {
      process.kill('SIGKILL');
      await ended;
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

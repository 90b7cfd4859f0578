/** A PostgreSQL of its own beside a cluster, whose subscription follows whichever member is the primary. */
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { ensureSetup } from '../setup.js';
import { PASSWORDS } from './configs.js';
import type { Lab } from './controller.js';
import { cleanEnv, runProgram, startDaemon, unprivilegedUser } from './process.js';

/** Names its socket only: it listens on no address. */
const PORT = '5432';

export interface Subscriber {
  /** Runs SQL as superuser: rows as lines. */
  psql(sql: string): Promise<string>;
}

/** Starts it, of the cluster's own version. It ends when the cluster is taken down. */
export async function startSubscriber(lab: Lab): Promise<Subscriber> {
  const { patroni, pg } = lab.state.options;
  const { pgBin } = await ensureSetup({ patroni, pg });
  const run = join(lab.root, 'run');
  const folder = join(lab.root, 'data/subscriber');
  const how = { env: cleanEnv(run), user: unprivilegedUser(), cwd: run };
  const succeeds = async (program: string, args: string[], input = ''): Promise<string> => {
    const done = await runProgram(join(pgBin, program), args, { ...how, input });
    if (done.code === 0) return done.out.trimEnd();
    throw new Error(`${program} of the subscriber: ${done.err.trim()}`);
  };
  const psql = (sql: string): Promise<string> =>
    succeeds('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', run, '-p', PORT, '-f', '-'], sql);

  await succeeds('initdb', ['-D', folder, '-U', 'postgres', '--no-sync', '--no-instructions']);
  await startDaemon({
    ...how,
    command: join(pgBin, 'postgres'),
    args: ['-D', folder, '-k', run, '-p', PORT, '-c', 'listen_addresses=', '-c', 'fsync=off'],
    logFile: join(lab.root, 'log/subscriber.log'),
  });
  await eventually('the subscriber runs', 60_000, () => psql('SELECT 1'));
  return { psql };
}

/** A conninfo that finds the primary wherever it is, as applications have it. */
export function primaryConninfo({ members }: Lab): string {
  const hosts = members.map(({ host }) => host).join(',');
  const ports = members.map(({ port }) => port).join(',');
  const login = `dbname=postgres user=postgres password=${PASSWORDS.superuser}`;
  return `host=${hosts} port=${ports} ${login} target_session_attrs=read-write`;
}

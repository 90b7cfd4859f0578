/** Makes the Context that commands get: every witness connected when first asked for, closed at the end. */
import type { Config, EtcdSettings } from '../config/effective.js';
import type { Dcs, Endpoint } from '../dcs/dcs.js';
import type { ResolveSrv } from '../dcs/srv.js';
import { ToolError } from '../errors.js';
import type { Io } from '../output/io.js';
import type { Patroni } from '../patroni/patroni.js';
import type { Postgres } from '../postgres/postgres.js';
import type { Clock, GlobalFlags, Context } from '../context.js';

/** What run.ts knows of the process. */
export interface ProcessEnvironment {
  io: Io;
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
  /** argv[1]: called as `patronictl` means --compat. */
  programName: string;
  signal: AbortSignal;
  /** Instead of the machine's own DNS. */
  resolveSrv?: ResolveSrv;
}

export const DEFAULT_TIMEOUT_MS = 3000;

const clock: Clock = {
  nowMs: () => Date.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end);
    }),
};

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

export function makeContext(world: ProcessEnvironment): {
  context: Context;
  close: () => Promise<void>;
} {
  const { env } = world;
  const flags: GlobalFlags = {
    configFile: undefined,
    dcsUrl: undefined,
    insecure: false,
    compat: /(^|[\\/])patronictl$/.test(world.programName),
    color: true,
    debug: false,
    jsonErrors: false,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    login: { username: undefined, database: undefined, password: undefined },
  };
  const wantsColor = () => flags.color && !env['NO_COLOR'];
  // Not a copy: that would open stdin, which costs start-up.
  const io = Object.create(world.io, {
    outColor: { get: () => world.io.outColor && wantsColor() },
    errColor: { get: () => world.io.errColor && wantsColor() },
  }) as Io;

  const config = once(() => readConfig(world, flags));
  let opened: Dcs | undefined;
  const dcs = once(
    async () => (opened = await connectDcs(await config(), flags.timeoutMs, world.resolveSrv)),
  );
  const context: Context = {
    io,
    clock,
    env,
    signal: world.signal,
    flags,
    config,
    dcs,
    patroni: once(async (): Promise<Patroni> => {
      const { openPatroni } = await import('../patroni/rest.js');
      return openPatroni((await config()).rest);
    }),
    postgres: once(async (): Promise<Postgres> => {
      const { openPostgres } = await import('../postgres/connect.js');
      return openPostgres((await config()).logins, env, flags.login);
    }),
  };
  return { context, close: async () => opened?.close() };
}

async function readConfig(world: ProcessEnvironment, flags: GlobalFlags): Promise<Config> {
  const { loadConfig } = await import('../config/load.js');
  return loadConfig({
    flags,
    env: world.env,
    home: world.env['HOME'] ?? '/',
    platform: world.platform,
  });
}

async function connectDcs(
  config: Config,
  timeoutMs: number,
  resolveSrv: ResolveSrv | undefined,
): Promise<Dcs> {
  const { etcd } = config;
  if (!etcd) {
    throw new ToolError('error', 'nothing tells where the DCS is', {
      code: 'no_dcs',
      hint: 'give -c FILE with an etcd3 section, --dcs-url etcd3://host:port, or PATRONI_ETCD3_HOSTS',
    });
  }
  const setting = (name: string) => {
    const key = `etcd3.${name}`;
    const from = config.sources.find((one) => one.key === key)?.source ?? 'configuration';
    return { key, from };
  };
  const { openDcs } = await import('../dcs/open.js');
  const { readPem } = await import('../config/pem.js');
  return openDcs({
    endpoints: await endpointsOf(etcd, timeoutMs, resolveSrv),
    username: etcd.username,
    password: etcd.password,
    ca: await readPem(etcd.cacert, 'certificate', setting('cacert')),
    cert: await readPem(etcd.cert, 'certificate', setting('cert')),
    key: await readPem(
      etcd.key ?? etcd.cert,
      'private key',
      setting(etcd.key === null ? 'cert' : 'key'),
    ),
    keyPassword: etcd.keyPassword,
    timeoutMs,
  });
}

/** As Patroni: what the DNS says, and only where it says nothing the hosts that are listed too. */
async function endpointsOf(
  { srv, endpoints }: EtcdSettings,
  timeoutMs: number,
  resolveSrv: ResolveSrv | undefined,
): Promise<Endpoint[]> {
  if (srv === null) return endpoints;
  const { discoverEtcd } = await import('../dcs/srv.js');
  try {
    return await discoverEtcd(srv, timeoutMs, resolveSrv);
  } catch (error) {
    if (endpoints.length === 0) throw error;
    return endpoints;
  }
}

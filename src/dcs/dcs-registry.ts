/** Every way to a cluster's claims: a row says when it is meant and opens it. The first row that is meant counts. */
import type { Config } from '../config/effective.js';
import { ToolError } from '../errors.js';
import type { Patroni } from '../patroni/patroni.js';
import type { Dcs } from './dcs.js';
import type { ResolveSrv } from './etcd3/srv.js';

/** What an implementation may know of the world when it is opened. */
export interface DcsWorld {
  config: Config;
  env: Readonly<Record<string, string | undefined>>;
  home: string;
  /** --snapshot FILE */
  recording: string | undefined;
  /** Limit of one call, ms. */
  timeoutMs: number;
  /** Instead of the machine's own DNS. */
  resolveSrv: ResolveSrv | undefined;
}

interface Row {
  isMeant(world: DcsWorld): boolean;
  /** Connects at the first call, not before. */
  open(world: DcsWorld): Promise<Dcs>;
  /** Where members are not reached directly: their REST API as this way reaches it. */
  patroni?(dcs: Dcs, direct: Patroni, world: DcsWorld): Promise<Patroni>;
}

/** A recording is named by an option, and stronger than any configuration. */
const REGISTRY: readonly Row[] = [
  {
    isMeant: ({ recording }) => recording !== undefined,
    open: async ({ recording = '' }) =>
      (await import('./recording/recorded-dcs.js')).recordedDcs(recording),
  },
  {
    isMeant: ({ config }) => config.etcd !== null,
    open: async (world) => {
      const { etcd } = world.config;
      if (etcd === null) throw notConfigured();
      return (await import('./etcd3/connect-etcd.js')).connectEtcd(etcd, world);
    },
  },
  {
    isMeant: ({ config }) => config.kubernetes !== null,
    open: async (world) =>
      (await import('./kubernetes/connect-kubernetes.js')).connectKubernetes(world),
    patroni: async (dcs, direct, world) =>
      (await import('./kubernetes/pod-rest.js')).patroniOfPods(dcs, direct, world),
  },
];

const chosen = (world: DcsWorld): Row | undefined => REGISTRY.find((row) => row.isMeant(world));

/** The DCS that is configured. ToolError `no_dcs` when nothing tells where it is. */
export async function openDcs(world: DcsWorld): Promise<Dcs> {
  const row = chosen(world);
  if (!row) throw notConfigured();
  return row.open(world);
}

/** Patroni's REST API as the configured way reaches it; `direct` where that is the way. */
export async function patroniOf(
  world: DcsWorld,
  dcs: () => Promise<Dcs>,
  direct: Patroni,
): Promise<Patroni> {
  const row = chosen(world);
  return row?.patroni ? row.patroni(await dcs(), direct, world) : direct;
}

function notConfigured(): ToolError {
  return new ToolError('error', 'no DCS is configured', {
    code: 'no_dcs',
    hint: 'give -c FILE with an etcd3 or kubernetes section, --dcs-url etcd3://host:port, --kube-context NAME, or PATRONI_ETCD3_HOSTS',
  });
}

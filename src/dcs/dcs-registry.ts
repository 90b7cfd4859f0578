/** Every way to a cluster's claims. A row says when it applies and opens it; the first row that applies counts. */
import type { Config } from '../config/effective.js';
import { printable } from '../config/printable.js';
import { ToolError } from '../errors.js';
import type { Patroni } from '../patroni/patroni.js';
import type { Dcs } from './dcs.js';
import type { DcsInputs } from './dcs-inputs.js';

interface Row {
  isMeant(world: DcsInputs): boolean;
  /** Connects at the first call, not before. */
  open(world: DcsInputs): Promise<Dcs>;
  /** Where members are not reached directly: their REST API as this way reaches it. */
  patroni?(dcs: Dcs, direct: Patroni, world: DcsInputs): Promise<Patroni>;
}

/** A recording is named by an option and overrides any configuration. */
const REGISTRY: readonly Row[] = [
  {
    isMeant: ({ recording }) => recording !== undefined,
    open: async ({ recording = '', recordedAtMs }) =>
      (await import('./recording/recorded-dcs.js')).recordedDcs(recording, recordedAtMs),
  },
  {
    isMeant: ({ config }) => config.memberUrls !== null,
    open: async (world) => (await import('./rest/connect-rest.js')).connectRest(world),
  },
  {
    isMeant: ({ config }) => config.etcd !== null,
    open: async (world) => {
      const { etcd } = world.config;
      if (etcd === null) throw notConfigured(world.config);
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

const chosen = (world: DcsInputs): Row | undefined => REGISTRY.find((row) => row.isMeant(world));

/** The DCS that is configured. ToolError `no_dcs` when nothing tells where it is. */
export async function openDcs(world: DcsInputs): Promise<Dcs> {
  const row = chosen(world);
  if (!row) throw notConfigured(world.config);
  return row.open(world);
}

/** Patroni's REST API as the configured way reaches it; `direct` where that is the way. */
export async function patroniOf(
  world: DcsInputs,
  dcs: () => Promise<Dcs>,
  direct: Patroni,
): Promise<Patroni> {
  const row = chosen(world);
  return row?.patroni ? row.patroni(await dcs(), direct, world) : direct;
}

/** What was looked for, what could be meant, and what to give; null: some configuration was read. */
export function notFound({ search }: Config): { message: string; hint: string } | null {
  if (search.read) return null;
  const { path, others } = search;
  const several = others.length === 0 ? '' : `; on this machine: ${others.join(', ')}`;
  return {
    message: printable(`no configuration found (looked for ${path})`),
    hint: printable(`give -c FILE, the patroni.yml of a member for example${several}`),
  };
}

function notConfigured(config: Config): ToolError {
  const absent = notFound(config);
  if (absent) {
    const hint = `${absent.hint}\nor --dcs-url etcd3://host:port, --kube-context NAME, or PATRONI_ETCD3_HOSTS`;
    return new ToolError('error', absent.message, { code: 'no_dcs', hint });
  }
  return new ToolError('error', 'no DCS is configured', {
    code: 'no_dcs',
    hint: 'give -c FILE with an etcd3 or kubernetes section, --dcs-url etcd3://host:port, --rest http://member:8008, --kube-context NAME, or PATRONI_ETCD3_HOSTS',
  });
}

/** etcd v3 as the configuration has it: addresses or service records, certificates from files. */
import type { Config, EtcdSettings } from '../../config/effective.js';
import type { Dcs } from '../dcs.js';
import { keyedDcs } from '../keyed/keyed-dcs.js';
import type { DcsInputs } from '../dcs-inputs.js';
import type { Endpoint } from '../../config/endpoints.js';
import type { ResolveSrv } from './srv.js';

export async function connectEtcd(etcd: EtcdSettings, world: DcsInputs): Promise<Dcs> {
  const { config, timeoutMs } = world;
  const [{ openEtcd }, { readPem }] = await Promise.all([
    import('./open-etcd.js'),
    import('../../config/pem.js'),
  ]);
  const setting = (name: string) => {
    const key = `etcd3.${name}`;
    return { key, from: sourceOf(config, key) };
  };
  const store = openEtcd({
    endpoints: await endpointsOf(etcd, timeoutMs, world.resolveSrv),
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
  return keyedDcs(store, config.namespace);
}

function sourceOf(config: Config, key: string): string {
  return config.sources.find((one) => one.key === key)?.source ?? 'configuration';
}

/** As Patroni: what the DNS says, and only where it says nothing the hosts that are listed too. */
async function endpointsOf(
  { srv, endpoints }: EtcdSettings,
  timeoutMs: number,
  resolveSrv: ResolveSrv | undefined,
): Promise<Endpoint[]> {
  if (srv === null) return endpoints;
  const { discoverEtcd } = await import('./srv.js');
  try {
    return await discoverEtcd(srv, timeoutMs, resolveSrv);
  } catch (error) {
    if (endpoints.length === 0) throw error;
    return endpoints;
  }
}

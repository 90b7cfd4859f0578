/** The DCS that commands use: quick reads through the gateway, everything else over gRPC, loaded when needed. */
import { ToolError } from '../../errors.js';
import type { KeyStore, WatchEvent } from '../keyed/key-store.js';
import type { EtcdConnection } from './etcd-connection.js';
import { GatewayRefused, openGateway } from './gateway.js';
import type { Gateway } from './gateway.js';
import { walkEndpoints } from './walk.js';

/** Connects at the first call; throws ToolError `usage` when no endpoint is configured. */
export function openEtcd(settings: EtcdConnection): KeyStore {
  if (settings.endpoints.length === 0) {
    throw new ToolError('usage', 'no etcd endpoint is configured', {
      hint: 'Give --dcs-url, or etcd3.hosts in the configuration file, or PATRONI_ETCD3_HOSTS.',
    });
  }
  const walk = walkEndpoints(settings.endpoints);
  const gateway = openGateway(settings, walk);
  let gatewayWorks = true;
  let overGrpc: Promise<KeyStore> | undefined;
  const grpc = (): Promise<KeyStore> =>
    (overGrpc ??= import('./etcd3.js').then(({ openEtcd3 }) => openEtcd3(settings, walk)));

  async function read<T>(ask: (dcs: Gateway) => Promise<T>): Promise<T> {
    if (!gatewayWorks) return ask(await grpc());
    try {
      return await ask(gateway);
    } catch (error) {
      if (!(error instanceof GatewayRefused)) throw error;
      gatewayWorks = false;
      return ask(await grpc());
    }
  }

  async function* watch(
    prefix: string,
    afterRevision: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent> {
    yield* (await grpc()).watch(prefix, afterRevision, signal);
  }

  return {
    range: (...args) => read((dcs) => dcs.range(...args)),
    rangeInto: (...args) => read((dcs) => dcs.rangeInto(...args)),
    deletedKeys: (...args) => read((dcs) => dcs.deletedKeys(...args)),
    rangeAt: (...args) => read((dcs) => dcs.rangeAt(...args)),
    watch,
    txn: async (compares, ops) => (await grpc()).txn(compares, ops),
    close: async () => (await overGrpc)?.close(),
  };
}

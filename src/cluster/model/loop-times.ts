import type { Cluster, DynamicConfig } from './model.js';

/** How often Patroni looks, and how long it holds on. All in seconds. */
export type LoopTimes = Pick<
  DynamicConfig,
  'ttlSeconds' | 'loopWaitSeconds' | 'retryTimeoutSeconds'
>;

/** What Patroni takes where the dynamic configuration does not say. */
export const DEFAULT_TIMES: LoopTimes = {
  ttlSeconds: 30,
  loopWaitSeconds: 10,
  retryTimeoutSeconds: 10,
};

/** The times that a dynamic configuration sets; Patroni's defaults where there is none. */
export function loopTimes(config: DynamicConfig | null): LoopTimes {
  return config ?? DEFAULT_TIMES;
}

/** loop_wait of a cluster, ms. */
export function loopWaitMs({ config }: Pick<Cluster, 'config'>): number {
  return loopTimes(config).loopWaitSeconds * 1000;
}

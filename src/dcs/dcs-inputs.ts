/** What an implementation of the port is opened with. */
import type { Config } from '../config/effective.js';
import type { ResolveSrv } from './etcd3/srv.js';

/** What an implementation is opened with. */
export interface DcsInputs {
  config: Config;
  env: Readonly<Record<string, string | undefined>>;
  home: string;
  /** --snapshot FILE */
  recording: string | undefined;
  /** --at TIME, ms since 1970; null: the end of the recording. */
  recordedAtMs: number | null;
  /** Limit of one call, ms. */
  timeoutMs: number;
  /** Instead of the machine's own DNS. */
  resolveSrv: ResolveSrv | undefined;
}

/** Where etcd is and how to log in there. */
import type { Endpoint } from '../../config/endpoints.js';

/** Everything needed to reach etcd; files are already read (PEM text). */
export interface EtcdConnection {
  endpoints: Endpoint[];
  username: string | null;
  password: string | null;
  /** PEM of the CA, client certificate and key; null when not configured. */
  ca: string | null;
  cert: string | null;
  key: string | null;
  keyPassword: string | null;
  /** Overall limit of one call over all endpoints, ms. */
  timeoutMs: number;
}

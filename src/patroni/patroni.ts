/** Patroni's REST API in our words. rest.ts implements it over node:http(s). */
import type { JsonValue, Reading, RestStatus, SilenceKind } from '../cluster/model/model.js';

export interface RestTarget {
  /** The member's api_url as in its DCS key, e.g. http://10.0.0.1:8008/patroni */
  apiUrl: string;
  /** What the answer must say of itself to count. */
  name: string;
  scope: string;
}

/** One HTTP answer, whatever its status. */
export interface RestAnswer {
  status: number;
  body: string;
  json: JsonValue | null;
}

/** sent: the request may have reached Patroni, the answer was lost. Never send it again. */
export type CallOutcome =
  | { kind: 'answered'; answer: RestAnswer }
  | {
      kind: 'not_sent';
      reason: string;
      /** How it failed, where that is known. */
      why?: SilenceKind;
      /** As in Reading. */
      unasked?: true;
    }
  | { kind: 'lost'; reason: string };

export interface Patroni {
  /** GET /patroni, identity checked. Never throws. */
  status(target: RestTarget, timeoutMs: number): Promise<Reading<RestStatus>>;
  /** One request, once: `path` without leading host, e.g. '/switchover'. Never throws, never retries. */
  call(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    apiUrl: string,
    path: string,
    body: JsonValue | null,
    timeoutMs: number,
  ): Promise<CallOutcome>;
}

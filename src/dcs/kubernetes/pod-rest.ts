/** Patroni's REST API of Pods: directly, or through the API server's proxy where their addresses lead nowhere. */
import type { Reading, RestStatus } from '../../cluster/model/model.js';
import type { CallOutcome, Patroni, RestTarget } from '../../patroni/patroni.js';
import { parseJson } from '../../patroni/parse-status.js';
import { readStatus } from '../../patroni/rest.js';
import type { Dcs } from '../dcs.js';
import type { DcsInputs } from '../dcs-inputs.js';
import type { KubeOutcome, KubeRequest } from './kube-client.js';
import type { KubernetesDcs, PodAddress } from './kubernetes-dcs.js';
import { monotonicMs } from '../../clock.js';
import { errorMessage } from '../../errors.js';

/** Through the proxy each call may need both ways: a direct try is given up after this part of the limit. */
const DIRECT_PART = 0.5;
/** A direct connection that is not there within this time is not waited for while the proxy can be asked. */
const DIRECT_LIMIT_MS = 1000;

type Call = Parameters<Patroni['call']>;

export function patroniOfPods(dcs: Dcs, direct: Patroni, { config }: DcsInputs): Patroni {
  const { client, podOf } = dcs as KubernetesDcs;
  const mode = config.kubernetes?.settings.proxy ?? 'auto';
  if (mode === 'never') return direct;
  const hasLogin = config.rest.username !== null || config.rest.certfile !== null;
  /** Pods that were not reached directly: they are not tried so again. */
  const unroutable = new Set<string>();

  const through = async (pod: PodAddress, asked: Call): Promise<KubeOutcome> =>
    (await client()).call(throughProxy(pod, asked));

  const call: Patroni['call'] = async (...args) => {
    const [method, apiUrl, path, body, timeoutMs] = args;
    const pod = podOf(apiUrl);
    if (pod === null) return direct.call(...args);
    const isKnown = mode === 'always' || unroutable.has(apiUrl);
    let reason: string | null = null;
    if (!isKnown) {
      // What was surely not sent may be sent another way; anything else is never sent twice.
      const reached = await isReached(direct, apiUrl, timeoutMs);
      if (reached === null) return direct.call(method, apiUrl, path, body, timeoutMs);
      reason = reached;
    }
    const outcome = await through(pod, args).catch(asOutcome);
    if (reason !== null && outcome.kind === 'answered' && isPatronis(outcome))
      unroutable.add(apiUrl);
    return told(outcome, reason, hasLogin);
  };

  const status: Patroni['status'] = async (target, timeoutMs) => {
    const pod = podOf(target.apiUrl);
    if (pod === null) return direct.status(target, timeoutMs);
    const startedMs = monotonicMs();
    let first: Reading<RestStatus> | null = null;
    if (mode !== 'always' && !unroutable.has(target.apiUrl)) {
      first = await direct.status(target, Math.min(timeoutMs * DIRECT_PART, DIRECT_LIMIT_MS));
      if (first.ok || first.kind !== 'unreachable') return first;
    }
    const leftMs = Math.max(1, timeoutMs - (monotonicMs() - startedMs));
    const request: Call = ['GET', target.apiUrl, '/patroni', null, leftMs];
    const outcome = await through(pod, request).catch(asOutcome);
    const reading = readingOf(target, outcome, monotonicMs() - startedMs);
    if (reading.ok && first !== null) unroutable.add(target.apiUrl);
    if (reading.ok || first === null) return reading;
    const reason = `${first.reason}; through the API server: ${reading.reason}`;
    return { ...reading, reason };
  };

  return { status, call };
}

/** The same call, to the API server's proxy. */
function throughProxy(
  { scheme, namespace, pod, port }: PodAddress,
  [method, , path, body, timeoutMs]: Call,
): KubeRequest {
  const target = `${scheme === 'https' ? 'https:' : ''}${pod}:${port}`;
  return {
    method,
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${target}/proxy${path}`,
    ...(body === null ? {} : { body: JSON.stringify(body) }),
    timeoutMs,
  };
}

const asOutcome = (error: unknown): KubeOutcome => ({
  kind: 'not_sent',
  reason: errorMessage(error),
});

/** null: the member can be connected to directly; else why not. Nothing but GET /liveness is sent. */
async function isReached(
  direct: Patroni,
  apiUrl: string,
  timeoutMs: number,
): Promise<string | null> {
  const limitMs = Math.min(timeoutMs * DIRECT_PART, DIRECT_LIMIT_MS);
  const outcome = await direct.call('GET', apiUrl, '/liveness', null, limitMs);
  return outcome.kind === 'not_sent' ? outcome.reason : null;
}

/** Kubernetes' own answers about the proxy are `Status` documents; anything else came from the Pod. */
function statusOf({ answer }: { answer: { json: unknown; status: number } }): {
  reason: string;
  code: number;
} | null {
  const { kind, message, reason, code } = (answer.json ?? {}) as Record<string, unknown>;
  if (kind !== 'Status') return null;
  const said = typeof message === 'string' && message !== '' ? message : String(reason);
  return { reason: said, code: typeof code === 'number' ? code : answer.status };
}

function isPatronis(outcome: Extract<KubeOutcome, { kind: 'answered' }>): boolean {
  return statusOf(outcome) === null;
}

/** Refusals of the API server come before anything reaches the Pod; a failure in between may have. */
function told(outcome: KubeOutcome, direct: string | null, hasLogin: boolean): CallOutcome {
  const before = direct === null ? '' : `${direct}; `;
  if (outcome.kind !== 'answered')
    return { ...outcome, reason: `${before}through the API server: ${outcome.reason}` };
  const status = statusOf(outcome);
  if (status !== null) {
    const isSure = status.code < 500 || /connection refused|no route to host/.test(status.reason);
    const reason = `${before}through the API server's proxy: ${status.reason}`;
    return { kind: isSure ? 'not_sent' : 'lost', reason };
  }
  const { status: code, text } = outcome.answer;
  // The API server keeps our login for itself: Patroni's is never passed on.
  const body =
    code === 401 && hasLogin
      ? `${text} (the API server's proxy does not pass on a login for Patroni's REST API)`
      : text;
  return { kind: 'answered', answer: { status: code, body, json: parseJson(text) } };
}

function readingOf(target: RestTarget, outcome: KubeOutcome, tookMs: number): Reading<RestStatus> {
  if (outcome.kind !== 'answered') {
    return { ok: false, kind: 'unreachable', reason: outcome.reason };
  }
  const status = statusOf(outcome);
  if (status !== null) {
    const kind = status.code === 401 || status.code === 403 ? 'denied' : 'unreachable';
    return { ok: false, kind, reason: status.reason };
  }
  const { status: code, text } = outcome.answer;
  return readStatus(target, { status: code, body: text }, tookMs);
}

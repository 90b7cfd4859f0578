/** Trying several etcd endpoints under one deadline, so that a dead or frozen one costs only a share of it. */
import { ToolError, type Evidence } from '../../errors.js';
import type { Endpoint } from '../../config/endpoints.js';

/** One endpoint could not serve the call; another one may. `passing`: it may serve it itself in a moment. */
export class EndpointFailure extends Error {
  readonly passing: boolean;

  constructor(reason: string, passing = false) {
    super(reason);
    this.name = 'EndpointFailure';
    this.passing = passing;
  }
}

/** One try at one endpoint. It stops when `signal` aborts; any error but EndpointFailure ends the walk. */
export type Attempt<T> = (endpoint: Endpoint, signal: AbortSignal) => Promise<T>;

export interface Answered<T> {
  endpoint: Endpoint;
  value: T;
}

export interface Walk {
  /**
   * The first answer of any endpoint, or ToolError `unreachable` once `timeoutMs` have passed.
   * When `signal` aborts it rejects at once.
   */
  first<T>(timeoutMs: number, attempt: Attempt<T>, signal?: AbortSignal): Promise<Answered<T>>;
  /** Try this endpoint last from now on. */
  avoid(endpoint: Endpoint): void;
}

/** An endpoint that is silent for this long gets competition: a read costs etcd little, a wait costs a person. */
const HEDGE_MS = 250;
/** How long a cluster that answered "not now" (an election) is left alone before it is asked again. */
const AGAIN_MS = 150;

/** Remembers which endpoint answered last and begins there the next time. */
export function walkEndpoints(endpoints: readonly Endpoint[]): Walk {
  let order = [...endpoints];
  return {
    async first(timeoutMs, attempt, signal) {
      const answer = await race(order, timeoutMs, attempt, signal);
      order = [answer.endpoint, ...order.filter((other) => other !== answer.endpoint)];
      return answer;
    },
    avoid(endpoint) {
      order = [...order.filter((other) => other !== endpoint), endpoint];
    },
  };
}

function race<T>(
  order: Endpoint[],
  timeoutMs: number,
  attempt: Attempt<T>,
  signal: AbortSignal | undefined,
): Promise<Answered<T>> {
  return new Promise((resolve, reject) => {
    const said = new Map<Endpoint, string>(order.map((endpoint) => [endpoint, 'no answer']));
    const stop = new AbortController();
    const shareMs = Math.min(HEDGE_MS, timeoutMs / (order.length + 1));
    const waiting = [...order];
    const resting = new Map<Endpoint, NodeJS.Timeout>();
    /** Attempts that run, and those that come again in a moment. */
    let open = 0;
    let timer: NodeJS.Timeout | undefined;
    const deadline = setTimeout(() => {
      finish(() => reject(unreachable(said, timeoutMs, true)));
    }, timeoutMs);

    const cancel = (): void => finish(() => reject(new EndpointFailure('cancelled')));

    function finish(settle: () => void): void {
      clearTimeout(timer);
      clearTimeout(deadline);
      for (const rest of resting.values()) clearTimeout(rest);
      signal?.removeEventListener('abort', cancel);
      settle();
      stop.abort();
    }

    function lost(endpoint: Endpoint, error: unknown): void {
      if (stop.signal.aborted) return;
      open -= 1;
      if (!(error instanceof EndpointFailure)) {
        finish(() => reject(error instanceof Error ? error : new Error(String(error))));
        return;
      }
      said.set(endpoint, error.message);
      // Whatever the others do: while one is frozen, these have to elect.
      if (error.passing) again(endpoint);
      next();
    }

    function again(endpoint: Endpoint): void {
      open += 1;
      resting.set(
        endpoint,
        setTimeout(() => ask(endpoint), AGAIN_MS),
      );
    }

    function ask(endpoint: Endpoint): void {
      attempt(endpoint, stop.signal).then(
        (value) => finish(() => resolve({ endpoint, value })),
        (error: unknown) => lost(endpoint, error),
      );
    }

    function next(): void {
      clearTimeout(timer);
      const endpoint = waiting.shift();
      if (endpoint !== undefined) {
        open += 1;
        ask(endpoint);
        if (waiting.length > 0) timer = setTimeout(next, shareMs);
      } else if (open === 0) {
        finish(() => reject(unreachable(said, timeoutMs, false)));
      }
    }

    if (signal?.aborted === true) cancel();
    else next();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** The error if no endpoint answered, with the reason of each. */
function unreachable(
  said: ReadonlyMap<Endpoint, string>,
  timeoutMs: number,
  late: boolean,
): ToolError {
  const evidence = [...said].map(([endpoint, reason]) => endpointEvidence(endpoint, reason));
  const detail = evidence.map(({ subject, said }) => `${subject}: ${said}`).join('; ');
  const limit = timeoutMs < 100 ? `${timeoutMs} ms` : `${Number((timeoutMs / 1000).toFixed(1))} s`;
  const message = late
    ? `etcd did not answer within ${limit} (${detail})`
    : `etcd is not reachable (${detail || 'no endpoint is configured'})`;
  return new ToolError('unreachable', message, { evidence, ...(late ? { hint: LATE_HINT } : {}) });
}

const LATE_HINT =
  'It may be electing a leader or be overloaded: try again, if needed with a longer --timeout. ' +
  'With --serializable, list, status and check read from one etcd member; the data may be old.';

export function endpointEvidence(endpoint: Endpoint, said: string): Evidence {
  return { witness: 'etcd', subject: hostPort(endpoint), said };
}

/** `host:port`, an IPv6 address in brackets. */
export function hostPort({ host, port }: Endpoint): string {
  const bare = bareHost(host);
  return bare.includes(':') ? `[${bare}]:${port}` : `${bare}:${port}`;
}

/** The host as sockets want it: without blanks and brackets. */
export function bareHost(host: string): string {
  return host.trim().replace(/^\[|\]$/g, '');
}

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
    const turns = openTurns(order, Math.min(HEDGE_MS, timeoutMs / (order.length + 1)), ask);
    const cancel = (): void => finish(() => reject(new EndpointFailure('cancelled')));
    const deadline = setTimeout(() => {
      finish(() => reject(unreachable(said, timeoutMs, true)));
    }, timeoutMs);

    function finish(settle: () => void): void {
      turns.end();
      clearTimeout(deadline);
      signal?.removeEventListener('abort', cancel);
      settle();
      stop.abort();
    }

    function ask(endpoint: Endpoint): void {
      attempt(endpoint, stop.signal).then(
        (value) => finish(() => resolve({ endpoint, value })),
        (error: unknown) => lost(endpoint, error),
      );
    }

    function lost(endpoint: Endpoint, error: unknown): void {
      if (stop.signal.aborted) return;
      if (!(error instanceof EndpointFailure)) {
        finish(() => reject(error instanceof Error ? error : new Error(String(error))));
        return;
      }
      said.set(endpoint, error.message);
      if (!turns.failed(endpoint, error)) finish(() => reject(unreachable(said, timeoutMs, false)));
    }

    if (signal?.aborted === true) cancel();
    else if (!turns.next()) finish(() => reject(unreachable(said, timeoutMs, false)));
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

interface Turns {
  /** Asks the endpoint whose turn it is. False: each has been asked, and none of them may answer any more. */
  next(): boolean;
  /** An endpoint that was asked failed; as `next`. */
  failed(endpoint: Endpoint, failure: EndpointFailure): boolean;
  end(): void;
}

/** Whose turn it is to be asked: the next one when one fails or is silent for `shareMs`. */
function openTurns(
  order: readonly Endpoint[],
  shareMs: number,
  ask: (endpoint: Endpoint) => void,
): Turns {
  const waiting = [...order];
  const resting = new Map<Endpoint, NodeJS.Timeout>();
  /** Endpoints that were asked or will be asked again, and have not failed for good. */
  let open = 0;
  let timer: NodeJS.Timeout | undefined;

  function next(): boolean {
    clearTimeout(timer);
    const endpoint = waiting.shift();
    if (endpoint === undefined) return open > 0;
    open += 1;
    ask(endpoint);
    if (waiting.length > 0) timer = setTimeout(next, shareMs);
    return true;
  }

  return {
    next,
    failed(endpoint, { passing }) {
      // Whatever the others do: while one is frozen, these have to elect.
      if (passing) resting.set(endpoint, setTimeout(ask, AGAIN_MS, endpoint));
      else open -= 1;
      return next();
    },
    end() {
      clearTimeout(timer);
      for (const rest of resting.values()) clearTimeout(rest);
    },
  };
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

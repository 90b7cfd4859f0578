/** A cluster of three without a network that carries out what it is asked, or fails as the test wants. */
import { PassThrough } from 'node:stream';
import type { Reading, RestStatus } from '../../src/cluster/model/model.js';
import type { RouteAnswer } from '../../src/cluster/model/route-model.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import { main } from '../../src/main.js';
import type { CallOutcome, Patroni } from '../../src/patroni/patroni.js';
import type { Context } from '../../src/context.js';
import { recorded, UNREACHABLE } from '../support/fake-world.js';
import { holdsCommands } from '../support/typed-commands.js';

export const PREFIX = '/service/demo/';

export interface SentRequest {
  method: string;
  to: string;
  path: string;
  body: unknown;
}

export interface ChangeWorld {
  dcs: MemoryStore;
  leader: string;
  replicas: string[];
  /** What members answer at GET /patroni; a member without an entry is unreachable. */
  rest: Record<string, Reading<RestStatus>>;
  /** Every request that was sent. */
  sent: SentRequest[];
  /** Answers the next requests; the default carries them out. */
  answer: (request: SentRequest) => Promise<CallOutcome> | CallOutcome;
  /** As Patroni does it: the request, the lock, the new leader, the old one back. */
  switchTo(name: string): Promise<void>;
  failoverKey(): Promise<string | null>;
  /** The server behind a route to this port. */
  routes: (port: number) => Reading<RouteAnswer>;
}

export function changeWorld(golden = 'off'): ChangeWorld {
  const cluster = recorded(golden);
  const keys: Record<string, string> = { ...cluster.keys, [`${PREFIX}failover`]: '{}' };
  const leader = keys[`${PREFIX}leader`] ?? '';
  const dcs = memoryStore(keys);
  const rest = { ...cluster.rest };
  const names = Object.keys(rest);
  const world: ChangeWorld = {
    dcs,
    leader,
    replicas: names.filter((name) => name !== leader),
    rest,
    sent: [],
    answer: (request) => carryOut(world, request),
    routes: () => UNREACHABLE,
    switchTo: (name) => switchTo(world, name),
    failoverKey: async () => {
      const { kvs } = await dcs.range(PREFIX);
      return kvs.find(({ key }) => key === `${PREFIX}failover`)?.value ?? null;
    },
  };
  return world;
}

export function answered(status: number, body: string): CallOutcome {
  return { kind: 'answered', answer: { status, body, json: null } };
}

async function carryOut(world: ChangeWorld, { body }: SentRequest): Promise<CallOutcome> {
  const { candidate } = body as { candidate?: string };
  const winner = candidate ?? world.replicas[0] ?? '';
  await world.switchTo(winner);
  return answered(200, `Successfully switched over to "${winner}"`);
}

/** Lets watchers and pollers see what was written so far. */
export const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function switchTo(world: ChangeWorld, name: string): Promise<void> {
  const { dcs, rest, leader } = world;
  dcs.put(`${PREFIX}failover`, JSON.stringify({ leader }));
  await breathe();
  dcs.remove(`${PREFIX}leader`);
  await breathe();
  dcs.put(`${PREFIX}leader`, name);
  dcs.put(`${PREFIX}failover`, '{}');
  promote(rest, leader, name);
}

/** The answers of the members change places. */
export function promote(rest: Record<string, Reading<RestStatus>>, from: string, to: string): void {
  const [old, next] = [rest[from], rest[to]];
  if (!old?.ok || !next?.ok) throw new Error('no member to promote');
  const timeline = (old.value.timeline ?? 1) + 1;
  const others = Object.keys(rest).filter((name) => name !== to);
  const row = { usename: null, clientAddr: null, syncState: 'async', syncPriority: 0 };
  const rows = others.map((applicationName) => ({ ...row, applicationName, state: 'streaming' }));
  const primary = { role: 'primary', location: old.value.location, replication: rows };
  rest[to] = { ...next, value: { ...next.value, ...primary, timeline, state: 'running' } };
  for (const name of others) {
    const { value } = rest[name]?.ok ? rest[name] : next;
    const standby = { role: 'replica', location: null, replication: null, timeline };
    const position = { receivedLocation: old.value.location, replayedLocation: old.value.location };
    rest[name] = { ok: true, tookMs: 1, value: { ...value, name, ...standby, ...position } };
  }
}

export interface WorldRun {
  code: number;
  out: string;
  err: string;
}

export interface WorldOptions {
  /** Answers typed on a terminal; without them there is none. */
  typed?: string[];
  /** When it aborts, SIGINT has come. */
  signal?: AbortSignal;
  onErr?: (text: string) => void;
  env?: Record<string, string>;
}

export async function runIn(
  world: ChangeWorld,
  args: readonly string[],
  { typed, signal, onErr, env }: WorldOptions = {},
): Promise<WorldRun> {
  let out = '';
  let err = '';
  const stdin = new PassThrough();
  if (typed) stdin.end(typed.map((line) => `${line}\n`).join(''));
  const isTty = typed !== undefined;
  const patroni: Patroni = {
    status: ({ name }) => Promise.resolve(world.rest[name] ?? UNREACHABLE),
    call: async (method, apiUrl, path, body) => {
      const request = { method, to: apiUrl, path, body };
      world.sent.push(request);
      return await world.answer(request);
    },
  };
  const postgres: Awaited<ReturnType<Context['postgres']>> = {
    hasLogin: false,
    status: () => Promise.resolve(UNREACHABLE),
    settings: () => Promise.resolve(UNREACHABLE),
    takesWrites: () => Promise.resolve(UNREACHABLE),
    whoAnswers: ({ port }) => Promise.resolve(world.routes(port)),
    terminateLogical: () => Promise.resolve(UNREACHABLE),
    baseBackups: () => Promise.resolve(UNREACHABLE),
    pausedForMs: () => Promise.resolve(UNREACHABLE),
    accessRules: () => Promise.resolve(UNREACHABLE),
    clients: () => Promise.resolve(UNREACHABLE),
    reaches: () => Promise.resolve(UNREACHABLE),
  };
  const code = await main(
    args,
    {
      io: {
        out: (text) => void (out += text),
        err: (text) => {
          err += text;
          onErr?.(text);
        },
        stdin,
        stderr: new PassThrough(),
        stdinIsTty: isTty,
        stdoutIsTty: false,
        stderrIsTty: isTty,
        outColor: false,
        errColor: false,
        columns: 80,
      },
      env: { HOME: '/nonexistent', PATRONI_SCOPE: 'demo', ...env },
      platform: 'linux',
      nodeVersion: '22.0.0',
      arch: 'x64',
      programName: 'patctl',
      signal: signal ?? new AbortController().signal,
    },
    {
      dcs: () => Promise.resolve(keyedDcs(world.dcs, '/service')),
      patroni: () => Promise.resolve(patroni),
      postgres: () => Promise.resolve(postgres),
      clock: quickClock(),
    },
  );
  await holdsCommands(args, out + err);
  return { code, out, err };
}

/** Waits are a hundredth as long, and time goes a hundred times as fast. */
function quickClock(): Context['clock'] {
  const startedMs = Date.now();
  return {
    nowMs: () => startedMs + (Date.now() - startedMs) * 100,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const end = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, Math.max(1, ms / 100));
        signal?.addEventListener('abort', end);
      }),
  };
}

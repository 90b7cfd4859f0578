/** followFleet: what is told of all clusters, and what is not: of a DCS that fails first, or a cluster that is gone. */
import { expect, test } from 'vitest';
import { pause } from '../../src/clock.js';
import type { Cluster, Reading, RestStatus } from '../../src/cluster/model/model.js';
import type { Context } from '../../src/context.js';
import type { Dcs } from '../../src/dcs/dcs.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { ToolError } from '../../src/errors.js';
import { followFleet, type FleetChange } from '../../src/observe/follow-fleet.js';
import { healthy } from './plan-support.js';

const member = (port: number): string =>
  JSON.stringify({
    conn_url: `postgres://10.0.0.1:${port}/postgres`,
    api_url: `http://10.0.0.1:${port}/patroni`,
    state: 'running',
    role: 'primary',
    timeline: 3,
  });
const keysOf = (scope: string): Record<string, string> => ({
  [`/service/${scope}/initialize`]: '7710410091562263061',
  [`/service/${scope}/leader`]: 'pg1',
  [`/service/${scope}/members/pg1`]: member(5432),
});

interface Given {
  scopes?: readonly string[];
  readAll?: (read: Dcs['readAll']) => Dcs['readAll'];
  rest?: (scope: string) => Promise<Reading<RestStatus>>;
  isFirst?: boolean;
  onChange?: (change: FleetChange) => void;
}

/** Follows until `until` says that enough was told; then everything that was told, in a word each. */
async function followed(
  { scopes = ['demo', 'sales'], readAll = (read) => read, rest, isFirst = true, onChange }: Given,
  until: (told: readonly string[], store: ReturnType<typeof memoryStore>) => boolean,
): Promise<string[]> {
  const store = memoryStore(Object.assign({}, ...scopes.map(keysOf)) as Record<string, string>);
  const real = keyedDcs(store, 'service');
  const dcs: Dcs = { ...real, readAll: readAll((how) => real.readAll(how)) };
  const stop = new AbortController();
  const answer = rest ?? (() => Promise.resolve(healthy().readings('pg1').rest));
  const context = {
    clock: { nowMs: () => Date.now(), wait: pause },
    signal: stop.signal,
    flags: { timeoutMs: 200, compat: false, command: 'top' },
    dcs: () => Promise.resolve(dcs),
    patroni: () => Promise.resolve({ status: ({ scope }: { scope: string }) => answer(scope) }),
    postgres: () => Promise.resolve({ hasLogin: false }),
  } as unknown as Context;
  const told: string[] = [];
  const asked = { verify: 'rest', intervalMs: 20, isFirst } as const;
  await followFleet(context, { ...asked, serializable: false, also: [] }, (change) => {
    onChange?.(change);
    const word = wordOf(change);
    if (told.at(-1) !== word) told.push(word);
    if (until(told, store)) stop.abort();
  });
  return told;
}

function wordOf(change: FleetChange): string {
  if (change.kind === 'clusters') return `there: ${change.names.map(({ scope }) => scope).join()}`;
  if (change.kind === 'silent') return change.reason === null ? 'answers' : 'silent';
  const { cluster, members } = change.snapshot;
  return `${cluster.scope} ${members.map(({ rest }) => (rest.ok ? 'answered' : rest.reason)).join()}`;
}

const silent = (): Promise<never> => Promise.reject(new ToolError('unreachable', 'no answer'));

/** Fails at these reads of the DCS, counted from 0. */
function failing(...at: number[]): (read: Dcs['readAll']) => Dcs['readAll'] {
  let reads = 0;
  return (read) => (how) => (at.includes(reads++) ? silent() : read(how));
}

test('every cluster is told with the answers of its members', async () => {
  const told = await followed({}, (all) => all.includes('sales answered'));
  expect(told).toEqual(['answers', 'there: demo,sales', 'demo answered', 'sales answered']);
});

test('a first read that fails is thrown, and so is a DCS without a cluster', async () => {
  await expect(followed({ readAll: failing(0) }, () => false)).rejects.toThrow('no answer');
  await expect(followed({ scopes: [] }, () => false)).rejects.toMatchObject({
    code: 'unknown_cluster',
  });
});

test('later silence is told and survived, also at the first read of a fleet that was left and is back', async () => {
  const later = await followed(
    { scopes: ['demo'], readAll: failing(2) },
    (all) => all.includes('silent') && all.at(-1) === 'demo answered',
  );
  const at = later.indexOf('silent');
  expect(later.slice(at, at + 4)).toEqual(['silent', 'answers', 'there: demo', 'demo answered']);
  const again = await followed(
    { scopes: ['demo'], readAll: failing(0, 1), isFirst: false },
    (all) => all.includes('demo answered'),
  );
  expect(again).toEqual(['silent', 'answers', 'there: demo', 'demo answered']);
  const empty = await followed({ scopes: [], isFirst: false }, (all) => all.includes('there: '));
  expect(empty).toEqual(['answers', 'there: ']);
});

test('a member that hangs delays its own cluster only, which is not told once it is gone', async () => {
  let answerLate: (reading: Reading<RestStatus>) => void = () => undefined;
  const hanging = new Promise<Reading<RestStatus>>((resolve) => (answerLate = resolve));
  const { rest } = healthy().readings('pg1');
  let rounds = 0;
  const told = await followed(
    { rest: (scope) => (scope === 'sales' ? hanging : Promise.resolve(rest)) },
    (all, store) => {
      if (all.at(-1) !== 'demo answered') return false;
      rounds += 1;
      if (rounds === 1) for (const key of Object.keys(keysOf('sales'))) store.remove(key);
      if (all.includes('there: demo')) answerLate(rest);
      return all.includes('there: demo') && rounds > 4;
    },
  );
  expect(told).toContain('there: demo');
  expect(told.filter((word) => word.startsWith('sales'))).toEqual([]);
});

test('what does not change from round to round is the same object', async () => {
  const read: Cluster[] = [];
  await followed(
    {
      scopes: ['demo'],
      onChange: (change) => {
        if (change.kind === 'snapshot') read.push(change.snapshot.cluster);
      },
    },
    (_, store) => {
      if (read.length === 1) store.put('/service/demo/members/pg2', member(5433));
      return (read.at(-1)?.members.length ?? 0) === 2;
    },
  );
  const [first, last] = [read[0], read.at(-1)];
  expect(last?.members.map(({ name }) => name)).toEqual(['pg1', 'pg2']);
  expect(last?.members[0]).toBe(first?.members[0]);
  expect(last?.revision).not.toBe(first?.revision);
});

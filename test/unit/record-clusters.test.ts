/** recordClusters: clusters that come and go with --all, and clusters on Kubernetes, as the recording has them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { DEFAULT_MARKS } from '../../src/config/kubernetes-settings.js';
import type { Cluster } from '../../src/cluster/model/model.js';
import type { Context } from '../../src/context.js';
import type { Dcs } from '../../src/dcs/dcs.js';
import { clustersIn, type KubeKind, type KubePod } from '../../src/dcs/kubernetes/kube-objects.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import type { RecordLine } from '../../src/dcs/recording/record-lines.js';
import { statesAt } from '../../src/dcs/recording/recorded-state.js';
import { recordClusters, type RecordRequest } from '../../src/observe/record-clusters.js';
import { runFake } from '../support/fake-world.js';
import { healthy } from './plan-support.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-record-all-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Recorder {
  /** Clusters are looked for again; resolves when they were, and the next look is waited for. */
  lookAgain(): Promise<void>;
  /** Resolves with the first line that is meant; it may be there already. */
  line(isMeant: (line: RecordLine) => boolean): Promise<RecordLine>;
  /** Ends it. */
  end(): Promise<{ warnings: string[]; waitedMs: number[] }>;
}

/** Records until it is ended; time between two looks for clusters passes when the test says so. */
function recorder(dcs: Dcs, given: Partial<RecordRequest> = {}): Recorder {
  const stop = new AbortController();
  const lines: RecordLine[] = [];
  const warnings: string[] = [];
  const waitedMs: number[] = [];
  let pass: () => void = () => undefined;
  let isWaiting: () => void = () => undefined;
  const told = new Set<() => void>();
  const context = {
    clock: {
      nowMs: () => Date.now(),
      wait: (ms: number, signal: AbortSignal) => {
        waitedMs.push(ms);
        isWaiting();
        return new Promise<void>((resolve) => {
          pass = resolve;
          signal.addEventListener('abort', () => resolve());
        });
      },
    },
    signal: stop.signal,
    holdSignals: () => () => undefined,
    flags: { timeoutMs: 200, compat: false, command: 'record' },
    io: {
      out: (text: string) => {
        for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line) as never);
        for (const look of told) look();
      },
      must: (text: string) => warnings.push(text),
    },
    dcs: () => Promise.resolve(dcs),
    patroni: () =>
      Promise.resolve({ status: () => Promise.resolve(healthy().readings('pg1').rest) }),
    postgres: () => Promise.resolve({ hasLogin: false }),
  } as unknown as Context;
  const done = recordClusters(context, {
    clusters: null,
    asked: { verify: 'rest', serializable: false, also: [] },
    intervalMs: 10,
    forMs: null,
    file: null,
    limits: { maxBytes: 1e9, keep: 1 },
    ...given,
  });
  return {
    lookAgain: () =>
      new Promise((resolve) => {
        isWaiting = resolve;
        pass();
      }),
    line: (isMeant) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = lines.find(isMeant);
          if (found === undefined) return;
          told.delete(look);
          resolve(found);
        };
        told.add(look);
        look();
      }),
    end: async () => {
      stop.abort();
      await done;
      return { warnings, waitedMs };
    },
  };
}

const snapshotOf = (name: string) => (line: RecordLine) =>
  line.kind === 'snapshot' && line.scope === name;

const keysOf = (scope: string): Record<string, string> => ({
  [`/service/${scope}/initialize`]: '7710410091562263061',
  [`/service/${scope}/leader`]: 'pg1',
  [`/service/${scope}/members/pg1`]: JSON.stringify({
    conn_url: 'postgres://10.0.0.1:5432/postgres',
    api_url: 'http://10.0.0.1:8008/patroni',
    state: 'running',
    role: 'primary',
    timeline: 3,
  }),
});

describe('--all', () => {
  test('finds a cluster that comes later within 30 s, and tells that one went', async () => {
    const store = memoryStore({ ...keysOf('demo'), ...keysOf('old') });
    const recording = recorder(keyedDcs(store, 'service'));
    for (const name of ['demo', 'old']) await recording.line(snapshotOf(name));
    for (const [key, value] of Object.entries(keysOf('sales'))) store.put(key, value);
    await recording.lookAgain();
    expect(await recording.line(snapshotOf('sales'))).toMatchObject({ scope: 'sales' });
    for (const key of Object.keys(keysOf('old'))) store.remove(key);
    const codeOf = (line: RecordLine) => (line.kind === 'event' ? line.event.code : null);
    for (const code of ['leader_key_lost', 'member_left'])
      await recording.line(
        (line) => codeOf(line) === code && line.kind === 'event' && line.scope === 'old',
      );
    const { warnings, waitedMs } = await recording.end();
    expect(warnings).toEqual([]);
    // On a busy machine the limit of one call is waited for too.
    expect(Math.max(...waitedMs)).toBe(30_000);
  });

  test('goes on where a cluster that was found is gone when it is read', async () => {
    const store = memoryStore({ ...keysOf('demo'), ...keysOf('old') });
    const dcs = keyedDcs(store, 'service');
    const recording = recorder({
      ...dcs,
      read: (name, how) => (name.scope === 'old' ? Promise.resolve([]) : dcs.read(name, how)),
    });
    await recording.line(snapshotOf('demo'));
    await recording.lookAgain();
    store.remove('/service/demo/leader');
    await recording.line(({ kind }) => kind === 'event');
    expect((await recording.end()).warnings).toEqual([]);
  });

  test('reads each cluster in its namespace of Kubernetes; of one name it records the first, and warns once', async () => {
    const namespaces = { a: ['demo'], b: ['demo', 'sales'] };
    const stores = Object.entries(namespaces).map(([namespace, scopes]) => ({
      namespace,
      dcs: keyedDcs(
        memoryStore(Object.assign({}, ...scopes.map(keysOf)) as Record<string, string>),
        'service',
      ),
    }));
    const placed = (namespace: string, clusters: Cluster[]): Cluster[] =>
      clusters.map((cluster) => ({ ...cluster, kubernetes: { namespace } as never }));
    const [first] = stores;
    if (!first) throw new Error('no namespace');
    const at = (place: string | undefined) =>
      stores.find(({ namespace }) => namespace === place) ?? first;
    const recording = recorder({
      ...first.dcs,
      readAll: async (how) =>
        (
          await Promise.all(
            stores.map(async ({ namespace, dcs }) => placed(namespace, await dcs.readAll(how))),
          )
        ).flat(),
      read: async (name, how) => {
        const { namespace, dcs } = at(name.place);
        return placed(namespace, await dcs.read(name, how));
      },
      follow: (name) => at(name.place).dcs.follow(name),
    });
    for (const [name, namespace] of [
      ['demo', 'a'],
      ['sales', 'b'],
    ] as const) {
      const line = await recording.line(snapshotOf(name));
      expect(line).toMatchObject({ snapshot: { cluster: { kubernetes: { namespace } } } });
    }
    await recording.lookAgain();
    expect((await recording.end()).warnings).toEqual([
      'Warning: demo in namespace b is not recorded: demo in namespace a is in this recording\n',
    ]);
  });
});

describe('on Kubernetes', () => {
  const meta = (name: string, annotations: Record<string, string>, role?: string) => ({
    name,
    namespace: 'db',
    resourceVersion: '30',
    labels: { application: 'patroni', 'cluster-name': 'demo', ...(role && { role }) },
    annotations,
  });
  const pod = (name: string, at: number, role: string): KubePod => {
    const address = `10.244.0.${at}`;
    const conn_url = `postgres://${address}:5432/postgres`;
    const api_url = `http://${address}:8008/patroni`;
    const status = JSON.stringify({ conn_url, api_url, state: 'running', role, timeline: 3 });
    return {
      metadata: meta(name, { status }, role),
      status: { phase: 'Running', podIP: address, conditions: [{ type: 'Ready', status: 'True' }] },
    };
  };
  /** The objects of Patroni's as they are read while this Pod leads. */
  const clusterLedBy = (leader: string, at: number): Cluster => {
    const nowMs = Date.parse('2026-11-27T20:29:00Z');
    const renewTime = new Date(nowMs - 1000).toISOString();
    const kinds: KubeKind[] = [
      {
        metadata: meta('demo', {
          ...{ leader, renewTime, acquireTime: renewTime, transitions: '3', ttl: '30' },
          ...{ optime: '24408056', slots: '{"k2":24408056}', retain_slots: '["k1","k2"]' },
        }),
        subsets: [{ addresses: [{ ip: `10.244.0.${at}` }], ports: [{ port: 5432 }] }],
      },
      {
        metadata: meta('demo-config', { config: '{"ttl":30}', initialize: '7710410091562263061' }),
      },
    ];
    const roleOf = (name: string): string => (name === leader ? 'primary' : 'replica');
    const pods = ['k1', 'k2'].map((name, index) => pod(name, index + 1, roleOf(name)));
    const listed = { pods, kinds, kind: 'endpoints', revision: '40', nowMs } as const;
    const [cluster] = clustersIn(listed, DEFAULT_MARKS);
    if (!cluster) throw new Error('no cluster');
    return cluster;
  };

  test('a recording has what Kubernetes claims, at its end and at a moment before', async () => {
    const [before, after] = [clusterLedBy('k1', 1), clusterLedBy('k2', 2)];
    let now = before;
    const kube: Dcs = {
      ...keyedDcs(memoryStore({}), 'service'),
      name: 'Kubernetes',
      read: () => Promise.resolve([now]),
      readAll: () => Promise.resolve([now]),
      follow: () => Promise.resolve({ cluster: now, changes: async function* () {} }),
    };
    const clusters = [{ scope: 'demo', group: null }];
    const asked = { verify: 'off', serializable: false, also: [] } as const;
    const file = join(folder, 'kubernetes.jsonl');
    const recording = recorder(kube, { clusters, asked, file });
    const at = await recordedUntil(file, 'k1');
    now = after;
    await recordedUntil(file, 'k2');
    await recording.end();
    expect((await statesAt(file, null))[0]?.cluster).toEqual(after);
    expect((await statesAt(file, Date.parse(at)))[0]?.cluster).toEqual(before);

    const leaderAt = async (...words: string[]) => {
      const list = ['list', 'demo', '--snapshot', file, ...words, '-f', 'json'];
      const { code, out } = await runFake({ keys: {} }, list);
      const rows = JSON.parse(out) as { Member: string; Role: string }[];
      return [code, rows.find(({ Role }) => Role === 'Leader')?.Member];
    };
    expect(await leaderAt('--at', at)).toEqual([0, 'k1']);
    expect(await leaderAt()).toEqual([0, 'k2']);
  });

  /** Waits until the file says that this Pod leads; when the last line before was written. */
  async function recordedUntil(file: string, leader: string): Promise<string> {
    return await vi.waitFor(
      async () => {
        const [state] = await statesAt(file, null);
        expect(state?.cluster.leaderName).toBe(leader);
        const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
        return (JSON.parse(lines.at(-1) ?? '') as RecordLine).at;
      },
      { interval: 10, timeout: 10_000 },
    );
  }
});

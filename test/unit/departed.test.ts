/** What a run says about members whose key is gone, depending on what etcd's history tells. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Reading, SqlStatus } from '../../src/cluster/model/model.js';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { DeletedKeys, KeyStore } from '../../src/dcs/keyed/key-store.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import {
  quickClock,
  recorded,
  runFake,
  UNREACHABLE,
  type FakeCluster,
} from '../support/fake-world.js';

const TOO_LONG = "etcd's history is too long to search all of it: no address was found for pg9";

/** A cluster led by pg9, which has no key. */
async function status(past?: DeletedKeys): Promise<{ out: string; asked: string[] }> {
  const { keys } = recorded('on');
  const asked: string[] = [];
  const dcs = memoryStore({ ...keys, '/service/demo/leader': 'pg9' });
  const deletedKeys: KeyStore['deletedKeys'] = (...args) =>
    past === undefined ? dcs.deletedKeys(...args) : Promise.resolve(past);
  const ask: FakeCluster['status'] = ({ apiUrl }) => {
    asked.push(apiUrl);
    return Promise.resolve(UNREACHABLE);
  };
  const cluster = { keys, dcs: { ...dcs, deletedKeys }, status: ask };
  const { out } = await runFake(cluster, ['status']);
  return { out, asked };
}

const pg9 = {
  key: '/service/demo/members/pg9',
  lastValue: '{"api_url":"http://127.0.0.9:8008/patroni","conn_url":"postgres://127.0.0.9:5432/"}',
  deletedRevision: '7',
};

describe('a leader without a member key', () => {
  it('is named when a history too long to search says nothing of it', async () => {
    const { out } = await status({ keys: [], complete: false });
    expect(out).toContain(TOO_LONG);
  });

  it('is not a problem if the history was searched to its beginning', async () => {
    expect((await status()).out).not.toContain('too long');
  });

  it('is asked at its last address, however long the history is', async () => {
    const { out, asked } = await status({ keys: [pg9], complete: false });
    expect(out).not.toContain('too long');
    expect(asked).toContain('http://127.0.0.9:8008/patroni');
  });
});

describe('a former leader that nothing names', () => {
  const deleted = (name: string, role: string) => ({
    key: `/service/demo/members/${name}`,
    lastValue: JSON.stringify({ role, api_url: `http://${name}:8008/patroni` }),
    deletedRevision: '7',
  });
  const past = { keys: [deleted('pg8', 'replica'), deleted('pg9', 'primary')], complete: false };

  /** Which of them were asked, and how often etcd's history was. */
  async function look(history: unknown[] | null): Promise<{ asked: string[]; searches: number }> {
    const keys = { ...recorded('off').keys };
    delete keys['/service/demo/history'];
    if (history) keys['/service/demo/history'] = JSON.stringify(history);
    const asked: string[] = [];
    let searches = 0;
    const deletedKeys: KeyStore['deletedKeys'] = (_prefix, _limitMs, enough) => {
      // The few probes for departed members are another search.
      if (enough === undefined) return Promise.resolve({ keys: [], complete: true });
      searches += 1;
      // A replica that went away later does not end the search.
      expect(enough(past.keys.slice(0, 1))).toBe(false);
      expect(enough(past.keys)).toBe(true);
      return Promise.resolve(past);
    };
    const status: FakeCluster['status'] = ({ name }) => {
      asked.push(name);
      return Promise.resolve(UNREACHABLE);
    };
    const dcs = { ...memoryStore(keys), deletedKeys };
    const { out } = await runFake({ keys, dcs, status }, ['status']);
    expect(out).not.toContain('too long');
    return { asked: asked.filter((name) => ['pg8', 'pg9'].includes(name)), searches };
  }

  const line = (timeline: number, ...newLeader: string[]) => [
    timeline,
    83886080,
    'no recovery target specified',
    '2026-11-21T08:00:00+00:00',
    ...newLeader,
  ];

  it('is looked for after the first promotion, which names only the new leader', async () => {
    expect(await look([line(1, 'pg2')])).toEqual({ asked: ['pg8', 'pg9'], searches: 1 });
  });

  it('is looked for when /history tells no names', async () => {
    const history = [line(1), line(2), line(3)];
    expect(await look(history)).toEqual({ asked: ['pg8', 'pg9'], searches: 1 });
  });

  it('is not looked for when the recent leaders are all there', async () => {
    const history = [line(1, 'pg1'), line(2, 'pg2'), line(3, 'pg1')];
    expect(await look(history)).toEqual({ asked: [], searches: 0 });
  });

  it('is looked for without /history only on a later timeline than the first', async () => {
    const { asked } = await look(null);
    const timelines = Object.entries(recorded('off').keys).flatMap(([key, value]) =>
      key.includes('/members/') ? [(JSON.parse(value) as { timeline?: number }).timeline ?? 1] : [],
    );
    expect(asked).toEqual(Math.max(...timelines) > 1 ? ['pg8', 'pg9'] : []);
  });
});

describe('a replica that nothing names', () => {
  const key = '/service/demo/members/pg4';
  const host = '127.0.0.4';
  const heartbeat = (state: string, port = 5432) =>
    JSON.stringify({
      role: 'replica',
      state,
      conn_url: `postgres://${host}:${port}/postgres`,
      api_url: `http://${host}:8008/patroni`,
    });

  /** The recorded cluster, of which pg4 was a member. */
  function left(name: string, ...states: string[]): FakeCluster & { dcs: MemoryStore } {
    const cluster = recorded(name);
    const dcs = memoryStore(cluster.keys);
    for (const state of states) dcs.put(key, heartbeat(state));
    dcs.remove(key);
    return { ...cluster, dcs, clock: quickClock() };
  }
  const found = async (cluster: FakeCluster, ...args: string[]) => {
    const { code, out } = await runFake(cluster, ['check', '-f', 'json', ...args]);
    const document = JSON.parse(out) as CheckDocument;
    const all = document.clusters.flatMap(({ findings }) => findings);
    return {
      code,
      found: all.map(({ code, severity, members }) => `${code} ${severity} ${members.join()}`),
    };
  };

  it('is found in the past of etcd, and shown as a row of list, status and wait', async () => {
    expect(await found(left('off', 'running'))).toEqual({
      code: 1,
      found: ['member_left warning pg4'],
    });
    const list = await runFake(left('off', 'running'), ['list']);
    expect(list.out).toMatch(
      /^\| pg4 +\| 127.0.0.4:5432 +\| Departed +\| unreachable .*\| member_left +\|$/m,
    );
    expect(list.out).toMatch(/^WARNING: pg4 has left the DCS.*\[member_left\]$/m);
    expect((await runFake(left('off', 'running'), ['list', '--strict'])).code).toBe(0);
    const status = await runFake(left('off', 'running'), ['status']);
    expect(status.out).toMatch(/^ *pg4 .*left the DCS.*member_left *$/m);
    for (const condition of ['healthy', 'streaming=3']) {
      const args = ['wait', '--for', condition, '--deadline', '2s'];
      const run = await runFake(left('off', 'running'), args);
      expect(run.code).toBe(5);
      expect(run.err).toMatch(/pg4 (has )?left the DCS/);
    }
  });

  it('is worth knowing only when it said that it stops', async () => {
    const cluster = () => left('off', 'running', 'stopped');
    expect(await found(cluster())).toEqual({ code: 0, found: ['member_left info pg4'] });
    expect((await runFake(cluster(), ['wait', '--for', 'healthy'])).code).toBe(0);
  });

  it('is critical when /sync named it then, however /sync reads now', async () => {
    const cluster = recorded('on');
    const dcs = memoryStore(cluster.keys);
    const sync = cluster.keys['/service/demo/sync'] ?? '';
    dcs.put('/service/demo/sync', sync.replace('"pg1"', '"pg4"'));
    dcs.put(key, heartbeat('running'));
    dcs.put('/service/demo/sync', sync);
    dcs.remove(key);
    const made = { ...cluster, dcs, clock: quickClock() };
    expect((await found(made)).found).toEqual(['member_left critical pg4']);
  });

  it('is forgotten after so many loops of the leader as --max-absence has', async () => {
    const cluster = left('off', 'running');
    for (let loop = 0; loop < 400; loop += 1) {
      cluster.dcs.put('/service/demo/status', JSON.stringify({ optime: loop + 1 }));
    }
    const loopWait = (
      JSON.parse(cluster.keys['/service/demo/config'] ?? '{}') as { loop_wait: number }
    ).loop_wait;
    const seconds = 200 * loopWait;
    const args = (limit: number) => ['--max-absence', `${limit}s`, '--only', 'member_left'];
    expect((await found(cluster, ...args(seconds + 1))).code).toBe(1);
    expect((await found(cluster, ...args(seconds - 1))).code).toBe(0);
  });

  it('is none when another member is at its address, or when it is back', async () => {
    const cluster = recorded('off');
    const place = /postgres:\/\/[^/]+:(\d+)/.exec(cluster.keys['/service/demo/members/pg3'] ?? '');
    const dcs = memoryStore(cluster.keys);
    dcs.put(key, heartbeat('running', Number(place?.[1])).replaceAll(host, '127.0.0.1'));
    dcs.remove(key);
    expect(await found({ ...cluster, dcs, clock: quickClock() })).toEqual({ code: 0, found: [] });
  });

  it('is told by an earlier recording that is given, when etcd has forgotten it', async () => {
    const cluster = recorded('off');
    const folder = mkdtempSync(`${tmpdir()}/patctl-`);
    const file = `${folder}/before.json`;
    try {
      await runFake(cluster, ['snapshot', '-o', file]);
      const keys = { ...cluster.keys };
      delete keys['/service/demo/members/pg3'];
      delete keys['/service/demo/status'];
      const now = { ...cluster, keys, clock: quickClock() };
      const only = ['--only', 'member_left'];
      expect((await found(now, ...only)).found).toEqual([]);
      expect((await found(now, ...only, '--since', file)).found).toEqual([
        'member_left warning pg3',
      ]);
      const other = await runFake(now, ['check', '--since', `${folder}/none`]);
      expect(other.code).toBe(3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('keys that were read before what they say was done', () => {
  it('are read again: a promotion between two reads is not a primary without the lock', async () => {
    const cluster = recorded('off');
    const lead = cluster.keys['/service/demo/leader'] ?? '';
    const dcs = memoryStore({ ...cluster.keys, '/service/demo/leader': 'pg9' });
    let asked = 0;
    const status: FakeCluster['status'] = ({ name }) => {
      asked += 1;
      // The members are asked after the keys were read, and by then the lock is taken.
      if (asked === 1) dcs.put('/service/demo/leader', lead);
      return Promise.resolve(cluster.rest?.[name] ?? UNREACHABLE);
    };
    const made = { ...cluster, dcs, status };
    const { code, out } = await runFake(made, ['check', '--settle', '0', '-f', 'json']);
    expect((JSON.parse(out) as CheckDocument).clusters[0]?.findings).toEqual([]);
    expect(code).toBe(0);
    const stays = memoryStore({ ...cluster.keys, '/service/demo/leader': 'pg9' });
    const other = await runFake({ ...cluster, dcs: stays }, ['check', '--settle', '0']);
    expect(other.out).toContain('[primary_without_lock]');
  });

  it('are read again for a warning too: /sync is written after synchronous_standby_names', async () => {
    const cluster = recorded('on');
    const whole = cluster.keys['/service/demo/sync'] ?? '';
    const before = JSON.stringify({ ...(JSON.parse(whole) as object), sync_standby: 'pg9' });
    const keys = { ...cluster.keys, '/service/demo/sync': before };
    const only = ['check', '--only', 'sync_unclaimed', '--settle', '0', '-f', 'json'];
    type Status = NonNullable<FakeCluster['status']>;
    const codes = async (dcs: MemoryStore, status: Status): Promise<string[]> => {
      const { out } = await runFake({ ...cluster, dcs, status }, only);
      const { clusters } = JSON.parse(out) as CheckDocument;
      return clusters.flatMap(({ findings }) => findings.map(({ code }) => code));
    };
    const answer: Status = ({ name }) => Promise.resolve(cluster.rest?.[name] ?? UNREACHABLE);
    expect(await codes(memoryStore(keys), answer)).toEqual(['sync_unclaimed']);
    const dcs = memoryStore(keys);
    let asked = 0;
    const writesThen: Status = (...member) => {
      asked += 1;
      if (asked === 1) dcs.put('/service/demo/sync', whole);
      return answer(...member);
    };
    expect(await codes(dcs, writesThen)).toEqual([]);
  });
});

describe('--also', () => {
  /** Of PostgreSQL: a primary, or a standby, of the cluster's database, started then. */
  const server = (inRecovery: boolean, startedAt: string, systemId = '7'): Reading<SqlStatus> => ({
    ok: true,
    tookMs: 1,
    value: {
      serverVersion: 150000,
      systemId,
      startedAt,
      inRecovery,
      timeline: 1,
      currentLsn: inRecovery ? null : 5n,
      receiveLsn: null,
      replayLsn: inRecovery ? 5n : null,
      walsenders: [],
      walReceiver: null,
      slots: [],
      settings: {},
      archiver: null,
      syncRepWaiters: 0,
    } as unknown as SqlStatus,
  });
  // pg1, which leads, pg2 and pg3; then the leader again, by another way, and a second primary.
  const SERVERS = {
    6433: server(false, '1000'),
    6434: server(true, '2000'),
    6435: server(true, '3000'),
    1: server(false, '1000'),
    2: server(false, '4000'),
    3: server(false, '1000', '8'),
  };

  async function leader(...also: string[]): Promise<{ code: number; asked: number[] }> {
    const asked: number[] = [];
    const sql = new Proxy<Record<number, Reading<SqlStatus>>>(SERVERS, {
      get: (servers, port) => {
        asked.push(Number(port));
        return servers[Number(port)];
      },
    });
    const args = also.flatMap((place) => ['--also', place]);
    const { code } = await runFake({ ...recorded('off'), sql }, ['leader', ...args]);
    return { code, asked: asked.sort((a, b) => a - b) };
  }
  const MEMBERS = [6433, 6434, 6435];

  it.each(['127.0.0.1:6433', 'localhost:6433', 'LOCALHOST:6433', '[::1]:6433'])(
    'asks a member that is also given as %s once, and counts it once',
    async (place) => {
      expect(await leader(place)).toEqual({ code: 0, asked: MEMBERS });
    },
  );

  it('asks the same address twice given once', async () => {
    expect(await leader('127.0.0.1:2', 'localhost:2')).toEqual({ code: 4, asked: [2, ...MEMBERS] });
  });

  it('knows a server that was read already by its database and its start', async () => {
    expect(await leader('127.0.0.1:1')).toEqual({ code: 0, asked: [1, ...MEMBERS] });
    expect(await leader('127.0.0.1:2')).toMatchObject({ code: 4 });
    expect(await leader('127.0.0.1:3')).toMatchObject({ code: 4 });
  });

  it.each(['nonsense', 'nonsense:', ':5432', '127.0.0.1:0', '127.0.0.1:65536', 'a b:1', '::1'])(
    'refuses %s',
    async (place) => {
      expect(await leader(place)).toEqual({ code: 2, asked: [] });
      expect((await runFake(recorded('off'), ['check', '--also', place])).code).toBe(3);
    },
  );
});

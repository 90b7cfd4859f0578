/**
 * What every way to a cluster's claims does alike: memory in the fast tier; etcd, and Kubernetes, with real servers.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/model/model.js';
import type { Dcs } from '../../src/dcs/dcs.js';
import { ToolError } from '../../src/errors.js';

/** A DCS that holds nothing, and the way in which Patroni writes there. */
export interface DcsUnderTest {
  dcs: Dcs;
  /** Writes keys of cluster `scope` as Patroni would (`leader`, `config`, `members/pg1`); null deletes one. */
  patroni(keys: Record<string, string | null>, scope?: string, group?: number): Promise<void>;
  end(): Promise<void>;
}

const NAME = { scope: 'demo', group: null };
const CONFIG = '{"ttl":30,"loop_wait":10,"synchronous_mode":true}';

export const memberValue = (name: string, role = 'replica'): string =>
  JSON.stringify({
    conn_url: `postgres://10.244.0.9:5432/postgres`,
    api_url: `http://${name}:8008/patroni`,
    state: 'running',
    role,
    version: '4.1.4',
    timeline: 1,
  });

/**
 * `keys`: Patroni's keys themselves are read and written. `member`: a member answers for its own cluster, and what
 * its REST API does not have is unknown, or refused. `recording`: every key can be read, nothing is written, and
 * nothing changes once it was read.
 */
export type Reach = 'keys' | 'member' | 'recording';

/** The limits within which a change is told. */
const TOLD_MS = 10_000;

export function describeDcs(
  name: string,
  make: () => Promise<DcsUnderTest>,
  reach: Reach = 'keys',
): void {
  const hasKeys = reach === 'keys';
  const tellsKeys = reach !== 'member';
  const moves = reach !== 'recording';
  describe(`DCS contract: ${name}`, () => {
    let test: DcsUnderTest;
    let dcs: Dcs;
    beforeEach(async () => {
      test = await make();
      dcs = test.dcs;
    });
    afterEach(() => test.end());

    const whole = async (): Promise<void> => {
      await test.patroni({
        initialize: '7000000000000000001',
        config: CONFIG,
        leader: 'pg1',
        sync: '{"leader":"pg1","sync_standby":"pg2","quorum":0}',
        status: '{"optime":83886080,"slots":{"pg2":83886080},"retain_slots":["pg1","pg2"]}',
        history: '[[1,83886080,"no recovery target specified","2026-11-21T08:00:00+00:00","pg1"]]',
        failsafe: '{"pg1":"http://pg1:8008/patroni"}',
        'members/pg1': memberValue('pg1', 'primary'),
        'members/pg2': memberValue('pg2'),
      });
    };
    const read = async (): Promise<Cluster> => {
      const [cluster, ...more] = await dcs.read(NAME);
      expect(more).toEqual([]);
      if (!cluster) throw new Error('there is no cluster');
      return cluster;
    };

    describe('reading', () => {
      it.runIf(hasKeys)('finds nothing where nothing is', async () => {
        expect(await dcs.read(NAME)).toEqual([]);
        expect(await dcs.readAll()).toEqual([]);
        expect(await dcs.scopes()).toEqual([]);
        expect((await dcs.follow(NAME)).cluster).toMatchObject({ members: [], config: null });
      });

      it.runIf(reach === 'member')('tells what a member knows, and why not the rest', async () => {
        await whole();
        const cluster = await read();
        expect(cluster).toMatchObject({
          scope: 'demo',
          systemId: '7000000000000000001',
          leaderName: 'pg1',
          sync: { leader: null, standbys: ['pg2'], unreadable: true, fromRoles: true },
          config: { syncMode: 'on', ttlSeconds: 30, text: CONFIG },
          history: [{ timeline: 1, newLeader: 'pg1' }],
          failover: null,
          problems: [],
        });
        const unknown = Object.keys(cluster.cannotTell ?? {});
        expect(unknown).toEqual(expect.arrayContaining(['sync', 'failover', 'departed']));
        expect(cluster.members.map((one) => [one.name, one.role, one.apiUrl])).toEqual([
          ['pg1', 'primary', 'http://pg1:8008/patroni'],
          ['pg2', 'replica', 'http://pg2:8008/patroni'],
        ]);
        expect(await dcs.ownScope?.()).toBe('demo');
        expect(await dcs.read({ scope: 'other', group: null })).toEqual([]);
      });

      it.runIf(tellsKeys)('tells everything that Patroni keeps of a cluster', async () => {
        await whole();
        expect(await read()).toMatchObject({
          scope: 'demo',
          group: null,
          systemId: '7000000000000000001',
          leaderName: 'pg1',
          sync: { leader: 'pg1', standbys: ['pg2'], quorum: 0 },
          config: { syncMode: 'on', ttlSeconds: 30, text: CONFIG },
          status: { optime: 83886080n, slots: { pg2: 83886080n }, retainSlots: ['pg1', 'pg2'] },
          history: [{ timeline: 1, newLeader: 'pg1' }],
          failsafe: { pg1: 'http://pg1:8008/patroni' },
          failover: null,
          problems: [],
        });
        const { members } = await read();
        expect(members.map((one) => [one.name, one.role, one.apiUrl])).toEqual([
          ['pg1', 'primary', 'http://pg1:8008/patroni'],
          ['pg2', 'replica', 'http://pg2:8008/patroni'],
        ]);
      });

      it('takes an empty name for the name of no cluster, not of every cluster', async () => {
        await whole();
        expect(await dcs.read({ scope: '', group: null })).toEqual([]);
      });

      it.runIf(tellsKeys)('keeps clusters apart whose names begin alike', async () => {
        await whole();
        await test.patroni({ config: '{}', leader: 'other' }, 'demo2');
        expect((await read()).leaderName).toBe('pg1');
        expect(await dcs.scopes()).toEqual(['demo', 'demo2']);
        expect((await dcs.readAll()).map(({ scope }) => scope)).toEqual(['demo', 'demo2']);
      });

      it.runIf(tellsKeys)('tells Citus groups apart, and gives one when it is named', async () => {
        await test.patroni({ config: '{}', leader: 'co1' }, 'citus', 0);
        await test.patroni({ config: '{}', leader: 'wk1' }, 'citus', 1);
        const all = await dcs.read({ scope: 'citus', group: null });
        expect(all.map(({ group, leaderName }) => [group, leaderName])).toEqual([
          [0, 'co1'],
          [1, 'wk1'],
        ]);
        const one = await dcs.read({ scope: 'citus', group: 1 });
        expect(one.map(({ leaderName }) => leaderName)).toEqual(['wk1']);
      });

      it.runIf(tellsKeys)('reports a key that cannot be read, and reads the others', async () => {
        await whole();
        await test.patroni({ history: '{broken' });
        const cluster = await read();
        expect(cluster.problems.map(({ problem }) => problem)).toEqual(['is not valid JSON']);
        expect(cluster.leaderName).toBe('pg1');
      });

      it('answers without a majority too', async () => {
        await whole();
        const clusters = await dcs.read(NAME, { serializable: true });
        expect(clusters.map(({ leaderName }) => leaderName)).toEqual(['pg1']);
      });

      it.runIf(moves)('has revisions that grow', async () => {
        await whole();
        const before = await read();
        await test.patroni({ leader: 'pg2' });
        const after = await read();
        expect(BigInt(after.revision)).toBeGreaterThan(BigInt(before.revision));
      });
    });

    describe('writing', () => {
      it.runIf(moves)(
        'writes the configuration that was read, and not one that has changed since',
        async () => {
          await whole();
          const cluster = await read();
          const mine = '{"ttl":40}';
          expect(await dcs.writeConfig(cluster, mine)).toEqual({ done: true });
          expect((await read()).config).toMatchObject({ text: mine, ttlSeconds: 40 });
          const theirs = '{"ttl":50}';
          await test.patroni({ config: theirs });
          expect(await dcs.writeConfig(cluster, mine)).toEqual({ done: false, current: theirs });
          expect((await read()).config?.text).toBe(theirs);
        },
      );

      it.runIf(reach === 'member')('tells a schedule, and writes no request', async () => {
        await whole();
        const request = { leader: 'pg1', candidate: 'pg2', scheduledAt: null };
        const needsDcs = { ending: 'usage', code: 'needs_dcs' };
        await expect(dcs.writeFailover(await read(), request)).rejects.toMatchObject(needsDcs);
        await expect(dcs.removal(NAME)).rejects.toMatchObject(needsDcs);
        const at = '2030-01-01T00:00:00+00:00';
        await test.patroni({ failover: `{"leader":"pg1","member":"pg2","scheduled_at":"${at}"}` });
        const asked = await read();
        expect(asked.failover).toMatchObject({ leader: 'pg1', candidate: 'pg2', scheduledAt: at });
        await expect(dcs.writeFailover(asked, null)).rejects.toMatchObject(needsDcs);
      });

      it.runIf(!moves)('refuses every write', async () => {
        await whole();
        const cluster = await read();
        const refused = { ending: 'usage', code: 'recording' };
        await expect(dcs.writeConfig(cluster, '{}')).rejects.toMatchObject(refused);
        await expect(dcs.writeFailover(cluster, null)).rejects.toMatchObject(refused);
        await expect(dcs.removal(NAME)).rejects.toMatchObject(refused);
      });

      it.runIf(hasKeys)('writes a request, once, and clears the one that was read', async () => {
        await whole();
        const empty = await read();
        const request = { leader: 'pg1', candidate: 'pg2', scheduledAt: null };
        expect(await dcs.writeFailover(empty, request)).toEqual({ done: true });
        expect(await dcs.writeFailover(empty, request)).toMatchObject({ done: false });
        const asked = await read();
        expect(asked.failover).toMatchObject(request);
        expect(await dcs.writeFailover(asked, null)).toEqual({ done: true });
        expect((await read()).failover).toBeNull();
        // Of no use any more: it is not the request that was read.
        expect(await dcs.writeFailover(asked, null)).toMatchObject({ done: false });
      });

      it.runIf(hasKeys)(
        'notes a member as retired, with its key if that has no lease',
        async (context) => {
          // Kubernetes' members are pods, which patctl does not remove.
          if (!dcs.retireMember) return context.skip();
          await whole();
          const before = await read();
          expect(await dcs.retireMember(before, 'pg2')).toBe('noted');
          const after = await read();
          expect(after.members.map(({ name }) => name)).toEqual(['pg1']);
          expect(after.retired?.map(({ name }) => name)).toEqual(['pg2']);
          // It has come back with another key than the one that was read.
          await test.patroni({ 'members/pg2': memberValue('pg2') });
          expect(await dcs.retireMember(before, 'pg2')).toBe('changed');
          expect((await read()).members.map(({ name }) => name)).toEqual(['pg1', 'pg2']);
          const removal = await dcs.removal(NAME);
          expect(removal.foreign).toEqual([]);
          await removal.run(() => undefined);
          expect(await dcs.read(NAME)).toEqual([]);
        },
      );

      it.runIf(hasKeys)('writes a schedule as Patroni reads it', async () => {
        await whole();
        const at = '2030-01-01T00:00:00+00:00';
        const request = { leader: 'pg1', candidate: null, scheduledAt: at };
        await dcs.writeFailover(await read(), request);
        expect((await read()).failover).toMatchObject(request);
      });
    });

    describe('following', () => {
      it.runIf(moves)(
        'tells a change after the cluster was read, and ends with the signal',
        async () => {
          await whole();
          const { cluster, changes } = await dcs.follow(NAME);
          expect(cluster.leaderName).toBe('pg1');
          const over = new AbortController();
          const limit = setTimeout(() => over.abort(), TOLD_MS);
          const seen: (string | null)[] = [];
          await test.patroni({ leader: 'pg2' });
          for await (const now of changes(over.signal)) {
            seen.push(now.leaderName);
            if (now.leaderName === 'pg2' && seen.length === 1) await test.patroni({ leader: null });
            if (now.leaderName === null) over.abort();
          }
          clearTimeout(limit);
          expect(seen.at(0)).toBe('pg2');
          expect(seen.at(-1)).toBeNull();
        },
      );

      it('ends when it is closed', async () => {
        await whole();
        const { changes } = await dcs.follow(NAME);
        const ended = (async () => {
          for await (const now of changes(new AbortController().signal))
            expect(now.scope).toBe('demo');
        })().catch(() => undefined);
        await dcs.close();
        await ended;
      });
    });

    describe('removing', () => {
      it.runIf(hasKeys)(
        'takes out the cluster that was read, and leaves its neighbour',
        async () => {
          await whole();
          await test.patroni({ config: '{}', leader: 'other' }, 'demo2');
          const removal = await dcs.removal(NAME);
          expect(removal.cluster.leaderName).toBe('pg1');
          expect(removal.clusters.map(({ scope }) => scope)).toEqual(['demo']);
          expect(await removal.run(() => undefined)).toBeGreaterThan(0);
          const left = (await dcs.read(NAME)).map(({ leaderName, config }) => [leaderName, config]);
          expect(left.filter(([leader, config]) => leader !== null || config !== null)).toEqual([]);
          expect(await dcs.scopes()).toContain('demo2');
        },
      );

      it.runIf(hasKeys)('deletes nothing if another member leads by then', async () => {
        await whole();
        const removal = await dcs.removal(NAME);
        await test.patroni({ leader: 'pg2' });
        const error: unknown = await removal.run(() => undefined).catch((one: unknown) => one);
        expect(error).toBeInstanceOf(ToolError);
        expect(error).toMatchObject({ ending: 'error', code: 'changed_meanwhile' });
        expect((await read()).leaderName).toBe('pg2');
      });
    });

    it('says what it knows about members that left, and what it does not know', async () => {
      await whole();
      await test.patroni({ 'members/pg2': null });
      const gone = await dcs.goneMembers(await read(), { ms: 2000 }, () => false);
      const names = gone.members.map(({ name: one }) => one);
      // Without a past no member is found, and the result says so.
      expect(gone.incomplete === null ? names : typeof gone.incomplete).toEqual(
        gone.incomplete === null ? ['pg2'] : 'string',
      );
    });
  });
}

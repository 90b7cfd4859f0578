/**
 * Routes on a real cluster: HAProxy with Patroni's health checks, pgbouncer and connection strings with several hosts,
 * right and wrong in each way that has a finding; then a switchover and a failover that prove them.
 */
import { mkdirSync, readFileSync, writeFileSync, chownSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startTcpHaproxy, type TcpHaproxy } from '../support/haproxy.js';
import type { Lab } from '../support/lab/cluster.js';
import { MONITOR_USER, PASSWORDS } from '../support/lab/configs.js';
import { cleanEnv, runProgram, unprivilegedUser } from '../support/lab/process.js';
import { startPgbouncer, type Pgbouncer } from '../support/pgbouncer.js';
import { runPatctl } from '../support/run.js';
import { ensureSetup } from '../support/setup.js';
import { privateCluster } from '../support/shared.js';

const LIMIT_MS = 60_000;

let lab: Lab;
let leader: string;
let replicas: string[];
let haproxy: TcpHaproxy;
let pool: Pgbouncer;
/** A pooler that knows neither our user nor our database. */
let closed: Pgbouncer;

beforeAll(async () => {
  lab = await privateCluster({ members: 3 });
  await lookAgain();
  haproxy = await startTcpHaproxy(lab, ['/primary', '/replica', '/nothing', 'none']);
  const { superuser } = PASSWORDS;
  const backendPort = port('/primary');
  const about = { root: lab.root, backendPort };
  [pool, closed] = await Promise.all([
    startPgbouncer({ ...about, database: 'postgres', user: 'postgres', password: superuser }),
    startPgbouncer({ ...about, database: 'shop', user: 'shop', password: 'lab-secret-shop' }),
  ]);
}, 240_000);
afterAll(async () => {
  await Promise.all([haproxy, pool, closed].map((program) => program.end()));
  await lab.down();
}, LIMIT_MS);

const port = (check: string): number => haproxy.ports[check] ?? 0;
const at = (name: string): string => `127.0.0.1:${lab.member(name).port}`;

/** The leader and its replicas, once the cluster is healthy. */
async function lookAgain(): Promise<void> {
  leader = await lab.waitHealthy();
  replicas = lab.members.map(({ name }) => name).filter((name) => name !== leader);
}

async function check(...args: string[]) {
  const words = ['-c', lab.config, 'check', lab.scope, '-f', 'json', '--settle', '0'];
  const run = await runPatctl([...words, ...args], { timeoutMs: LIMIT_MS });
  const [one] = run.out === '' ? [] : (JSON.parse(run.out) as CheckDocument).clusters;
  const found = one?.findings.filter(({ severity }) => severity !== 'info') ?? [];
  const lines = found.map(({ code, severity, members }) => [severity, code, ...members].join(' '));
  return { ...run, one, found: lines };
}

/** Until the proxies have seen what the members are now, `check` finds just this. */
async function comesTo(expected: readonly string[], ...routes: string[]) {
  const args = routes.flatMap((route) => ['--route', route]);
  return await eventually(
    `check finds ${expected.join(', ') || 'nothing'} for ${routes.join(' ')}`,
    LIMIT_MS,
    async () => {
      const checked = await check(...args);
      expect(checked.found).toEqual(expected);
      return checked;
    },
  );
}

const several = (attrs: string): string =>
  `${[...replicas, leader].map(at).join(',')}?target_session_attrs=${attrs}`;

test(
  'every kind of route that is right is found to be right',
  async () => {
    const { one, code, out, err } = await comesTo(
      [],
      `rw=127.0.0.1:${port('/primary')}`,
      `rw=localhost:${port('/primary')}`,
      `rw=127.0.0.1:${pool.port}`,
      `rw=postgresql://postgres:${PASSWORDS.superuser}@127.0.0.1:${pool.port}/postgres`,
      `rw=${several('read-write')}`,
      `rw=host=127.0.0.1,127.0.0.1 port=${lab.member(replicas[0] ?? '').port},${lab.member(leader).port} target_session_attrs=primary`,
      `ro=127.0.0.1:${port('/replica')}`,
      `ro=${several('standby')}`,
      `ro=${several('prefer-standby')}&load_balance_hosts=random`,
    );
    expect(code).toBe(0);
    const leadsTo = one?.routes.map((route) => route.leadsTo.join()) ?? [];
    expect(leadsTo.slice(0, 6)).toEqual(Array.from({ length: 6 }, () => leader));
    // HAProxy takes them by turns: every replica is met.
    expect(one?.routes[6]?.leadsTo.toSorted()).toEqual(replicas.toSorted());
    expect(leadsTo[7]).toBe(replicas[0]);
    expect(one?.routes[8]?.leadsTo.toSorted()).toEqual(replicas.toSorted());
    expect(out + err).not.toContain(PASSWORDS.superuser);
  },
  LIMIT_MS,
);

test(
  'any role may ask: one without rights is told the same',
  async () => {
    await lab.psql(leader, "create role visitor login password 'lab-secret-visitor'");
    const route = `rw=postgresql://visitor:lab-secret-visitor@127.0.0.1:${port('/primary')}/postgres`;
    const readRoute = route
      .replace(/^rw/, 'ro')
      .replace(String(port('/primary')), String(port('/replica')));
    const { one } = await comesTo([], route, readRoute);
    expect(one?.routes[0]?.leadsTo).toEqual([leader]);
    const monitor = { env: { PGUSER: MONITOR_USER, PGPASSWORD: PASSWORDS.monitor } };
    const words = [
      '-c',
      lab.config,
      'check',
      lab.scope,
      '--settle',
      '0',
      '--route',
      `rw=127.0.0.1:${port('/primary')}`,
    ];
    const run = await runPatctl(words, monitor);
    expect(run.out).toContain(`leads to ${leader}\n`);
  },
  LIMIT_MS,
);

test(
  'a write route is wrong in each way that has a name',
  async () => {
    await comesTo(
      [`critical write_route_replica ${replicas.toSorted().join(' ')}`],
      `rw=127.0.0.1:${port('/replica')}`,
    );
    await comesTo([`critical write_route_replica ${replicas[0] ?? ''}`], `rw=${several('any')}`);
    await comesTo(['critical write_route_down'], `rw=127.0.0.1:${port('/nothing')}`);
    await comesTo(['critical write_route_down'], `rw=127.0.0.1:${await freePort()}`);
    await comesTo(
      ['critical write_route_down'],
      `rw=${at(replicas[0] ?? '')}?target_session_attrs=primary`,
    );
    await comesTo(['critical write_route_down'], 'rw=no-such-host.invalid:5432');
    await comesTo(
      [`critical route_partial ${replicas.toSorted().join(' ')}`],
      `rw=127.0.0.1:${port('none')}`,
    );
    await comesTo(['warning route_partial'], `rw=127.0.0.1:${await freePort()},${at(leader)}`);
  },
  LIMIT_MS,
);

test(
  'a read route is wrong in each way that has a name',
  async () => {
    await comesTo([`warning read_route_primary ${leader}`], `ro=127.0.0.1:${port('/primary')}`);
    await comesTo([`warning read_route_primary ${leader}`], `ro=127.0.0.1:${port('none')}`);
    await comesTo(['critical read_route_empty'], `ro=127.0.0.1:${port('/nothing')}`);
  },
  LIMIT_MS,
);

test(
  'a pooler that refuses our login is unknown with the reason, and takes its own login',
  async () => {
    const { code, one } = await comesTo(['unknown route_unasked'], `rw=127.0.0.1:${closed.port}`);
    expect(code).toBe(3);
    const skipped = one?.unknown.find((unlooked) => unlooked.code === 'write_route_replica');
    expect(skipped?.reason).toMatch(
      /where it leads is unknown: .*(no such (user|database)|authentication failed)/,
    );
    await lab.psql(leader, "create role shop login password 'lab-secret-shop'");
    const own = `rw=host=127.0.0.1 port=${closed.port} user=shop password=lab-secret-shop dbname=shop`;
    const { one: asked, out } = await comesTo([], own);
    expect(asked?.routes).toEqual([
      { route: `rw 127.0.0.1:${closed.port}`, leadsTo: [leader], codes: [] },
    ]);
    expect(out).not.toContain('lab-secret-shop');
  },
  LIMIT_MS,
);

test(
  'another cluster at the end of a route is found by its system identifier',
  async () => {
    const { pgBin } = await ensureSetup();
    const folder = `${lab.root}/stranger`;
    const user = unprivilegedUser();
    mkdirSync(folder);
    if (user !== null) chownSync(folder, user.uid, user.gid);
    const own = { env: cleanEnv(folder), user, timeoutMs: LIMIT_MS };
    const run = (program: string, ...args: string[]) =>
      runProgram(`${pgBin}/${program}`, args, own);
    const listening = await freePort();
    const options = `-p ${listening} -c listen_addresses=127.0.0.1 -k ${folder} -c fsync=off -c shared_buffers=1MB`;
    await run('initdb', '-D', `${folder}/data`, '-U', 'postgres', '-A', 'trust', '-N');
    await run(
      'pg_ctl',
      '-D',
      `${folder}/data`,
      '-w',
      '-l',
      `${folder}/log`,
      '-o',
      options,
      'start',
    );
    try {
      const { one } = await comesTo(['critical route_other_cluster'], `rw=127.0.0.1:${listening}`);
      expect(one?.findings[0]?.evidence[0]?.said).toMatch(
        /a primary, timeline 1, system identifier \d+$/,
      );
      await comesTo(['critical route_other_cluster'], `ro=127.0.0.1:${listening}`);
    } finally {
      await run('pg_ctl', '-D', `${folder}/data`, '-m', 'immediate', '-w', 'stop');
      rmSync(folder, { recursive: true, force: true });
    }
  },
  LIMIT_MS,
);

test(
  'routes of the configuration file are asked, and recorded without their passwords',
  async () => {
    const file = `${lab.root}/with-routes.yml`;
    const routes = [
      `rw: ["postgresql://postgres:${PASSWORDS.superuser}@127.0.0.1:${pool.port}/postgres"]`,
      `ro: "127.0.0.1:${port('/primary')}"`,
    ];
    writeFileSync(
      file,
      `${readFileSync(lab.config, 'utf8')}patctl: {routes: {${routes.join(', ')}}}\n`,
    );
    const recording = `${lab.root}/routes.json`;
    const made = await runPatctl(['-c', file, 'snapshot', lab.scope, '-o', recording]);
    expect(made.code).toBe(0);
    expect(readFileSync(recording, 'utf8')).not.toContain(PASSWORDS.superuser);
    const words = ['check', lab.scope, '-f', 'json', '--settle', '0'];
    for (const run of [
      await runPatctl(['-c', file, ...words]),
      await runPatctl([...words, '--snapshot', recording]),
    ]) {
      const [one] = (JSON.parse(run.out) as CheckDocument).clusters;
      expect(one?.routes.map(({ route, codes }) => [route, ...codes].join(' '))).toEqual([
        `rw 127.0.0.1:${pool.port}`,
        `ro 127.0.0.1:${port('/primary')} read_route_primary`,
      ]);
    }
  },
  LIMIT_MS,
);

// ---------------------------------------------------------------- changes of leader

async function change(kind: 'switchover' | 'failover', ...args: string[]) {
  const words = ['-c', lab.config, kind, lab.scope, '--force', '-f', 'json'];
  const run = await runPatctl([...words, ...args], { timeoutMs: 150_000 });
  if (run.out === '') throw new Error(`no document: ${run.err}`);
  const document = JSON.parse(run.out) as ChangeDocument;
  return { ...run, document, routes: document.result?.routes ?? [] };
}

/** A client of the write port that connects again and again: when each connection was made, and whether it could write. */
function client(): { end(): Promise<{ startMs: number; endMs: number; writes: boolean }[]> } {
  const seen: { startMs: number; endMs: number; writes: boolean }[] = [];
  const over = new AbortController();
  const connectOnce = async (): Promise<boolean> => {
    const { default: pg } = await import('pg');
    const connection = new pg.Client({
      host: '127.0.0.1',
      port: port('/primary'),
      user: 'postgres',
      password: PASSWORDS.superuser,
      database: 'postgres',
      connectionTimeoutMillis: 1500,
      query_timeout: 1500,
    });
    connection.on('error', () => undefined);
    try {
      await connection.connect();
      const { rows } = await connection.query<{ writes: boolean }>(
        'select not pg_is_in_recovery() as writes',
      );
      return rows[0]?.writes === true;
    } catch {
      return false;
    } finally {
      connection.end().catch(() => undefined);
    }
  };
  const running = (async () => {
    while (!over.signal.aborted) {
      const startMs = Date.now();
      const writes = await connectOnce();
      seen.push({ startMs, endMs: Date.now(), writes });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    end: async () => {
      over.abort();
      await running;
      return seen;
    },
  };
}

test('a switchover is proven through every route, and its outage is the one that a client has', async () => {
  await comesTo([], `rw=127.0.0.1:${port('/primary')}`, `ro=127.0.0.1:${port('/replica')}`);
  const writer = client();
  const { code, document, routes } = await change(
    'switchover',
    ...[
      `rw=127.0.0.1:${port('/primary')}`,
      `rw=127.0.0.1:${pool.port}`,
      `rw=${several('read-write')}`,
      `ro=127.0.0.1:${port('/replica')}`,
    ].flatMap((route) => ['--route', route]),
  );
  const seen = await writer.end();
  expect([code, document.code]).toEqual([0, 'done']);
  const old = leader;
  await lookAgain();
  expect(leader).not.toBe(old);
  const [measured, pooled, listed, read] = routes;
  for (const one of [measured, pooled, listed]) expect(one?.leadsTo).toEqual([leader]);
  // HAProxy may not have seen yet that the old leader is a replica.
  expect(replicas).toEqual(expect.arrayContaining(read?.leadsTo ?? ['']));
  expect(read?.leadsTo.length).toBeGreaterThan(0);
  for (const one of [measured, pooled, listed]) expect(one?.outageMs).toBeGreaterThan(0);
  expect(read?.outage).toBeNull();
  // Both saw the same outage: what one is sure of is no more than what the other allows.
  const firstNo = seen.findIndex(({ writes }) => !writes);
  const lastNo = seen.findLastIndex(({ writes }) => !writes);
  expect(firstNo).toBeGreaterThan(0);
  const atMostMs = (seen[lastNo + 1]?.endMs ?? Infinity) - (seen[firstNo - 1]?.startMs ?? 0);
  const atLeastMs = (seen[lastNo]?.startMs ?? 0) - (seen[firstNo]?.endMs ?? 0);
  expect(measured?.outage?.atLeastMs).toBeLessThanOrEqual(atMostMs);
  expect(measured?.outageMs).toBeGreaterThanOrEqual(atLeastMs);
}, 150_000);

test('roll proves the routes when its work is done, and ends 5 where one takes no login of ours', async () => {
  const [member = ''] = replicas;
  const words = ['-c', lab.config, 'roll', lab.scope, '--yes', '-f', 'json', '--exec', 'true'];
  const only = ['--only', member, '--may-stay-up', '--state', `${lab.root}/roll.json`];
  const roll = async (...routes: string[]) => {
    const given = routes.flatMap((route) => ['--route', route]);
    const run = await runPatctl([...words, ...only, ...given], { timeoutMs: LIMIT_MS });
    if (run.out === '') throw new Error(`no document: ${run.err}`);
    return { code: run.code, document: JSON.parse(run.out) as ActionDocument };
  };
  const right = await roll(`rw=127.0.0.1:${port('/primary')}`, `ro=127.0.0.1:${port('/replica')}`);
  expect([right.code, right.document.code]).toEqual([0, 'done']);
  const said = right.document.evidence.find(({ witness }) => witness === 'route')?.said;
  expect(said).toContain(`rw 127.0.0.1:${port('/primary')} to ${leader}`);
  const unknown = await roll(`rw=127.0.0.1:${closed.port}`);
  expect([unknown.code, unknown.document.code]).toEqual([5, 'routes_unknown']);
}, 120_000);

test('a route that does not follow the leader ends 4 and says where it leads', async () => {
  const [candidate = ''] = replicas;
  const { code, document } = await change(
    'failover',
    '--candidate',
    candidate,
    '--route',
    `rw=${at(leader)}`,
    '--deadline',
    '25s',
  );
  expect([code, document.code]).toEqual([4, 'routes_wrong']);
  expect(document.message).toContain(`the write route rw ${at(leader)} leads to a replica`);
  expect(document.evidence[0]).toMatchObject({ witness: 'route' });
  expect(document.result?.newLeader).toBe(candidate);
  await lookAgain();
}, 150_000);

test(
  'a replica that does not stream, and one that was promoted manually, are found through their routes',
  async () => {
    const [stale = '', promoted = ''] = replicas;
    // Its Patroni would put the setting back.
    lab.freeze(stale);
    await lab.psql(stale, "alter system set primary_conninfo = 'host=127.0.0.1 port=1'");
    await lab.psql(stale, 'select pg_reload_conf()');
    await eventually('its WAL receiver has ended', LIMIT_MS, async () => {
      const text = await lab.psql(
        stale,
        "select count(*) from pg_stat_wal_receiver where status = 'streaming'",
      );
      return text.trim() === '0';
    });
    await eventually('the read route leads to it', LIMIT_MS, async () => {
      const { found } = await check('--only', 'read_route_stale', '--route', `ro=${at(stale)}`);
      expect(found).toEqual([`critical read_route_stale ${stale}`]);
      return true;
    });
    lab.freeze(promoted);
    await lab.psql(promoted, 'select pg_promote()');
    await eventually('the write route leads to it', LIMIT_MS, async () => {
      const { found } = await check(
        '--only',
        'write_route_old_primary',
        '--route',
        `rw=${at(promoted)}`,
      );
      expect(found).toEqual([`critical write_route_old_primary ${promoted}`]);
      return true;
    });
  },
  LIMIT_MS * 2,
);

/** `check --route` and `patctl.routes` as monitoring sees them, without a network. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { Reading } from '../../src/cluster/model/model.js';
import type { RouteAnswer } from '../../src/cluster/model/route-model.js';
import { answerOf } from '../support/route-answers.js';
import { quickClock, recorded, runFake, type FakeCluster } from '../support/fake-world.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-routes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Golden cluster `off`, and what a member of it answers a client. */
function world(): { cluster: FakeCluster; answer: (name: string) => Reading<RouteAnswer> } {
  const cluster: FakeCluster = { ...recorded('off'), clock: quickClock() };
  return { cluster, answer: (name) => answerOf(cluster.rest?.[name]) };
}

const names = (cluster: FakeCluster): { leader: string; replica: string } => {
  const leader = cluster.keys['/service/demo/leader'] ?? '';
  const replica = Object.keys(cluster.rest ?? {}).find((name) => name !== leader) ?? '';
  return { leader, replica };
};

async function check(cluster: FakeCluster, ...args: string[]) {
  const run = await runFake(cluster, ['check', '-f', 'json', ...args]);
  const [one] = run.out === '' ? [] : (JSON.parse(run.out) as CheckDocument).clusters;
  return { ...run, one, codes: one?.findings.map(({ code }) => code) };
}

test('routes that lead where they should are shown, and nothing is found', async () => {
  const { cluster, answer } = world();
  const { leader, replica } = names(cluster);
  cluster.routes = {
    1: answer(leader),
    2: answer(replica),
  };
  const args = ['--route', 'rw=127.0.0.1:1', '--route', 'ro=host=127.0.0.1 port=2'];
  const { one, code, codes } = await check(cluster, ...args);
  expect({ code, codes }).toEqual({ code: 0, codes: [] });
  expect(one?.routes).toEqual([
    { route: 'rw 127.0.0.1:1', leadsTo: [leader], codes: [] },
    { route: 'ro 127.0.0.1:2', leadsTo: [replica], codes: [] },
  ]);
  const pretty = await runFake(cluster, ['check', ...args]);
  expect(pretty.out).toContain(`\n  route rw 127.0.0.1:1 leads to ${leader}\n`);
});

test('routes that are wrong are found in every format, with the code of the exit', async () => {
  const { cluster, answer } = world();
  const { replica } = names(cluster);
  cluster.routes = { 1: answer(replica) };
  const wrong = ['--route', 'rw=127.0.0.1:1', '--route', 'ro=127.0.0.1:9'];
  const { code, codes } = await check(cluster, ...wrong);
  expect({ code, codes }).toEqual({ code: 2, codes: ['write_route_replica', 'read_route_empty'] });
  const inFormat = async (format: string) =>
    (await runFake(cluster, ['check', ...wrong, '-f', format])).out;
  expect(await inFormat('nagios')).toContain('[write_route_replica] (and 1 more)');
  expect(await inFormat('junit')).toContain(
    'name="write_route_replica">\n      <failure type="critical"',
  );
  expect(await inFormat('tap')).toMatch(/not ok \d+ - demo write_route_replica/);
  expect(await inFormat('tap')).toMatch(/"route rw 127.0.0.1:1: 127.0.0.1:1: leads to/);
  expect(await inFormat('prometheus')).toContain(
    'patctl_check_finding{cluster="demo",code="read_route_empty"} 1',
  );
});

test('without a route the findings about routes are skipped, not passed', async () => {
  const { cluster } = world();
  const { one } = await check(cluster);
  const skipped = one?.unknown.filter(({ reason }) => reason === 'needs --route');
  expect(skipped?.map(({ code }) => code)).toContain('write_route_replica');
  expect((await runFake(cluster, ['check'])).out).not.toContain('--route');
  expect((await runFake(cluster, ['check', '-v'])).out).toContain('(needs --route)');
});

test('a pooler that refuses our login is unknown, and no password is printed', async () => {
  const { cluster } = world();
  cluster.routes = { 1: { ok: false, kind: 'denied', reason: 'flag: no such user: app' } };
  const { code, codes, out, err, one } = await check(
    cluster,
    '--route',
    'rw=postgresql://app:geheim@127.0.0.1:1/shop',
  );
  expect({ code, codes }).toEqual({ code: 3, codes: ['route_unasked'] });
  expect(one?.unknown.find(({ code: one }) => one === 'write_route_down')?.reason).toContain(
    'no such user: app',
  );
  expect(out + err).not.toContain('geheim');
});

test('a route that cannot be read is refused without its text', async () => {
  const { cluster } = world();
  const run = await runFake(cluster, ['check', '--route', 'rw=postgresql://app:geheim@db:x/shop']);
  expect(run).toMatchObject({ code: 3, out: '' });
  expect(run.err).toContain('--route 1 cannot be read: the port of host 1 is not a port');
  expect(run.err).not.toContain('geheim');
});

test('--route needs one cluster', async () => {
  const { cluster } = world();
  const run = await runFake(cluster, ['check', '--all', '--route', 'rw=127.0.0.1:1']);
  expect(run.code).toBe(3);
  expect(run.err).toContain('--route needs one cluster');
});

test('the file names routes of its own cluster, and --route stands for all of them', async () => {
  const { cluster, answer } = world();
  const { leader } = names(cluster);
  cluster.routes = { 1: answer(leader) };
  const file = join(folder, 'patroni.yml');
  const routes =
    'routes: {rw: ["host=127.0.0.1 port=1 password=geheim"], ro: "127.0.0.1:8,127.0.0.1:9"}';
  writeFileSync(file, `scope: demo\netcd3: {host: 127.0.0.1}\npatctl: {${routes}}\n`);
  const inFile = async (...args: string[]) => {
    const run = await runFake(cluster, ['-c', file, 'check', '-f', 'json', ...args]);
    const [one] = (JSON.parse(run.out) as CheckDocument).clusters;
    return one?.routes.map(({ route, codes }) => [route, ...codes].join(' '));
  };
  expect(await inFile('demo')).toEqual([
    'rw 127.0.0.1:1',
    'ro 127.0.0.1:8,127.0.0.1:9 read_route_empty',
  ]);
  expect(await inFile('demo', '--route', 'rw=127.0.0.1:7')).toEqual([
    'rw 127.0.0.1:7 write_route_down',
  ]);
  const shown = await runFake(cluster, ['-c', file, 'config', 'show']);
  expect(shown.out).toContain('127.0.0.1:8,127.0.0.1:9');
  expect(shown.out).not.toContain('geheim');
});

test('a recording holds what answered, and is judged again', async () => {
  const { cluster, answer } = world();
  const { replica } = names(cluster);
  cluster.routes = { 1: answer(replica) };
  const file = join(folder, 'recorded.json');
  const route = 'rw=postgresql://app:geheim@127.0.0.1:1/shop';
  const made = await runFake(cluster, ['snapshot', '--route', route]);
  writeFileSync(file, made.out);
  expect(made.out).not.toContain('geheim');
  const { code, codes, one } = await check({ keys: {} }, '--snapshot', file);
  expect({ code, codes }).toEqual({ code: 2, codes: ['write_route_replica'] });
  expect(one?.routes).toEqual([
    { route: 'rw 127.0.0.1:1', leadsTo: [replica], codes: ['write_route_replica'] },
  ]);
  const both = await runFake({ keys: {} }, [
    'check',
    '--snapshot',
    file,
    '--route',
    'rw=127.0.0.1:1',
  ]);
  expect(both.err).toContain('a recording has its own routes');
});

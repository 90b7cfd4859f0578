/** `switchover` with routes: proven and measured, wrong, or unknown; without a network. */
import { describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { Reading } from '../../src/cluster/model/model.js';
import type { RouteAnswer } from '../../src/cluster/model/route-model.js';
import { UNREACHABLE } from '../support/fake-world.js';
import { answerOf } from '../support/route-answers.js';
import { changeWorld, runIn, type ChangeWorld } from './change-world.js';

/** A proxy that finds the primary, or a replica. */
function proxied(world: ChangeWorld, primary: boolean): Reading<RouteAnswer> {
  const all = Object.keys(world.rest).map((name) => answerOf(world.rest[name]));
  return all.find((said) => said.ok && said.value.inRecovery !== primary) ?? UNREACHABLE;
}

const ROUTES = [
  '--route',
  'rw=postgresql://app:geheim@127.0.0.1:1/shop',
  '--route',
  'ro=127.0.0.1:2',
];

async function switchOver(world: ChangeWorld, ...args: string[]) {
  const run = await runIn(world, ['switchover', 'demo', '--force', '-f', 'json', ...args]);
  const document = JSON.parse(run.out) as ChangeDocument;
  return { ...run, document, routes: document.result?.routes };
}

describe('routes that follow', () => {
  const following = (): ChangeWorld => {
    const world = changeWorld();
    let led = world.leader;
    world.routes = (port) => {
      // However late it is asked, the first client of the new leader comes too early.
      if (port === 1 && world.leader !== led) {
        led = world.leader;
        return UNREACHABLE;
      }
      return proxied(world, port === 1);
    };
    return world;
  };

  test('are proven, and the outage of the write route is measured', async () => {
    const world = following();
    const { code, document, routes, out, err } = await switchOver(world, ...ROUTES);
    expect({ code, said: document.code }).toEqual({ code: 0, said: 'done' });
    const { newLeader } = document.result ?? {};
    expect(routes).toMatchObject([
      { route: 'rw 127.0.0.1:1', leadsTo: [newLeader], codes: [], outage: { first: {} } },
      { route: 'ro 127.0.0.1:2', codes: [], outageMs: null, outage: null },
    ]);
    expect(routes?.[0]?.outageMs).toBeGreaterThan(0);
    expect(document.steps.map(({ step }) => step)).toContain('routes');
    expect(out + err).not.toContain('geheim');
  });

  test('are said below the table, with the time for which clients had no primary', async () => {
    const run = await runIn(following(), ['switchover', 'demo', '--force', ...ROUTES]);
    expect(run.code).toBe(0);
    expect(run.out).toMatch(
      /\nRoute rw 127\.0\.0\.1:1 leads to \w+, its clients were without a primary for .* s\n/,
    );
    expect(run.out).toMatch(/\nRoute ro 127\.0\.0\.1:2 leads to \w+\n/);
    expect(run.err).toContain('every route is proven: rw 127.0.0.1:1 to');
  });

  test('are not asked with another --wait', async () => {
    const { code, routes } = await switchOver(following(), ...ROUTES, '--wait', 'healthy');
    expect({ code, routes }).toEqual({ code: 0, routes: [] });
  });
});

test('a write route that stays where it was ends 4, with what answers there', async () => {
  const world = changeWorld();
  world.routes = () => answerOf(world.rest[world.leader]);
  const { code, document } = await switchOver(
    world,
    '--route',
    'rw=127.0.0.1:1',
    '--deadline',
    '20s',
  );
  expect({ code, said: document.code }).toEqual({ code: 4, said: 'routes_wrong' });
  expect(document.message).toContain(
    `the write route rw 127.0.0.1:1 leads to a replica: ${world.leader}`,
  );
  expect(document.evidence[0]).toMatchObject({ witness: 'route', subject: 'rw 127.0.0.1:1' });
});

test('a pooler that refuses our login ends 5, without waiting for the deadline', async () => {
  const world = changeWorld();
  world.routes = () => ({ ok: false, kind: 'denied', reason: 'no such user: postgres' });
  const { code, document, err } = await switchOver(world, '--route', 'rw=127.0.0.1:1');
  expect({ code, said: document.code }).toEqual({ code: 5, said: 'routes_unknown' });
  expect(document.message).toContain('no such user: postgres');
  expect(err).toContain('--wait healthy');
});

test('what is wrong with a route before is said before the question', async () => {
  const world = changeWorld();
  world.routes = () => UNREACHABLE;
  const run = await runIn(world, ['switchover', 'demo', '--dry-run', '--route', 'rw=127.0.0.1:1']);
  expect(run.code).toBe(0);
  expect(run.err).toContain(
    'warning: the write route rw 127.0.0.1:1 leads to no server [write_route_down]',
  );
});

test('--wait routes without a route is refused before anything is sent', async () => {
  const world = changeWorld();
  const run = await runIn(world, ['switchover', 'demo', '--force', '--wait', 'routes']);
  expect(run.code).toBe(2);
  expect(run.err).toContain('--wait routes needs a route');
  expect(world.sent).toEqual([]);
});

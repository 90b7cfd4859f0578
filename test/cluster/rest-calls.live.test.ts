/**
 * What patctl --compat and the real patronictl send to Patroni's REST API, call by call: proxies stand
 * before the members, write down what comes and, here, answer for them. Each difference is a row of
 * docs/deviations.md.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import {
  asIfDone,
  startRestProxies,
  type Call,
  type Instead,
  type RestProxies,
} from '../support/recording-proxy.js';
import type { RunResult } from '../support/run.js';
import { settledLines } from '../support/settled.js';
import { privateCluster } from '../support/shared.js';
import { acts, sentOf, sideBySide, type Run, type SideBySide } from '../support/side-by-side.js';

let lab: Lab;
let proxies: RestProxies;
let side: SideBySide;

beforeAll(async () => {
  proxies = await startRestProxies(['pg1', 'pg2', 'pg3']);
  lab = await privateCluster({ restAuth: true, restProxies: proxies.addresses });
  proxies.attach(lab.members);
  side = sideBySide(lab, proxies);
  await lab.dcsPut('failover', '{}');
});
afterAll(async () => {
  await lab.down();
  await proxies.close();
});

const ours: SideBySide['ours'] = (...all) => side.ours(...all);
const theirs: SideBySide['theirs'] = (...all) => side.theirs(...all);
const words = (line: string): string[] => side.words(line);
const settled = ({ out }: RunResult): string[] => settledLines(out);

/** By patronictl, and really. */
async function done(line: string): Promise<void> {
  const run = await theirs(words(line));
  expect(run.code, run.out + run.err).toBe(0);
}

interface Codes {
  ours: number;
  theirs: number;
}

const GOOD = { ours: 0, theirs: 0 };
const AT = '2036-12-31T03:04:05+02:00';

/** Patroni's part in the calls that act: the members are not asked, and nothing happens. */
function answering(instead: Instead): void {
  proxies.instead = asIfDone(instead);
}

interface Told {
  codes: Codes;
  /** Only ours knows it, e.g. a shorter wait. */
  more?: string[];
  /** false: Patroni's answer was made up, so patctl sees no effect and says so. */
  hasEffect?: boolean;
}

/** Both at once, because their requests reach no member: same stdout, same calls, these codes. */
async function told(
  line: string,
  { codes, more = [], hasEffect = true }: Told,
): Promise<{ a: Run; b: Run }> {
  const args = words(line);
  const [a, b] = await Promise.all([ours([...args, ...more]), theirs(args)]);
  expect({ line, sent: a.sent }).toEqual({ line, sent: b.sent });
  if (hasEffect) expect({ line, out: settled(a) }).toEqual({ line, out: settled(b) });
  else expect(a.out).toMatch(/^(Unconfirmed: restart for member pg\d|Failed: pause cluster)/m);
  expect({ line, ours: a.code, theirs: b.code }, a.err + b.err).toEqual({ line, ...codes });
  return { a, b };
}

describe('what is sent', () => {
  afterEach(() => {
    proxies.instead = () => null;
  });

  const RESTARTED: Instead = { status: 200, body: 'restarted successfully' };
  const LATER_ON: Instead = { status: 202, body: 'scheduled' };
  const REFUSED: Instead = { status: 412, body: 'no' };
  const REFUSED_CODES = { ours: 1, theirs: 0 };
  const NO_EFFECT = { ours: 5, theirs: 0 };

  test.each<[line: string, members: string, instead: Instead, codes: Codes]>([
    ['restart CLUSTER --force', 'pg1 pg2 pg3', RESTARTED, GOOD],
    ['restart CLUSTER pg3 pg2 --force --scheduled now', 'pg2 pg3', RESTARTED, GOOD],
    ['restart CLUSTER -r primary --force --timeout 30', 'pg1', RESTARTED, GOOD],
    ['restart CLUSTER -r standby --force --pg-version 15.99', 'pg2 pg3', RESTARTED, GOOD],
    [
      'restart CLUSTER -r any pg1 --force --pending --scheduled 2036-12-31T03:04Z',
      'pg1',
      LATER_ON,
      NO_EFFECT,
    ],
    ['restart CLUSTER pg2 --force --scheduled 2036-12-31T03:04:05.25', 'pg2', LATER_ON, NO_EFFECT],
    ['restart CLUSTER --force --pending', '', RESTARTED, GOOD],
    ['reload CLUSTER --force', 'pg1 pg2 pg3', LATER_ON, GOOD],
    ['reinit CLUSTER pg3 pg2 --force', 'pg2 pg3', RESTARTED, GOOD],
    ['reinit CLUSTER pg2 --force --from-leader', 'pg2', RESTARTED, GOOD],
    ['switchover CLUSTER --force', 'pg1', REFUSED, REFUSED_CODES],
    ['switchover CLUSTER --force --leader pg1 --candidate pg3', 'pg1', REFUSED, REFUSED_CODES],
    [`switchover CLUSTER --force --primary pg1 --scheduled ${AT}`, 'pg1', REFUSED, REFUSED_CODES],
    ['failover CLUSTER --force --candidate pg2', 'pg1', REFUSED, REFUSED_CODES],
    ['pause', 'pg1', RESTARTED, NO_EFFECT],
    ['edit-config -s loop_wait=2 --force', '', RESTARTED, GOOD],
    [
      'demote-cluster --host h --port 5433 --primary-slot-name s --restore-command /bin/false --force',
      'pg1',
      REFUSED,
      { ours: 1, theirs: 1 },
    ],
  ])('%s: to %s', async (line, members, instead, codes) => {
    answering(instead);
    const { a } = await told(line, { codes, hasEffect: codes !== NO_EFFECT });
    expect(a.sent.map(({ member }) => member).join(' ')).toBe(members);
    expect(a.sent.every(({ authenticated }) => authenticated)).toBe(true);
  });

  test('restart --any: of one', async () => {
    answering(RESTARTED);
    const args = words('restart CLUSTER --any --force');
    const [a, b] = await Promise.all([ours(args), theirs(args)]);
    const anyOne = ({ sent }: Run) => sent.map((call) => ({ ...call, member: 'one' }));
    expect([a.code, b.code, anyOne(a), a.sent.length]).toEqual([0, 0, anyOne(b), 1]);
  });

  test('restart --pending: of those that wait for it', async () => {
    const before = (await lab.dcsGet('config')) ?? '';
    const config = JSON.parse(before) as { postgresql: { parameters: object } };
    Object.assign(config.postgresql.parameters, { max_connections: 41 });
    const pending = (wanted: boolean) =>
      eventually(`pending restart: ${wanted}`, 90_000, async () => {
        const keys = await Promise.all(
          lab.members.map(({ name }) => lab.dcsGet(`members/${name}`)),
        );
        return keys.every((key) => key?.includes('"pending_restart":true') === wanted);
      });
    await lab.dcsPut('config', JSON.stringify(config));
    try {
      await pending(true);
      answering(RESTARTED);
      const all = await told('restart CLUSTER --pending --force', { codes: GOOD });
      expect(all.a.sent.map(({ body }) => body)).toEqual(Array(3).fill({ restart_pending: true }));
      const one = await told('restart CLUSTER -r leader --pending --force', { codes: GOOD });
      expect(one.a.sent).toHaveLength(1);
    } finally {
      await lab.dcsPut('config', before);
    }
    await pending(false);
  }, 300_000);

  test('a Patroni of old that has no /switchover is asked for a failover', async () => {
    proxies.instead = ({ path }) =>
      path === '/switchover'
        ? { status: 501, body: 'Server does not support this operation' }
        : path === '/failover'
          ? { status: 412, body: 'no' }
          : null;
    const { a } = await told('switchover CLUSTER --force', { codes: REFUSED_CODES });
    expect(a.sent.map(({ path }) => path)).toEqual(['/switchover', '/failover']);
  });

  test('version asks, and nothing more', async () => {
    for (const [line, count] of [
      ['version CLUSTER', 3],
      ['version CLUSTER pg2', 1],
    ] as const) {
      const from = proxies.calls.length;
      await told(line, { codes: GOOD });
      const asked = (by: Call['by']) =>
        proxies.calls
          .slice(from)
          .flatMap((call) => (call.by === by ? [sentOf(call)] : []))
          .sort((x, y) => x.member.localeCompare(y.member));
      expect(asked('patctl')).toEqual(asked('patroni'));
      expect(asked('patctl')).toHaveLength(count);
    }
  });
});

describe('answers that are none', () => {
  afterEach(async () => {
    proxies.instead = () => null;
    await lab.dcsPut('failover', '{}');
  });
  const SHORT = ['--deadline', '2s'];
  const DEMOTE = 'demote-cluster --host 127.0.0.1 --port 1 --force';

  test.each<[status: number, line: string, codes: [ours: number, theirs: number], more?: string[]]>(
    [
      [409, 'restart CLUSTER pg2 --force', [1, 0]],
      [409, 'reload CLUSTER pg2 --force', [5, 0]],
      [409, 'pause', [1, 0]],
      [409, DEMOTE, [1, 1]],
      [409, `switchover --force --scheduled ${AT}`, [1, 0]],
      [500, 'restart CLUSTER pg2 --force', [5, 0], SHORT],
      [500, 'reload CLUSTER pg2 --force', [5, 0]],
      [500, 'reinit CLUSTER pg2 --force', [5, 0]],
      [500, 'pause', [1, 0], SHORT],
      [500, DEMOTE, [1, 1], SHORT],
      [500, `switchover --force --scheduled ${AT}`, [1, 0]],
      [503, 'restart CLUSTER pg2 --force', [1, 0]],
      [503, 'reload CLUSTER pg2 --force', [5, 0]],
    ],
  )('%i: %s', async (status, line, [a, b], more = []) => {
    answering({ status, body: 'the reason' });
    const { a: run } = await told(line, { codes: { ours: a, theirs: b }, more });
    expect(run.sent).toHaveLength(1);
  });

  test.each<[line: string, members: string, instead: Instead, more: string[]]>([
    ['restart CLUSTER pg2 pg3 --force', 'pg2 pg3', { garbage: 'no HTTP\r\n\r\n' }, SHORT],
    ['reload CLUSTER pg2 pg3 --force', 'pg2 pg3', 'hang up', []],
    ['reinit CLUSTER pg2 pg3 --force', 'pg2 pg3', 'hang up', []],
    [DEMOTE, 'pg1', 'hang up', SHORT],
  ])(
    'a connection that is cut after the request: %s, to %s',
    async (line, members, instead, more) => {
      answering(instead);
      const args = words(line);
      const [a, b] = await Promise.all([ours([...args, ...more]), theirs(args)]);
      expect([a.code, b.code], a.err).toEqual([5, 1]);
      // patronictl stops at the first with a traceback; each is asked once, by both.
      expect(a.sent.slice(0, 1)).toEqual(b.sent);
      expect(a.sent.map(({ member }) => member).join(' ')).toBe(members);
      const isLost = (text: string) => / for member pg\d, the answer was lost: /.test(text);
      expect(settled(a).filter((text) => !isLost(text))).toEqual(settled(b));
    },
  );

  test('the same, where patronictl asks again and the next one: patctl asks once', async () => {
    answering('hang up');
    const members = ({ sent }: Run) => sent.map(({ member }) => member).join(' ');
    const [a, b] = await Promise.all([ours(['pause', ...SHORT]), theirs(['pause'])]);
    expect([a.code, b.code, members(a), members(b)]).toEqual([5, 1, 'pg1', 'pg1 pg2 pg3']);

    proxies.instead = () => null;
    await done(`restart CLUSTER pg2 --force --scheduled ${AT}`);
    await eventually('its key says so', 60_000, async () =>
      (await lab.dcsGet('members/pg2'))?.includes('scheduled_restart'),
    );
    answering('hang up');
    const flush = await refusedTwice('flush CLUSTER pg2 restart --force');
    expect(flush).toEqual([5, 1, 'pg2', 'pg2 pg2 pg2 pg2']);
    proxies.instead = () => null;
    await done('flush CLUSTER restart --force');
  });

  test('a switchover: patctl watches, patronictl writes to the DCS', async () => {
    answering('hang up');
    const now = await ours(words('switchover CLUSTER --force --deadline 3s'));
    expect([now.code, now.sent.length, await lab.leader()]).toEqual([5, 1, 'pg1']);
    const later = words(`switchover CLUSTER --force --scheduled ${AT}`);
    const a = await ours(later);
    expect([a.code, await lab.dcsGet('failover')]).toEqual([5, '{}']);
    const b = await theirs(later);
    expect([b.code, a.sent]).toEqual([0, b.sent]);
    expect(await lab.dcsGet('failover')).toContain(AT);

    const kept = await ours(words('flush CLUSTER switchover'));
    expect([kept.code, kept.sent.length]).toEqual([5, 1]);
    expect(await lab.dcsGet('failover')).toContain(AT);
    const past = await theirs(words('flush CLUSTER switchover'));
    expect([past.code, past.sent.length]).toEqual([0, 12]);
    expect(await lab.dcsGet('failover')).toBe('{}');
  });

  test.each([404, 409, 503])('flush switchover, %i: one member is asked', async (status) => {
    answering({ status, body: 'no' });
    const key = JSON.stringify({ leader: 'pg1', scheduled_at: AT });
    await lab.dcsPut('failover', key);
    const a = await ours(words('flush CLUSTER switchover'));
    expect([a.code, a.sent.length, await lab.dcsGet('failover')]).toEqual([1, 1, key]);
    const b = await theirs(words('flush CLUSTER switchover'));
    expect([b.code, a.sent]).toEqual([0, b.sent.slice(0, 1)]);
    expect(settled(b)).toEqual(expect.arrayContaining(settled(a)));
  });

  async function refusedTwice(line: string) {
    const args = words(line);
    const [a, b] = await Promise.all([ours(args), theirs(args)]);
    const members = ({ sent }: Run) => sent.map(({ member }) => member).join(' ');
    return [a.code, b.code, members(a), members(b)];
  }
});

test('every call that acts was one of a run, and patctl only looks beside that', () => {
  expect(proxies.calls.filter(acts).length).toBeGreaterThan(50);
  expect(side.unclaimed()).toEqual([]);
  const looks = proxies.calls.filter((call) => call.by === 'patctl' && !acts(call));
  const said = looks.map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(said)]).toEqual(['GET /patroni']);
});

/**
 * patctl --compat beside the real patronictl where the other files do not look: conditions of restart,
 * flush, role filters, and what goes wrong; what is sent to the members is the same too. Each difference
 * asserted here is a row of docs/deviations.md.
 */
import { readFileSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { startRestProxies, type RestProxies } from '../support/recording-proxy.js';
import { runPatctl, type RunOptions, type RunResult } from '../support/run.js';
import { settledLines } from '../support/settled.js';
import { privateCluster } from '../support/shared.js';
import { acts, sideBySide, type Run, type Sent, type SideBySide } from '../support/side-by-side.js';

let lab: Lab;
/** Between both programs and every member's REST API. */
let proxies: RestProxies;
let side: SideBySide;
let folder = '';
/** The client's configuration with a wrong REST password, and with an etcd that is not there. */
let wrongPassword = '';
let deadEtcd = '';

beforeAll(async () => {
  proxies = await startRestProxies(['pg1', 'pg2', 'pg3']);
  const restProxies = proxies.addresses;
  // A member that is stopped keeps its key for ttl: longer than the tests of it take on a busy machine.
  lab = await privateCluster({ sync: 'off', restAuth: true, restProxies, dcs: { ttl: 300 } });
  proxies.attach(lab.members);
  side = sideBySide(lab, proxies);
  folder = mkdtempSync(join(tmpdir(), 'patctl-live-'));
  const text = readFileSync(lab.config, 'utf8');
  wrongPassword = join(folder, 'password.yml');
  writeFileSync(wrongPassword, text.replaceAll(PASSWORDS.rest, 'wrong'));
  deadEtcd = join(folder, 'etcd.yml');
  writeFileSync(deadEtcd, text.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await lab.down();
  await proxies.close();
});

const ours: SideBySide['ours'] = (...all) => side.ours(...all);
const theirs: SideBySide['theirs'] = (...all) => side.theirs(...all);
const words = (line: string): string[] => side.words(line);

async function done(...args: string[]): Promise<void> {
  const run = await theirs(args);
  expect(run.code, run.out + run.err).toBe(0);
  await dcs();
}

const settled = ({ out }: RunResult): string[] => settledLines(out);

/** What acting commands leave in the DCS, once the members' keys say what the members say. */
async function dcs(): Promise<unknown> {
  await eventually('the keys have caught up', 30_000, async () => {
    const agree = lab.members.map(async ({ name }) => {
      const { json } = await lab.rest(name, '/patroni').catch(() => ({ json: null }));
      const key = JSON.parse((await lab.dcsGet(`members/${name}`)) ?? '{}') as object;
      const due = (one: unknown) =>
        (one as { scheduled_restart?: { schedule: string } } | null)?.scheduled_restart?.schedule;
      return json === null || due(json) === due(key);
    });
    return (await Promise.all(agree)).every(Boolean);
  });
  const read = async (key: string) => JSON.parse((await lab.dcsGet(key)) ?? 'null') as unknown;
  const members = lab.members.map(async ({ name }) => {
    const member = (await read(`members/${name}`)) as Record<string, unknown> | null;
    return [name, member?.['scheduled_restart'] ?? null];
  });
  const failover = (await read('failover')) ?? {};
  return { config: await read('config'), failover, restarts: await Promise.all(members) };
}

async function startTimes(): Promise<string[]> {
  const ask = ({ name }: { name: string }) => lab.psql(name, 'SELECT pg_postmaster_start_time()');
  return Promise.all(lab.members.map(ask));
}

interface Codes {
  ours: number;
  theirs: number;
}

/** Both, one after the other and each from the same beginning: same stdout, same calls, same DCS, these codes. */
async function same(line: string, codes: Codes, undo?: string): Promise<string> {
  const args = words(line);
  const b = await theirs(args);
  const after = await dcs();
  if (undo !== undefined) await done(...words(undo));
  const a = await ours(args);
  expect({ line, out: settled(a), sent: a.sent }).toEqual({ line, out: settled(b), sent: b.sent });
  expect({ line, ours: a.code, theirs: b.code }, a.err + b.err).toEqual({ line, ...codes });
  expect({ line, dcs: await dcs() }).toEqual({ line, dcs: after });
  if (undo !== undefined) await done(...words(undo));
  return a.out;
}

interface RefusedOptions extends RunOptions {
  config?: string;
  /** Only patronictl sends it. */
  notSent?: boolean;
}

/** Refused by both, so neither disturbs the other. */
async function refused(
  line: string,
  { config = lab.config, notSent = false, ...options }: RefusedOptions = {},
): Promise<{ a: Run; b: Run }> {
  const before = await dcs();
  const args = words(line);
  const [a, b] = await Promise.all([ours(args, config, options), theirs(args, config, options)]);
  expect({ line, sent: a.sent }).toEqual({ line, sent: notSent ? [] : b.sent });
  expect({ line, dcs: await dcs() }).toEqual({ line, dcs: before });
  return { a, b };
}

const GOOD = { ours: 0, theirs: 0 };
const AT = '2036-12-31T03:04:05+02:00';
const LATER = '2037-01-01T03:04:05+02:00';

/** What `2>&1 | tail -1` takes: hints stand above it where stderr is not a terminal. */
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';

describe('what is scheduled', () => {
  test.each([
    `restart CLUSTER --force --scheduled ${AT}`,
    `restart CLUSTER pg2 --force --scheduled ${AT} --pg-version 15.99 --timeout 10`,
    `restart CLUSTER -r replica --force --scheduled ${AT} --pending`,
    `restart CLUSTER -r leader --any --force --scheduled ${AT}`,
  ])('%s', async (line) => {
    const out = await same(line, GOOD, 'flush CLUSTER restart --force');
    expect(out).toContain('Success: restart scheduled on member');
  });

  test('flush of restarts: of some members, by role, of all; once more there is nothing', async () => {
    for (const which of ['pg2 pg3 restart', 'restart -r leader', 'restart']) {
      const schedule = `restart CLUSTER --force --scheduled ${AT}`;
      await done(...words(schedule));
      const out = await same(`flush CLUSTER ${which} --force`, GOOD, schedule);
      expect(out).toContain('Success: flush scheduled restart for member');
    }
    await done(...words('flush CLUSTER restart --force'));
    expect(await same('flush CLUSTER restart --force', GOOD)).toContain('No scheduled restart');
  }, 300_000);

  test('one restart instead of another: that one is withdrawn first', async () => {
    const schedule = `restart CLUSTER pg2 --force --scheduled ${AT}`;
    await done(...words(schedule));
    const from = proxies.calls.length;
    await same(`restart CLUSTER pg2 --force --scheduled ${LATER}`, GOOD, schedule);
    const methods = proxies.calls
      .slice(from)
      .filter(acts)
      .map(({ method }) => method);
    expect(methods).toHaveLength(8);
    expect(methods.slice(0, 2)).toEqual(['DELETE', 'POST']);
    await done(...words('flush CLUSTER restart --force'));
  });

  test('a switchover, and flush of it; once more there is nothing', async () => {
    const schedule = `switchover CLUSTER --force --scheduled ${AT} --candidate pg2`;
    await same(schedule, GOOD, 'flush CLUSTER switchover --force');
    await done(...words(schedule));
    await same('flush CLUSTER switchover --force', GOOD, schedule);
    await done(...words('flush CLUSTER switchover --force'));
    expect(await same('flush CLUSTER switchover --force', GOOD)).toContain('No pending scheduled');
  }, 300_000);

  test('a restart in the past, at no time, while paused', async () => {
    const past = 'restart CLUSTER pg2 --force --scheduled 2020-01-01T00:00Z';
    const { a, b } = await refused(past, { notSent: true });
    expect([a.code, b.code]).toEqual([2, 0]);
    expect(a.err).toContain('is in the past');
    expect(b.out).toContain('Cannot schedule restart in the past');
    const odd = await refused('restart CLUSTER pg2 --force --scheduled tomorrowish');
    expect([odd.a.code, odd.b.code]).toEqual([1, 1]);
    expect(lastLine(odd.a.err)).toBe(odd.b.err.trimEnd());
    await done('pause', '--wait');
    await same(`restart CLUSTER pg2 --force --scheduled ${AT}`, { ours: 1, theirs: 1 });
    await done('resume', '--wait');
  });
});

describe('which members are restarted', () => {
  test.each([
    ['restart CLUSTER -r replica --force --pg-version 15.999 --timeout 30', [false, true, true]],
    ['restart CLUSTER -r leader --any --force', [true, false, false]],
    ['restart CLUSTER --force --pg-version 14.1', [false, false, false]],
  ])('%s: %j', async (line, who) => {
    const leader = await lab.waitHealthy();
    expect(leader).toBe('pg1');
    const seen: { out: string[]; sent: Sent[]; code: number | null; restarted: boolean[] }[] = [];
    for (const run of [theirs, ours]) {
      const before = await startTimes();
      const { code, sent, ...result } = await run(words(line));
      await lab.waitHealthy();
      const after = await startTimes();
      const restarted = after.map((time, at) => time !== before[at]);
      seen.push({ out: settled({ code, ...result }), sent, code, restarted });
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]).toMatchObject({ code: 0, restarted: who });
  });

  test.each(['banana', '0'])('--timeout %s is refused by Patroni', async (timeout) => {
    await same(`restart CLUSTER pg2 --force --timeout ${timeout}`, { ours: 1, theirs: 0 });
  });

  test('an invalid version', async () => {
    const { a, b } = await refused('restart CLUSTER --force --pg-version 15');
    expect([a.code, b.code]).toEqual([1, 1]);
    expect(a.err).toBe(b.err);
  });

  test('reload by role', async () => {
    await same('reload CLUSTER -r replica --force', GOOD);
    await same('reload CLUSTER -r leader --force', GOOD);
    const { a, b } = await refused('reload CLUSTER -r standby-leader --force');
    expect([a.code, b.code, lastLine(a.err)]).toEqual([1, 1, lastLine(b.err)]);
  });

  test('reinit --force: of one member, and of none', async () => {
    const seen: { out: string[]; sent: Sent[] }[] = [];
    for (const run of [theirs, ours]) {
      await lab.waitHealthy();
      const [, , before] = await startTimes();
      const result = await run(words('reinit CLUSTER pg3 --force --from-leader'));
      expect(result.code, result.err).toBe(0);
      seen.push({ out: settled(result), sent: result.sent });
      await eventually('pg3 is another', 90_000, async () => (await startTimes())[2] !== before);
    }
    expect(seen[1]).toEqual(seen[0]);
    await lab.waitHealthy();
    await same('reinit CLUSTER --force', { ours: 2, theirs: 0 });
  }, 300_000);
});

describe('names that are not there', () => {
  test.each([
    'restart CLUSTER pg9 --force',
    'reload CLUSTER pg9 --force',
    'reinit CLUSTER pg9 --force',
    'flush CLUSTER pg9 restart --force',
    'failover CLUSTER --candidate pg9 --force',
    'switchover CLUSTER --candidate pg9 --force',
    'switchover CLUSTER --leader pg9 --force',
  ])('%s', async (line) => {
    const { a, b } = await refused(line);
    expect([a.code, b.code], a.err).toEqual([1, 1]);
    // Where members are arguments, patronictl prints its table before it looks for them.
    if (/over /.test(line)) expect(settled(a)).toEqual(settled(b));
    else expect([a.out, b.out.startsWith('+ Cluster: ')]).toEqual(['', true]);
  });

  test.each([
    ['restart nosuch --force', 1],
    ['reload nosuch --force', 1],
    ['reinit nosuch pg1 --force', 1],
    ['flush nosuch restart --force', 1],
    ['flush nosuch switchover --force', 0],
    ['switchover nosuch --force', 1],
    ['failover nosuch --candidate pg2 --force', 1],
    ['pause nosuch', 1],
    ['resume nosuch', 1],
    ['remove nosuch', 1],
    ['demote-cluster nosuch --host 127.0.0.1 --force', 1],
    ['promote-cluster nosuch --force', 1],
  ])('%s', async (line, code) => {
    const { a, b } = await refused(line);
    expect([a.code, a.out, b.code], b.err).toEqual([1, '', code]);
    expect(a.err).toContain(`clusters in /service: ${lab.scope}`);
    // Its sentence, which scripts look for; remove has none, flush of a switchover prints it.
    if (b.err !== '' && !b.err.startsWith('Aborted!')) {
      expect(lastLine(a.err)).toBe(
        b.err.trimEnd().replace(/^.*'any'.*$/, `Error: nosuch cluster doesn't have any members`),
      );
    }
  });
});

describe('no terminal: what is asked comes out of stdin, which is at its end', () => {
  const NAMES: [line: string, flag: string][] = [
    ['restart CLUSTER', '--force'],
    ['reload CLUSTER', '--force'],
    ['reinit CLUSTER pg2', '--force'],
    ['flush CLUSTER restart', '--force'],
    ['switchover CLUSTER', '--force'],
    ['failover CLUSTER --candidate pg2', '--force'],
    ['demote-cluster CLUSTER --host 127.0.0.1 --port 1', '--force'],
    ['edit-config CLUSTER -s loop_wait=3', '--force'],
    ['remove CLUSTER', '--confirm-name CLUSTER --yes --confirm-leader MEMBER'],
  ];
  test.each(NAMES)('%s: Aborted!, and without --compat exit 2 names %s', async (line, flag) => {
    const { a, b } = await refused(line);
    expect([a.code, a.err, settled(a)]).toEqual([1, 'Aborted!\n', settled(b)]);
    expect([b.code, b.err]).toEqual([1, 'Aborted!\n']);
    const plain = await runPatctl(['-c', lab.config, ...words(line)]);
    expect([plain.code, plain.err]).toEqual([2, expect.stringContaining(flag)]);
  });
});

describe('a wrong password for REST: Patroni answers 401', () => {
  test.each([
    'restart CLUSTER --force',
    `restart CLUSTER pg2 --force --scheduled ${AT}`,
    'reload CLUSTER --force',
    'reinit CLUSTER pg2 --force',
    'pause',
    'switchover CLUSTER --force',
    'failover CLUSTER --candidate pg2 --force',
  ])('%s: the same words, exit 1 for 0', async (line) => {
    const { a, b } = await refused(line, { config: wrongPassword });
    expect(settled(a)).toEqual(settled(b));
    expect(a.out).toMatch(/401/);
    expect([a.code, b.code], a.err).toEqual([1, 0]);
  });

  test('what there is to withdraw stays', async () => {
    await done(...words(`restart CLUSTER pg2 --force --scheduled ${AT}`));
    await done(...words(`switchover CLUSTER --force --scheduled ${AT}`));
    const { a, b } = await refused('flush CLUSTER pg2 restart --force', { config: wrongPassword });
    expect([a.code, b.code, settled(a)], a.err).toEqual([1, 0, settled(b)]);
    // patronictl goes past the password then, and clears the key in the DCS: it comes second.
    const before = await dcs();
    const kept = await ours(words('flush CLUSTER switchover'), wrongPassword);
    expect([kept.code, await dcs()]).toEqual([1, before]);
    const past = await theirs(words('flush CLUSTER switchover'), wrongPassword);
    expect([past.code, await dcs()]).toMatchObject([0, { failover: {} }]);
    // patronictl sends the same to the next member; patctl sends once, then looks.
    expect(kept.sent).toEqual(past.sent.slice(0, 1));
    expect(settled(past)).toEqual(expect.arrayContaining(settled(kept)));
    await done(...words('flush CLUSTER restart --force'));
  });

  test('demote-cluster, resume', async () => {
    const demote = 'demote-cluster CLUSTER --host 127.0.0.1 --port 1 --force';
    const { a, b } = await refused(demote, { config: wrongPassword });
    expect([a.code, b.code, settled(a)]).toEqual([1, 1, settled(b)]);
    await done('pause', '--wait');
    const resume = await refused('resume', { config: wrongPassword });
    expect(settled(resume.a)).toEqual(settled(resume.b));
    expect([resume.a.code, resume.b.code]).toEqual([1, 0]);
    await done('resume', '--wait');
  });
});

describe('an etcd that is not there (patronictl would try for ever)', () => {
  test.each([
    'list',
    'topology',
    'version CLUSTER',
    'show-config',
    'history',
    'restart CLUSTER --force',
    'switchover CLUSTER --force',
    'pause',
    'edit-config -s loop_wait=3 --force',
    'flush CLUSTER switchover',
    'remove CLUSTER',
  ])('%s: exit 3 in time', async (line) => {
    const startedMs = Date.now();
    const run = await ours(words(line), deadEtcd);
    const said = run.out.replace(/^patronictl version .*\n/, '');
    expect([run.code, said], run.err).toEqual([3, '']);
    expect(Date.now() - startedMs).toBeLessThan(10_000);
  });
});

test('remove beside clusters whose names begin alike: the same keys are gone', async () => {
  const root = `/service/${lab.scope}-f`;
  const keys: [string, string][] = [
    [`${root}/initialize`, '7'],
    [`${root}/config`, '{"ttl":20,"loop_wait":2}'],
    [`${root}/leader`, 'a'],
    [`${root}/status`, '{"optime":1}'],
    [`${root}/members/a`, '{"role":"primary","state":"running","conn_url":"postgres://h:1/p"}'],
    [`${root}2/leader`, 'kept'],
    [`${root}-x/members/a`, 'kept'],
  ];
  const left = () => lab.etcdctl('get', '--prefix', root);
  const input = `${lab.scope}-f\nYes I am aware\na\n`;
  const seen: { out: string[]; left: string; sent: Sent[] }[] = [];
  for (const remove of [
    () => theirs(['remove', `${lab.scope}-f`], lab.config, { input }),
    () =>
      ours(words('remove CLUSTER-f --confirm-name CLUSTER-f --confirm-leader a --yes'), lab.config),
  ]) {
    for (const [key, value] of keys) await lab.etcdctl('put', key, value);
    const run = await remove();
    expect(run.code, run.err).toBe(0);
    const out = settled(run).filter((line) => /^[+|]/.test(line));
    seen.push({ out, left: await left(), sent: run.sent });
  }
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[1]?.left.split('\n')).toHaveLength(5);
  await lab.etcdctl('del', '--prefix', root);
});

test('demote-cluster to an archive and promote-cluster back say the same', async () => {
  const demote = 'demote-cluster CLUSTER --restore-command /bin/false --force';
  const promote = 'promote-cluster CLUSTER --force';
  type Seen = { out: string[]; sent: Sent[]; code: number | null; config: unknown };
  const seen: Record<string, Seen[]> = {};
  for (const run of [theirs, ours]) {
    for (const line of [demote, promote]) {
      await eventually('all stream', 90_000, async () => {
        const { out } = await theirs(['list', '-f', 'json']);
        const states = (JSON.parse(out) as { State: string }[]).map(({ State }) => State);
        return states.filter((state) => state === 'streaming').length === 2;
      });
      if (line === promote) {
        const { a, b } = await refused(promote, { config: wrongPassword });
        expect([a.code, b.code, settled(a), a.sent.length]).toEqual([1, 1, settled(b), 1]);
      }
      // The leader may change each time; the request always goes to the current one.
      const leader = await lab.leader();
      const { code, sent: calls, ...result } = await run(words(line));
      const sent = calls.map((call) => ({
        ...call,
        member: call.member === leader ? 'leader' : '',
      }));
      const { config } = (await dcs()) as { config: unknown };
      (seen[line] ??= []).push({ out: topOf(settled({ code, ...result })), sent, code, config });
    }
  }
  for (const line of [demote, promote]) {
    expect(seen[line]?.[1], line).toEqual(seen[line]?.[0]);
    expect([seen[line]?.[1]?.code, seen[line]?.[1]?.sent.map(({ member }) => member)]).toEqual([
      0,
      ['leader'],
    ]);
  }
}, 300_000);

/** Without the table at the end and the leader's name: both depend on the moment. */
function topOf(all: string[]): string[] {
  const lines = all.filter((line) => !line.startsWith('|'));
  const at = lines.findIndex((line) => line.startsWith('TIME cluster is successfully'));
  return at < 0 ? lines : lines.slice(0, at + 1);
}

describe('a member that is stopped', () => {
  beforeAll(async () => {
    await lab.waitHealthy();
    await proxies.stop('pg3');
    await lab.stop('pg3');
  });

  test.each([
    'restart CLUSTER pg3 --force',
    'reload CLUSTER pg3 --force',
    'reinit CLUSTER pg3 --force',
  ])('%s: exit 3 and a line for a traceback', async (line) => {
    const { a, b } = await refused(line);
    expect([a.code, b.code], a.err).toEqual([3, 1]);
    expect(b.err).toContain('Traceback');
    const isOurLine = (text: string) => /^Failed: .* for member pg3, not sent: /.test(text);
    expect(settled(a).filter(isOurLine)).toHaveLength(1);
    expect(settled(a).filter((text) => !isOurLine(text))).toEqual(settled(b));
  });

  test('version: the same but for the reason; the others are asked anyway', async () => {
    for (const line of ['version CLUSTER', 'version CLUSTER pg3']) {
      const { a, b } = await refused(line);
      const cut = ({ out }: RunResult) => out.replace(/(failed to get version: ).*/, '$1');
      expect([cut(a), a.code, b.code]).toEqual([cut(b), 3, 0]);
      expect(a.err).toContain('the version of pg3 is unknown');
    }
  });

  test('among others: exit 4, because part of it is done; patronictl stops at it', async () => {
    const b = await theirs(words('reload CLUSTER pg2 pg3 --force'));
    const a = await ours(words('reload CLUSTER pg2 pg3 --force'));
    expect([a.code, b.code], a.err).toEqual([4, 1]);
    const lines = (run: RunResult) => settled(run).filter((line) => /^(Reload|Failed)/.test(line));
    expect(lines(a).slice(0, 1)).toEqual(lines(b));
    expect(lines(a)[1]).toMatch(/^Failed: reload for member pg3, not sent: /);
  });
});

test('every call that acts was one of a run, and compared', () => {
  expect(proxies.calls.filter(acts).length).toBeGreaterThan(50);
  expect(side.unclaimed()).toEqual([]);
});

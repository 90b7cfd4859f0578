/** `check` as monitoring sees it: all of stdout and the exit code, on recorded clusters. */
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  hasPersisted,
  overridden,
  persisting,
  unstable,
  wantsAnother,
  type CheckDocument,
} from '../../src/cluster/documents/check-document.js';
import { CHECK_FORMATS } from '../../src/output/check-formats.js';
import type { Looked } from '../../src/cluster/findings/find.js';
import type { Finding, Reading, Snapshot, SqlStatus } from '../../src/cluster/model/model.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import {
  quickClock,
  recorded,
  runFake,
  UNREACHABLE,
  type FakeCluster,
} from '../support/fake-world.js';

async function check(cluster: FakeCluster, ...args: string[]) {
  const run = await runFake({ clock: quickClock(), ...cluster }, ['check', '-f', 'json', ...args]);
  const document = JSON.parse(run.out) as CheckDocument;
  const [one] = document.clusters;
  if (!one) throw new Error('no cluster was checked');
  const trouble = one.findings.filter(({ severity }) => severity !== 'info');
  const found = trouble.map(({ code, severity, members }) =>
    [code, severity, ...members].join(' '),
  );
  return { code: run.code, found, one, document };
}

/** The hand-edited /sync of the golden cluster `on`. */
function mismatched(): FakeCluster {
  const cluster = recorded('on');
  cluster.keys['/service/demo/sync'] = '{"leader":"pg2","sync_standby":"pg3","quorum":0}';
  return cluster;
}

describe('what is found', () => {
  test.each(['off', 'on', 'quorum', 'tags'])('nothing in %s', async (name) => {
    expect(await check(recorded(name))).toMatchObject({ code: 0, found: [] });
  });

  test.each([
    ['paused', 1, ['paused warning']],
    ['no-leader', 2, ['no_leader critical']],
  ])('%s', async (name, code, found) => {
    const checked = await check(recorded(name));
    expect(checked.found).toEqual(expect.arrayContaining(found));
    expect(checked.code).toBe(code);
  });

  test('a restart that is pending is a warning with both values', async () => {
    const { found, one, code } = await check(recorded('pending-restart'));
    expect(code).toBe(1);
    expect(found.every((line) => line.startsWith('pending_restart warning'))).toBe(true);
    expect(found.length).toBeGreaterThan(0);
    expect(one.findings[0]?.message).toMatch(/\w+ .+ -> .+/);
  });

  test('a key that Patroni does not know is named, with the one that is meant', async () => {
    const cluster = recorded('off');
    const config = JSON.parse(cluster.keys['/service/demo/config'] ?? '{}') as object;
    cluster.keys['/service/demo/config'] = JSON.stringify({ ...config, loop_wiat: 3, ttl: 5 });
    const { found, one } = await check(cluster);
    // Patroni uses 20 where ttl is 5.
    const both = ['config_timing warning', 'config_unknown_key warning'];
    expect(found.sort()).toEqual(['config_ignored warning', ...both]);
    expect(one.findings.map(({ message }) => message).join()).toContain('did you mean loop_wait?');
  });

  test('Patroni 4.0.5 in quorum mode', async () => {
    const cluster = recorded('quorum');
    const key = '/service/demo/members/pg1';
    const member = JSON.parse(cluster.keys[key] ?? '{}') as object;
    cluster.keys[key] = JSON.stringify({ ...member, version: '4.0.5' });
    expect((await check(cluster)).found).toEqual(['patroni_bug_quorum_switchover warning pg1']);
  });

  test('with both quorum standbys gone no member could win the vote', async () => {
    const cluster = recorded('quorum');
    const leader = cluster.keys['/service/demo/leader'] ?? '';
    cluster.rest = Object.fromEntries(
      Object.entries(cluster.rest ?? {}).filter(([name]) => name === leader),
    );
    const { found } = await check(cluster);
    expect(found).toContain('quorum_lost critical');
  });
});

describe('causes and consequences', () => {
  test('a leader that does not answer is not reported again as a member that does not answer', async () => {
    const cluster = recorded('off');
    const leader = cluster.keys['/service/demo/leader'] ?? '';
    cluster.rest = { ...cluster.rest, [leader]: UNREACHABLE };
    const { found } = await check(cluster);
    expect(found).toContain(`leader_unreachable warning ${leader}`);
    expect(found.filter((line) => line.startsWith('member_unreachable'))).toEqual([]);
  });

  test('too few members that answer are critical', async () => {
    const cluster = { ...recorded('off') };
    cluster.rest = { ...cluster.rest, pg3: UNREACHABLE };
    expect((await check(cluster, '--only', 'member_unreachable')).found).toEqual([
      'member_unreachable warning pg3',
    ]);
    const strict = await check(cluster, '--only', 'member_unreachable', '--min-members', '3');
    expect(strict.found).toEqual(['member_unreachable critical pg3']);
  });

  test('members without a key do not answer either', async () => {
    const only = ['--only', 'member_unreachable', '--min-members'];
    expect((await check(recorded('off'), ...only, '3')).found).toEqual([]);
    const five = await check(recorded('off'), ...only, '5');
    expect(five.found).toEqual(['member_unreachable critical']);
    expect(five.one.findings[0]).toMatchObject({
      message: '3 of the 5 required members answer',
      evidence: [{ witness: 'DCS', subject: '/members', said: 'pg1, pg2, pg3' }],
    });
    const expired = recorded('off');
    delete expired.keys['/service/demo/members/pg3'];
    expect((await check(expired, ...only, '3')).code).toBe(2);
    expect((await check(expired, ...only, '2')).code).toBe(0);
    // A leader that does not answer has a finding of its own, and is one too few anyway.
    const mute = { ...recorded('off') };
    mute.rest = { ...mute.rest, pg1: UNREACHABLE };
    expect((await check(mute, ...only, '3')).found).toEqual(['member_unreachable critical']);
  });
});

describe('settling', () => {
  test('what persists is read three times, and reported', async () => {
    const { found, one, code } = await check(mismatched());
    expect(code).toBe(2);
    expect(found).toContain('sync_role_mismatch critical pg3');
    expect(one.readings).toBe(3);
  });

  test('what is gone at the second look is transient, and no alarm', async () => {
    const good = recorded('on');
    const dcs = memoryStore(mismatched().keys);
    const clock = quickClock(() => {
      dcs.put('/service/demo/sync', good.keys['/service/demo/sync'] ?? '');
    });
    const { found, one, code } = await check({ ...good, dcs, clock });
    expect({ found, code, readings: one.readings }).toEqual({ found: [], code: 0, readings: 2 });
    expect(one.transient.map((finding) => finding.code)).toContain('sync_role_mismatch');
  });

  test('a reading that is repeated anyway takes one look, and not two', async () => {
    const cluster = recorded('on');
    delete cluster.sql;
    let looks = 0;
    const status: FakeCluster['status'] = ({ name }) => {
      const reading = cluster.rest?.[name] ?? UNREACHABLE;
      if (name !== 'pg2' || !reading.ok) return Promise.resolve(reading);
      looks += 1;
      // It writes on, and its synchronous standbys receive nothing of it.
      const location = (reading.value.location ?? 0n) + 1_000_000n;
      return Promise.resolve({ ...reading, value: { ...reading.value, location } });
    };
    const { found, one } = await check({ ...cluster, clock: quickClock(), status });
    expect(found.filter((line) => line.startsWith('commits_blocked'))).toHaveLength(1);
    // Two for the first reading, and one for each of the two others.
    expect([one.readings, looks]).toEqual([3, 4]);
  });

  /** The silent member of the golden cluster `off` in each reading; the last one stays so. */
  function silent(...names: string[]): FakeCluster {
    const cluster = recorded('off');
    let reading = 0;
    const clock = quickClock(() => (reading += 1));
    const status: FakeCluster['status'] = ({ name }) => {
      const isSilent = name === names[Math.min(reading, names.length - 1)];
      return Promise.resolve(isSilent ? UNREACHABLE : (cluster.rest?.[name] ?? UNREACHABLE));
    };
    return { ...cluster, clock, status };
  }

  test('what begins in a later reading is read as often as what was there at first', async () => {
    const only = ['--only', 'member_unreachable'];
    const { found, one, code } = await check(silent('pg3', 'pg2'), ...only);
    expect({ found, code, readings: one.readings }).toEqual({
      found: ['member_unreachable warning pg2'],
      code: 1,
      readings: 4,
    });
    expect(one.transient.map(({ members }) => members)).toEqual([['pg3']]);
    const gone = await check(silent('pg3', 'pg2', 'nobody'), ...only);
    expect({ found: gone.found, code: gone.code, readings: gone.one.readings }).toEqual({
      found: [],
      code: 0,
      readings: 3,
    });
    expect(gone.one.transient.map(({ members }) => members)).toEqual([['pg3'], ['pg2']]);
  });

  test('trouble after trouble is read twice as long at most, and what came back is reported', async () => {
    const only = ['--only', 'member_unreachable'];
    const back = await check(silent('pg3', 'pg2', 'pg3', 'pg2', 'pg3', 'pg2'), ...only);
    expect({ found: back.found, readings: back.one.readings }).toEqual({
      found: ['member_unreachable warning pg3'],
      readings: 5,
    });
    const fresh = await check(silent('pg3', 'pg3', 'nobody', 'pg3'), ...only);
    expect(fresh.one.readings).toBe(3);
    const last = await check(silent('pg3', 'pg2', 'pg3', 'pg3', 'pg2'), ...only, '--settle', '1');
    expect({ found: last.found, readings: last.one.readings }).toEqual({
      found: ['member_unreachable warning pg3'],
      readings: 3,
    });
  });

  test('no synchronous standby: a primary that has just started gets three more readings', async () => {
    const cluster = (startedAt: string): FakeCluster => {
      const made = recorded('on');
      made.keys['/service/demo/sync'] = '{"leader":"pg2","sync_standby":null,"quorum":0}';
      for (const reading of Object.values(made.rest ?? {})) {
        if (!reading.ok) continue;
        reading.value.raw = { ...reading.value.raw, postmaster_start_time: startedAt };
      }
      return made;
    };
    const only = ['--only', 'sync_empty'];
    const long = await check(cluster('2026-11-21 07:00:00+00:00'), ...only);
    expect(long).toMatchObject({ found: ['sync_empty critical'], one: { readings: 3 } });
    const just = await check(cluster('2026-11-21 07:59:55+00:00'), ...only);
    expect(just).toMatchObject({ found: ['sync_empty critical'], one: { readings: 6 } });
    const quick = await check(cluster('2026-11-21 07:59:55+00:00'), ...only, '--settle', '0');
    expect(quick.one.readings).toBe(1);
    // Another critical finding does not wait.
    const both = ['--only', 'sync_empty', 'paused', '--critical', 'paused'];
    const paused = cluster('2026-11-21 07:59:55+00:00');
    const config = JSON.parse(paused.keys['/service/demo/config'] ?? '{}') as object;
    paused.keys['/service/demo/config'] = JSON.stringify({ ...config, pause: true });
    expect((await check(paused, ...both)).one.readings).toBe(3);
  });

  test('--settle 0 reads once, and so does a healthy cluster', async () => {
    expect((await check(mismatched(), '--settle', '0')).one.readings).toBe(1);
    expect((await check(recorded('on'))).one.readings).toBe(1);
  });
});

describe('what several readings say together', () => {
  const one = (code: string): Finding => ({
    code,
    severity: 'critical',
    members: ['pg1'],
    message: code,
    evidence: [],
    next: '',
  });
  const reading = (found: string[], ...following: [string, string][]): Looked => ({
    findings: found.map(one),
    consequences: following.map(([code, of]) => ({ finding: one(code), of })),
    unlooked: [],
  });
  const said = (...readings: Looked[]) => {
    const { looked, transient } = persisting(readings);
    return {
      findings: looked.findings.map(({ code }) => code),
      consequences: looked.consequences.map(({ finding, of }) => `${finding.code} of ${of}`),
      transient: transient.map(({ code }) => code),
    };
  };

  test('one reading is taken as it is', () => {
    expect(said(reading(['a'], ['b', 'a']))).toEqual({
      findings: ['a'],
      consequences: ['b of a'],
      transient: [],
    });
  });

  test('what the last one says holds, however new it is; what it no longer says is transient', () => {
    expect(said(reading(['a', 'b']), reading(['a'], ['b', 'a'], ['c', 'a']))).toEqual({
      findings: ['a'],
      consequences: ['b of a', 'c of a'],
      transient: [],
    });
    expect(said(reading(['b']), reading(['a'], ['b', 'a']))).toEqual({
      findings: ['a'],
      consequences: ['b of a'],
      transient: [],
    });
    expect(said(reading(['a']), reading(['b']))).toMatchObject({
      findings: ['b'],
      transient: ['a'],
    });
  });

  test('they end when trouble follows trouble, but not on a new critical finding', () => {
    const [a, b, c] = [reading(['a']), reading(['b']), reading(['c'])];
    const warning = {
      ...c,
      findings: c.findings.map((f) => ({ ...f, severity: 'warning' as const })),
    };
    expect(wantsAnother([a, b, a, b], 3, 2)).toBe(true);
    expect(wantsAnother([a, b, a, b, a], 3, 2)).toBe(false);
    expect(wantsAnother([a, b, a, b, c], 3, 2)).toBe(true);
    expect(wantsAnother([a, b, a, b, warning], 3, 2)).toBe(false);
    expect(wantsAnother([a, b, a, b, a, b, c], 3, 2)).toBe(false);
    expect(wantsAnother([a, b, a, reading([])], 3, 2)).toBe(false);
  });

  test('trouble that began in five of them is unstable, critical if it was critical each time', () => {
    const [a, b] = [reading(['a']), reading(['b'])];
    const mild = reading(['m']);
    mild.findings[0] = { ...one('m'), severity: 'warning' };
    const severities = (...readings: Looked[]) =>
      unstable(readings, { scope: 'demo', group: null }).map(
        ({ severity, evidence }) => `${severity} ${evidence.length}`,
      );
    expect(severities(a, b, a, b)).toEqual([]);
    expect(severities(a, a, a, a, a, a, a)).toEqual([]);
    expect(severities(a, b, a, b, a)).toEqual(['critical 5']);
    expect(severities(a, mild, a, mild, a)).toEqual(['warning 5']);
    expect(severities(a, reading([]), a, reading([]), a, b, a)).toEqual(['critical 5']);
  });

  test('a consequence that is made worse than its cause stands for itself', () => {
    const lenient = { only: [], ignore: [], warn: ['a'], critical: ['b'], requireSql: false };
    const looked = reading([], ['b', 'a']);
    const cause = { ...one('a'), severity: 'warning' as const };
    const milder = { finding: { ...one('b'), severity: 'info' as const }, of: 'a' };
    const changed = overridden({ ...looked, findings: [cause], consequences: [milder] }, lenient);
    expect(changed.findings.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
      'b critical',
      'a warning',
    ]);
    expect(overridden(reading(['a'], ['b', 'a']), lenient).consequences).toHaveLength(1);
  });

  test('they go on until all of the last one was said so many times on end', () => {
    const [a, b] = [reading(['a']), reading(['b'])];
    expect(hasPersisted([a], 1)).toBe(true);
    expect(hasPersisted([a], 2)).toBe(false);
    expect(hasPersisted([a, a], 2)).toBe(true);
    expect(hasPersisted([b, a], 2)).toBe(false);
    expect(hasPersisted([b, a, a], 2)).toBe(true);
    expect(hasPersisted([a, b, a], 2)).toBe(false);
    expect(hasPersisted([a, reading([])], 2)).toBe(true);
  });
});

describe('what the user makes of it', () => {
  test('--ignore, --warn, --critical and --only', async () => {
    const all = ['sync_role_mismatch', 'sync_unclaimed'];
    expect((await check(mismatched(), '--ignore', ...all)).found).toEqual([]);
    const warned = await check(mismatched(), '--warn', 'sync_role_mismatch');
    expect(warned.code).toBe(1);
    const raised = await check(mismatched(), '--only', 'sync_unclaimed', '--critical', ...all);
    expect(raised).toMatchObject({ code: 2, found: ['sync_unclaimed critical pg1'] });
  });

  test('limits come from the configuration file where no flag gives them', async () => {
    const cluster = { ...recorded('off') };
    cluster.rest = { ...cluster.rest, pg3: UNREACHABLE };
    const env = { PATRONI_CONFIGURATION: 'scope: demo\npatctl: {check: {min_members: 3}}\n' };
    const args = ['check', '--only', 'member_unreachable', '--settle', '0'];
    expect((await runFake(cluster, args, env)).code).toBe(2);
    expect((await runFake(cluster, [...args, '--min-members', '2'], env)).code).toBe(1);
    const wrong = { PATRONI_CONFIGURATION: 'scope: demo\npatctl: {check: {max_lag: 16mb}}\n' };
    const refused = await runFake(cluster, args, wrong);
    expect(refused.err).toContain('patctl.check.max_lag');
    expect(refused.code).toBe(3);
  });

  test('codes come from the configuration file too, and a flag wins', async () => {
    const env = (text: string) => ({
      PATRONI_CONFIGURATION: `scope: demo\npatctl: {check: ${text}}\n`,
    });
    const run = (text: string, ...args: string[]) =>
      runFake(mismatched(), ['check', '--settle', '0', ...args], env(text));
    const both = '[sync_role_mismatch, sync_unclaimed]';
    expect((await run('{}')).code).toBe(2);
    expect((await run(`{ignore: ${both}}`)).code).toBe(0);
    expect((await run('{ignore: "sync_role_mismatch, sync_unclaimed"}')).code).toBe(0);
    expect((await run('{warn: [sync_role_mismatch]}')).code).toBe(1);
    expect((await run('{warn: [sync_role_mismatch], critical: [sync_unclaimed]}')).code).toBe(2);
    expect((await run(`{ignore: ${both}}`, '--only', 'sync_role_mismatch')).code).toBe(2);
    expect((await run(`{ignore: ${both}}`, '--warn', 'sync_role_mismatch')).code).toBe(1);
    expect(
      (await run('{warn: [sync_role_mismatch]}', '--critical', 'sync_role_mismatch')).code,
    ).toBe(2);
    expect((await run('{critical: [sync_unclaimed]}', '--ignore', 'sync_role_mismatch')).code).toBe(
      2,
    );
  });

  test.each([
    ['ignore: [nonsense]', 'patctl.check.ignore: unknown finding nonsense'],
    ['warn: nonsense', 'patctl.check.warn: unknown finding nonsense'],
    ['ignroe: [paused]', 'patctl.check.ignroe is not a known setting'],
    ['ignore: {paused: true}', 'patctl.check.ignore must be a list'],
  ])('the configuration %s is refused with its place', async (line, problem) => {
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const folder = mkdtempSync(`${tmpdir()}/patctl-`);
    try {
      const file = `${folder}/patctl.yml`;
      writeFileSync(file, `scope: demo\npatctl:\n  check:\n    ${line}\n`);
      const run = await runFake(recorded('off'), ['-c', file, 'check']);
      expect(run.code).toBe(3);
      expect(run.err).toContain(`${file}:4: ${problem}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a finding that does not exist cannot be explained, and that is unknown too', async () => {
    const run = await runFake(recorded('off'), ['check', '--explain', 'nosuch']);
    expect(run).toMatchObject({ code: 3, out: '' });
    expect(run.err).toContain('unknown finding nosuch');
    expect((await runFake(recorded('off'), ['check', '--explain', 'paused'])).code).toBe(0);
    expect((await runFake(recorded('off'), ['check', '--list'])).code).toBe(0);
  });

  test('--probe-rest tells an open API by what it refuses', async () => {
    const answered = (status: number) => () =>
      Promise.resolve({ kind: 'answered', answer: { status, body: '', json: null } } as const);
    const bodies: unknown[] = [];
    const probed: FakeCluster['call'] = (method, _, path, body) => {
      if (method === 'PATCH') bodies.push([path, body]);
      return answered(411)();
    };
    const open = await check({ ...recorded('off'), call: probed }, '--probe-rest');
    // Patroni refuses an empty object; a request without a body would be an error in its log.
    expect(bodies[0]).toEqual(['/config', {}]);
    expect(open.code).toBe(0);
    expect(open.one.findings.map((finding) => finding.code)).toContain('rest_unprotected');
    const closed = await check({ ...recorded('off'), call: answered(401) }, '--probe-rest');
    expect(closed.one.findings.map((finding) => finding.code)).not.toContain('rest_unprotected');
    const asked: string[] = [];
    const call: FakeCluster['call'] = (method) => {
      asked.push(method);
      return Promise.resolve({ kind: 'not_sent', reason: '' });
    };
    await check({ ...recorded('off'), call });
    expect(asked).toEqual([]);
  });

  test('a code that does not exist is refused', async () => {
    const run = await runFake(recorded('on'), ['check', '--ignore', 'nonsense']);
    expect(run.code).toBe(3);
    expect(run.err).toContain('nonsense');
  });

  test.each([
    ['check', 3],
    ['list', 2],
  ])('a command line that %s cannot read ends with %i', async (command, code) => {
    for (const args of [['--nonsense'], ['--timeout', 'soon'], ['-f', 'nonsense']]) {
      expect((await runFake(recorded('on'), [command, ...args])).code).toBe(code);
    }
    expect((await runFake(recorded('on'), [command, '--help'])).code).toBe(0);
  });

  test('what needs a login is unknown, and counts with --require sql only', async () => {
    const { one, code } = await check(recorded('on'));
    expect(code).toBe(0);
    expect(one.unknown).toContainEqual({
      code: 'slot_missing',
      needs: 'SQL on the leader',
      members: ['pg2'],
      reason: 'no SQL login',
    });
    expect((await check(recorded('on'), '--require', 'sql')).code).toBe(3);
  });
});

describe('formats', () => {
  const out = async (cluster: FakeCluster, format: string) => {
    const run = await runFake({ clock: quickClock(), ...cluster }, ['check', '-f', format]);
    return run.out;
  };

  test('nagios: one line with perfdata, units on bytes only', async () => {
    const text = await out(recorded('on'), 'nagios');
    expect(text).toMatch(/^PATCTL OK - demo: pg2 leads, 3 members, 2 replicas.*\n$/);
    expect(text.split(' | ')[1]).toMatch(
      /^'members'=3;;;0 'critical'=0;;;0 'warning'=0;;;0 'pg1_lag'=\d+B;;;0 'pg3_lag'=\d+B;;;0\n$/,
    );
    expect(await out(mismatched(), 'nagios')).toMatch(
      /^PATCTL CRITICAL - demo: the DCS says pg3 .*\[sync_role_mismatch\]/,
    );
  });

  test('nagios says unknown and exits 3 when the DCS does not answer', async () => {
    const dcs = memoryStore({});
    dcs.failNext('unreachable');
    const run = await runFake({ keys: {}, dcs }, ['check', '-f', 'nagios']);
    expect(run.code).toBe(3);
    expect(run.out).toMatch(/^PATCTL UNKNOWN - .+\n$/);
  });

  test.each([
    [
      'prometheus',
      ['a', 'b"'],
      /^patctl_check_status\{cluster="a"\} 3\n.*\{cluster="b\\""\} 3\n$/m,
    ],
    ['prometheus', [], /^patctl_check_status\{cluster="demo"\} 3\n$/m],
    ['prometheus', ['--all'], /^patctl_check_status 3\n$/m],
    ['prometheus', ['--group', '2'], /^patctl_check_status\{cluster="demo",group="2"\} 3\n$/m],
    ['tap', [], /^TAP version 14\nBail out! .+\n$/],
    ['junit', [], / errors="1">\n.*\n {6}<error type="unknown" message="[^"<]+"\/>\n/],
    ['github', [], /^::error title=patctl check::.+\n$/],
    ['pretty', [], /^$/],
  ])('%s %j says so too', async (format, names, expected) => {
    const dcs = memoryStore({});
    dcs.failNext('unreachable');
    const run = await runFake({ keys: {}, dcs }, ['check', '-f', format, ...names]);
    expect([run.code, run.out]).toEqual([3, expect.stringMatching(expected)]);
  });

  test('an unknown cluster is unknown to monitoring', async () => {
    expect((await runFake(recorded('on'), ['check', 'nosuch'])).code).toBe(3);
  });

  test('junit counts failures and skips what could not be looked for', async () => {
    const text = await out(mismatched(), 'junit');
    const [, failures] = /failures="(\d+)"/.exec(text) ?? [];
    expect(Number(failures)).toBe((text.match(/<testcase[^>]*>\n {6}<failure/g) ?? []).length);
    expect(text).toContain('name="sync_role_mismatch">\n      <failure type="critical"');
    expect(text).toContain('name="slot_missing">\n      <skipped message="no SQL login"/>');
    expect(text).not.toMatch(/message="[^"]*[<>][^"]*"/);
  });

  test('tap numbers every line and plans as many', async () => {
    const lines = (await out(mismatched(), 'tap')).split('\n');
    const points = lines.filter((line) => /^(not )?ok /.test(line));
    expect(lines.slice(0, 2)).toEqual(['TAP version 14', `1..${points.length}`]);
    points.forEach((line, at) => expect(line).toMatch(new RegExp(`^(not )?ok ${at + 1} - `)));
    expect(points.some((line) => /^not ok \d+ - demo sync_role_mismatch$/.test(line))).toBe(true);
  });

  test('github annotates, with line feeds and colons escaped', async () => {
    const text = await out(mismatched(), 'github');
    expect(text).toMatch(/^::error title=demo%3A sync_role_mismatch::the DCS says pg3[^\n]*%0A/);
  });

  test('prometheus tells status, findings and lag', async () => {
    const text = await out(mismatched(), 'prometheus');
    expect(text).toContain('patctl_check_status{cluster="demo"} 2\n');
    expect(text).toContain('patctl_check_finding{cluster="demo",code="sync_role_mismatch"} 1\n');
    expect(text).toContain(
      'patctl_check_finding_severity{cluster="demo",code="sync_role_mismatch"} 2\n',
    );
    expect(text).toContain('code="slot_missing"} NaN\n');
    expect(text).toMatch(/patctl_member_lag_bytes\{cluster="demo",member="pg1"\} \d+\n/);
  });

  test('prometheus: no series comes or goes with the state of the cluster', async () => {
    const series = async (cluster: FakeCluster) =>
      (await out(cluster, 'prometheus'))
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => line.slice(0, line.lastIndexOf(' ')));
    const broken = mismatched();
    broken.rest = { ...broken.rest, pg1: UNREACHABLE };
    expect(await series(broken)).toEqual(await series(recorded('on')));
  });

  test('what is part of another finding is found in every format, and says of which', async () => {
    const silent = recorded('off');
    silent.rest = {
      pg2: silent.rest?.['pg2'] ?? UNREACHABLE,
      pg3: silent.rest?.['pg3'] ?? UNREACHABLE,
    };
    const two = {
      ...silent,
      keys: { ...silent.keys, '/service/demo/leader': 'pg9' },
      rest: recorded('off').rest ?? {},
    };
    const pg2 = two.rest['pg2'];
    if (!pg2?.ok) throw new Error('pg2 is recorded');
    two.rest['pg2'] = { ...pg2, value: { ...pg2.value, location: 5n } };
    const part =
      /not ok \d+ - demo primary_without_lock\n  ---\n.*\n  severity: critical\n  part_of: two_primaries\n/;
    expect(await out(two, 'tap')).toMatch(part);
    expect(await out(two, 'junit')).toMatch(
      /name="primary_without_lock">\n {6}<failure type="critical" [^>]*>severity: critical\npart of: two_primaries\n/,
    );
    expect(await out(two, 'prometheus')).toMatch(
      /patctl_check_finding\{cluster="demo",code="primary_without_lock"\} 2\n/,
    );
    expect(await out(two, 'pretty')).toMatch(
      /follows from two_primaries: .*\[primary_without_lock\]/,
    );
  });

  test('--require sql without a login: every format says why it is unknown', async () => {
    const why = /--require sql: \d+ checks skipped \(no SQL login/;
    const of = (format: string) =>
      runFake(recorded('on'), ['check', '--require', 'sql', '-f', format]);
    for (const format of CHECK_FORMATS.filter((one) => one !== 'prometheus')) {
      const run = await of(format);
      expect({ format, code: run.code, out: run.out }).toMatchObject({
        format,
        code: 3,
        out: expect.stringMatching(why) as string,
      });
    }
    expect((await of('nagios')).out).toMatch(/^PATCTL UNKNOWN - demo: pg2 leads.*--require sql: /);
    const junit = (await of('junit')).out;
    expect(junit).toContain(
      'name="required_witness">\n      <failure type="unknown" message="--req',
    );
    expect(junit).toContain(' failures="1" ');
    expect(junit.match(/<testcase /g)?.length).toBe(Number(/ tests="(\d+)"/.exec(junit)?.[1]));
    const tap = (await of('tap')).out.split('\n');
    expect(tap[2]).toBe('not ok 1 - demo required_witness');
    expect(tap[1]).toBe(`1..${tap.filter((line) => /^(not )?ok /.test(line)).length}`);
    expect((await of('github')).out).toMatch(/^::error title=demo%3A required_witness::--req/);
    const { one } = await check(recorded('on'));
    expect(one.lacking).toBe(null);
  });

  test('nagios says unknown on stdout for a command line that cannot be read too', async () => {
    for (const args of [['--max-lag', 'banana'], ['--nonsense'], ['--settle']]) {
      const run = await runFake(recorded('on'), ['check', '-f', 'nagios', ...args]);
      expect(run.code).toBe(3);
      expect(run.out).toMatch(/^PATCTL UNKNOWN - [^\n]*option[^\n]*\n$/);
    }
    expect((await runFake(recorded('on'), ['check', '--nonsense'])).out).toBe('');
    expect((await runFake(recorded('on'), ['check', '-f', 'nagios', '--help'])).out).not.toContain(
      'UNKNOWN -',
    );
  });

  test('pretty lists the checks that were skipped, a line for each reason', async () => {
    const text = await out(recorded('on'), 'pretty');
    expect(text).toMatch(/^OK demo: pg2 leads/);
    expect(text).toMatch(/\n {2}\d+ checks skipped: sync_names_overridden, .* \(no SQL login\)\n$/);
    expect(text).not.toContain('rest_unprotected');
  });
});

describe('expectations', () => {
  const withFile = async (text: string, then: (file: string) => Promise<void>) => {
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const folder = mkdtempSync(`${tmpdir()}/patctl-`);
    try {
      writeFileSync(`${folder}/expect.yml`, text);
      await then(`${folder}/expect.yml`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test('what --write-expect prints holds for the same cluster', async () => {
    const written = await runFake(recorded('tags'), ['check', '--write-expect']);
    expect(written.out).toContain('members:\n');
    expect(written.out).toContain('syncMode: "on"\n');
    await withFile(written.out, async (file) => {
      expect(await check(recorded('tags'), '--expect', file)).toMatchObject({ code: 0, found: [] });
    });
  });

  test('every difference is shown with the expected and the observed value', async () => {
    const text =
      'members: [pg1, pg2, pg4]\nleader: pg1\nsyncMode: quorum\nsyncStandbys: 2\n' +
      'postgresVersion: 99\npaused: true\nparameters: {no_such: 1}\n';
    await withFile(text, async (file) => {
      const { code, one } = await check(recorded('on'), '--expect', file);
      expect(code).toBe(2);
      const messages = one.findings
        .filter((finding) => finding.severity === 'critical')
        .map(({ message }) => message)
        .sort();
      expect(messages).toEqual([
        expect.stringMatching(/^PostgreSQL on pg1: 99 was expected, 15\.\d+ was found$/) as string,
        expect.stringMatching(/^PostgreSQL on pg2: 99/) as string,
        expect.stringMatching(/^PostgreSQL on pg3: 99/) as string,
        'leader: pg1 was expected, pg2 was found',
        'member pg3: no such member was expected, its member key was found',
        'parameter no_such: 1 was expected, nothing was found',
        'pause: true was expected, false was found',
        'pg4 is expected but has no member key',
        'synchronous standbys: 2 was expected, 1 was found',
        'synchronous_mode: quorum was expected, on was found',
      ]);
    });
  });

  test.each([
    ['on', 'true', 0],
    ['on', 'on', 0],
    ['on', 'false', 2],
    ['off', 'false', 0],
    ['off', 'quorum', 2],
    ['off', '1', 3],
  ])('a cluster with synchronous mode %s where %s is expected', async (name, mode, code) => {
    await withFile(`syncMode: ${mode}\n`, async (file) => {
      const args = ['check', '--only', 'expectation_failed', '--settle', '0', '--expect', file];
      expect((await runFake(recorded(name), args)).code).toBe(code);
    });
  });

  test('names are compared both ways, a number is counted', async () => {
    const only = ['--only', 'expectation_failed'];
    await withFile('members: [pg1, pg2, pgX]\n', async (file) => {
      const { one, found } = await check(recorded('on'), ...only, '--expect', file);
      expect(found.sort()).toEqual([
        'expectation_failed critical pg3',
        'expectation_failed critical pgX',
      ]);
      expect(one.findings.map(({ message }) => message).sort()).toEqual([
        'member pg3: no such member was expected, its member key was found',
        'member pgX: a member key was expected, none was found',
      ]);
      const whole = await check(recorded('on'), '--expect', file);
      expect(whole.found.sort()).toEqual([
        'expectation_failed critical pg3',
        'member_missing critical pgX',
      ]);
    });
    await withFile('members: [pg3, pg1, pg2]\n', async (file) => {
      expect((await check(recorded('on'), ...only, '--expect', file)).found).toEqual([]);
    });
    await withFile('members: 4\n', async (file) => {
      const { one } = await check(recorded('on'), ...only, '--expect', file);
      expect(one.findings.map(({ message }) => message)).toEqual([
        'members: 4 was expected, 3 (pg1, pg2, pg3) was found',
      ]);
    });
  });

  test('a file with a word that means nothing is refused', async () => {
    await withFile('leeder: pg1\n', async (file) => {
      const run = await runFake(recorded('on'), ['check', '--expect', file]);
      expect(run.err).toContain('leeder is not a known expectation');
      expect(run.code).toBe(3);
    });
  });
});

describe('a recording', () => {
  test('is checked without asking a member', async () => {
    const { mkdtempSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const folder = mkdtempSync(`${tmpdir()}/patctl-`);
    const file = `${folder}/one.json.gz`;
    try {
      expect((await runFake(mismatched(), ['snapshot', '-o', file])).code).toBe(0);
      const dcs = memoryStore({});
      const nobody = { keys: {}, dcs };
      const { found, code } = await check(nobody, '--snapshot', file);
      expect(code).toBe(2);
      expect(found).toContain('sync_role_mismatch critical pg3');
      const list = await runFake(nobody, ['list', '--snapshot', file]);
      expect(list.out).toMatch(/^\+ Cluster: demo /);
      expect(dcs.calls).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('has the certificates that were met, and one without them says so', async () => {
    const { mkdtempSync, readFileSync, rmSync } = await import('node:fs');
    const [{ createServer }, { tmpdir }] = await Promise.all([
      import('node:tls'),
      import('node:os'),
    ]);
    const pem = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url));
    const server = createServer({ cert: pem('server.crt'), key: pem('server.key') });
    server.on('tlsClientError', () => undefined);
    const folder = mkdtempSync(`${tmpdir()}/patctl-`);
    const file = `${folder}/one.json`;
    try {
      const port = await new Promise<number>((resolve) =>
        server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
      );
      const cluster = recorded('off');
      const key = '/service/demo/members/pg1';
      const member = JSON.parse(cluster.keys[key] ?? '{}') as object;
      const apiUrl = `https://127.0.0.1:${port}/patroni`;
      cluster.keys[key] = JSON.stringify({ ...member, api_url: apiUrl });
      // A week before that certificate ends; the limit of a connection is a real one.
      const nowMs = Date.parse('2126-10-21T07:29:03Z');
      const clock: FakeCluster['clock'] = { nowMs: () => nowMs, wait: () => Promise.resolve() };
      const made = await runFake({ ...cluster, clock }, ['snapshot', '-o', file]);
      expect(made.code).toBe(0);
      const args = ['--only', 'cert_expiring', '--snapshot', file];
      expect((await check({ keys: {} }, ...args)).found).toEqual(['cert_expiring warning pg1']);
      const { writeFileSync } = await import('node:fs');
      const older = JSON.parse(readFileSync(file, 'utf8')) as { snapshots: object[] };
      older.snapshots.forEach((one) => Reflect.deleteProperty(one, 'certificates'));
      writeFileSync(file, JSON.stringify(older));
      const before = await check({ keys: {} }, ...args);
      expect(before.found).toEqual([]);
      expect(before.one.unknown).toMatchObject([{ reason: 'certificates were not checked' }]);
    } finally {
      rmSync(folder, { recursive: true });
      server.close();
    }
  });

  test('has how old a pause is at least', async () => {
    const { mkdtempSync, readFileSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const folder = mkdtempSync(`${tmpdir()}/patctl-`);
    const file = `${folder}/one.json`;
    const paused = recorded('paused');
    const ports = Object.entries(paused.keys).flatMap(([key, value]) =>
      key.includes('/members/') ? [Number(/:(\d+)\/postgres/.exec(value)?.[1])] : [],
    );
    const nowhere = { currentLsn: null, receiveLsn: null, replayLsn: null };
    const rows = { walsenders: [], slots: [], settings: {} };
    const blank = { ...nowhere, ...rows, archiver: null, syncRepWaiters: 0 };
    const value = { inRecovery: true, ...blank } as unknown as SqlStatus;
    const hour: Reading<number> = { ok: true, value: 3_600_000, tookMs: 1 };
    try {
      await runFake(
        {
          ...paused,
          clock: quickClock(),
          sql: Object.fromEntries(ports.map((port) => [port, { ok: true, value, tookMs: 1 }])),
          pausedForMs: Object.fromEntries(ports.map((port) => [port, hour])),
        },
        ['snapshot', '-o', file],
      );
      const recording = JSON.parse(readFileSync(file, 'utf8')) as { snapshots: Snapshot[] };
      expect(recording.snapshots.map(({ pausedSince }) => pausedSince)).toEqual([
        '2026-11-21T07:00:00.000Z',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

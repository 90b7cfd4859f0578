/** `check` on real clusters: silent on healthy ones, and right about each of the troubles it was made for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import { eventually } from '../support/eventually.js';
import { howTo, Shell } from '../support/how-to.js';
import type { Lab } from '../support/lab/cluster.js';
import { provoke, restoreUnderLoad, STORIES, type StoryName } from '../support/lab/provoke.js';
import { restWay } from '../support/rest-way.js';
import { runPatctl, runPatronictl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

interface Checked {
  code: number | null;
  /** CODE severity members, worst first, what is only worth knowing too. */
  found: string[];
  document: CheckDocument;
}

const check = (lab: Lab, ...args: string[]): Promise<Checked> =>
  checkBy(['-c', lab.config], ...args);

async function checkBy(way: readonly string[], ...args: string[]): Promise<Checked> {
  const run = await runPatctl([...way, 'check', '-f', 'json', ...args]);
  const document = JSON.parse(run.out) as CheckDocument;
  const found = (document.clusters[0]?.findings ?? []).map(({ code, severity, members }) =>
    `${code} ${severity} ${members.join(',')}`.trim(),
  );
  return { code: run.code, found, document };
}

/** What each witness said for a finding, one line each. */
function evidenceOf({ document }: Checked, code: string): string[] {
  const finding = document.clusters[0]?.findings.find((one) => one.code === code);
  return (finding?.evidence ?? []).map(
    ({ witness, subject, said }) => `${witness} ${subject}: ${said}`,
  );
}

/** Nothing at all is found, or only what is always so in this cluster. */
async function expectHealthy(lab: Lab, found: string[] = []): Promise<void> {
  for (const args of [[], ['--verify', 'rest']]) {
    expect(await check(lab, ...args)).toMatchObject({ code: 0, found });
  }
}

/** How often a freeze is tried until no loop of Patroni's falls into it. */
const ROUNDS = 8;
const AT_ONCE = ['--settle', '0'];

/** Brings a trouble about on a healthy cluster, has one reading judged, and sees it gone. */
async function story(
  lab: Lab,
  name: StoryName,
  expected: (checked: Checked, member: string) => void | Promise<void>,
  args = AT_ONCE,
): Promise<void> {
  await expectHealthy(lab);
  const { member, undo } = await provoke(lab, name);
  try {
    const checked = await check(lab, ...args);
    await expected(checked, member);
    if (WITHOUT_KEYS.includes(name)) await expectByRest(lab, checked, args);
    const isRepaired = REPAIRED_BY_ROW.includes(name);
    await typeRows(lab, checked, member, isRepaired ? /./ : LOOKS);
    if (isRepaired) await nothingIsLeft(lab);
  } finally {
    await undo();
  }
  await nothingIsLeft(lab);
}

/** Stories that end by what docs/how-to.md says for their finding, without anything done on a host. */
const REPAIRED_BY_ROW: readonly StoryName[] = ['sync-overridden', 'lost-slot'];
/** Commands of the other rows that can be typed while the trouble lasts. */
const LOOKS = /^patctl (status|list|switchover .*--dry-run)/;

/** Types what docs/how-to.md names for the critical findings: it works in the trouble, and names it. */
async function typeRows(
  lab: Lab,
  { found }: Checked,
  member: string,
  which: RegExp,
): Promise<void> {
  const { rows } = howTo();
  const shell = new Shell(lab, [[/\bMEMBER\b/g, member]]);
  try {
    for (const [code = '', severity] of found.map((line) => line.split(' '))) {
      if (severity !== 'critical') continue;
      for (const command of (rows.get(code) ?? []).filter((one) => which.test(one))) {
        const { code: exit, out, err } = await shell.run(command);
        expect(exit, `${command}\n${out}${err}`).toBe(0);
        if (/^patctl (status|list)/.test(command)) expect(out).toContain(`[${code}]`);
      }
    }
  } finally {
    shell.remove();
  }
}

/** Stories that no key of the DCS has to be read for. */
const WITHOUT_KEYS: readonly StoryName[] = [
  'sync-mismatch',
  'walsender-killed',
  'sync-overridden',
  'logical-blocker',
  'lost-slot',
];

/** The address of any member is enough to find the same. */
async function expectByRest(lab: Lab, { found }: Checked, args: string[]): Promise<void> {
  const critical = (lines: readonly string[]) => lines.filter((line) => line.includes('critical'));
  const told = await checkBy(restWay(lab), ...args);
  expect(critical(told.found)).toEqual(critical(found));
}

async function nothingIsLeft(lab: Lab): Promise<void> {
  await eventually('nothing is found any more', 60_000, async () => {
    const { code, found } = await check(lab);
    if (found.length > 0) throw new Error(found.join('; '));
    return code === 0;
  });
}

/** What holds for every healthy cluster; `use` gives it once it is up. */
function healthy(use: () => Lab): void {
  let lab: Lab;
  beforeAll(() => {
    lab = use();
  });

  test('nothing is found, with SQL and without', async () => {
    await expectHealthy(lab);
  });

  test('what needs a login is unknown without one, and counts only on request', async () => {
    const { code, document } = await check(lab, '--verify', 'rest', '--require', 'sql');
    expect(code).toBe(3);
    expect(document.clusters[0]?.unknown.map((one) => one.code)).toContain('slot_missing');
  });

  test('leader, members, ready and wait agree', async () => {
    const run = (...args: string[]) => runPatctl(['-c', lab.config, ...args]);
    const leader = (await lab.leader()) ?? '';
    expect(await run('leader')).toMatchObject({ code: 0, out: `${leader}\n` });
    const [replica = ''] = (await run('members', '--role', 'replica')).out.split('\n');
    expect(['pg1', 'pg2', 'pg3']).toContain(replica);
    expect(replica).not.toBe(leader);
    expect(await run('ready', replica, '--max-lag', '1MiB')).toMatchObject({ code: 0 });
    const urls = ['--member-url', lab.member(replica).restUrl];
    urls.push('--leader-url', lab.member(leader).restUrl);
    expect(await runPatctl(['ready', replica, '--max-lag', '1MiB', ...urls])).toMatchObject({
      code: 0,
    });
    const conditions = ['--for', `leader=${leader}`, '--for', 'healthy', '--for', 'streaming=2'];
    expect(await run('wait', ...conditions, '--for', 'resumed')).toMatchObject({
      code: 0,
      err: '',
    });
    expect((await run('wait', '--for', 'paused', '--deadline', '1s')).code).toBe(5);
  });

  test('a restarted replica is not a finding after it has settled', async () => {
    await lab.stop('pg3');
    await lab.start('pg3');
    await lab.waitHealthy();
    await expectHealthy(lab);
  });
}

describe('a healthy cluster, synchronous_mode quorum', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ sync: 'quorum' });
  });
  afterAll(() => lab.down());
  healthy(() => lab);
});

describe('a healthy cluster, synchronous_mode off', () => {
  let lab: Lab;
  beforeAll(async () => {
    // Without slots that outlive their members nothing names the first leader once it is gone.
    lab = await privateCluster({ dcs: { member_slots_ttl: 0 } });
  });
  afterAll(() => lab.down());
  healthy(() => lab);

  test('paused-too-long: as old as the members say, and unknown where none can be asked', async () => {
    await runPatctl(['-c', lab.config, 'pause', lab.scope, '--wait']);
    try {
      const tooLong = ['--only', 'paused', 'paused_too_long', '--max-pause'];
      const since = await eventually('it is older than a second', 30_000, async () => {
        const checked = await check(lab, ...AT_ONCE, ...tooLong, '1s');
        return checked.code === 2 && checked;
      });
      expect(since.found).toEqual(['paused_too_long critical']);
      expect(evidenceOf(since, 'paused_too_long')).toEqual([
        expect.stringMatching(/^DCS \/config: pause is true, at revision \d+$/),
        expect.stringMatching(/^SQL patroni\.dynamic\.json: reports pause since 20.*Z$/),
      ]);
      const inTime = await check(lab, ...AT_ONCE, ...tooLong, '1h');
      expect(inTime).toMatchObject({ code: 1, found: ['paused warning'] });
      const unknown = await check(lab, ...AT_ONCE, ...tooLong, '1h', '--verify', 'rest');
      expect(unknown).toMatchObject({ code: 3, found: ['paused_too_long unknown'] });
    } finally {
      await runPatctl(['-c', lab.config, 'resume', lab.scope, '--wait']);
    }
    await nothingIsLeft(lab);
  });

  test('member-left: a replica whose Patroni was killed, while its PostgreSQL runs on', async () => {
    const only = [...AT_ONCE, '--only', 'member_left'];
    await lab.kill('pg3');
    try {
      const left = await eventually('its key is gone', 60_000, async () => {
        const checked = await check(lab, ...only);
        return checked.code === 1 && checked;
      });
      expect(left.found).toEqual(['member_left warning pg3']);
      expect(evidenceOf(left, 'member_left')).toContainEqual(
        expect.stringMatching(
          /^SQL pg\d pg_stat_replication: pg3 is streaming, and has no member key$/,
        ),
      );
      const wait = ['wait', '--for', 'healthy', '--deadline', '1s'];
      expect((await runPatctl(['-c', lab.config, ...wait])).code).toBe(5);
    } finally {
      await lab.start('pg3');
      await lab.waitHealthy();
    }
    await nothingIsLeft(lab);
  });

  // Last: another member leads afterwards.
  test('two-primaries: the one that is not listed', async () => {
    await story(lab, 'two-primaries', async (checked, member) => {
      const now = (await lab.leader()) ?? '';
      expect(checked).toMatchObject({
        code: 2,
        found: [`two_primaries critical ${now},${member}`],
      });
      expect(evidenceOf(checked, 'two_primaries')).toEqual([
        `DCS /leader: held by ${now}`,
        expect.stringMatching(new RegExp(`^SQL ${now}: primary, timeline 2, at `)),
        expect.stringMatching(new RegExp(`^SQL ${member}: primary, timeline 1, at `)),
      ]);
      expect((await runPatctl(['-c', lab.config, 'leader'])).code).toBe(4);
      const parts = checked.document.clusters[0]?.consequences.map(({ finding, of }) => [
        finding.code,
        of,
      ]);
      expect(parts).toContainEqual(['primary_without_lock', 'two_primaries']);
      expect(parts).toContainEqual(['member_left', 'two_primaries']);
    });
  });
});

describe('troubles', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({
      sync: 'on',
      // Some stories freeze the leader: its lock has to outlast what is looked at, on a loaded machine too.
      dcs: { member_slots_ttl: 0, ttl: 45 },
      parameters: { wal_level: 'logical' },
    });
  });
  afterAll(() => lab.down());

  test('not-ready: restored under write load, and shown as streaming while it catches up', async () => {
    await expectHealthy(lab);
    await catchUp(lab, async (member) => {
      const checked = await check(lab, ...AT_ONCE);
      expect(checked).toMatchObject({ code: 1, found: [`catching_up warning ${member}`] });
      expect(evidenceOf(checked, 'catching_up')).toEqual([
        expect.stringMatching(/^SQL pg\d: written up to /),
        expect.stringMatching(new RegExp(`^SQL ${member}: received up to `)),
        expect.stringMatching(new RegExp(`: ${member} is (streaming|catchup), sync_state async$`)),
      ]);
    });
    await nothingIsLeft(lab);
  });

  test('frozen-receiver: what Patroni says of a replica is as old as its last loop', async () => {
    await expectHealthy(lab);
    const seen: Sample[] = [];
    const isCalm = ({ readiness, lag0 }: { readiness: number; lag0: number }) =>
      readiness === 200 && lag0 === 200;
    // A loop of the leader and one of the replica that both come right after the burst spoil a round.
    for (let round = 0; round < ROUNDS && !seen.some(isCalm); round += 1) {
      await eventually('Patroni calls every replica ready', 30_000, async () => {
        const leader = await lab.leader();
        const others = lab.members.filter(({ name }) => name !== leader);
        const said = await Promise.all(others.map(({ name }) => endpoints(lab, name)));
        return said.every(isCalm);
      });
      const { member, undo } = await provoke(lab, 'frozen-receiver');
      try {
        seen.push(await sideBySide(lab, member));
        expect((await check(lab, ...AT_ONCE)).found).toEqual([`catching_up warning ${member}`]);
      } finally {
        await undo();
      }
    }
    for (const one of seen) expect(one).toMatchObject({ isBehind: true, replica: 200, ready: 1 });
    expect(seen.some(isCalm)).toBe(true);
    await nothingIsLeft(lab);
  });

  test('sync-mismatch: /sync against pg_stat_replication', async () => {
    await story(lab, 'sync-mismatch', (checked, member) => {
      const critical = checked.found.filter((line) => line.includes('critical'));
      expect(critical).toEqual([`sync_role_mismatch critical ${member}`]);
      expect(evidenceOf(checked, 'sync_role_mismatch')).toEqual([
        expect.stringMatching(
          new RegExp(`^DCS /sync: leader pg\\d, standbys ${member}, quorum 0$`),
        ),
        expect.stringMatching(
          /^SQL pg\d pg_stat_replication: pg\d is streaming, sync_state async$/,
        ),
      ]);
    });
  });

  test('walsender-killed: a synchronous standby that is not even connected', async () => {
    await story(lab, 'walsender-killed', async (checked, member) => {
      const leader = await lab.leader();
      expect(checked.found).toEqual([
        `sync_role_mismatch critical ${member}`,
        `commits_blocked critical ${member}`,
        `not_streaming warning ${member}`,
        `member_unreachable warning ${leader}`,
      ]);
      expect(evidenceOf(checked, 'sync_role_mismatch')).toEqual([
        `DCS /sync: leader ${leader}, standbys ${member}, quorum 0`,
        `SQL ${leader} pg_stat_replication: no row for ${member}`,
      ]);
    });
  });

  test('sync-overridden: no member may take over, with one reason', async () => {
    await story(lab, 'sync-overridden', (checked, member) => {
      expect(checked.found).toEqual([`sync_names_overridden critical ${member}`]);
      expect(evidenceOf(checked, 'sync_names_overridden')[0]).toMatch(
        /^SQL pg\d pg_settings: synchronous_standby_names = '\*' from .*postgresql\.auto\.conf$/,
      );
    });
  });

  test('logical-blocker: found before the switchover that would hang', async () => {
    const judge = (checked: Checked, member: string) => {
      expect(checked.found).toEqual([
        `logical_walsender_stuck critical ${member}`,
        `logical_walsender_present info ${member}`,
        'stop_timeout_unset info',
      ]);
      expect(evidenceOf(checked, 'logical_walsender_stuck')[0]).toMatch(
        /^SQL pg\d pg_stat_replication: pid \d+, .* slot outbox: sent .*, confirmed .* bytes open/,
      );
    };
    // Only time tells it from a client that is about to confirm.
    await story(lab, 'logical-blocker', judge, []);
  });

  test('lost-slot: the replica that cannot return', async () => {
    await story(lab, 'lost-slot', async (checked, member) => {
      expect(checked.found).toEqual([
        `slot_lost critical ${member}`,
        `reinit_needed info ${member}`,
      ]);
      expect(evidenceOf(checked, 'slot_lost')).toEqual([
        expect.stringMatching(new RegExp(`^SQL pg\\d pg_replication_slots: ${member}: inactive, `)),
        expect.stringMatching(new RegExp(`^SQL ${member}: received up to `)),
        expect.stringMatching(new RegExp(`^SQL pg\\d pg_stat_replication: no row for ${member}$`)),
      ]);
      // Without a login the slot is seen where the leader writes it into /status; else only its effect.
      const rest = await check(lab, ...AT_ONCE, '--verify', 'rest');
      const [first = ''] = rest.found;
      expect(first).toMatch(/^(slot_lost critical|not_streaming (critical|warning)) pg\d$/);
      expect(first).toContain(member);
    });
  });
});

// ---------------------------------------------------------------- readiness, side by side

const LIMIT = '1MiB';
const LIMIT_BYTES = 1_048_576;

/** What Patroni and patctl said of one member, between two positions asked of PostgreSQL itself. */
interface Sample {
  /** The leader's position before any of them was asked. */
  written: number;
  /** The member's after all had answered. */
  replayed: number;
  /** Behind by more than LIMIT in every moment in between: both positions only grow. */
  isBehind: boolean;
  readiness: number;
  /** /replica?lag=0MB */
  lag0: number;
  replica: number;
  /** Exit code of `patctl ready --max-lag LIMIT`. */
  ready: number | null;
}

async function endpoints(lab: Lab, member: string) {
  const [readiness, lag0, replica] = await Promise.all(
    ['/readiness', '/replica?lag=0MB', '/replica'].map((path) => lab.rest(member, path)),
  );
  const status = (answer: { status: number } | undefined) => answer?.status ?? 0;
  return { readiness: status(readiness), lag0: status(lag0), replica: status(replica) };
}

/** `answered` is called when all have answered, before the member's own position is read. */
async function sideBySide(
  lab: Lab,
  member: string,
  answered: () => void = () => undefined,
): Promise<Sample> {
  const leader = (await lab.leader()) ?? '';
  const position = async (name: string, call: string) =>
    Number(await lab.psql(name, `SELECT ${call} - '0/0'`));
  const written = await position(leader, 'pg_current_wal_lsn()');
  const [said, ready] = await Promise.all([
    endpoints(lab, member),
    runPatctl(['-c', lab.config, 'ready', member, '--max-lag', LIMIT]),
  ]);
  answered();
  const replayed = await position(member, 'pg_last_wal_replay_lsn()');
  return {
    written,
    replayed,
    isBehind: written - replayed > LIMIT_BYTES,
    ...said,
    ready: ready.code,
  };
}

/**
 * The story of not-ready from the base backup to the end, with all members asked in parallel. `whileBehind`
 * is called while the replica surely receives nothing. Gives what was seen in the meantime.
 */
async function catchUp(
  lab: Lab,
  whileBehind: (member: string) => Promise<void>,
): Promise<Sample[]> {
  const patctl = (...args: string[]) => runPatctl(['-c', lab.config, ...args]);
  const { member, flow, endLoad, release, undo } = await restoreUnderLoad(lab);
  const caughtUp = ['wait', '--for', `caught-up=${member}`, '--max-lag', LIMIT, '--deadline'];
  const samples: Sample[] = [];
  try {
    await eventually('Patroni shows the new replica', 30_000, async () => {
      return (await lab.rest(member, '/replica')).status === 200;
    });
    samples.push(await sideBySide(lab, member));
    expect(samples[0]).toMatchObject({ isBehind: true, replica: 200, ready: 1 });
    await whileBehind(member);
    const tooSoon = await patctl(...caughtUp, '1s');
    expect(tooSoon).toMatchObject({ code: 5 });
    expect(tooSoon.err).toMatch(new RegExp(`${member} is .* behind`));
    samples.push(await sideBySide(lab, member));
    expect(samples[1]).toMatchObject({ isBehind: true, replica: 200, ready: 1 });

    flow();
    for (let turn = 0; turn < 3; turn += 1) samples.push(await sideBySide(lab, member));
    // From here on the leader is frozen, so that a claim of any moment can be judged afterwards.
    await endLoad();
    const wait = { isOver: false, wasOver: false };
    const waiting = patctl(...caughtUp, '60s').finally(() => (wait.isOver = true));
    await release();
    while (!wait.wasOver) {
      samples.push(await sideBySide(lab, member, () => (wait.wasOver = wait.isOver)));
    }
    // Its position was read after the wait was over: by then it had to be as near as was claimed.
    expect(samples.at(-1)).toMatchObject({ isBehind: false });
    expect(await waiting).toMatchObject({ code: 0 });
    // 3 if a member of a busy machine did not answer: it is not ready either way.
    for (const sample of samples) if (sample.isBehind) expect([1, 3]).toContain(sample.ready);
    await eventually('Patroni says so too', 30_000, async () => {
      const { readiness, lag0, replica, written, replayed } = await sideBySide(lab, member);
      return readiness === 200 && lag0 === 200 && replica === 200 && replayed >= written;
    });
    expect(await patctl('ready', member, '--max-lag', LIMIT)).toMatchObject({ code: 0 });
  } finally {
    await undo();
  }
  return samples;
}

describe('Patroni 4.0.5 in quorum mode', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster(STORIES['quorum-switchover'].options);
  });
  afterAll(() => lab.down());

  test('quorum-switchover: a warning, and a plan that is refused, before Patroni refuses it', async () => {
    const bug = 'patroni_bug_quorum_switchover warning pg1,pg2,pg3';
    const warned = async () => {
      const { found, code } = await check(lab, '--settle', '0');
      expect({ found, code }).toEqual({ found: [bug], code: 1 });
    };
    await warned();
    // Asks Patroni itself, and sees it refused.
    const { member } = await provoke(lab, 'quorum-switchover');
    await warned();
    const args = ['switchover', '--dry-run', '-f', 'json', '--candidate', member];
    const dry = await runPatctl(['-c', lab.config, ...args]);
    expect(dry.code).toBe(1);
    expect((JSON.parse(dry.out) as ChangeDocument).plan.refusedBy).toEqual(['patroni_405_quorum']);
  });

  test('not-ready: its /readiness is 200 for a replica that has not received 50 MB yet', async () => {
    const samples = await catchUp(lab, async (member) => {
      const { found } = await check(lab, ...AT_ONCE);
      expect(found).toContain(`catching_up warning ${member}`);
      expect(found.filter((line) => line.includes('critical'))).toEqual([]);
    });
    const lies = samples.filter(({ isBehind, readiness }) => isBehind && readiness === 200);
    expect(lies.length).toBeGreaterThanOrEqual(2);
    for (const lie of lies) expect(lie).toMatchObject({ replica: 200, ready: 1 });
  });
});

describe('Patroni 3.2.2, a standby cluster with synchronous_mode', () => {
  let source: Lab;
  let lab: Lab;
  beforeAll(async () => {
    const { sync, members, patroni } = STORIES['stale-sync'].options;
    const options = { sync, members, patroni };
    source = await privateCluster(options);
    lab = await privateCluster({ ...options, standbyOf: source.scope });
  });
  // Its standby cluster goes with it.
  afterAll(() => source.down());

  /** The setting that the story is about has no effect here: worth knowing, and no trouble. */
  const ALWAYS = ['sync_in_standby_cluster info'];

  test('stale-sync: patronictl says Sync Standby, PostgreSQL says async', async () => {
    const listed = async () => (await runPatronictl(lab, ['list'])).out;
    await expectHealthy(lab, ALWAYS);
    expect(await listed()).not.toContain('Sync Standby');
    const { member, undo } = await provoke(lab, 'stale-sync');
    try {
      expect(await listed()).toMatch(new RegExp(`\\| ${member} .*\\| Sync Standby`));
      const { found, code } = await check(lab, '--settle', '0');
      expect({ found, code }).toEqual({
        found: [`sync_role_mismatch critical ${member}`, ...ALWAYS],
        code: 2,
      });
      const ours = await runPatctl(['-c', lab.config, 'list']);
      expect(ours.out).toMatch(new RegExp(`\\| ${member} .*Replica !.*async .*sync_role_mismatch`));
      expect(ours.out).not.toContain('Sync Standby');
    } finally {
      await undo();
    }
    await expectHealthy(lab, ALWAYS);
  });
});

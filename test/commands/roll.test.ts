/** `roll`: its order, its gates, COMMAND and its return, and what is left to go on with; the members are made up. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import type { RollState } from '../../src/cluster/preflight/roll-resume.js';
import { anotherPostmaster, fakeMembers, type FakeMembers } from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE, type FakeRun } from '../support/fake-world.js';

let fake: FakeMembers;
let folder: string;
const LIMITS = ['--gate-timeout', '3s', '--back-timeout', '5s'];
const statePath = (): string => join(folder, 'patctl', 'roll-demo.json');
const log = (): string => readFileSync(join(folder, 'patctl', 'roll-demo.log'), 'utf8');
const state = (): RollState => JSON.parse(readFileSync(statePath(), 'utf8')) as RollState;
const ran = (): string[] => (existsSync(join(folder, 'ran')) ? read('ran').split('\n') : []);
const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trimEnd();

const roll = (...args: string[]): Promise<FakeRun> =>
  runFake(fake.cluster, ['roll', 'demo', '--yes', ...args], {
    XDG_STATE_HOME: folder,
    PATH: '/usr/bin:/bin',
    FOLDER: folder,
  });
/** What restarts the member: the file is looked at when the member is asked. */
const RESTART = 'echo {member} >> "$FOLDER/ran"; touch "$FOLDER/restarted-{member}"';
const rollReplicas = (...args: string[]) => roll('--no-switchover', ...LIMITS, ...args);

beforeEach(() => {
  fake = fakeMembers('on');
  folder = mkdtempSync(join(tmpdir(), 'patctl-roll-'));
  fake.cluster.status = ({ name }) => {
    const path = join(folder, `restarted-${name}`);
    if (existsSync(path)) {
      rmSync(path);
      fake.says(name, anotherPostmaster);
    }
    return Promise.resolve(fake.cluster.rest?.[name] ?? UNREACHABLE);
  };
  fake.cluster.clock = quickClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('--dry-run', () => {
  test('the order and each gate as it is now; nothing is run or written', async () => {
    const done = await roll('--exec', RESTART, '--dry-run');
    expect([done.code, done.err]).toEqual([0, '']);
    expect(done.out).toContain(
      '1. COMMAND for pg3 (replica)\n2. COMMAND for pg1 (synchronous standby)\n' +
        '3. switch over from pg2 (to the best candidate)\n4. COMMAND for pg2 (the former leader)\n',
    );
    expect(done.out).toMatch(/^ {2}votes +ok +without pg3, pg1 could take over from pg2$/m);
    expect(done.out).toContain('Would run COMMAND for 3 members of demo\n');
    expect([ran(), existsSync(statePath())]).toEqual([[], false]);
  });

  test('a member that does not stream closes the gates of the others', async () => {
    fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
    const done = await roll('--exec', 'true', '--only', 'pg1', '--dry-run', '-f', 'json');
    const { roll: shown } = JSON.parse(done.out) as ActionDocument;
    const closed = shown?.gates[0]?.gates.filter(({ result }) => result !== 'ok');
    expect(closed?.map(({ name }) => name)).toContain('streaming');
  });
});

describe('the command line', () => {
  test.each([
    [[], 2, 'no COMMAND is given'],
    [['--exec', ''], 2, 'no COMMAND is given'],
    [['--resume', '--exec', 'true'], 2, "option '--resume' cannot be used with option '--exec"],
    [['--resume', '--no-switchover'], 2, "'--resume' cannot be used with option '--no-switchover'"],
    [['--exec', 'true', '--skip-gate', 'luck'], 2, 'expected one of leader, streaming'],
    [['--exec', 'true', '--only', 'pg1,,pg2'], 2, 'expected names separated by commas'],
    [['--exec', 'true', '--only', 'pg9'], 1, 'pg9 is not a member of demo\nmembers: pg1, pg2, pg3'],
    [['--exec', 'true', '--candidate', 'pg9'], 1, 'refused: the candidate pg9 is not a member'],
    [['--exec', 'true', '--candidate', 'pg2'], 1, 'refused: pg2 leads already'],
    [['--resume'], 1, 'no unfinished roll of demo'],
  ])('%j', async (args, code, words) => {
    const done = await roll(...args);
    expect([done.code, done.err.includes(words)], done.err).toEqual([code, true]);
  });

  test('a value of the DCS that a shell could take for commands is quoted', async () => {
    const bad = "pg3'; touch pwned #";
    fake.set('members/pg3', (value) => {
      value['conn_url'] = 'postgres://h$(touch${IFS}pwned):5432/postgres';
    });
    const quoted = await rollReplicas('--only', 'pg3', '--may-stay-up', '--exec', 'echo {host}');
    expect(quoted.code, quoted.err).not.toBe(2);
    expect(quoted.err + bad).not.toContain('No such file');
    expect(existsSync('pwned')).toBe(false);
    const inside = await rollReplicas('--only', 'pg3', '--discard', '--exec', 'echo "{host}"');
    expect([inside.code, inside.err.includes('use "$PATCTL_HOST"')]).toEqual([1, true]);
  });
});

describe('COMMAND', () => {
  test('asynchronous before synchronous; --no-switchover stops before the leader and says so', async () => {
    const done = await rollReplicas('--exec', RESTART);
    expect(done.code, done.err).toBe(0);
    expect(ran()).toEqual(['pg3', 'pg1']);
    expect(done.err).toContain('warning: pg2 is the leader and is left out (--no-switchover)\n');
    expect(done.err).toMatch(/pg3 is back after .*: PostgreSQL runs since after /);
    expect(done.out).toContain('Success: roll of demo is done: pg3, pg1\n');
    expect(existsSync(statePath())).toBe(false);
  });

  test('its environment, and its output with the name of the member before it and in the log', async () => {
    const print =
      'echo "$PATCTL_MEMBER $PATCTL_PORT $PATCTL_ROLE $PATCTL_CLUSTER {role}"; printf "\\033[31mred"';
    const done = await rollReplicas('--only', 'pg1', '--exec', `${RESTART}; ${print}`);
    expect(done.code, done.err).toBe(0);
    expect(done.err).toMatch(/^pg1 \| pg1 \d+ sync_standby demo sync_standby$/m);
    expect(done.err).toMatch(/^pg1 \| red$/m);
    expect(log()).toMatch(/Z pg1 \| pg1 \d+ sync_standby demo sync_standby\n/);
    expect(log()).toContain('-- pg1: COMMAND begins\n');
  });

  test('--progress json has each line as an object', async () => {
    const args = ['--only', 'pg3', '--progress', 'json', '--exec', `${RESTART}; echo hello`];
    const done = await rollReplicas(...args);
    const events = done.err.split('\n').filter((line) => line.startsWith('{'));
    expect(events.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ step: 'output', member: 'pg3', said: 'hello' }),
    );
  });

  test('one that fails stops the roll, and --resume runs it again there', async () => {
    const fails = `${RESTART}; test {member} != pg1 -o -e "$FOLDER/mended" || exit 7`;
    const done = await rollReplicas('--exec', fails);
    expect([done.code, ran()]).toEqual([4, ['pg3', 'pg1']]);
    expect(done.err).toContain('Error: COMMAND for pg1 ended with 7; stopped\n');
    expect(done.err).toContain('done: COMMAND for pg3; it was the last step\n');
    expect(done.err).toContain('continue with: patctl roll demo --resume\n');
    expect(state()).toMatchObject({ done: ['pg3'], at: { member: 'pg1', phase: 'command' } });
    const again = await rollReplicas('--exec', 'true');
    expect([again.code, again.err.includes('a roll of demo is not finished')]).toEqual([1, true]);
    writeFileSync(join(folder, 'mended'), '');
    const resumed = await roll('--resume');
    expect(resumed.code, resumed.err).toBe(0);
    expect(ran()).toEqual(['pg3', 'pg1', 'pg1']);
    expect(existsSync(statePath())).toBe(false);
  });

  test('--exec-timeout ends it with its children', async () => {
    fake.cluster.clock = undefined as never;
    const started = Date.now();
    const args = ['--only', 'pg3', '--exec-timeout', '300ms', '--exec', 'sleep 30; true'];
    const done = await rollReplicas(...args);
    expect([done.code, Date.now() - started < 15_000]).toEqual([4, true]);
    expect(done.err).toContain(
      'COMMAND for pg3 was ended at its limit (limit 0.3 s, --exec-timeout)',
    );
  });

  test('a member that never went away is said so; --may-stay-up accepts it', async () => {
    const done = await rollReplicas('--only', 'pg3', '--exec', 'true', '-f', 'json');
    expect(JSON.parse(done.out)).toMatchObject({
      ...{ code: 'never_went_away', exit: 4, changed: true },
      message: 'pg3 never went away after COMMAND (limit 5.0 s, --back-timeout); stopped',
      members: [{ member: 'pg3', ending: 'failed' }],
    });
    const stays = await roll('--resume', '--may-stay-up', '--back-timeout', '1m');
    expect(stays.code, stays.err).toBe(0);
    expect(stays.err).toMatch(/pg3 is back after .*: it never went away: PostgreSQL runs since /);
  });

  test('one that does not come back ends the roll; --resume only waits for it', async () => {
    const gone = { pg3: fake.cluster.rest?.['pg3'] ?? UNREACHABLE };
    fake.cluster.onOut = () => undefined;
    const status = fake.cluster.status;
    fake.cluster.status = (member, ms) => {
      if (existsSync(join(folder, 'ran')))
        fake.cluster.rest = { ...fake.cluster.rest, pg3: UNREACHABLE };
      return status?.(member, ms) ?? Promise.resolve(UNREACHABLE);
    };
    const done = await rollReplicas('--only', 'pg3', '--exec', 'echo {member} >> "$FOLDER/ran"');
    expect([done.code, ran()]).toEqual([4, ['pg3']]);
    expect(done.err).toContain('Error: pg3 is not back after COMMAND: pg3 does not answer: ');
    expect(state().at).toMatchObject({
      phase: 'back',
      track: { gone: expect.any(String) as string },
    });
    fake.cluster.status = status as never;
    fake.cluster.rest = { ...fake.cluster.rest, ...gone };
    const resumed = await roll('--resume');
    expect([resumed.code, ran()], resumed.err).toEqual([0, ['pg3']]);
    expect(resumed.err).toContain('waiting only for its return');
  });
});

describe('gates', () => {
  test('a replica that is behind before the first member: exit 1, COMMAND is not run', async () => {
    fake.says('pg1', (value) => (value['receivedLocation'] = value['replayedLocation'] = 1n));
    const done = await rollReplicas('--only', 'pg3', '--exec', RESTART);
    expect([done.code, ran()]).toEqual([1, []]);
    expect(done.err).toContain(
      'Error: COMMAND was not run for pg3: caught_up (pg1 has not caught up), votes (',
    );
    expect(done.err).not.toContain('--resume');
  });

  test('a pause that comes between two members: exit 4, and the rest is not begun', async () => {
    const clock = quickClock(() => {
      if (existsSync(join(folder, 'ran'))) fake.set('config', (value) => (value['pause'] = true));
    });
    fake.cluster.clock = clock;
    const done = await rollReplicas('--exec', RESTART);
    expect([done.code, ran()]).toEqual([4, ['pg3']]);
    expect(done.err).toContain(
      'COMMAND was not run for pg1: paused (/config the cluster is paused) (limit 3.0 s, --gate-timeout)',
    );
    expect(done.err).toContain('done: COMMAND for pg3; it was the last step');
  });
});

test('--resume refuses another cluster', async () => {
  await rollReplicas('--exec', `${RESTART}; false`);
  const before = state();
  const write = (cluster: Partial<RollState['cluster']>): void =>
    writeFileSync(
      statePath(),
      JSON.stringify({ ...before, cluster: { ...before.cluster, ...cluster } }),
    );
  write({ systemId: '1' });
  const other = await roll('--resume');
  expect([other.code, ran()]).toEqual([1, ['pg3']]);
  expect(other.err).toMatch(
    /this is not the cluster of the unfinished roll: its system identifier is \d+, and was 1\n/,
  );
  write({ members: ['pg1', 'pg2', 'pg7'] });
  expect((await roll('--resume')).err).toContain('pg7 left it; pg3 joined it');
});

test('a second roll of the same cluster is refused while one runs', async () => {
  const first = rollReplicas('--only', 'pg3', '--exec', `${RESTART}; sleep 0.3`);
  while (ran().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await roll('--resume');
  expect([second.code, second.err]).toEqual([
    1,
    expect.stringContaining('Error: a roll of demo runs on this machine already\n'),
  ]);
  expect((await first).code).toBe(0);
});

test('COMMAND was run and the state cannot be written: exit 4', async () => {
  const args = ['--only', 'pg3', '--exec', `${RESTART}; rm -r "$FOLDER/patctl"`];
  const done = await rollReplicas(...args);
  expect([done.code, done.err], done.err).toEqual([4, expect.stringContaining('cannot be used: ')]);
});

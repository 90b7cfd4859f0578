import { describe, expect, test } from 'vitest';
import { fillTemplate } from '../../src/cluster/model/command-template.js';
import type { Reading, RestStatus } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';
import {
  hasLeft,
  leftWords,
  newTrack,
  notYetBack,
  withReading,
} from '../../src/cluster/preflight/node-return.js';
import {
  planRoll,
  rollStepWords,
  selectForRoll,
  type RollChoice,
} from '../../src/cluster/preflight/roll-order.js';
import { otherCluster, type ClusterIdentity } from '../../src/cluster/preflight/roll-resume.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';

function cluster(
  members: Record<string, Record<string, unknown>>,
  { leader = 'a', standbys = '' }: { leader?: string | null; standbys?: string } = {},
) {
  const keys: Record<string, unknown> = {
    config: { synchronous_mode: standbys !== '' },
    sync: { leader, sync_standby: standbys, quorum: 0 },
  };
  for (const [name, tags] of Object.entries(members))
    keys[`members/${name}`] = { conn_url: `postgres://${name}:5432/x`, tags };
  const kvs = Object.entries(keys).map(([key, value]) => ({
    key: `/service/demo/${key}`,
    value: JSON.stringify(value),
    modRevision: '1',
  }));
  if (leader !== null) kvs.push({ key: '/service/demo/leader', value: leader, modRevision: '1' });
  return parseCluster('demo', null, { revision: '1', kvs }, '/service/demo/');
}

const five = { a: {}, b: {}, c: {}, d: {}, e: {} };
const all: RollChoice = {
  members: ['a', 'b', 'c', 'd', 'e'],
  done: [],
  first: null,
  switchover: true,
  candidate: null,
  back: null,
  withoutVotes: false,
};
const order = (of: ReturnType<typeof cluster>, choice: Partial<RollChoice> = {}) => {
  const { steps, warnings, refused } = planRoll(of, { ...all, ...choice });
  return { steps: steps.map(rollStepWords), warnings, refused };
};

describe('the order', () => {
  const run = (...names: string[]) => names.map((name) => `COMMAND for ${name}`);

  test('asynchronous, synchronous, switchover, the old leader, and back', () => {
    const sync = cluster(five, { standbys: 'b,d' });
    expect(order(sync, { back: 'a' })).toEqual({
      steps: [...run('c', 'e', 'b', 'd'), 'switch over from a', ...run('a'), 'switch back to a'],
      warnings: [
        '--back waits until /sync names a, and it names only 1 of 4 standbys: patctl edit-config demo -s synchronous_node_count=4',
      ],
      refused: null,
    });
  });

  test('--no-switchover leaves the leader out, and says so', () => {
    expect(order(cluster(five), { switchover: false })).toEqual({
      steps: run('b', 'c', 'd', 'e'),
      warnings: ['a is the leader and is left out (--no-switchover)'],
      refused: null,
    });
  });

  test('without the leader among them no switchover is needed', () => {
    expect(order(cluster(five), { members: ['c', 'b'], candidate: 'b' })).toEqual({
      steps: run('b', 'c'),
      warnings: ['no switchover is needed: --candidate b is not used'],
      refused: null,
    });
  });

  test('gone on with: what is done is left out, the member at hand comes first', () => {
    expect(order(cluster(five), { done: ['b'], first: 'd' }).steps).toEqual([
      ...run('d', 'c', 'e'),
      'switch over from a',
      ...run('a'),
    ]);
  });

  test('gone on with after the switchover: the old leader is a replica, and only the way back is left', () => {
    const moved = cluster(five, { leader: 'b' });
    const done = ['b', 'c', 'd', 'e'];
    expect(order(moved, { done, back: 'a' }).steps).toEqual([...run('a'), 'switch back to a']);
    expect(order(moved, { done: all.members, back: 'a' }).steps).toEqual(['switch back to a']);
    expect(order(cluster(five), { done: all.members, back: 'a' }).steps).toEqual([]);
  });

  test.each<[string, ReturnType<typeof cluster>, Partial<RollChoice>, string]>([
    ['no leader', cluster(five, { leader: null }), {}, 'no member leads'],
    ['the only member', cluster({ a: {} }), {}, 'no other member can take over from a'],
    ['a candidate that leads', cluster(five), { candidate: 'a' }, 'a leads already'],
    ['a candidate without a key', cluster(five), { candidate: 'z' }, 'z is not a member'],
    [
      'a candidate that may not lead',
      cluster({ ...five, c: { nofailover: true } }),
      { candidate: 'c' },
      'c may not lead (nofailover)',
    ],
    [
      'only two may lead',
      cluster({ a: {}, b: {}, c: { nofailover: true } }),
      { members: ['b'] },
      'while b is down, no other member could take over (2 of 3 may lead)',
    ],
  ])('refused: %s', (_, of, choice, words) => {
    expect(order(of, choice).refused).toContain(words);
  });

  test('not refused: a member that could not lead anyway, or --skip-gate votes', () => {
    const two = cluster({ a: {}, b: {}, c: { nofailover: true } });
    expect(order(two, { members: ['c'] }).refused).toBeNull();
    expect(order(two, { members: ['b'], withoutVotes: true }).refused).toBeNull();
  });

  test('--only and --except', () => {
    const of = cluster(five);
    expect(selectForRoll(of, { only: ['c', 'a', 'x'], except: ['a'] })).toEqual({
      members: ['c'],
      unknown: ['x'],
    });
    expect(selectForRoll(of, { only: [], except: ['e'] }).members).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('COMMAND', () => {
  const values = { member: 'pg1', host: '10.0.0.1', role: 'replica' };
  const fill = (template: string, given: Partial<typeof values> = {}) => {
    const filled = fillTemplate(template, { ...values, ...given });
    return filled.ok ? filled.command : filled.problem;
  };
  const EVIL = "x'; rm -rf / #";

  test.each([
    ['echo {member} {host} {role}', {}, 'echo pg1 10.0.0.1 replica'],
    ['echo "{member}" \'{host}\'', {}, 'echo "pg1" \'10.0.0.1\''],
    ['awk "{print}" {unknown} ${member} {{member}}', {}, 'awk "{print}" {unknown} $pg1 {pg1}'],
    ['echo {member}', { member: EVIL }, `echo 'x'\\''; rm -rf / #'`],
    ['echo {member}', { member: 'a b' }, "echo 'a b'"],
    ['echo "$(date)" {member}', { member: '$(x)' }, `echo "$(date)" '$(x)'`],
    ["echo it\\'s {member}", { member: '`x`' }, "echo it\\'s '`x`'"],
  ])('%s %j', (template, given, command) => {
    expect(fill(template, given)).toBe(command);
  });

  test.each([
    ['echo "{member}"', { member: EVIL }],
    ["echo '{member}'", { member: EVIL }],
    ['echo `echo {member}`', { member: '$(x)' }],
    ['echo \\{member}', { member: '$(x)' }],
    ["echo a # don't\necho '{member}'", { member: '$(x)' }],
    ["cat <<E\ndon't\nE\necho '{member}'", { member: '$(x)' }],
    ["echo $'it\\'s' '{member}'", { member: '$(x)' }],
  ])('inside quotes, or where quotes cannot be told: %s', (template, given) => {
    expect(fill(template, given)).toMatch(/cannot be put inside quotes: use "\$PATCTL_MEMBER"$/);
  });

  test.each([
    [{ host: '-oProxyCommand=x' }, 'ssh {host}', 'cannot be a word of a command'],
    [{ member: 'a\nb' }, 'echo {member}', 'cannot be a word of a command'],
    [{ host: '' }, 'echo {host}', '{host} is unknown'],
  ])('%j is refused', (given, template, words) => {
    expect(fill(template, given)).toContain(words);
  });
});

describe('gone and back', () => {
  const says = (given: Record<string, unknown>): Reading<RestStatus> => {
    const value = parseRestStatus(200, {
      patroni: { name: 'b', scope: 'demo' },
      state: 'running',
      role: 'replica',
      replication_state: 'streaming',
      postmaster_start_time: 'T1',
      ...given,
    });
    if (!value) throw new Error('not a status');
    return { ok: true, value, tookMs: 1 };
  };
  const silent = (reason: string): Reading<RestStatus> => ({
    ok: false,
    kind: 'unreachable',
    reason,
  });
  const REFUSED = silent('connect ECONNREFUSED 10.0.0.1:8008');
  const TIMEOUT = silent('no whole answer within 3000 ms');
  const after = (...readings: Reading<RestStatus>[]) => {
    const [first = REFUSED, ...rest] = readings;
    return rest.reduce(withReading, newTrack(first));
  };

  test.each<[string, Reading<RestStatus>[], boolean, string]>([
    ['nothing happened', [says({}), says({})], false, 'runs since T1, unchanged'],
    [
      'another postmaster',
      [says({}), says({ postmaster_start_time: 'T2' })],
      true,
      'since T2, before since T1',
    ],
    [
      'Patroni was gone',
      [says({}), REFUSED, says({})],
      true,
      'it was gone (Patroni: connect ECONNREFUSED',
    ],
    [
      'PostgreSQL was stopped',
      [says({}), says({ state: 'stopping' }), says({})],
      true,
      'PostgreSQL was stopping',
    ],
    ['it only answered late', [says({}), TIMEOUT, says({})], false, 'unchanged'],
    ['it was down before', [REFUSED, says({})], true, 'it did not run before'],
    ['it did not answer before', [TIMEOUT, says({})], false, 'unchanged'],
  ])('%s', (_, readings, left, words) => {
    expect([hasLeft(after(...readings)), leftWords(after(...readings))]).toEqual([
      left,
      expect.stringContaining(words),
    ]);
  });

  test.each<[Reading<RestStatus>, string | null]>([
    [says({}), null],
    [REFUSED, 'does not answer: connect ECONNREFUSED 10.0.0.1:8008'],
    [says({ state: 'starting' }), 'is starting'],
    [says({ replication_state: 'in archive recovery' }), 'in archive recovery'],
    [says({ replication_state: 'in archive recovery', tags: { nostream: true } }), null],
  ])('%#: back, or what is missing', (reading, missing) => {
    expect(notYetBack(reading, false)).toBe(missing);
  });
});

describe('whether a roll may go on in this cluster', () => {
  const was: ClusterIdentity = {
    scope: 'demo',
    group: null,
    systemId: '7',
    members: ['a', 'b'],
    timeline: 3,
  };
  test.each<[Partial<ClusterIdentity>, string[]]>([
    [{}, []],
    [{ timeline: 5 }, []],
    [{ timeline: null }, []],
    [{ systemId: '8' }, ['its system identifier is 8, and was 7']],
    [{ systemId: null }, ['its system identifier is unknown now']],
    [{ members: ['a', 'c'] }, ['b left it', 'c joined it']],
    [{ timeline: 2 }, ['its timeline is 2, and was 3: it was restored']],
    [{ group: 1 }, ['it is demo group 1, and was demo']],
  ])('%j', (now, reasons) => {
    expect(otherCluster(was, { ...was, ...now })).toEqual(reasons);
  });
});

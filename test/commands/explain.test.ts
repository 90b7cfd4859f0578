/** Why the leader changed: what the command tells from the DCS, a recording, and logs that are named or found. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { ExplainDocument } from '../../src/cluster/documents/explain-document.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { lineText, snapshotLine } from '../../src/dcs/recording/record-text.js';
import { runFake } from '../support/fake-world.js';
import { keptFile, truthsOf } from '../support/stories/kept.js';
import { healthy } from '../unit/plan-support.js';

/** Keys as Patroni writes them, on etcd's terms: a lease ends all of its keys at one revision. */
function world() {
  const key = (name: string): string => `/service/demo/${name}`;
  const dcs = memoryStore({ [key('config')]: '{}', [key('status')]: '{"optime":100}' });
  const history: unknown[] = [];
  let leader = 'pg1';
  const member = (name: string, role: string, state = 'running', lsn = 100): string =>
    dcs.put(key(`members/${name}`), JSON.stringify({ role, state, xlog_location: lsn }), name);
  for (const name of ['pg1', 'pg2', 'pg3']) member(name, name === leader ? 'primary' : 'replica');
  dcs.put(key('leader'), leader, leader);
  return {
    dcs,
    member,
    request: (value: object) => dcs.put(key('failover'), JSON.stringify(value)),
    release: () => dcs.remove(key('leader')),
    expire: (...names: string[]) =>
      Promise.all(
        names.map((name) =>
          dcs.txn(
            [],
            [
              ...(name === leader ? [{ op: 'delete' as const, key: key('leader') }] : []),
              { op: 'delete', key: key(`members/${name}`) },
            ],
          ),
        ),
      ),
    take: (name: string) => {
      leader = name;
      dcs.put(key('leader'), name, name);
      dcs.put(key('failover'), '{}');
      const at = `2026-11-21T0${history.length}:00:00+00:00`;
      history.push([
        history.length + 1,
        110 + history.length * 100,
        'no recovery target specified',
        at,
        name,
      ]);
      dcs.put(key('history'), JSON.stringify(history));
      member(name, 'primary');
    },
    explain: async (...args: string[]) => {
      const { out, code } = await runFake({ keys: {}, dcs }, ['explain', '-f', 'json', ...args]);
      return { code, document: (out === '' ? null : JSON.parse(out)) as ExplainDocument };
    },
  };
}

const verdicts = ({ stories }: ExplainDocument) =>
  stories.map(({ timeline, from, to, verdict }) => [
    timeline,
    from,
    to,
    verdict.cause ?? verdict.fits,
  ]);

describe('explain, from the DCS alone', () => {
  test('a switchover, a manual failover and a Patroni that was stopped are told apart', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.member('pg1', 'primary', 'stopping');
    demo.release();
    demo.member('pg1', 'demoted', 'stopped');
    demo.take('pg2');
    demo.request({ member: 'pg3' });
    demo.release();
    demo.take('pg3');
    demo.release();
    demo.member('pg3', 'primary', 'stopped');
    demo.take('pg1');
    const { document, code } = await demo.explain('--since', '3650d');
    expect([code, verdicts(document)]).toEqual([
      0,
      [
        [1, 'pg1', 'pg2', 'switchover'],
        [2, 'pg2', 'pg3', 'manual_failover'],
        [3, 'pg3', 'pg1', 'patroni_stopped'],
      ],
    ]);
    expect(verdicts((await demo.explain()).document)).toEqual([
      [3, 'pg3', 'pg1', 'patroni_stopped'],
    ]);
    expect(verdicts((await demo.explain('--timeline', '2')).document)).toEqual([
      [2, 'pg2', 'pg3', 'manual_failover'],
    ]);
    expect(verdicts((await demo.explain('--at', '2026-11-21T00:04Z')).document)).toEqual([
      [1, 'pg1', 'pg2', 'switchover'],
    ]);
  });

  test('a lease that ended: several causes fit, and none is chosen', async () => {
    const demo = world();
    demo.member('pg1', 'primary', 'running', 130);
    await demo.expire('pg1');
    demo.take('pg2');
    const [story] = (await demo.explain()).document.stories;
    expect([story?.verdict.cause, story?.verdict.fits]).toEqual([
      null,
      [
        'patroni_killed',
        'node_lost',
        'patroni_frozen',
        'leader_cut_off',
        'postgres_hung',
        'shutdown_too_slow',
      ],
    ]);
    expect(story?.verdict.missing).toContain('the logs of Patroni');
    expect(story?.loss).toEqual({
      newTimelineStart: '0/6E',
      lastKnown: '0/82',
      lastKnownSource: 'etcd',
      lostBytes: 20,
      message:
        'the new timeline begins at 0/6E, and pg1 had written up to 0/82: at least 20 bytes of WAL are not in it',
    });
  });

  test('leases of all members that ended together: the DCS did not serve them', async () => {
    const demo = world();
    await demo.expire('pg3', 'pg1', 'pg2');
    demo.member('pg3', 'replica');
    demo.take('pg3');
    expect(verdicts((await demo.explain()).document)).toEqual([
      [1, 'pg1', 'pg3', 'dcs_unreachable'],
    ]);
  });

  test('a request for another candidate, or for later, is not the cause', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    await demo.expire('pg1');
    demo.take('pg3');
    demo.request({ leader: 'pg3', member: 'pg2', scheduled_at: '2026-11-22T08:00:00+00:00' });
    await demo.expire('pg3');
    demo.take('pg2');
    const { document } = await demo.explain('--since', '3650d');
    expect(document.stories.map(({ verdict }) => verdict.cause)).toEqual([null, null]);
  });

  test('a request that was withdrawn before the leader went is not the cause', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.request({});
    demo.release();
    demo.member('pg1', 'primary', 'stopped');
    demo.take('pg2');
    expect(verdicts((await demo.explain()).document)).toEqual([
      [1, 'pg1', 'pg2', 'patroni_stopped'],
    ]);
  });

  test('what is compacted is not known, and said so; /history still tells the change', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.release();
    demo.take('pg2');
    demo.dcs.compact(demo.dcs.revision);
    const { document, code } = await demo.explain();
    expect([code, document.stories[0]?.verdict.cause, document.stories[0]?.verdict.fits]).toEqual([
      0,
      null,
      [],
    ]);
    expect(document.stories[0]?.verdict.message).toBe(
      'The cause is unknown: no source recorded why the leader lost the lock.',
    );
    expect(document.sources[0]).toMatchObject({
      source: 'etcd',
      name: '',
      problem: 'etcd has compacted all of it',
    });
  });

  test('no change of leader, or none that fits, is exit 1', async () => {
    const demo = world();
    const none = await runFake({ keys: {}, dcs: demo.dcs }, ['explain']);
    expect([none.code, none.out.split('\n')[0]]).toEqual([
      1,
      'demo: no change of leader is recorded',
    ]);
    demo.release();
    demo.take('pg2');
    const other = await runFake({ keys: {}, dcs: demo.dcs }, ['explain', '--timeline', '7']);
    expect([other.code, other.out.split('\n')[0]]).toEqual([
      1,
      'demo: nothing is recorded for what was asked (1 change of leader known)',
    ]);
    const two = await runFake({ keys: {}, dcs: demo.dcs }, [
      'explain',
      '--timeline',
      '7',
      '--since',
      '2h',
    ]);
    expect([two.code, two.err]).toEqual([2, 'Error: give one of --since, --at and --timeline\n']);
  });

  test('on a screen of 80 columns no line is longer, and names from the DCS stay harmless', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2\u001b[31m' });
    await demo.expire('pg1');
    demo.take('pg2');
    const { out } = await runFake({ keys: {}, dcs: demo.dcs, columns: 80 }, ['explain']);
    expect(out).not.toContain('\u001b[31m');
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).toContain(
      'Verdict  pg1 did not renew its lease within ttl; the DCS does not show why.',
    );
  });
});

const folder = mkdtempSync(join(tmpdir(), 'patctl-explain-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function explained(args: string[], env: Record<string, string> = {}, keys = {}) {
  const { out, err, code } = await runFake({ keys }, ['explain', '-f', 'json', ...args], env);
  return { code, err, document: (out === '' ? null : JSON.parse(out)) as ExplainDocument };
}

describe('explain --recording', () => {
  test('the causes of changes that were made on purpose on a live cluster', async () => {
    const file = keptFile('recorded', 'recording.jsonl.gz');
    const { code, document } = await explained(['--recording', file, '--since', '3650d']);
    expect(code).toBe(0);
    expect(truthsOf('recorded').map(({ story }) => story)).toEqual([
      'switchover',
      'patroni-stopped',
      'patroni-killed',
      'node-lost',
      'patroni-frozen',
      'node-frozen',
      'etcd-frozen',
      'cut-off',
    ]);
    expect(verdicts(document)).toEqual([
      [1, 'pg1', 'pg2', 'switchover'],
      [2, 'pg2', 'pg3', 'patroni_stopped'],
      [3, 'pg3', 'pg1', 'patroni_killed'],
      [4, 'pg1', 'pg3', 'node_lost'],
      [5, 'pg3', 'pg1', 'patroni_frozen'],
      [6, 'pg1', 'pg3', ['node_frozen', 'node_lost', 'leader_cut_off', 'postgres_hung']],
      [7, 'pg3', 'pg3', 'dcs_unreachable'],
      [8, 'pg3', 'pg1', 'leader_cut_off'],
    ]);
    expect(document.stories.map(({ writes }) => [writes.atLeastMs, writes.atMostMs])).toEqual([
      [529, 3764],
      [null, 2396],
      [null, 23_669],
      [null, 26_004],
      [null, 29_201],
      [null, 28_564],
      [40_403, 42_907],
      [14_129, 24_822],
    ]);
  });

  test('a shutdown that was stuck, a PostgreSQL that hung, memory that ran out, a watchdog', async () => {
    const file = keptFile('hard', 'recording.jsonl.gz');
    const { document } = await explained(['--recording', file, '--since', '3650d']);
    const lost = ['postgres_crashed', 'disk_full', 'out_of_memory'];
    const itself = ['watchdog', 'postgres_start_timeout', ...lost];
    expect(truthsOf('hard').map(({ story }) => story)).toEqual([
      'postgres-killed-failover',
      'shutdown-stuck',
      'switchover-stuck',
      'postgres-hung',
      'oom-backend',
      'oom-postmaster',
      'watchdog-required',
    ]);
    expect(verdicts(document)).toEqual([
      [1, 'pg1', 'pg3', itself],
      [2, 'pg3', 'pg2', 'shutdown_too_slow'],
      [3, 'pg2', 'pg1', 'switchover'],
      [4, 'pg1', 'pg2', ['node_frozen', 'node_lost', 'leader_cut_off', 'postgres_hung']],
      [5, 'pg2', 'pg3', [...lost, 'postgres_start_failed']],
      [6, 'pg3', 'pg1', itself],
    ]);
  });

  test('what changed between two runs is told by /history alone', async () => {
    const file = join(folder, 'two-runs.jsonl');
    const start = (at: string) =>
      lineText({
        kind: 'start',
        at,
        schemaVersion: 1,
        patctl: 'x',
        intervalMs: 2000,
        rotated: false,
      });
    const { snapshot } = healthy('on');
    const { cluster } = snapshot;
    const history = [
      { timeline: 1, lsn: 16n, timestamp: '2026-11-28T03:00:00Z', newLeader: 'pg2', reason: '' },
    ];
    const later = {
      ...snapshot,
      cluster: { ...cluster, leaderName: 'pg2', history },
    } as typeof snapshot;
    const [before, after] = ['2026-11-28T02:00:00Z', '2026-11-28T08:00:00Z'];
    writeFileSync(
      file,
      start(before) +
        lineText(snapshotLine(snapshot, before)) +
        start(after) +
        lineText(snapshotLine(later, after)),
    );
    const { document } = await explained(['--recording', file, '--since', '3650d']);
    expect(verdicts(document)).toEqual([[1, 'pg1', 'pg2', []]]);
    expect(document.stories[0]?.at).toBe('2026-11-28T03:00:00.000Z');

    const other = await runFake({ keys: {} }, ['explain', 'ux', '--recording', file]);
    expect([other.code, other.err]).toEqual([
      1,
      'Error: no cluster ux is in the recording\nit has: demo\n',
    ]);
    const group = { ...snapshot, cluster: { ...cluster, group: 1 } } as typeof snapshot;
    appendFileSync(file, lineText(snapshotLine(group, after)));
    const several = await runFake({ keys: {} }, ['explain', '--recording', file]);
    expect([several.code, several.err]).toEqual([
      2,
      'Error: several clusters are in the recording\nname one, and its --group: demo, demo (group 1)\n',
    ]);
  });
});

/** A Patroni that PostgreSQL died under, and one that took its lock. */
const CRASHED = [
  '2026-11-28 02:59:50,000 INFO: no action. I am (pg1), the leader with the lock',
  '2026-11-28 03:00:00,000 WARNING: Postgresql is not running.',
  '2026-11-28 03:00:01,000 INFO: Lock owner: pg1; I am pg1 password=hunter2',
  '2026-11-28 03:00:02,000 INFO: starting primary after failure password=hunter2',
];
const TOOK = [
  '2026-11-28 02:59:50,000 INFO: no action. I am (pg2), a secondary, and following a leader (pg1)',
  '2026-11-28 03:00:10,000 INFO: promoted self to leader by acquiring session lock',
];

describe('explain --log', () => {
  const write = (name: string, lines: string[]): string => {
    const file = join(folder, name);
    const text = `${lines.join('\n')}\n`;
    writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text);
    return file;
  };

  test('logs alone, with what was rotated away and gzipped; no secret goes out', async () => {
    const pg1 = write('pg1.log', []);
    write('pg1.log.1.gz', CRASHED);
    const pg2 = write('pg2.log', TOOK);
    const args = ['--log', `pg1=${pg1}`, '--log', `pg2=${pg2}`];
    const { code, document } = await explained(args);
    expect([code, verdicts(document)]).toEqual([
      0,
      [[null, 'pg1', 'pg2', ['postgres_crashed', 'disk_full', 'out_of_memory']]],
    ]);
    expect(JSON.stringify(document)).not.toContain('hunter2');
    expect(document.sources.map(({ source, name }) => `${source} ${name}`)).toEqual([
      'etcd ',
      `logs ${pg1} of pg1`,
      `logs ${pg2} of pg2`,
    ]);
  });

  test('a Patroni that was killed: how PostgreSQL was started long before says nothing', async () => {
    const beat = 'INFO: no action. I am (pg1), the leader with the lock';
    const pg1 = write('killed.log', [
      '2026-11-28 02:56:00.000 UTC [7] LOG:  starting PostgreSQL 15.18 on x86_64',
      `2026-11-28 02:59:30,000+00 ${beat}`,
      `2026-11-28 02:59:40,000+00 ${beat}`,
      '2026-11-28 03:01:00,000+00 INFO: Using default value thread_stack_size = 524288',
      '2026-11-28 03:01:01.000 UTC [7] LOG:  received immediate shutdown request',
    ]);
    const pg2 = write('after-killed.log', TOOK);
    const { document } = await explained(['--log', `pg1=${pg1}`, '--log', `pg2=${pg2}`], {
      TZ: 'UTC',
    });
    expect(verdicts(document)).toEqual([[null, 'pg1', 'pg2', 'patroni_killed']]);
  });

  test.each([
    ['softdog: Initiating system reboot', 'watchdog_fired'],
    ['Out of memory: Killed process 7 (patroni) total-vm:1kB', 'patroni_killed'],
    ['Linux version 6.1.0-13-amd64 (x) #1 SMP', 'node_lost'],
  ])('the log of the kernel: %s', async (line, cause) => {
    const beat = 'INFO: no action. I am (pg1), the leader with the lock';
    const pg1 = write('beside-kernel.log', [
      `2026-11-28 02:59:30,000+00 ${beat}`,
      `2026-11-28 02:59:40,000+00 ${beat}`,
      '2026-11-28 03:01:00,000+00 INFO: Using default value thread_stack_size = 524288',
    ]);
    const kernel = write('kernel.log', [`2026-11-28T02:59:50,000000+00:00 ${line}`]);
    const pg2 = write('beside-kernel-2.log', TOOK);
    const logs = [`pg1=${pg1}`, `pg1=${kernel}`, `pg2=${pg2}`].flatMap((log) => ['--log', log]);
    const { document } = await explained(logs, { TZ: 'UTC' });
    expect(verdicts(document)).toEqual([[null, 'pg1', 'pg2', cause]]);
  });

  test('a disk that was full for one session is not why a Patroni stood still', async () => {
    const pg1 = write('full.log', [
      '2026-11-28 02:59:45,000+00 INFO: no action. I am (pg1), the leader with the lock',
      '2026-11-28 02:59:46.000 UTC [7] FATAL:  could not write init file: No space left on device',
      '2026-11-28 02:59:50,000+00 INFO: no action. I am (pg1), the leader with the lock',
      '2026-11-28 03:02:00,000+00 INFO: Lock owner: pg2; I am pg1',
    ]);
    const pg2 = write('took.log', [
      '2026-11-28 02:59:50,000+00 INFO: no action. I am (pg2), a secondary, and following a leader (pg1)',
      '2026-11-28 03:00:20,000+00 INFO: promoted self to leader by acquiring session lock',
    ]);
    const { document } = await explained(['--log', `pg1=${pg1}`, '--log', `pg2=${pg2}`]);
    expect(verdicts(document)).toEqual([[null, 'pg1', 'pg2', 'patroni_frozen']]);
  });

  test('a log that is not there is an error', async () => {
    const { code, err } = await explained(['--log', `pg1=${join(folder, 'none.log')}`]);
    expect([code, err]).toEqual([1, expect.stringContaining('none.log cannot be read')]);
  });

  test("the logs on this host are found by Patroni's own file, around the change and not of all years", async () => {
    const demo = world();
    await demo.expire('pg1');
    demo.take('pg2');
    const log = join(folder, 'patroni');
    mkdirSync(log);
    mkdirSync(join(folder, 'data/pg_log'), { recursive: true });
    writeFileSync(
      join(log, 'patroni.log'),
      [
        '2026-11-20 23:58:50,000+00 INFO: no action. I am (pg1), the leader with the lock',
        '2026-11-20 23:59:20,000+00 WARNING: Postgresql is not running.\n',
      ].join('\n'),
    );
    writeFileSync(
      join(folder, 'data/pg_log/a.csv'),
      [
        '2026-11-19 03:00:00.000 UTC,,,1,,x,1,,,,0,PANIC,XX000,"of another day",,,,,,,,,""',
        '2026-11-20 23:59:10.000 UTC,,,1,,x,1,,,,0,PANIC,XX000,"could not write',
        'on two lines",,,,,,,,,""\n',
      ].join('\n'),
    );
    const file = join(folder, 'patroni.yml');
    writeFileSync(
      file,
      `scope: demo
name: pg1
log: {dir: ${log}}
etcd3: {host: 127.0.0.1}
postgresql:
  data_dir: ${join(folder, 'data')}
  parameters: {log_directory: pg_log}
`,
    );
    const { out } = await runFake({ keys: {}, dcs: demo.dcs }, [
      '-c',
      file,
      'explain',
      '-f',
      'json',
    ]);
    const document = JSON.parse(out) as ExplainDocument;
    expect(verdicts(document)).toEqual([[1, 'pg1', 'pg2', 'postgres_crashed']]);
    expect(document.stories[0]?.verdict.message).toContain('PANIC: could not write on two lines');
    expect(
      document.sources.flatMap(({ source, name, from, problem }) =>
        source === 'logs' ? [[name, from, problem]] : [],
      ),
    ).toEqual([
      [`${join(log, 'patroni.log')} of pg1`, '2026-11-20T23:58:50.000Z', null],
      [`${join(folder, 'data/pg_log')} of pg1`, '2026-11-20T23:59:10.000Z', null],
    ]);
  });
});

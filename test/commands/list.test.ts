import { REST_ONLY } from '../../src/output/listing.js';
import { describe, expect, test } from 'vitest';
import { recorded, runFake, UNREACHABLE } from '../support/fake-world.js';

interface Row {
  Member: string;
  Role: string;
  'Sync State'?: string;
  Verdict: string;
}

async function rows(cluster: ReturnType<typeof recorded>, ...args: string[]): Promise<Row[]> {
  const run = await runFake(cluster, ['list', '-f', 'json', ...args]);
  return JSON.parse(run.out) as Row[];
}

const brief = (list: Row[]) =>
  list.map((row) => `${row.Member} ${row.Role}/${row['Sync State'] ?? ''}/${row.Verdict}`);

describe('list on recorded clusters, REST as the witness', () => {
  test('a healthy cluster in synchronous mode is ok throughout', async () => {
    expect(brief(await rows(recorded('on')))).toEqual([
      'pg1 Sync Standby/sync/ok',
      'pg2 Leader//ok',
      'pg3 Replica/async/ok',
    ]);
  });

  test('a position that an older Patroni does not write comes from the witness that has it', async () => {
    const cluster = recorded('on');
    for (const [key, value] of Object.entries(cluster.keys)) {
      if (!key.includes('/members/')) continue;
      const member = JSON.parse(value) as Record<string, unknown>;
      delete member['receive_lsn'];
      delete member['replay_lsn'];
      cluster.keys[key] = JSON.stringify({ ...member, version: '3.3.11' });
    }
    const { out } = await runFake(cluster, ['list']);
    expect(out).not.toContain('unknown');
    expect(out).toContain(
      'pg1, pg3: Replay LSN by REST; its key in the DCS (Patroni 3.3.11) does not have it\n',
    );
    const alone = await runFake(cluster, ['list', '--verify', 'off']);
    expect(alone.out).toContain(
      'pg1, pg3: Replay LSN is unknown: Patroni 3.3.11 does not write it to the DCS, and',
    );
    const compat = await runFake(cluster, ['--compat', 'list']);
    expect(compat.out).toContain('unknown');
    expect(compat.out).not.toContain('does not write');
  });

  test('a member newer than the newest known is read as any other, and named with --debug', async () => {
    const cluster = recorded('on');
    const key = '/service/demo/members/pg1';
    const member = JSON.parse(cluster.keys[key] ?? '') as Record<string, unknown>;
    cluster.keys[key] = JSON.stringify({ ...member, version: '5.0.0', role_word: 'new' });
    const calm = await runFake(cluster, ['list']);
    const debugged = await runFake(cluster, ['--debug', 'list']);
    expect([calm.err, debugged.out]).toEqual(['', calm.out]);
    expect(debugged.err).toMatch(
      /^debug: pg1: Patroni 5\.0\.0, newer than [\d.]+, the newest that .*\n$/,
    );
  });

  test('quorum standbys are quorum for PostgreSQL too', async () => {
    const roles = brief(await rows(recorded('quorum')));
    expect(roles.filter((row) => row.includes('Quorum Standby/quorum/ok'))).toHaveLength(2);
  });

  test('a /sync edited manually is a mismatch, and --strict makes it exit 4', async () => {
    const cluster = recorded('on');
    cluster.keys['/service/demo/sync'] = '{"leader":"pg2","sync_standby":"pg3","quorum":0}';
    expect(brief(await rows(cluster))).toEqual([
      'pg1 Replica/sync/sync_unclaimed',
      'pg2 Leader//ok',
      'pg3 Sync Standby/async/sync_role_mismatch',
    ]);
    expect((await runFake(cluster, ['list', '--strict'])).code).toBe(4);
    expect((await runFake(recorded('on'), ['list', '--strict'])).code).toBe(0);
  });

  test('a standby below a standby: the line names the server that was asked', async () => {
    const cluster = recorded('on');
    cluster.keys['/service/demo/sync'] = '{"leader":"pg2","sync_standby":"pg3","quorum":0}';
    const key = '/service/demo/members/pg3';
    const member = JSON.parse(cluster.keys[key] ?? '') as Record<string, unknown>;
    cluster.keys[key] = JSON.stringify({ ...member, tags: { replicatefrom: 'pg1' } });
    const { pg1, pg2 } = cluster.rest ?? {};
    if (!pg1?.ok || !pg2?.ok) throw new Error('both are recorded');
    const rows = (pg2.value.replication ?? []).filter((row) => row.applicationName === 'pg3');
    const upstream = { ...pg1, value: { ...pg1.value, replication: rows } };
    cluster.rest = { ...cluster.rest, pg1: upstream, pg2: UNREACHABLE };
    const { out } = await runFake(cluster, ['list']);
    expect(out).toContain(
      'the DCS says pg3 is synchronous, PostgreSQL on pg1 says async [sync_role_mismatch]\n',
    );
  });

  test('the false role is marked in the table, and the line below names both sides', async () => {
    const cluster = recorded('on');
    cluster.keys['/service/demo/sync'] = '{"leader":"pg2","sync_standby":"pg3","quorum":0}';
    const { out, err, code } = await runFake(cluster, ['list']);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('| pg3    | 127.0.0.1:6435 | Sync Standby ! |');
    expect(out).toContain(
      'CRITICAL: the DCS says pg3 is synchronous, PostgreSQL on pg2 says async [sync_role_mismatch]\n' +
        '  DCS /sync: leader pg2, standbys pg3, quorum 0; REST pg2 pg_stat_replication: pg3 is streaming, sync_state async\n',
    );
  });

  test('a leader key held by a replica while the primary lives on', async () => {
    const cluster = recorded('on');
    cluster.keys['/service/demo/leader'] = 'pg3';
    const verdicts = brief(await rows(cluster));
    expect(verdicts[1]).toBe('pg2 Replica//primary_without_lock, sync_leader_stale');
    expect(verdicts[2]).toContain('lock_without_primary');
  });

  test('dead members are shown with the reason, not thrown', async () => {
    const cluster = { ...recorded('on'), rest: {} };
    expect(brief(await rows(cluster))).toEqual([
      'pg1 Sync Standby/unknown/member_unreachable',
      'pg2 Leader//leader_unreachable',
      'pg3 Replica/unknown/member_unreachable',
    ]);
  });

  test('a member that answers under another name does not count', async () => {
    const cluster = recorded('on');
    cluster.rest = {
      ...cluster.rest,
      pg3: { ok: false, kind: 'misidentified', reason: 'pg1 of demo answered' },
    };
    expect(brief(await rows(cluster))[2]).toBe('pg3 Replica/async/member_misidentified');
  });

  test('--verify off asks no member and calls nothing ok', async () => {
    expect(brief(await rows(recorded('on'), '--verify', 'off'))).toEqual([
      'pg1 Sync Standby/unknown/unverified',
      'pg2 Leader//unverified',
      'pg3 Replica/unknown/unverified',
    ]);
  });

  test('machine formats keep findings on stderr', async () => {
    const cluster = { ...recorded('on'), rest: { pg1: UNREACHABLE } };
    const { out, err } = await runFake(cluster, ['list', '-f', 'tsv']);
    expect(out.split('\n')[0]).toBe(
      'Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\tSync State\tVerdict',
    );
    expect(err).toContain('[leader_unreachable]');
  });

  test('an unknown cluster among known ones: the known is printed, exit 1 names what exists', async () => {
    const { out, err, code } = await runFake(recorded('on'), ['list', 'demo', 'demi']);
    expect(code).toBe(1);
    expect(out).toContain('+ Cluster: demo ');
    expect(err).toBe('Error: no cluster "demi" in /service\nclusters in /service: demo\n');
  });

  test('with -f json the error is one JSON object', async () => {
    const { out, err, code } = await runFake(recorded('on'), ['status', 'demi', '-f', 'json']);
    expect([JSON.parse(out), code]).toMatchObject([{ code: 'unknown_cluster', exit: 1 }, 1]);
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'unknown_cluster',
        exit: 1,
        message: 'no cluster "demi" in /service',
        hint: 'clusters in /service: demo',
        evidence: [],
      },
    });
  });

  test.each(['{', 'null', '[]', '7', '', '{"conn_url":5,"tags":"x","state":{}}'])(
    'a broken member key %j never ends in a stack trace',
    async (value) => {
      const cluster = recorded('on');
      cluster.keys['/service/demo/members/pg1'] = value;
      cluster.keys['/service/demo/members/Ünï-名\u001b[31m'] = value;
      for (const command of ['list', 'topology', 'status']) {
        const { code, out, err } = await runFake(cluster, [command]);
        expect(code).toBe(0);
        expect(err).not.toContain('fault in patctl');
        expect(out).toContain('pg1');
        expect(out).not.toContain('\u001b');
      }
    },
  );
});

describe('what is unknown, and why', () => {
  const untrusted = {
    ok: false,
    kind: 'denied',
    reason: 'its certificate is not trusted',
  } as const;
  const denied = () => ({
    ...recorded('on'),
    rest: { pg1: untrusted, pg2: untrusted, pg3: untrusted },
  });
  const lastLines = (out: string) => out.slice(out.lastIndexOf('-+\n') + 3).replace(REST_ONLY, '');

  test('one line a reason below the table and the screen, and --strict ends with 4', async () => {
    const line = 'unknown: REST of pg1, pg2, pg3: its certificate is not trusted\n';
    for (const command of ['list', 'topology']) {
      const { out, code } = await runFake(denied(), [command, '--strict']);
      expect([lastLines(out), code]).toEqual([line, 4]);
    }
    const { out, code } = await runFake(denied(), ['status', '--strict']);
    expect(out).toContain(`\n${line}\nCluster `);
    expect(out.split('\n')[0]).toBe(
      'UNKNOWN demo: none of the claims about pg1, pg2, pg3 could be checked [member_refuses]; next: correct what the error names: the CA, our certificate, or the login',
    );
    expect(code).toBe(4);
    const json = await runFake(denied(), ['list', '-f', 'json']);
    expect([json.err, json.code]).toEqual([line, 0]);
  });

  test('a primary whose PostgreSQL is away leaves its standbys unknown', async () => {
    const cluster = recorded('on');
    cluster.rest = { ...cluster.rest };
    const pg2 = cluster.rest['pg2'];
    if (!pg2?.ok) throw new Error('pg2 is recorded');
    const value = { ...pg2.value, location: null, replication: null };
    cluster.rest['pg2'] = { ...pg2, value };
    const { out, code } = await runFake(cluster, ['list', '--strict']);
    expect(code).toBe(4);
    expect(out).toContain(
      'unknown: pg1, pg3: pg2 is not running and reports no pg_stat_replication\n',
    );
  });

  test.each(['{', '[]', '', '{"leader":5}'])(
    'a /sync of %j is unreadable, not empty: the standbys are not confirmed',
    async (value) => {
      const cluster = recorded('on');
      cluster.keys['/service/demo/sync'] = value;
      const { out, code } = await runFake(cluster, ['list', '--strict']);
      expect(code).toBe(4);
      expect(lastLines(out)).toMatch(/^unreadable: \/service\/demo\/sync: .*\n$/);
      expect(brief(await rows(cluster))).toEqual([
        'pg1 Replica/sync/unknown',
        'pg2 Leader//ok',
        'pg3 Replica/async/unknown',
      ]);
      const status = await runFake(cluster, ['status']);
      expect(status.out).toMatch(/^Sync {7}on, \/sync cannot be read; /m);
      expect(status.out).toContain('\nVotes      unknown: /sync cannot be read\n');
    },
  );

  test('a /config that cannot be read does not mean that synchronous mode is off', async () => {
    const cluster = recorded('on');
    cluster.keys['/service/demo/config'] = '{';
    const all = brief(await rows(cluster));
    expect(all.map((row) => row.split('/').at(-1))).toEqual(['unknown', 'unknown', 'unknown']);
    const { out } = await runFake(cluster, ['topology']);
    expect(lastLines(out)).toBe('unreadable: /service/demo/config: is not valid JSON\n');
    const status = await runFake(cluster, ['status']);
    expect(status.out).toMatch(/^Mode {7}unknown: \/config cannot be read$/m);
    expect(status.out).toMatch(/^Sync {7}unknown: \/config cannot be read, /m);
    const json = await runFake(cluster, ['status', '-f', 'json']);
    expect(JSON.parse(json.out)).toMatchObject({
      mode: { paused: null, standbyCluster: null },
      sync: { mode: null },
      votes: { survivesLeaderLoss: 'unknown' },
    });
  });

  test('wrong types in /config and /status are told, and change no verdict', async () => {
    const cluster = recorded('on');
    const key = '/service/demo/config';
    const config = JSON.parse(cluster.keys[key] ?? '') as Record<string, unknown>;
    cluster.keys[key] = JSON.stringify({ ...config, ttl: {} });
    cluster.keys['/service/demo/status'] = '{"optime":"x"}';
    const { out, code } = await runFake(cluster, ['list', '--strict']);
    expect([lastLines(out), code]).toEqual([
      'unreadable: /service/demo/config: ttl is a mapping, expected a whole number of seconds: ' +
        'Patroni throws the whole dynamic configuration away\n' +
        'unreadable: /service/demo/status: optime is a string, expected a position in bytes\n',
      0,
    ]);
    expect((await runFake(cluster, ['show-config'])).code).toBe(0);
  });

  test('what was read without the majority says so', async () => {
    const { out } = await runFake(recorded('on'), ['list', '--serializable']);
    expect(lastLines(out)).toBe('may be stale: read from one etcd member without a majority\n');
    const json = await runFake(recorded('on'), ['list', '--serializable', '-f', 'json']);
    const all = JSON.parse(json.out) as Record<string, unknown>[];
    expect(all.map((row) => row['May Be Stale'])).toEqual([true, true, true]);
    expect(Object.keys((await rows(recorded('on')))[0] ?? {})).not.toContain('May Be Stale');
  });
});

describe('topology', () => {
  test('builds the tree from the walsenders, and shows where replicatefrom differs', async () => {
    const cluster = recorded('on');
    const key = '/service/demo/members/pg3';
    const member = JSON.parse(cluster.keys[key] ?? '') as Record<string, unknown>;
    cluster.keys[key] = JSON.stringify({ ...member, tags: { replicatefrom: 'pg1' } });
    const { out } = await runFake(cluster, ['topology']);
    expect(out).toContain('| pg2 ');
    expect(out).toContain('| + pg3  |');
    expect(out).toContain('pg3 streams from pg2, but it should stream from pg1 [wrong_upstream]');
  });
});

test('--compat without a citus section sees no group, as patronictl', async () => {
  const cluster = recorded('on');
  for (const [key, value] of Object.entries(cluster.keys)) {
    cluster.keys[key.replace('/demo/', '/groups/0/')] = value;
  }
  const table = await runFake(cluster, ['--compat', 'list', 'groups']);
  expect([table.code, table.out.split('\n')]).toEqual([
    0,
    [
      '+ Cluster: groups (uninitialized) --+-------------+-----+------------+-----+',
      '| Member | Host | Role | State | TL | Receive LSN | Lag | Replay LSN | Lag |',
      '+--------+------+------+-------+----+-------------+-----+------------+-----+',
      '+--------+------+------+-------+----+-------------+-----+------------+-----+',
      '',
    ],
  ]);
  expect((await runFake(cluster, ['list', 'groups'])).out).toContain('|     0 | pg1    |');
});

describe('without an SQL login', () => {
  test('the list says once, below all tables, that roles are seen by REST only', async () => {
    for (const args of [['list'], ['list', 'demo', 'demo'], ['topology'], ['list', '--all']]) {
      const { out } = await runFake(recorded('on'), args);
      expect(out.split(REST_ONLY), args.join(' ')).toHaveLength(2);
      expect(out.endsWith(REST_ONLY)).toBe(true);
    }
  });

  test('no such note if no member was to be asked, with a login, and for programs', async () => {
    const silent = [
      ['list', '--verify', 'rest'],
      ['list', '--verify', 'off'],
      ['list', '-f', 'tsv'],
    ];
    for (const args of [...silent, ['--compat', 'list'], ['list', '-f', 'json']]) {
      const { out, err } = await runFake(recorded('on'), args);
      expect(out + err, args.join(' ')).not.toContain('REST only');
    }
    const { out } = await runFake({ ...recorded('on'), sql: {} }, ['list']);
    expect(out).not.toContain('REST only');
  });
});

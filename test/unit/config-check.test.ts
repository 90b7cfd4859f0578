import { describe, expect, test } from 'vitest';
import { checkConfig, newProblems } from '../../src/cluster/configuration/config-check.js';
import { restartSettings } from '../../src/cluster/configuration/config-settings.js';
import { gucs } from '../../src/cluster/configuration/gucs.js';
import type { JsonObject, JsonValue } from '../../src/cluster/model/model.js';
import { nearest } from '../../src/cluster/configuration/nearest.js';
import { goldenKeys, goldenNames, loadGolden } from '../fixtures/golden.js';

const codes = (config: JsonObject) =>
  checkConfig(config).map(({ level, code, key }) => `${level} ${code} ${key}`);
const setting = (name: string, value: JsonValue) =>
  codes({ postgresql: { parameters: { [name]: value } } }).map((line) =>
    line.replace('postgresql.parameters.', ''),
  );

describe('checkConfig', () => {
  test('finds nothing wrong with what real clusters run on', () => {
    const configs = goldenNames()
      .map(loadGolden)
      .filter(({ name }) => !name.startsWith('trouble'))
      .flatMap((golden) => goldenKeys(golden).kvs)
      .filter(({ key }) => key.endsWith('/config'))
      .map(({ value }) => JSON.parse(value) as JsonObject);
    expect(configs.length).toBeGreaterThan(15);
    for (const config of configs) expect(codes(config)).toEqual([]);
  });

  test.each<[JsonObject, string[]]>([
    [{}, []],
    [{ ttl: 30, loop_wait: 10, retry_timeout: 10 }, []],
    [{ ttl: '30', loop_wait: ' 10 ', synchronous_mode: 'on', pause: 'yes' }, []],
    [{ ttl: '60s' }, ['error wrong_type ttl']],
    [{ member_slots_ttl: '30min' }, []],
    [{ primary_start_timeout: '5min' }, ['error wrong_type primary_start_timeout']],
    [{ synchronous_mode: 'Quorum', synchronous_node_count: 2 }, []],
    [{ synchronous_mode: 'perhaps' }, ['error wrong_type synchronous_mode']],
    [{ ttl: 29 }, ['error timing ttl']],
    [{ ttl: 19, loop_wait: 1, retry_timeout: 3 }, ['error out_of_range ttl']],
    [{ loop_wait: 'abc' }, ['error wrong_type loop_wait']],
    [{ loop_wait: null }, ['error wrong_type loop_wait']],
    [{ postgresql: [] }, ['error wrong_type postgresql']],
    [{ postgresql: { pg_hba: 'local all all trust' } }, ['error wrong_type postgresql.pg_hba']],
    [{ maximum_lag_on_syncnode: -1 }, []],
    [{ maximum_lag_on_syncnode: -2 }, ['error out_of_range maximum_lag_on_syncnode']],
    [{ maximun_lag_on_failover: 1 }, ['error unknown_key maximun_lag_on_failover']],
    [{ my_own_notes: 'x' }, ['warning unknown_key my_own_notes']],
    [{ tags: {} }, ['error ignored tags']],
    [{ constructor: 1 }, ['warning unknown_key constructor']],
    [{ standby_cluster: { host: 'a', prot: 1 } }, ['error unknown_key standby_cluster.prot']],
    [{ postgresql: { listen: '*' } }, ['error ignored postgresql.listen']],
    [{ postgresql: { use_pg_rewnd: true } }, ['error unknown_key postgresql.use_pg_rewnd']],
    [{ postgresql: { create_replica_methods: ['pgbackrest'], pgbackrest: { command: 'x' } } }, []],
  ])('%j', (config, expected) => {
    expect(codes(config)).toEqual(expected);
  });

  test.each<[string, JsonValue, string[]]>([
    ['work_mem', '5MB', []],
    ['work_mem', 'banana', ['error wrong_type work_mem']],
    ['work_mem', '5Mb', ['error wrong_type work_mem']],
    ['work_mem', 1, ['error out_of_range work_mem']],
    ['WORK_MEM', '4MB', []],
    ['shared_buffers', '128MB', []],
    ['shared_buffers', 16384, []],
    ['shared_buffers', '64kB', ['error out_of_range shared_buffers']],
    ['max_wal_size', '256MB', []],
    ['checkpoint_timeout', '15min', []],
    ['checkpoint_completion_target', 0.9, []],
    ['checkpoint_completion_target', '1.5', ['error out_of_range checkpoint_completion_target']],
    ['autovacuum', 'on', []],
    ['autovacuum', 'maybe', ['error wrong_type autovacuum']],
    ['synchronous_commit', 'remote_apply', []],
    ['synchronous_commit', 'always', ['error wrong_type synchronous_commit']],
    ['wal_level', 'logical', []],
    ['wal_level', 'LOGICAL', []],
    ['wal_level', 'max', ['error wrong_type wal_level']],
    ['max_connections', 20, ['warning out_of_range max_connections']],
    ['max_connections', null, []],
    ['port', 5433, ['warning ignored port']],
    ['max_conections', 100, ['error unknown_key max_conections']],
    ['nosuchguc', 1, ['warning unknown_key nosuchguc']],
    ['pg_stat_statements.max', 5000, []],
    ['archive_command', 'cp %p /x', []],
    ['log_directory', { a: 1 }, ['error wrong_type log_directory']],
  ])('setting %s = %j', (name, value, expected) => {
    expect(setting(name, value)).toEqual(expected);
  });

  test('synchronous_standby_names only where Patroni does not write it', () => {
    const postgresql = { parameters: { synchronous_standby_names: '*' } };
    expect(codes({ postgresql })).toEqual([]);
    expect(codes({ postgresql, synchronous_mode: true })).toEqual([
      'error sync_names postgresql.parameters.synchronous_standby_names',
    ]);
    const standby_cluster = { host: 'elsewhere' };
    expect(codes({ postgresql, synchronous_mode: true, standby_cluster })).toEqual([]);
  });

  test('what was wrong before is a warning', () => {
    const before = checkConfig({ ttl: 5, loop_wiat: 1 });
    const after = newProblems(checkConfig({ ttl: 5, loop_wiat: 1, pause: 'x' }), before);
    expect(after.filter(({ level }) => level === 'error').map(({ key }) => key)).toEqual(['pause']);
  });
});

test('restartSettings: those that changed and take one', () => {
  const config = (parameters: JsonObject) => ({ postgresql: { parameters } });
  const before = config({ max_connections: 100, work_mem: '4MB', wal_level: 'replica', port: 1 });
  const after = config({ max_connections: 50, work_mem: '8MB', wal_level: 'replica', port: 2 });
  expect(restartSettings(before, after)).toEqual(['max_connections']);
  expect(restartSettings(before, config({}))).toEqual(['max_connections', 'wal_level']);
  expect(restartSettings({}, {})).toEqual([]);
  const workers = config({ autovacuum_max_workers: 5 });
  expect(restartSettings({}, workers)).toEqual(['autovacuum_max_workers (before PostgreSQL 18)']);
});

test('the table of settings reads as it is written', () => {
  const known = gucs();
  expect(known.size).toBeGreaterThan(380);
  expect(known.get('max_connections')).toMatchObject({ type: 'int', min: 1, restart: true });
  expect(known.get('work_mem')).toMatchObject({ type: 'int', unit: 'kB', restart: false });
  expect(known.get('datestyle')?.name).toBe('DateStyle');
  for (const { name, type, min, max, words } of known.values()) {
    expect(name).toMatch(/^[A-Za-z_0-9]+$/);
    if (type === 'int' || type === 'real') expect(min, name).toBeLessThanOrEqual(max);
    if (type === 'enum') expect(words.length, name).toBeGreaterThan(1);
  }
});

test.each([
  ['loop_wiat', 'loop_wait'],
  ['tll', 'ttl'],
  ['x', null],
  ['my_own_notes', null],
])('nearest(%s)', (word, expected) => {
  expect(nearest(word, ['ttl', 'loop_wait', 'retry_timeout'])).toBe(expected);
});

describe('a secret inside a text', () => {
  const secret = (text: string) =>
    codes({ postgresql: { parameters: { 'app.a': text } } }).includes(
      'error secret postgresql.parameters.app.a',
    );

  test.each([
    ...[
      'host=a password=x',
      "password = 'x y'",
      'postgresql://h/db?password=x',
      'PGPASSWORD=x psql',
    ],
    ...[
      'postgresql://u:a/b@h',
      'wal-g --token x',
      'pgbackrest --repo1-cipher-pass=x',
      'sshpass -p x',
    ],
    ...[
      'curl -u a:b h',
      "curl -H 'Authorization: Bearer abcdefgh' h",
      'all ldap ldapbindpasswd="x"',
    ],
    ...['-----BEGIN RSA PRIVATE KEY-----x'],
  ])('is refused: %s', (text) => {
    expect(secret(text)).toBe(true);
  });

  test.each([
    ...['PGPASSWORD=$PW x', 'PGPASSWORD="$(cat /a)" x', '--password-file=/a', 'a --token-file /b'],
    ...[
      'pg_dump --no-password db',
      'PGPASSFILE=/a x',
      'passfile=/a',
      'https://h:80/a@b',
      '%m %q%u@%d',
    ],
    ...['host all all all scram-sha-256', 'curl -u $U:$P h', 'a password'],
  ])('is not seen in %s', (text) => {
    expect(secret(text)).toBe(false);
  });

  test('counts in a command and in a list, and everything below a secret name is one', () => {
    const secrets = (config: JsonObject) =>
      codes(config).filter((code) => code.startsWith('error secret'));
    const [command, hba] = ['PGPASSWORD=x a', 'host all all all radius radiussecrets=x'];
    expect(secrets({ postgresql: { parameters: { archive_command: command } } })).toEqual([
      'error secret postgresql.parameters.archive_command',
    ]);
    expect(secrets({ postgresql: { pg_hba: [hba] } })).toEqual(['error secret postgresql.pg_hba']);
    expect(secrets({ postgresql: { walg: { password: { value: 'x' } } } })).toEqual([
      'error secret postgresql.walg.password.value',
    ]);
  });
});

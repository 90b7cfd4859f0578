import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { unreadValues } from '../../src/cluster/model/config-rules.js';
import { settingProblems } from '../../src/cluster/configuration/config-settings.js';
import { checkConfig } from '../../src/cluster/configuration/config-check.js';
import { slotProblems } from '../../src/cluster/model/config-slots.js';
import type { JsonObject, JsonValue } from '../../src/cluster/model/model.js';
import { readConfig } from '../../src/cluster/model/parse-keys.js';
import { readTags } from '../../src/cluster/model/tags.js';

/** What Patroni 4.1.5 itself made of each: test/fixtures/oracle/configuration.py. */
interface Oracle {
  configurations: [JsonObject, boolean, boolean, Record<string, JsonValue>, string[]][];
  tags: [JsonObject, Record<string, JsonValue>][];
  settings: [string, JsonValue, 'taken' | 'changed' | 'removed'][];
}

function fixture(name: string): unknown {
  const packed = readFileSync(new URL(`../fixtures/oracle/${name}.json.gz`, import.meta.url));
  return JSON.parse(gunzipSync(packed).toString('utf8'));
}

const oracle = fixture('configuration') as Oracle;

describe('the dynamic configuration, beside Patroni itself', () => {
  test('is rejected where Patroni throws it away or fails on it, and nowhere else', () => {
    const differ = oracle.configurations.filter(([config, thrown, fails]) => {
      const problems = [...unreadValues(config), ...slotProblems(config)];
      return problems.some(({ effect }) => effect === 'rejected') !== (thrown || fails);
    });
    expect(differ.map(([config]) => config)).toEqual([]);
    expect(oracle.configurations.filter(([, thrown]) => thrown).length).toBeGreaterThan(150);
  });

  test('is read with the values that Patroni has', () => {
    const differ = oracle.configurations.flatMap(([config, thrown, fails, seen]) => {
      if (thrown || fails) return [];
      const ours = readConfig(config);
      const read: Record<string, JsonValue> = {
        is_paused: ours.pause,
        is_quorum_commit_mode: ours.syncMode === 'quorum',
        is_synchronous_mode: ours.syncMode !== 'off' && ours.standbyCluster === null,
        is_synchronous_mode_strict: ours.syncModeStrict,
        is_standby_cluster: ours.standbyCluster !== null,
        synchronous_node_count: ours.syncNodeCount,
        maximum_lag_on_failover: ours.maximumLagOnFailoverBytes,
        maximum_lag_on_syncnode: ours.maximumLagOnSyncnodeBytes,
        primary_stop_timeout: ours.primaryStopTimeoutSeconds,
        use_slots: ours.useSlots,
      };
      return Object.entries(read)
        .filter(([name, value]) => seen[name] !== value && !isHuge(seen[name]))
        .map(([name, value]) => ({ config, name, ours: value, patroni: seen[name] }));
    });
    expect(differ).toEqual([]);
  });

  test('has a problem for every value that is not in force as it is written', () => {
    const passedOver = oracle.configurations.filter(([config, , , seen]) => {
      const [name = '', ...others] = Object.keys(config);
      const value = config[name];
      if (others.length > 0 || typeof value !== 'string' || !(name in seen)) return false;
      // Shortened to fit into ttl: a check of its own.
      if (name === 'loop_wait' || name === 'retry_timeout') return false;
      return JSON.stringify(seen[name]) !== value.trim() && unreadValues(config).length === 0;
    });
    // The same number in another notation.
    const notations = ['0x3c', '060', '+60', '6_0', ' 60 ', '60.5', '1e2', '60s', '2min'];
    const others = passedOver.filter(
      ([config]) => !notations.some((one) => one.trim() === trimmed(config)),
    );
    expect(others.map(([config]) => config).filter((config) => !isHugeText(config))).toEqual([]);
  });

  test('slots: each that Patroni logs as bad, and no other', () => {
    const differ = oracle.configurations.flatMap(([config, , fails, , bad]) => {
      const [key = ''] = Object.keys(config);
      if (fails || !key.endsWith('slots') || key === 'ignore_slots') return [];
      const found = slotProblems(config).filter(({ message }) => message.includes('logs an error'));
      return found.length > 0 === bad.length > 0 || JSON.stringify(config).includes('\\n')
        ? []
        : [{ config, bad, found: found.map(({ message }) => message) }];
    });
    expect(differ).toEqual([]);
  });
});

describe('what stands one level deeper, where Patroni looks only when it needs it', () => {
  const postgresql = (value: JsonObject) => checkConfig({ postgresql: value });
  const standby = (value: JsonObject) => checkConfig({ standby_cluster: { host: 'a', ...value } });
  const parameters = (value: JsonObject) => postgresql({ parameters: value });
  const found = (problems: ReturnType<typeof checkConfig>) =>
    problems.map(({ level, key, effect }) => `${level} ${key} ${effect}`);

  test.each<[problems: ReturnType<typeof checkConfig>, ...said: string[]]>([
    // A line break ends the text in postgresql.conf: PostgreSQL rejects the whole file.
    [
      parameters({ archive_command: 'cp %p /a/%f\n' }),
      'error postgresql.parameters.archive_command ignored',
    ],
    [parameters({ "a'.b": 'x' }), "error postgresql.parameters.a'.b ignored"],
    [parameters({ 'a.b.c': 'x' }), 'error postgresql.parameters.a.b.c ignored'],
    [parameters({ 'auto_explain.log_min_duration': '1s', 'ä.b': 1, log_line_prefix: '%m\t' })],
    [
      standby({ restore_command: 'cp /a/%f %p\n' }),
      'error standby_cluster.restore_command ignored',
    ],
    // Python's shlex cannot split it, and promote() fails.
    [postgresql({ pre_promote: "/a 'b" }), 'error postgresql.pre_promote ignored'],
    [postgresql({ pre_promote: 1 }), 'error postgresql.pre_promote ignored'],
    [postgresql({ pre_promote: "/a 'b c' \"d'\" e\\ f" })],
    [postgresql({ before_stop: 'a\\' }), 'error postgresql.before_stop ignored'],
    [postgresql({ callbacks: { on_start: ['a'] } }), 'error postgresql.callbacks.on_start ignored'],
    [postgresql({ callbacks: { on_strat: '/a' } }), 'error postgresql.callbacks.on_strat ignored'],
    [postgresql({ callbacks: { on_role_change: '/a b' } })],
    [postgresql({ bin_name: { postgres: 1 } }), 'error postgresql.bin_name.postgres ignored'],
    [postgresql({ bin_name: { postgers: 'p' } }), 'error postgresql.bin_name.postgers ignored'],
    [postgresql({ bin_dir: 16 }), 'error postgresql.bin_dir ignored'],
    [postgresql({ krbsrvname: 1 }), 'error postgresql.krbsrvname ignored'],
    [postgresql({ krbsrvname: 'pg', database: 'a', config_base_name: 'b' })],
    [
      postgresql({ recovery_conf: { restore_comand: 'a' } }),
      'error postgresql.recovery_conf.restore_comand ignored',
    ],
    [postgresql({ recovery_conf: { restore_command: 'a', recovery_min_apply_delay: '1h' } })],
    [
      postgresql({ basebackup: { 'max-rate': 100 } }),
      'error postgresql.basebackup.max-rate ignored',
    ],
    [postgresql({ basebackup: [{ 'max-rate': 100 }] }), 'error postgresql.basebackup[0] adjusted'],
    [
      postgresql({ basebackup: ['verbose', 'pgdata'] }),
      'error postgresql.basebackup.pgdata adjusted',
    ],
    [postgresql({ basebackup: ['verbose', { 'max-rate': '100M' }] })],
    [postgresql({ create_replica_methods: ['walg'], walg: 'x' }), 'error postgresql.walg ignored'],
    [
      postgresql({ create_replica_methods: ['walg'], walg: { command: 1 } }),
      'error postgresql.walg.command ignored',
    ],
    [
      postgresql({ pg_hba: ['local all all peer', 'hots all all all md5'] }),
      'error postgresql.pg_hba ignored',
    ],
    [postgresql({ pg_hba: ['# a', '', 'host all all \\', 'all md5', '"host" a b samenet trust'] })],
    [standby({ port: 'abc' }), 'error standby_cluster.port ignored'],
    [standby({ port: 70000 }), 'error standby_cluster.port ignored'],
    [standby({ port: '5432,5433' })],
    [standby({ primary_slot_name: 1 }), 'error standby_cluster.primary_slot_name ignored'],
    [
      standby({ recovery_min_apply_delay: '5 hous' }),
      'error standby_cluster.recovery_min_apply_delay ignored',
    ],
    [standby({ recovery_min_apply_delay: '5 h' })],
    // The right name at the wrong level.
    [checkConfig({ work_mem: '4MB' }), 'error work_mem ignored'],
    [postgresql({ Work_Mem: '4MB' }), 'error postgresql.Work_Mem ignored'],
    [postgresql({ slots: {} }), 'error postgresql.slots ignored'],
    [parameters({ ttl: 30 }), 'error postgresql.parameters.ttl ignored'],
    [parameters({ pg_hba: [] }), 'error postgresql.parameters.pg_hba ignored'],
    [
      parameters({ primary_slot_name: 'a' }),
      'warning postgresql.parameters.primary_slot_name ignored',
    ],
    [checkConfig({ loop_wait: true }), 'error loop_wait adjusted'],
  ])('case %#', (problems, ...said) => {
    expect(found(problems)).toEqual(said);
  });
});

function trimmed(config: JsonObject): string {
  const [value] = Object.values(config);
  return typeof value === 'string' ? value.trim() : '';
}

/** Beyond what JavaScript counts exactly, and beyond any setting. */
function isHuge(value: JsonValue | undefined): boolean {
  return typeof value === 'number' && Math.abs(value) > 1e15;
}

function isHugeText(config: JsonObject): boolean {
  return JSON.stringify(config).includes('9'.repeat(20));
}

test('tags mean what Patroni takes them for', () => {
  const differ = oracle.tags.flatMap(([tags, { replicatefrom, ...seen }]) => {
    const { replicatefrom: from, ...ours } = readTags(tags);
    const named = typeof replicatefrom === 'string' && replicatefrom !== '' ? replicatefrom : null;
    return JSON.stringify(sorted(ours)) === JSON.stringify(sorted(seen)) && from === named
      ? []
      : [{ tags, ours, seen }];
  });
  expect(differ).toEqual([]);
});

function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('a setting that Patroni hands on as it is has no problem, and one that it drops or changes has', () => {
  const differ = oracle.settings.flatMap(([name, value, fate]) => {
    // A number with a fraction since PostgreSQL 12, and without one before, where 0x10 was one.
    if (name === 'port' || (name.endsWith('vacuum_cost_delay') && value === '0x10')) return [];
    const found = settingProblems({ [name]: value }).filter(
      ({ message }) => !message.includes('does not accept'),
    );
    if (value === null || found.length > 0 === (fate !== 'taken')) return [];
    return [`${name} = ${JSON.stringify(value)}: ${fate}, ${found[0]?.message ?? 'no problem'}`];
  });
  expect(differ).toEqual([]);
});

describe('settings, beside PostgreSQL 13 to 18 themselves', () => {
  const { values, enums } = fixture('settings') as {
    values: [name: string, value: string, taken: boolean][];
    enums: Record<string, string[]>;
  };
  const refused = ([name, value]: [string, string, boolean]) =>
    settingProblems({ [name]: value }).some(
      ({ code, level }) => code !== 'unknown_key' && level === 'error',
    );

  test('no value that PostgreSQL takes is refused, but what Patroni itself takes out', () => {
    const wrong = values.filter((one) => one[2] && refused(one));
    // Beginnings of words, and a real number in hexadecimal: Patroni knows neither.
    const others = wrong.filter(([, value]) => !['t', 'ye', 'of', '0x10'].includes(value));
    expect(others).toEqual([]);
    expect(values.length).toBeGreaterThan(4000);
  });

  test('every word of every enum is known, those with blanks and the empty one too', () => {
    const unknown = Object.entries(enums).flatMap(([name, words]) =>
      words.filter((word) => refused([name, word, true])).map((word) => `${name} = '${word}'`),
    );
    expect(unknown).toEqual([]);
    expect(enums['default_transaction_isolation']).toContain('read committed');
    expect(enums['ssl_max_protocol_version']).toContain('');
  });

  test('what no version takes is refused, but for ranges that were wider once', () => {
    const wrong = values.filter(
      (one) => !one[2] && one[0] !== 'port' && !refused(one) && !/^[0-9]/.test(one[1]),
    );
    expect(wrong.map(([name, value]) => `${name} = ${value}`)).toEqual(KNOWN_TO_DIFFER);
  });
});

/** This build has no Bonjour; a list of words since 18, of which each is looked at; md5 under its old name. */
const KNOWN_TO_DIFFER = [
  'bonjour = on',
  'bonjour = true',
  'log_connections = ',
  'log_connections = abc',
  'log_connections = o',
  'password_encryption = off',
];

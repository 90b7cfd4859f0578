/** Snapshots for tests of plans: a healthy cluster to be broken, and recorded ones. */
import type {
  MemberReadings,
  Reading,
  ReplicationSlot,
  RestStatus,
  Snapshot,
  SqlStatus,
  SyncMode,
  Walsender,
} from '../../src/cluster/model/model.js';
import { clusterPrefix, parseCluster } from '../../src/cluster/model/parse-keys.js';
import { planOf } from '../../src/cluster/preflight/plan.js';
import type { ChangeRequest, Plan } from '../../src/cluster/preflight/plan-model.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';
import { lsnOf, rowsOf, textOf, type Row } from '../../src/postgres/row.js';
import { walsenderOf } from '../../src/postgres/replication.js';
import { settingsOf } from '../../src/postgres/settings.js';
import { slotOf } from '../../src/postgres/slots.js';
import { goldenKeys, loadGolden } from '../fixtures/golden.js';

export const OFF: Reading<never> = { ok: false, kind: 'off', reason: 'not asked' };
export const DEAD: Reading<never> = {
  ok: false,
  kind: 'unreachable',
  reason: 'connect ECONNREFUSED',
};

/** Where the leader of `healthy` writes. */
export const AT = 0x5000000n;

export function walsender(name: string, facts: Partial<Walsender> = {}): Walsender {
  const lsns = { sentLsn: AT, writeLsn: AT, flushLsn: AT, replayLsn: AT };
  return {
    pid: 100 + name.charCodeAt(name.length - 1),
    usename: 'replicator',
    applicationName: name,
    clientAddr: '10.0.0.9',
    clientPort: 4000,
    state: 'streaming',
    ...lsns,
    writeLagMs: null,
    flushLagMs: null,
    replayLagMs: null,
    syncPriority: 1,
    syncState: 'async',
    replyAgeMs: 200,
    slotName: name,
    slotType: 'physical',
    backendStart: '2026-11-21T01:00:00Z',
    ...facts,
  };
}

/** A logical client that has got `waiting` bytes and not confirmed them. */
export function logical(waiting: bigint, facts: Partial<Walsender> = {}): Walsender {
  return walsender('cdc', {
    pid: 777,
    slotName: 'cdc_slot',
    slotType: 'logical',
    flushLsn: AT - waiting,
    writeLsn: AT - waiting,
    ...facts,
  });
}

/** Gives a member of PostgreSQL 17 the logical slot `sub`, made with `failover` unless said otherwise. */
export function failoverSlot(
  world: ProcessEnvironment,
  member: string,
  facts: Partial<ReplicationSlot> = {},
): void {
  const sql = world.sql(member);
  sql.serverVersion = 170_011;
  sql.slots.push({
    slotName: 'sub',
    slotType: 'logical',
    database: 'app',
    active: true,
    activePid: null,
    restartLsn: AT,
    confirmedFlushLsn: AT,
    walStatus: 'reserved',
    temporary: false,
    failover: true,
    synced: false,
    ...facts,
  });
}

function setting(value: string) {
  return { value, source: null, sourcefile: null, pendingRestart: false };
}

function sqlOf(name: string, leads: boolean, senders: Walsender[]): SqlStatus {
  const others = ['pg1', 'pg2', 'pg3'].filter((other) => other !== name);
  return {
    serverVersion: 150018,
    systemId: '7',
    inRecovery: !leads,
    timeline: 3,
    currentLsn: leads ? AT : null,
    receiveLsn: leads ? null : AT,
    replayLsn: leads ? null : AT,
    replayPaused: leads ? null : false,
    lastXactReplayAgeMs: null,
    walsenders: senders,
    walReceiver: leads ? null : ({ status: 'streaming' } as SqlStatus['walReceiver']),
    slots: others.map((other) => ({
      slotName: other,
      slotType: 'physical',
      database: null,
      active: leads,
      activePid: null,
      restartLsn: AT,
      confirmedFlushLsn: null,
      walStatus: 'reserved',
    })),
    settings: {
      archive_mode: setting('on'),
      data_checksums: setting('off'),
      max_replication_slots: setting('10'),
      max_wal_senders: setting('10'),
      wal_log_hints: setting('on'),
      wal_sender_timeout: setting('60000'),
    },
    syncRepWaiters: 0,
    oldestXactAgeMs: 1000,
    baseBackupsRunning: 0,
    archiver: { lastArchivedAgeMs: 5000, lastFailedAgeMs: null, failedCount: 0 },
    login: 'superuser',
  };
}

function restOf(name: string, leads: boolean, sync: string): RestStatus {
  const others = ['pg1', 'pg2', 'pg3'].filter((other) => other !== name);
  const rows = others.map((other) => ({
    application_name: other,
    state: 'streaming',
    sync_state: sync,
    client_addr: '10.0.0.9',
  }));
  const body = {
    state: 'running',
    role: leads ? 'primary' : 'replica',
    server_version: 150018,
    timeline: 3,
    xlog: leads
      ? { location: Number(AT) }
      : { received_location: Number(AT), replayed_location: Number(AT), paused: false },
    ...(leads ? { replication: rows } : { replication_state: 'streaming' }),
    patroni: { version: '4.1.4', scope: 'demo', name },
  };
  const status = parseRestStatus(200, body);
  if (status === null) throw new Error('the test is wrong');
  return status;
}

export interface ProcessEnvironment {
  snapshot: Snapshot;
  rest(name: string): RestStatus;
  sql(name: string): SqlStatus;
  readings(name: string): MemberReadings;
}

const QUORUM: Record<SyncMode, { keys: string; sync: string | null; state: string }> = {
  off: { keys: '', sync: null, state: 'async' },
  on: {
    keys: '"synchronous_mode":true,',
    sync: '{"leader":"pg1","sync_standby":"pg2","quorum":0}',
    state: 'sync',
  },
  quorum: {
    keys: '"synchronous_mode":"quorum",',
    sync: '{"leader":"pg1","sync_standby":"pg2,pg3","quorum":1}',
    state: 'quorum',
  },
};

export interface HealthyOptions {
  /** More of the dynamic configuration. */
  config?: Record<string, unknown>;
  tags?: Record<string, Record<string, unknown>>;
  version?: string;
  keys?: Record<string, string>;
}

/** pg1 leads, pg2 and pg3 stream; mode on: pg2 is the synchronous one. */
export function healthy(mode: SyncMode = 'off', options: HealthyOptions = {}): ProcessEnvironment {
  const { config = {}, tags = {}, version = '4.1.4' } = options;
  const { keys, sync, state } = QUORUM[mode];
  const member = (name: string, port: number) =>
    JSON.stringify({
      conn_url: `postgres://10.0.0.1:${port}/postgres`,
      api_url: `http://10.0.0.1:${port + 2000}/patroni`,
      state: 'running',
      role: name === 'pg1' ? 'primary' : 'replica',
      version,
      timeline: 3,
      tags: tags[name] ?? {},
    });
  const values: Record<string, string> = {
    config: `{"ttl":30,"loop_wait":10,${keys}"postgresql":{"use_pg_rewind":true,"use_slots":true}}`,
    leader: 'pg1',
    'members/pg1': member('pg1', 5431),
    'members/pg2': member('pg2', 5432),
    'members/pg3': member('pg3', 5433),
    status: `{"optime":${AT}}`,
    history: '[[1,1,"x","2026-01-01T00:00:00Z","pg2"],[2,2,"x","2026-01-02T00:00:00Z","pg1"]]',
    ...(sync === null ? {} : { sync }),
    ...options.keys,
  };
  values['config'] = JSON.stringify({
    ...(JSON.parse(values['config'] ?? '{}') as object),
    ...config,
  });
  const kvs = Object.entries(values).map(([key, value]) => ({
    key: `/service/demo/${key}`,
    value,
    modRevision: '5',
  }));
  const cluster = parseCluster('demo', null, { revision: '9', kvs }, '/service/demo/');
  const senders = ['pg2', 'pg3'].map((name) =>
    walsender(name, { syncState: mode === 'on' && name === 'pg3' ? 'potential' : state }),
  );
  const members = ['pg1', 'pg2', 'pg3'].map((name): MemberReadings => {
    const rest = restOf(name, name === 'pg1', state);
    rest.tags = (tags[name] ?? {}) as RestStatus['tags'];
    rest.patroniVersion = version;
    return {
      name,
      rest: { ok: true, tookMs: 1, value: rest },
      sql: {
        ok: true,
        tookMs: 1,
        value: sqlOf(name, name === 'pg1', name === 'pg1' ? senders : []),
      },
    };
  });
  return worldOf({
    cluster,
    verify: 'auto',
    takenAt: '2026-11-21T01:30:00.000Z',
    members,
    departed: [],
    serializable: false,
    previous: null,
  });
}

export function worldOf(snapshot: Snapshot): ProcessEnvironment {
  const readings = (name: string) => {
    const found = snapshot.members.find((one) => one.name === name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };
  const value = <T>(reading: Reading<T>) => {
    if (!reading.ok) throw new Error('silent');
    return reading.value;
  };
  return {
    snapshot,
    readings,
    rest: (name) => value(readings(name).rest),
    sql: (name) => value(readings(name).sql),
  };
}

/** The same cluster, read `ms` earlier. */
export function earlierBy(ms: number, { snapshot }: ProcessEnvironment): ProcessEnvironment {
  const copy = structuredClone(snapshot);
  copy.takenAt = new Date(Date.parse(snapshot.takenAt) - ms).toISOString();
  return worldOf(copy);
}

/** Without a database login: REST alone. */
export function restOnly({ snapshot }: ProcessEnvironment): ProcessEnvironment {
  snapshot.verify = 'rest';
  for (const one of snapshot.members) one.sql = OFF;
  return worldOf(snapshot);
}

/** DCS alone. */
export function unverified({ snapshot }: ProcessEnvironment): ProcessEnvironment {
  snapshot.verify = 'off';
  for (const one of snapshot.members) {
    one.sql = OFF;
    one.rest = OFF;
  }
  return worldOf(snapshot);
}

export const REQUEST: ChangeRequest = {
  kind: 'switchover',
  leader: null,
  candidate: null,
  avoid: null,
  scheduledAt: null,
  allowDataLoss: false,
  skipChecks: [],
  terminateLogical: false,
};

export function plan(
  world: ProcessEnvironment,
  request: Partial<ChangeRequest> = {},
  before: ProcessEnvironment | null = null,
): Plan {
  return planOf(world.snapshot, before?.snapshot ?? null, { ...REQUEST, ...request });
}

/** 'name result' of one check, or 'name -' where it does not apply. */
export function result(found: Plan, name: string): string {
  const checks = found.checks.filter((check) => check.name === name);
  return checks.map((check) => check.result).join('+') || '-';
}

/** A recorded cluster: keys, REST and what was read over SQL. */
export function goldenSnapshot(name: string): ProcessEnvironment {
  const golden = loadGolden(name);
  const cluster = parseCluster(
    'demo',
    null,
    goldenKeys(golden),
    clusterPrefix('service', 'demo', null),
  );
  const members = cluster.members.map((member): MemberReadings => {
    const paths = golden.rest[member.name] as Record<string, { body?: unknown }> | undefined;
    const rest = parseRestStatus(200, (paths?.['/patroni']?.body ?? null) as never);
    const sql = (golden.sql as Record<string, Row> | null)?.[member.name];
    return {
      name: member.name,
      rest: rest ? { ok: true, value: rest, tookMs: 1 } : DEAD,
      sql: sql ? { ok: true, value: goldenSql(sql), tookMs: 1 } : DEAD,
    };
  });
  const takenAt = '2026-11-21T01:24:45.000Z';
  return worldOf({
    cluster,
    verify: 'auto',
    takenAt,
    members,
    departed: [],
    serializable: false,
    previous: null,
  });
}

function goldenSql(row: Row): SqlStatus {
  const base = sqlOf('pg1', false, []);
  const lsns = rowsOf(row['lsn'])[0] as Row;
  const slots = rowsOf(row['pg_replication_slots']);
  const settings = rowsOf(row['settings']).map((one) => ({
    ...one,
    value: textOf(one['setting']),
  }));
  const names = textOf(rowsOf(row['synchronous_standby_names'])[0]?.['v']) ?? '';
  return {
    ...base,
    inRecovery: lsns['r'] === true,
    // Recorded from the control file, which trails; REST knows.
    timeline: null,
    currentLsn: lsnOf(lsns['cur']),
    receiveLsn: lsnOf(lsns['recv']),
    replayLsn: lsnOf(lsns['replay']),
    walsenders: rowsOf(row['pg_stat_replication']).map((one) => {
      const slot = slots.find((s) => s['active_pid'] === one['pid']);
      return walsenderOf({
        ...one,
        slot_name: slot?.['slot_name'],
        slot_type: slot?.['slot_type'],
        reply_age_ms: 400,
      });
    }),
    slots: slots.map(slotOf),
    settings: {
      ...base.settings,
      ...settingsOf(settings),
      synchronous_standby_names: setting(names),
    },
  };
}

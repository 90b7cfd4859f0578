/** Clusters that are broken in one way each, in every synchronous mode: what is advised there is tried on all. */
import type { Reading, Snapshot, SyncMode } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';
import { goldenNames } from '../fixtures/golden.js';
import {
  DEAD,
  failoverSlot,
  goldenSnapshot,
  healthy,
  logical,
  restOnly,
  walsender,
  type HealthyOptions,
  type ProcessEnvironment,
} from '../unit/plan-support.js';

export interface Broken {
  title: string;
  snapshot: Snapshot;
}

type Break = (world: ProcessEnvironment) => void;

function silent(...names: string[]): Break {
  return (world) => {
    for (const name of names) Object.assign(world.readings(name), { rest: DEAD, sql: DEAD });
  };
}

function without(witness: 'rest' | 'sql', reading: Reading<never>, ...names: string[]): Break {
  return (world) => {
    for (const name of names) world.readings(name)[witness] = reading;
  };
}

function keysGone(...names: string[]): Break {
  return ({ snapshot }) => {
    const { cluster } = snapshot;
    cluster.members = cluster.members.filter(({ name }) => !names.includes(name));
    snapshot.members = snapshot.members.filter(({ name }) => !names.includes(name));
  };
}

function notStreaming(...names: string[]): Break {
  return (world) => {
    const leader = world.sql('pg1');
    leader.walsenders = leader.walsenders.filter(
      ({ applicationName }) => !names.includes(applicationName),
    );
    for (const name of names) {
      Object.assign(world.sql(name), { walReceiver: null, receiveLsn: 1n, replayLsn: 1n });
      Object.assign(world.rest(name), {
        receivedLocation: 1n,
        replayedLocation: 1n,
        replicationState: null,
      });
    }
  };
}

const noLeader: Break = ({ snapshot }) => void (snapshot.cluster.leaderName = null);

/** The server is out of recovery, and says so. */
function primaryToo(name: string): Break {
  return (world) => {
    Object.assign(world.sql(name), { inRecovery: false, currentLsn: 0x5000000n, receiveLsn: null });
    world.rest(name).role = 'primary';
  };
}

function setting(name: string, value: string, sourcefile: string | null = null): Break {
  return (world) => {
    world.sql('pg1').settings[name] = { value, source: null, sourcefile, pendingRestart: false };
  };
}

const DENIED: Reading<never> = { ok: false, kind: 'denied', reason: '28P01' };
const NOT_PATRONI: Reading<never> = { ok: false, kind: 'invalid', reason: 'HTTP 500' };

/** A member of --rest that knows another leader than the one that was asked. */
const otherView: Break = ({ snapshot }) => {
  const said = { roles: ['pg1 leader', 'pg2 replica'], pause: false, scheduledAt: null };
  snapshot.cluster.memberAnswers = {
    url: 'http://10.0.0.1:7001',
    answeredBy: ['pg2', 'pg3'],
    patroniVersion: '4.1.4',
    views: [
      { member: 'pg2', leader: 'pg1', ...said },
      { member: 'pg3', leader: 'pg3', ...said },
    ],
  };
};

/** Kubernetes sends clients to pg2, which does not stream, as if it led. */
const wrongInKubernetes: Break = (world) => {
  notStreaming('pg2')(world);
  const { cluster } = world.snapshot;
  const values = {
    leaderValue: 'primary',
    followerValue: 'replica',
    standbyLeaderValue: 'primary',
  };
  cluster.kubernetes = {
    namespace: 'default',
    kind: 'endpoints',
    roleLabel: { name: 'role', ...values },
    leaderEndpoints: {
      name: 'demo',
      addresses: [{ ip: '10.0.0.2', port: 5432, pod: 'pg2' }],
    },
    pods: ['pg1', 'pg2', 'pg3'].map((name, at) => ({
      name,
      ip: `10.0.0.${at + 1}`,
      phase: 'Running',
      ready: true,
      readySince: '2026-11-21T00:00:00Z',
      roleLabel: 'primary',
      deleting: false,
      reports: true,
    })),
  };
};

/** The leader has not renewed its claim in Kubernetes. */
const expiredClaim: Break = (world) => {
  wrongInKubernetes(world);
  const { snapshot } = world;
  snapshot.cluster.leaderClaim = {
    name: 'pg1',
    renewTime: '2026-11-21T00:00:00Z',
    ttlSeconds: 30,
    ageMs: 90_000,
    expired: true,
  };
};

const BREAKS: Record<string, Break | { options: HealthyOptions; break?: Break }> = {
  'nothing is broken': () => undefined,
  'the leader is silent': silent('pg1'),
  'a replica is silent': silent('pg2'),
  'both replicas are silent': silent('pg2', 'pg3'),
  'every member is silent': silent('pg1', 'pg2', 'pg3'),
  'no leader': (world) => {
    noLeader(world);
    silent('pg1')(world);
  },
  'no leader, and no key of it': (world) => {
    noLeader(world);
    keysGone('pg1')(world);
  },
  'no leader, one replica answers': (world) => {
    noLeader(world);
    silent('pg1', 'pg2')(world);
  },
  'no leader, no replica answers': (world) => {
    noLeader(world);
    silent('pg1', 'pg2', 'pg3')(world);
  },
  'no leader, the replicas may not be promoted': {
    options: { tags: { pg2: { nofailover: true }, pg3: { nofailover: true } } },
    break: (world) => {
      noLeader(world);
      silent('pg1')(world);
    },
  },
  'no leader, one replica may not be promoted': {
    options: { tags: { pg2: { nofailover: true } } },
    break: (world) => {
      noLeader(world);
      silent('pg1')(world);
    },
  },
  'no leader, paused': {
    options: { config: { pause: true } },
    break: (world) => {
      noLeader(world);
      silent('pg1')(world);
    },
  },
  'the holder of the leader key has no member key': keysGone('pg1'),
  'a replica has no key': keysGone('pg2'),
  'two primaries': primaryToo('pg2'),
  'the leader is not a primary': (world) => {
    Object.assign(world.sql('pg1'), { inRecovery: true, currentLsn: null });
    world.rest('pg1').role = 'replica';
  },
  'a replica does not stream': notStreaming('pg2'),
  'no replica streams': notStreaming('pg2', 'pg3'),
  'a replica does not stream, and its Patroni is silent': (world) => {
    notStreaming('pg2')(world);
    without('rest', DEAD, 'pg2')(world);
  },
  'Patroni is silent on the leader': without('rest', DEAD, 'pg1'),
  'Patroni is silent on a replica': without('rest', DEAD, 'pg2'),
  'Patroni answers nonsense on a replica': without('rest', NOT_PATRONI, 'pg2'),
  'PostgreSQL is silent on a replica': without('sql', DEAD, 'pg2'),
  'PostgreSQL is silent on the leader': without('sql', DEAD, 'pg1'),
  'PostgreSQL refuses the login': without('sql', DENIED, 'pg1', 'pg2', 'pg3'),
  paused: { options: { config: { pause: true } } },
  'a replica on an old timeline': (world) => {
    notStreaming('pg2')(world);
    world.sql('pg2').timeline = 2;
    world.rest('pg2').timeline = 2;
  },
  'the slot of a replica is lost': (world) => {
    notStreaming('pg2')(world);
    const slot = world.sql('pg1').slots.find(({ slotName }) => slotName === 'pg2');
    Object.assign(slot ?? {}, { active: false, walStatus: 'lost', restartLsn: null });
  },
  'a slot without a consumer': (world) => {
    const slot = world.sql('pg1').slots.find(({ slotName }) => slotName === 'pg2');
    Object.assign(slot ?? {}, { slotName: 'stranger', active: false, restartLsn: 1n });
  },
  'slots are short': setting('max_replication_slots', '2'),
  'replay is paused': (world) => {
    world.sql('pg2').replayPaused = true;
    world.sql('pg2').replayLsn = 1n;
  },
  'a restart is pending': (world) => {
    const { rest } = world.readings('pg2');
    if (rest.ok) rest.value.pendingRestart = true;
    setting('max_connections', '50')(world);
    world.sql('pg2').settings['max_connections'] = {
      value: '50',
      source: null,
      sourcefile: null,
      pendingRestart: true,
    };
  },
  'a logical client is stuck': (world) => void world.sql('pg1').walsenders.push(logical(100n)),
  'a failover slot is not synchronized': (world) => {
    failoverSlot(world, 'pg1');
    failoverSlot(world, 'pg2', { synced: true });
  },
  'synchronous_standby_names by ALTER SYSTEM': setting(
    'synchronous_standby_names',
    'x',
    '/data/postgresql.auto.conf',
  ),
  'synchronous_standby_names in a file': setting(
    'synchronous_standby_names',
    'x',
    '/data/postgresql.conf',
  ),
  'a switchover is scheduled': {
    options: {
      keys: { failover: '{"leader":"pg1","member":"pg2","scheduled_at":"2026-11-22T00:00:00Z"}' },
    },
  },
  'a switchover is overdue': {
    options: {
      keys: { failover: '{"leader":"pg1","member":"pg2","scheduled_at":"2026-11-20T00:00:00Z"}' },
    },
  },
  'a request is stuck': { options: { keys: { failover: '{"leader":"pg1","member":"pg2"}' } } },
  'a request is stuck, paused': {
    options: { config: { pause: true }, keys: { failover: '{"leader":"pg1","member":"pg2"}' } },
  },
  '/failover cannot be read': { options: { keys: { failover: '{' } } },
  '/config cannot be read': ({ snapshot }) => {
    const kvs = [{ key: '/service/demo/config', value: '[', modRevision: '5' }];
    const read = parseCluster('demo', null, { revision: '9', kvs }, '/service/demo/');
    Object.assign(snapshot.cluster, { config: read.config, problems: read.problems });
  },
  '/sync cannot be read': { options: { keys: { sync: '[' } } },
  '/sync names another leader': {
    options: { keys: { sync: '{"leader":"pg3","sync_standby":"pg1","quorum":0}' } },
  },
  'a wrong value in /config': { options: { config: { ttl: '60s', maximum_lag_on_failover: 'x' } } },
  'ttl is too short': { options: { config: { ttl: 20, loop_wait: 10, retry_timeout: 10 } } },
  'unknown keys in /config': { options: { config: { synchronus_mode: true, foo: 1 } } },
  'wrong slots in /config': { options: { config: { slots: { a: { type: 'logicl' } } } } },
  'all members are nofailover': {
    options: { tags: { pg2: { nofailover: true }, pg3: { nofailover: true } } },
  },
  'pg2 is nofailover': { options: { tags: { pg2: { nofailover: true } } } },
  'pg2 is nosync': { options: { tags: { pg2: { nosync: true } } } },
  'rewind is off': {
    options: { config: { postgresql: { use_pg_rewind: false } } },
  },
  'too far behind': (world) => {
    world.rest('pg2').receivedLocation = world.rest('pg2').replayedLocation = 1n;
    Object.assign(world.sql('pg2'), { receiveLsn: 1n, replayLsn: 1n });
  },
  'the restart of a member is scheduled': (world) => {
    world.rest('pg2').scheduledRestart = {
      schedule: '2026-11-22T00:00:00Z',
      conditions: {},
    };
  },
  'standby cluster': {
    options: { config: { standby_cluster: { host: '10.9.9.9', port: 5432 } } },
  },
  'every connection is taken': without(
    'sql',
    { ok: false, kind: 'unreachable', reason: '53300', full: true },
    'pg1',
  ),
  'PostgreSQL is out of memory': without(
    'sql',
    { ok: false, kind: 'unreachable', reason: '53200', cannotServe: true },
    'pg1',
  ),
  'PostgreSQL fails our query': without(
    'sql',
    { ok: false, kind: 'invalid', reason: '42703' },
    'pg2',
  ),
  'another member answers': without(
    'rest',
    { ok: false, kind: 'misidentified', reason: 'it says that it is pg3' },
    'pg2',
  ),
  'a REST API refuses us': without('rest', DENIED, 'pg2'),
  'a REST API has no address': without(
    'rest',
    { ok: false, kind: 'no_address', reason: 'api_url is empty' },
    'pg2',
  ),
  'replay is behind': (world) => {
    world.sql('pg2').replayLsn = 1n;
  },
  'a standby on a later timeline': (world) => {
    notStreaming('pg2')(world);
    world.sql('pg2').timeline = 4;
    world.rest('pg2').timeline = 4;
  },
  'two walsenders of one name': (world) =>
    void world.sql('pg1').walsenders.push(walsender('pg2', { pid: 999, slotName: null })),
  'the archive fails': (world) => {
    world.sql('pg1').archiver = { lastArchivedAgeMs: null, lastFailedAgeMs: 1000, failedCount: 9 };
  },
  'walsenders are short': setting('max_wal_senders', '2'),
  'a setting differs': {
    options: { config: { postgresql: { parameters: { work_mem: '64MB' } } } },
    break: setting('work_mem', '4096'),
  },
  'a permanent slot is missing': {
    options: { config: { slots: { kept: { type: 'physical' } } } },
  },
  'failsafe mode is active': {
    options: { config: { failsafe_mode: true } },
    break: (world) => {
      world.rest('pg1').failsafeModeIsActive = true;
    },
  },
  'no leader, in failsafe mode': {
    options: { config: { failsafe_mode: true } },
    break: (world) => {
      noLeader(world);
      world.rest('pg1').failsafeModeIsActive = true;
    },
  },
  'a paused standby cluster': {
    options: { config: { pause: true, standby_cluster: { host: '10.9.9.9', port: 5432 } } },
  },
  'the versions of Patroni differ': (world) => void (world.rest('pg2').patroniVersion = '3.3.1'),
  'Patroni 4.0.5': { options: { version: '4.0.5' } },
  'a standby cluster whose /sync asks for votes': {
    options: { config: { standby_cluster: { host: '10.9.9.9', port: 5432 } } },
    break: silent('pg3'),
  },
  'one voter more may not be lost': {
    options: { keys: { sync: '{"leader":"pg1","sync_standby":"pg2,pg3","quorum":0}' } },
    break: silent('pg3'),
  },
  'the WAL that a replica needs is gone': (world) => {
    notStreaming('pg2')(world);
    Object.assign(world.sql('pg1'), { redoLsn: 0x5000000n, slots: [] });
  },
  'a replica streams from another member than it should': {
    options: { tags: { pg2: { replicatefrom: 'pg3' } } },
  },
  'a slot without a consumer retains WAL': (world) => {
    setting('max_slot_wal_keep_size', '10')(world);
    const slot = world.sql('pg1').slots.find(({ slotName }) => slotName === 'pg2');
    Object.assign(slot ?? {}, { slotName: 'stranger', active: false, restartLsn: 1n });
  },
  'Patroni has not copied a permanent slot': {
    options: { config: { slots: { sub: { type: 'logical', database: 'app', plugin: 'x' } } } },
    break: (world) => failoverSlot(world, 'pg1', { failover: false }),
  },
  'a synchronized slot is inactive': (world) => {
    setting('synchronized_standby_slots', 'pg2')(world);
    failoverSlot(world, 'pg1');
    const slot = world.sql('pg1').slots.find(({ slotName }) => slotName === 'pg2');
    Object.assign(slot ?? {}, { active: false });
  },
  'a logical client has not replied': (world) =>
    void world.sql('pg1').walsenders.push(logical(100n, { replyAgeMs: 50_000 })),
  'paused for a known time': {
    options: { config: { pause: true } },
    break: ({ snapshot }) => void (snapshot.pausedSince = '2026-11-20T00:00:00Z'),
  },
  'an expected member has no key': ({ snapshot }) =>
    void (snapshot.expectedMembers = ['pg1', 'pg2', 'pg3', 'pg4']),
  'members give different views': otherView,
  'a member refuses us on both ways': (world) => {
    without('rest', DENIED, 'pg2')(world);
    without('sql', DENIED, 'pg2')(world);
  },
  'the login that was given is refused': without(
    'sql',
    { ok: false, kind: 'denied', reason: 'flag: 28P01' },
    'pg1',
  ),
  'a certificate ends': ({ snapshot }) =>
    void (snapshot.certificates = [
      {
        what: 'Patroni',
        address: '10.0.0.1:7001',
        member: 'pg2',
        subject: 'pg2',
        validTo: '2026-11-20T00:00:00Z',
      },
    ]),
  'a parameter is not in force': {
    options: { config: { postgresql: { parameters: { max_connections: 200 } } } },
    break: setting('max_connections', '100'),
  },
  'a parameter is overridden by ALTER SYSTEM': {
    options: { config: { postgresql: { parameters: { max_connections: 200 } } } },
    break: setting('max_connections', '100', '/data/postgresql.auto.conf'),
  },
  'a REST API is open': ({ snapshot }) => void (snapshot.openRest = ['pg2']),
  'Kubernetes leads to another member': wrongInKubernetes,
  'the claim of the leader has expired': expiredClaim,
  'the claim of a lost leader has expired': (world) => {
    expiredClaim(world);
    noLeader(world);
    silent('pg1')(world);
  },
  'only Patroni is asked': (world) => void restOnly(world),
  'only Patroni is asked, a replica does not stream': (world) => {
    notStreaming('pg2')(world);
    restOnly(world);
  },
};

const MODES: readonly SyncMode[] = ['off', 'on', 'quorum'];

/** Of a scope that a shell would take apart, in a Citus group. */
export const SCOPE = "it's 15/main";
export const GROUP = 2;

/** Every one of them: the made ones in each mode, and the recorded ones. */
export function brokenWorlds(): Broken[] {
  const made = MODES.flatMap((mode) =>
    Object.entries(BREAKS).map(([title, one]) => {
      const { options, break: breaks } =
        typeof one === 'function' ? { options: {}, break: one } : one;
      const world = healthy(mode, options);
      breaks?.(world);
      return { title: `${title} (mode ${mode})`, snapshot: world.snapshot };
    }),
  );
  const recorded = goldenNames().flatMap((name) => {
    try {
      return [{ title: `recorded: ${name}`, snapshot: goldenSnapshot(name).snapshot }];
    } catch {
      return [];
    }
  });
  return [...made, ...recorded].map(({ title, snapshot }) => ({
    title,
    snapshot: { ...snapshot, cluster: { ...snapshot.cluster, scope: SCOPE, group: GROUP } },
  }));
}

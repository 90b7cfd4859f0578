// A primary, a streaming standby and a logical client of our own, asked by value.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { appendFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PgLogin } from '../../src/config/effective.js';
import type { Reading, SqlStatus } from '../../src/cluster/model/model.js';
import type { KeptSession } from '../../src/postgres/postgres.js';
import { openPostgres } from '../../src/postgres/connect.js';
import { freePort } from '../support/free-port.js';
import { freezeProcess } from '../support/lab/process.js';

const TLS = new URL('../fixtures/tls/', import.meta.url).pathname;
const BIN = newestBin('/usr/lib/postgresql');
const AS_ROOT = process.getuid?.() === 0;
const SETPRIV = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'];
const children = new Set<ChildProcess>();
// Not even an aborted run may leave one behind.
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));
let dir = '';
let primaryPort = 0;
let standbyPort = 0;
let primary: ChildProcess;

function newestBin(root: string): string {
  const versions = existsSync(root) ? readdirSync(root) : [];
  return `${root}/${versions.sort((a, b) => Number(b) - Number(a))[0] ?? ''}/bin`;
}

/** As an unprivileged user, because PostgreSQL does not run as root. */
function commandLine(program: string, args: string[]): [string, string[]] {
  const path = `${BIN}/${program}`;
  if (!AS_ROOT) return [path, args];
  return ['setpriv', [...SETPRIV.slice(1), path, ...args]];
}

function run(program: string, args: string[]): string {
  const [command, all] = commandLine(program, args);
  const done = spawnSync(command, all, { encoding: 'utf8', cwd: dir, timeout: 60_000 });
  if (done.status !== 0) throw new Error(`${program}: ${done.stderr}`);
  return done.stdout.trim();
}

function start(program: string, args: string[]): ChildProcess {
  const [command, all] = commandLine(program, args);
  const child = spawn(command, all, { stdio: 'ignore', cwd: dir });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** SIGCONT first: a frozen one would not hear anything else. Immediate shutdown, then SIGKILL. */
async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGCONT');
  child.kill('SIGQUIT');
  const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended(child);
  clearTimeout(hard);
}

function psql(sql: string): string {
  const where = ['-h', dir, '-p', String(primaryPort), '-U', 'postgres', '-d', 'postgres'];
  return run('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', ...where, '-c', sql]);
}

async function eventually<T>(
  what: string,
  read: () => Promise<T>,
  holds: (value: T) => boolean,
): Promise<T> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (performance.now() > endMs) {
      const shown = JSON.stringify(value, (_, one: unknown) =>
        typeof one === 'bigint' ? String(one) : one,
      );
      throw new Error(`not within 30 s: ${what}; last seen ${shown}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function login(origin: string, username: string, password: string, more = {}): PgLogin {
  const ssl = { sslmode: null, sslrootcert: null, sslcert: null, sslkey: null, sslpassword: null };
  return { origin, username, password, database: null, ...ssl, ...more };
}

const SUPERUSER = login('superuser', 'postgres', 'super');

function ask(port: number, logins = [SUPERUSER], timeoutMs = 5000, env = {}) {
  const postgres = openPostgres(logins, { HOME: dir, ...env });
  return postgres.status({ host: '127.0.0.1', port }, timeoutMs);
}

async function value(port: number, logins = [SUPERUSER]): Promise<SqlStatus> {
  const reading = await ask(port, logins);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.value;
}

const standbyOf = (status: SqlStatus) =>
  status.walsenders.find((row) => row.applicationName === 'standby-1');

const answers = (reading: Reading<SqlStatus>) => reading.ok;

async function startPrimary(): Promise<void> {
  const data = `${dir}/primary`;
  writeFileSync(`${dir}/password`, 'super', { mode: 0o644 });
  const auth = ['--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${dir}/password`];
  run('initdb', ['-D', data, '-U', 'postgres', '-N', '--no-instructions', '-k', ...auth]);
  for (const file of ['server.crt', 'server.key']) {
    copyFileSync(`${TLS}${file}`, `${data}/${file}`);
    chmodSync(`${data}/${file}`, 0o600);
  }
  if (AS_ROOT) spawnSync('chown', ['postgres', `${data}/server.crt`, `${data}/server.key`]);
  const settings = [
    `port = ${primaryPort}`,
    `unix_socket_directories = '${dir}'`,
    "listen_addresses = '127.0.0.1'",
    'wal_level = logical',
    'fsync = off',
    'shared_buffers = 16MB',
    'wal_keep_size = 32MB',
    'ssl = on',
    "restore_command = 'false secret-tool %f %p'",
  ];
  appendFileSync(`${data}/postgresql.conf`, `${settings.join('\n')}\n`);
  writeFileSync(
    `${data}/pg_hba.conf`,
    [
      'local all all trust',
      'local replication all trust',
      'hostssl all plain_only all reject',
      'hostnossl all tls_only all reject',
      'host all all all scram-sha-256',
    ].join('\n'),
  );
  primary = start('postgres', ['-D', data]);
  await eventually('the primary answers', () => ask(primaryPort), answers);
  psql(`create role watcher login password 'w' in role pg_monitor;
    create role nobody login password 'n';
    create role plain_only login password 'p' in role pg_monitor;
    create role tls_only login password 't' in role pg_monitor;
    create table things (n int);
    create publication outbox for table things`);
}

async function startStandby(): Promise<void> {
  const data = `${dir}/standby`;
  const source = `host=${dir} port=${primaryPort} user=postgres application_name=standby-1`;
  run('pg_basebackup', ['-D', data, '-d', source, '-R', '-C', '-S', 'standby_1', '-c', 'fast']);
  appendFileSync(`${data}/postgresql.conf`, `port = ${standbyPort}\n`);
  start('postgres', ['-D', data]);
  await eventually('the standby answers', () => ask(standbyPort), answers);
}

function startLogicalClient(): void {
  const where = ['-h', dir, '-p', String(primaryPort), '-U', 'postgres', '-d', 'postgres'];
  run('pg_recvlogical', [...where, '--create-slot', '-S', 'outbox', '-P', 'pgoutput']);
  const options = ['-o', 'proto_version=1', '-o', 'publication_names=outbox'];
  start('pg_recvlogical', [...where, '--start', '-S', 'outbox', '-f', '/dev/null', ...options]);
}

/** As a standby that reports what it has in the same moment in which it asks for WAL: the slot follows, then it fails. */
async function moveBack(slot: string, to: string): Promise<void> {
  const client = new pg.Client({
    ...{ host: dir, port: primaryPort, user: 'postgres' },
    ...{ database: 'postgres', replication: 'true' },
  });
  client.on('error', () => undefined);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const [high = '', low = ''] = to.split('/');
  const lsn = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
  const query = Buffer.from(`START_REPLICATION SLOT ${slot} PHYSICAL ${to}\0`);
  const reply = Buffer.alloc(34);
  reply.write('r');
  for (const at of [1, 9, 17]) reply.writeBigUInt64BE(lsn, at);
  const refused = new Promise<void>((resolve) => {
    stream.on('data', (data: Buffer) => data.includes('already been removed') && resolve());
  });
  stream.write(Buffer.concat([message('Q', query), message('d', reply)]));
  await refused;
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.destroy();
  await closed;
}

/** Of the frontend/backend protocol: a letter, the length with itself, the body. */
function message(letter: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

beforeAll(async () => {
  dir = mkdtempSync('/tmp/patctl-pg-');
  chmodSync(dir, 0o755);
  if (AS_ROOT) spawnSync('chown', ['postgres', dir]);
  [primaryPort, standbyPort] = [await freePort(), await freePort()];
  await startPrimary();
  await startStandby();
  startLogicalClient();
  const both = (one: SqlStatus) => one.walsenders.filter((row) => row.state === 'streaming').length;
  await eventually(
    'both stream',
    () => value(primaryPort),
    (one) => both(one) === 2,
  );
});

afterAll(async () => {
  await Promise.all([...children].map(stop));
  rmSync(dir, { recursive: true, force: true });
});

describe('what PostgreSQL says of itself', () => {
  test('the primary: role, position, and the standbys with their slots', async () => {
    const status = await value(primaryPort);
    expect(status).toMatchObject({
      inRecovery: false,
      timeline: 1,
      receiveLsn: null,
      replayLsn: null,
      replayPaused: null,
      lastXactReplayAgeMs: null,
      walReceiver: null,
      syncRepWaiters: 0,
      oldestXactAgeMs: null,
      baseBackupsRunning: 0,
      connections: {
        used: expect.any(Number) as number,
        max: expect.any(Number) as number,
        reserved: 3,
      },
      archiver: { lastArchivedAgeMs: null, lastFailedAgeMs: null, failedCount: 0 },
      login: 'superuser',
    });
    expect(status.systemId).toBe(psql('select system_identifier from pg_control_system()'));
    expect(String(status.serverVersion)).toBe(psql('show server_version_num'));
    const [logical, physical] = status.walsenders;
    expect(logical).toMatchObject({ applicationName: 'pg_recvlogical', slotName: 'outbox' });
    expect(logical).toMatchObject({ slotType: 'logical', state: 'streaming', syncState: 'async' });
    expect(physical).toMatchObject({
      applicationName: 'standby-1',
      usename: 'postgres',
      clientAddr: null,
      state: 'streaming',
      syncState: 'async',
      syncPriority: 0,
      slotName: 'standby_1',
      slotType: 'physical',
    });
    expect(physical?.replyAgeMs).toBeGreaterThanOrEqual(0);
    expect(physical?.replyAgeMs).toBeLessThan(60_000);
    expect(status.slots).toMatchObject([
      { slotName: 'outbox', slotType: 'logical', database: 'postgres', active: true },
      { slotName: 'standby_1', slotType: 'physical', database: null, walStatus: 'reserved' },
    ]);
    expect(status.slots[1]?.activePid).toBe(physical?.pid);
  });

  test('a slot that was moved back to WAL that is gone, and where pg_wal begins', async () => {
    const before = psql('select pg_current_wal_lsn()');
    expect((await value(primaryPort)).oldestWal).toBeUndefined();
    psql("select pg_create_physical_replication_slot('moved', true)");
    for (let turn = 0; turn < 4; turn++)
      psql('insert into things values (0); select pg_switch_wal()');
    psql("select pg_drop_replication_slot('moved')");
    const oldest = () => {
      psql('checkpoint');
      return Promise.resolve(psql('select min(substr(name, 9)) from pg_ls_waldir()'));
    };
    await eventually(
      'the WAL is recycled',
      oldest,
      (name) => name > psql(`select substr(pg_walfile_name('${before}'), 9)`),
    );
    psql("select pg_create_physical_replication_slot('moved', true)");
    await moveBack('moved', before);
    const moved = ({ slots }: SqlStatus) => slots.find(({ slotName }) => slotName === 'moved');
    const status = await eventually(
      'the slot is inactive',
      () => value(primaryPort),
      (one) => moved(one)?.active === false,
    );
    const slot = moved(status);
    expect(slot).toMatchObject({ active: false, walStatus: 'reserved' });
    expect(slot?.restartLsn).toBeLessThan(status.redoLsn ?? 0n);
    const begins = psql(
      "select min(('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296 + ('x' || substr(name, 17))::bit(32)::bigint * 16777216) from pg_ls_waldir()",
    );
    expect(String(status.oldestWal)).toBe(begins);
    expect(status.oldestWal).toBeGreaterThan(slot?.restartLsn ?? 0n);
    psql("select pg_drop_replication_slot('moved')");
  });

  test('positions are those of pg_lsn, and the standby catches up to them', async () => {
    psql('insert into things select generate_series(1, 1000)');
    const bytes = BigInt(psql("select pg_current_wal_lsn() - '0/0'"));
    const now = await value(primaryPort);
    expect(now.currentLsn).toBeGreaterThanOrEqual(bytes);
    const caughtUp = await eventually(
      'the standby has replayed it',
      () => value(standbyPort),
      (one) => (one.replayLsn ?? 0n) >= bytes,
    );
    expect(caughtUp.receiveLsn).toBeGreaterThanOrEqual(bytes);
    const confirmed = (one: SqlStatus) => standbyOf(one)?.replayLsn ?? 0n;
    await eventually(
      'confirmed',
      () => value(primaryPort),
      (one) => confirmed(one) >= bytes,
    );
  });

  test('the standby: the server it streams from', async () => {
    const status = await value(standbyPort);
    expect(status).toMatchObject({
      inRecovery: true,
      timeline: 1,
      currentLsn: null,
      replayPaused: false,
      walsenders: [],
      walReceiver: {
        status: 'streaming',
        senderHost: dir,
        senderPort: primaryPort,
        slotName: 'standby_1',
        receivedTimeline: 1,
      },
      settings: { primary_slot_name: { value: 'standby_1' } },
    });
    expect(status.walReceiver?.flushedLsn).toBe(status.receiveLsn);
    expect(status.walReceiver?.lastMessageAgeMs).toBeLessThan(60_000);
  });

  test('settings, without the secrets that some may hold', async () => {
    const { settings } = await value(primaryPort);
    expect(settings['wal_keep_size']).toEqual({
      value: '32',
      source: 'configuration file',
      sourcefile: `${dir}/primary/postgresql.conf`,
      pendingRestart: false,
    });
    expect(settings['data_checksums']?.value).toBe('on');
    expect(settings['restore_command']?.value).toBe('set');
    expect(JSON.stringify(settings)).not.toContain('secret-tool');
    expect(settings).not.toHaveProperty('primary_conninfo');
  });

  test('a commit that waits for a standby which is not there', async () => {
    psql("alter system set synchronous_standby_names = 'elsewhere'");
    psql('select pg_reload_conf()');
    const names = (one: SqlStatus) => one.settings['synchronous_standby_names'];
    const inForce = await eventually(
      'the setting is in force',
      () => value(primaryPort),
      (one) => names(one)?.value === 'elsewhere',
    );
    expect(names(inForce)?.sourcefile).toBe(`${dir}/primary/postgresql.auto.conf`);
    const where = ['-h', dir, '-p', String(primaryPort), '-U', 'postgres'];
    const commit = start('psql', ['-X', ...where, '-c', 'insert into things values (0)']);
    try {
      await eventually(
        'it waits',
        () => value(primaryPort),
        (one) => one.syncRepWaiters === 1,
      );
      psql('alter system set synchronous_standby_names = \'"standby-1"\'');
      psql('select pg_reload_conf()');
      const sync = await eventually(
        'the standby is synchronous and no commit waits',
        () => value(primaryPort),
        (one) => one.syncRepWaiters === 0 && standbyOf(one)?.syncState === 'sync',
      );
      expect(standbyOf(sync)).toMatchObject({ applicationName: 'standby-1', syncPriority: 1 });
    } finally {
      psql('alter system reset synchronous_standby_names');
      psql('select pg_reload_conf()');
    }
    await ended(commit);
    expect(commit.exitCode).toBe(0);
  });

  test('the age of the oldest transaction, other than its own', async () => {
    const where = ['-h', dir, '-p', String(primaryPort), '-U', 'postgres'];
    const sleeper = start('psql', ['-X', ...where, '-c', 'select pg_sleep(60)']);
    const seen = (one: SqlStatus) => (one.oldestXactAgeMs ?? 0) > 100;
    await eventually('the transaction is seen', () => value(primaryPort), seen);
    psql("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
    await ended(sleeper);
    const none = (one: SqlStatus) => one.oldestXactAgeMs === null;
    await eventually('it is gone', () => value(primaryPort), none);
  });
});

describe('required rights', () => {
  test('a role in pg_monitor sees everything', async () => {
    const status = await value(primaryPort, [login('flag', 'watcher', 'w')]);
    const states = status.walsenders.map((one) => [one.slotName, one.state]);
    expect(states).toEqual([
      ['outbox', 'streaming'],
      ['standby_1', 'streaming'],
    ]);
    expect(status.login).toBe('flag');
    const standby = await value(standbyPort, [login('flag', 'watcher', 'w')]);
    expect(standby.walReceiver?.status).toBe('streaming');
  });

  test('a role without privileges is told what is missing, and the next login is tried', async () => {
    const nobody = login('flag', 'nobody', 'n');
    const reason = 'flag: role nobody may not read pg_stat_replication: grant pg_monitor';
    expect(await ask(primaryPort, [nobody])).toEqual({ ok: false, kind: 'denied', reason });
    expect(await value(primaryPort, [nobody, SUPERUSER])).toMatchObject({ login: 'superuser' });
  });

  test('a wrong password falls to the next login, and is not shown', async () => {
    const wrong = login('flag', 'postgres', 'mistaken');
    expect(await value(primaryPort, [wrong, SUPERUSER])).toMatchObject({ login: 'superuser' });
    const reading = await ask(primaryPort, [wrong]);
    const reason = 'flag: password authentication failed for user "postgres"';
    expect(reading).toEqual({ ok: false, kind: 'denied', reason });
  });

  test('an unknown role, an unknown database, no password', async () => {
    const unknown = login('flag', 'who', 'x');
    expect(await ask(primaryPort, [unknown])).toMatchObject({ ok: false, kind: 'denied' });
    const nowhere = login('flag', 'postgres', 'super', { database: 'nowhere' });
    const reason = 'flag: database "nowhere" does not exist';
    expect(await ask(primaryPort, [nowhere])).toEqual({ ok: false, kind: 'denied', reason });
    const bare = await ask(primaryPort, [login('flag', 'postgres', '')]);
    expect(bare).toMatchObject({
      reason: 'flag: the server requires a password, but none is configured',
    });
  });

  test('a password file', async () => {
    const path = `${dir}/pgpass`;
    writeFileSync(path, `127.0.0.1:${primaryPort}:postgres:watcher:w\n`, { mode: 0o600 });
    const env = { PGUSER: 'watcher', PGPASSFILE: path };
    const reading = await ask(primaryPort, [], 5000, env);
    expect(reading).toMatchObject({ ok: true, value: { login: 'environment' } });
    chmodSync(path, 0o644);
    expect(await ask(primaryPort, [], 5000, env)).toMatchObject({ ok: false, kind: 'denied' });
  });

  test('nothing can be written', async () => {
    const { queryOnce } = await import('../../src/postgres/session.js');
    const { monotonicMs } = await import('../../src/clock.js');
    const ssl = {
      mode: 'disable',
      rootcert: null,
      cert: null,
      key: null,
      password: null,
      home: '',
    };
    const us = { origin: 'flag', user: 'postgres', password: 'super', database: 'postgres', ssl };
    const sql = 'create table public.mine ()';
    const deadline = { timeoutMs: 5000, endsAtMs: monotonicMs() + 5000 };
    const target = { host: '127.0.0.1', port: primaryPort };
    await expect(queryOnce({ target, login: us, sql }, null, deadline)).rejects.toThrow(
      'read-only',
    );
  });
});

describe('a session that is kept', () => {
  const backends = (): string[] =>
    psql(
      "select pid from pg_stat_activity where application_name = 'patctl' and usename = 'watcher'",
    )
      .split('\n')
      .filter((pid) => pid !== '');
  const noBackend = () =>
    eventually(
      'no backend',
      () => Promise.resolve(backends()),
      (pids) => pids.length === 0,
    );
  const postgres = openPostgres([login('flag', 'watcher', 'w')], {});
  const status = (kept: KeptSession, timeoutMs = 5000) =>
    postgres.status({ host: '127.0.0.1', port: primaryPort }, timeoutMs, kept);

  test('answers every question as a new one does, with one backend, until it is closed', async () => {
    await noBackend();
    const kept: KeptSession = { open: null };
    const first = await status(kept);
    const pids = backends();
    expect(pids).toHaveLength(1);
    const second = await status(kept);
    expect(backends()).toEqual(pids);
    if (!first.ok || !second.ok) throw new Error('it did not answer');
    expect(second.value.settings).toEqual(first.value.settings);
    expect(Object.keys(second.value)).toEqual(Object.keys(first.value));
    expect(second.value.login).toBe('flag');
    kept.open?.close();
    expect(kept.open).toBeNull();
    await noBackend();
  });

  test('is opened again where the server ended it', async () => {
    const kept: KeptSession = { open: null };
    await status(kept);
    const [pid = ''] = backends();
    psql(`select pg_terminate_backend(${pid})`);
    expect(await status(kept)).toMatchObject({ ok: true });
    const [other = ''] = backends();
    expect(other).not.toBe(pid);
    kept.open?.close();
    await noBackend();
  });

  test('is given up when it does not answer in time, and the next one is another', async () => {
    const kept: KeptSession = { open: null };
    await status(kept);
    const [pid = ''] = backends();
    freezeProcess(Number(pid));
    try {
      const silent = await status(kept, 300);
      expect(silent).toMatchObject({ ok: false, kind: 'unreachable' });
      expect(kept.open).toBeNull();
      expect(await status(kept)).toMatchObject({ ok: true });
    } finally {
      process.kill(Number(pid), 'SIGCONT');
    }
    kept.open?.close();
    await noBackend();
  });
});

describe('sslmode', () => {
  const asking = (mode: string, more = {}) => {
    return ask(primaryPort, [login('flag', 'watcher', 'w', { sslmode: mode, ...more })]);
  };

  test.each(['disable', 'allow', 'prefer', 'require'])('%s', async (mode) => {
    expect(await asking(mode)).toMatchObject({ ok: true });
  });

  test('require and disable really differ', async () => {
    const tls = login('flag', 'tls_only', 't', { sslmode: 'disable' });
    expect(await ask(primaryPort, [tls])).toMatchObject({ ok: false, kind: 'denied' });
    const plain = login('flag', 'plain_only', 'p', { sslmode: 'require' });
    expect(await ask(primaryPort, [plain])).toMatchObject({ ok: false, kind: 'denied' });
  });

  test('allow goes on to TLS, prefer to plain, where pg_hba.conf wants it', async () => {
    const tls = login('flag', 'tls_only', 't', { sslmode: 'allow' });
    expect(await ask(primaryPort, [tls])).toMatchObject({ ok: true });
    const plain = login('flag', 'plain_only', 'p', { sslmode: 'prefer' });
    expect(await ask(primaryPort, [plain])).toMatchObject({ ok: true });
  });

  test('verify-ca and verify-full want the right CA', async () => {
    const right = { sslrootcert: `${TLS}ca.crt` };
    const wrong = { sslrootcert: `${TLS}elsewhere.crt` };
    for (const mode of ['verify-ca', 'verify-full']) {
      expect(await asking(mode, right)).toMatchObject({ ok: true });
      expect(await asking(mode, wrong)).toMatchObject({ ok: false, kind: 'denied' });
      expect(await asking(mode)).toMatchObject({ ok: false, kind: 'denied' });
    }
    expect(await asking('require', wrong)).toMatchObject({ ok: false, kind: 'denied' });
  });

  test('a mode that does not exist', async () => {
    const reason = 'flag: unknown sslmode "maybe"';
    expect(await asking('maybe')).toEqual({ ok: false, kind: 'denied', reason });
  });
});

describe('a PostgreSQL that does not answer', () => {
  test('is unreachable when its postmaster is frozen, within the deadline', async () => {
    freezeProcess(primary.pid ?? 0);
    try {
      const startedMs = performance.now();
      const reading = await ask(primaryPort, [SUPERUSER, login('rewind', 'nobody', 'n')], 500);
      const reason = 'no answer within 500 ms';
      expect(reading).toEqual({ ok: false, kind: 'unreachable', reason });
      expect(performance.now() - startedMs).toBeLessThan(1500);
    } finally {
      primary.kill('SIGCONT');
    }
    await eventually('it is back', () => ask(primaryPort), answers);
  });

  test('finds no session of ours left behind', async () => {
    const sessions = "select count(*) from pg_stat_activity where application_name = 'patctl'";
    await eventually(
      'none is left',
      () => Promise.resolve(psql(sessions)),
      (one) => one === '0',
    );
  });

  test('a promoted standby tells its new timeline at once', async () => {
    const [command, args] = commandLine('pg_ctl', ['promote', '-D', `${dir}/standby`, '-W']);
    spawnSync(command, args, { cwd: dir });
    const promoted = await eventually(
      'it has left recovery',
      () => value(standbyPort),
      (one) => !one.inRecovery,
    );
    expect(promoted.timeline).toBe(2);
    expect(promoted.currentLsn).not.toBeNull();
  });
});

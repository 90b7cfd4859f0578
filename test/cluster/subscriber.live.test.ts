/**
 * A real subscription with a failover slot on PostgreSQL 17: a switchover that would stop it is refused, and it goes
 * on after one that is allowed. The tests go on from each other, on one cluster.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { Finding } from '../../src/cluster/model/model.js';
import { change, type Changed } from '../support/change.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { primaryConninfo, startSubscriber, type Subscriber } from '../support/lab/subscriber.js';
import { runPatctl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

const STEP_LIMIT_MS = 300_000;
const WAIT_MS = 90_000;

let lab: Lab;
let subscriber: Subscriber;

beforeAll(async () => {
  lab = await privateCluster({
    pg: '17',
    // Patroni and --candidate auto would take pg3 for its priority.
    tags: { pg3: { failover_priority: 5 } },
    parameters: {
      wal_level: 'logical',
      sync_replication_slots: 'on',
      hot_standby_feedback: 'on',
    },
  });
  await alterSystem('pg3', 'sync_replication_slots = off');
  await lab.psql('pg1', 'CREATE TABLE t (i int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t');
  subscriber = await startSubscriber(lab);
  await subscriber.psql('CREATE TABLE t (i int PRIMARY KEY)');
  await subscriber.psql(
    `CREATE SUBSCRIPTION sub CONNECTION '${primaryConninfo(lab)}' PUBLICATION p WITH (failover = true)`,
  );
  await insert('pg1');
  await arrived();
  await isCopied('pg2', 'sub');
}, 600_000);

afterAll(async () => {
  await (lab as Lab | undefined)?.down();
});

async function alterSystem(member: string, ...settings: string[]): Promise<void> {
  const all = settings.map((setting) => `ALTER SYSTEM SET ${setting};\n`).join('');
  await lab.psql(member, `${all}SELECT pg_reload_conf()`);
}

function useRewindPassword(member: string, before: string, now: string): void {
  const file = lab.memberConfig(member);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(before, now));
  process.kill(lab.patroniPid(member) ?? 0, 'SIGHUP');
}

let rows = 0;

async function insert(leader: string): Promise<void> {
  rows += 1;
  await lab.psql(leader, `INSERT INTO t VALUES (${rows})`);
}

const received = async (): Promise<number> =>
  Number(await subscriber.psql('SELECT count(*) FROM t'));

async function arrived(): Promise<void> {
  await eventually('every row has arrived', WAIT_MS, async () => (await received()) === rows);
}

/** `word` is what the slot sync worker's copy has to be. */
async function isCopied(member: string, slot: string, word = 'NOT temporary'): Promise<void> {
  await eventually(`${slot} on ${member} is ${word}`, WAIT_MS, async () => {
    // A copy is made to last only after its slot has moved.
    const leader = (await lab.leader()) ?? '';
    await lab.psql(leader, 'SELECT pg_log_standby_snapshot()');
    const sql = `SELECT synced AND ${word} FROM pg_replication_slots WHERE slot_name = '${slot}'`;
    return (await lab.psql(member, sql)) === 't';
  });
}

async function found(code: string): Promise<Finding[]> {
  const run = await runPatctl(['-c', lab.config, 'check', '--settle', '0', '-f', 'json']);
  const { clusters } = JSON.parse(run.out) as CheckDocument;
  return clusters.flatMap(({ findings }) => findings).filter((one) => one.code === code);
}

/** Waits until it is found of these members and no others; gives what it says of each. */
async function isFound(code: string, ...members: string[]): Promise<string[]> {
  return await eventually(`${code} of ${members.join(', ') || 'nobody'}`, WAIT_MS, async () => {
    const findings = await found(code);
    expect(findings.map((one) => one.members.join(','))).toEqual(members);
    return findings.map(({ message }) => message);
  });
}

function slotsCheck({ document }: Changed): string {
  const check = document.plan.checks.find(({ name }) => name === 'logical_slots');
  return `${check?.result ?? 'none'}: ${check?.said ?? ''}`;
}

test(
  'a switchover to a member without a copy of the slot is refused, and nothing changes',
  async () => {
    const named = await change(lab, 'switchover', '--candidate', 'pg3');
    expect(named.code).toBe(1);
    expect(slotsCheck(named)).toMatch(/^refused: .*pg3 sub .*sync_replication_slots is off/);
    const unnamed = await change(lab, 'switchover');
    expect(unnamed.code).toBe(1);
    expect(slotsCheck(unnamed)).toMatch(/^refused: .*on pg3 sub /);
    expect(JSON.stringify(unnamed.document)).toContain('name pg2 with --candidate');
    expect(await lab.leader()).toBe('pg1');
    const [message] = await isFound('failover_slot_not_synced', 'pg3');
    expect(message).toContain('if pg3 led, the subscribers of sub would stop');
  },
  STEP_LIMIT_MS,
);

test(
  '--candidate auto prefers the member on which no subscriber stops',
  async () => {
    // Without the refusal both are eligible, and pg3 has the higher priority.
    const skip = ['--candidate', 'auto', '--skip-check', 'logical_slots', '--dry-run'];
    const auto = await change(lab, 'switchover', ...skip);
    expect(auto.document.plan.candidate).toBe('pg2');
    expect(auto.document.plan.chosenBecause).toContain('best of 2 eligible');
  },
  STEP_LIMIT_MS,
);

test(
  'a slot in synchronized_standby_slots that does not exist, or is inactive, holds up the subscriber',
  async () => {
    const wait = async (value: string): Promise<void> => {
      const setting = `synchronized_standby_slots=${value}`;
      const run = await runPatctl(['-c', lab.config, 'edit-config', '--force', '-p', setting]);
      expect(run.code, run.err).toBe(0);
      await eventually(`the leader has ${value}`, WAIT_MS, async () => {
        const now = await lab.psql('pg1', 'SHOW synchronized_standby_slots');
        return now === (value === 'null' ? '' : value);
      });
    };
    await wait('nosuch');
    const before = rows;
    await insert('pg1');
    const [missing] = await isFound('synchronized_slot_inactive', 'pg1');
    expect(missing).toMatch(/^the consumers of sub receive nothing: slot nosuch does not exist/);
    expect(await received()).toBe(before);

    await wait('pg3');
    await arrived();
    await isFound('synchronized_slot_inactive');
    await lab.stop('pg3');
    await insert('pg1');
    const [inactive] = await isFound('synchronized_slot_inactive', 'pg1');
    expect(inactive).toContain('slot pg3 is inactive');
    expect(await received()).toBe(before + 1);

    await wait('null');
    await arrived();
    await lab.start('pg3');
    await lab.waitHealthy(WAIT_MS);
  },
  STEP_LIMIT_MS,
);

test(
  'a temporary or invalid copy does not count',
  async () => {
    // It has no consumer, so it does not move, and its copy stays temporary.
    const create = "pg_create_logical_replication_slot('idle', 'pgoutput', false, false, true)";
    await lab.psql('pg1', `SELECT ${create}`);
    await isCopied('pg2', 'idle', 'temporary');
    const temporary = await change(lab, 'switchover', '--candidate', 'pg2', '--dry-run');
    expect(slotsCheck(temporary)).toMatch(/^refused: .*on pg2 idle \(its copy is temporary/);
    await lab.psql('pg1', "SELECT pg_drop_replication_slot('idle')");

    await alterSystem('pg3', 'sync_replication_slots = on');
    await isCopied('pg3', 'sub');
    await alterSystem(
      'pg3',
      'sync_replication_slots = off',
      'max_slot_wal_keep_size = 1',
      'wal_keep_size = 0',
    );
    for (let round = 0; round < 4; round++) {
      await insert('pg1');
      await lab.psql('pg1', 'SELECT pg_switch_wal()');
    }
    await eventually('the copy on pg3 has lost its WAL', WAIT_MS, async () => {
      await lab.psql('pg1', 'CHECKPOINT');
      await lab.psql('pg3', 'CHECKPOINT');
      const sql = "SELECT invalidation_reason FROM pg_replication_slots WHERE slot_name = 'sub'";
      return (await lab.psql('pg3', sql)) === 'wal_removed';
    });
    const [message] = await isFound('failover_slot_not_synced', 'pg3');
    expect(message).toContain('its copy is invalid (wal_removed)');
    await alterSystem(
      'pg3',
      'max_slot_wal_keep_size = -1',
      'wal_keep_size = 16',
      'sync_replication_slots = on',
    );
    await isCopied('pg3', 'sub', 'NOT temporary AND invalidation_reason IS NULL');
    await isFound('failover_slot_not_synced');
  },
  STEP_LIMIT_MS,
);

test(
  "a logical slot of Patroni's own that one candidate lacks is found",
  async () => {
    // Patroni on pg3 cannot log in to the leader, from which it copies the slot.
    useRewindPassword('pg3', PASSWORDS.rewind, 'wrong');
    const slot = ['type=logical', 'database=postgres', 'plugin=pgoutput'];
    const set = slot.flatMap((word) => ['-s', `slots.ledger.${word}`]);
    const run = await runPatctl(['-c', lab.config, 'edit-config', '--force', ...set]);
    expect(run.code, run.err).toBe(0);
    const [message] = await isFound('permanent_slot_missing', 'pg3');
    expect(message).toMatch(/^if pg3 led, the consumers of ledger would lose changes: /);
    expect(message).toContain('Patroni has not copied it');
    const asked = await change(lab, 'switchover', '--candidate', 'pg3', '--dry-run');
    expect(slotsCheck(asked)).toMatch(/^refused: .*on pg3 ledger \(Patroni has not copied it/);
    // Patroni restarts PostgreSQL on pg2 to put the copy into place.
    await eventually('pg2 has the copy, and streams', WAIT_MS, async () => {
      const sql = "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'ledger'";
      const { json } = await lab.rest('pg2', '/patroni');
      const { replication_state: state } = json as { replication_state?: string };
      return (await lab.psql('pg2', sql)) === '1' && state === 'streaming';
    });
  },
  STEP_LIMIT_MS,
);

test(
  'the subscriber goes on after a switchover that was allowed',
  async () => {
    await insert('pg1');
    const changed = await change(lab, 'switchover', '--candidate', 'auto');
    expect(changed.code, changed.err).toBe(0);
    expect(changed.document.result?.newLeader).toBe('pg2');
    expect(slotsCheck(changed)).toMatch(/^ok: /);
    await insert('pg2');
    await arrived();
    // Patroni needs it too where a member has to be rewound.
    useRewindPassword('pg3', 'wrong', PASSWORDS.rewind);
    await lab.waitHealthy(WAIT_MS);
    // PostgreSQL makes no copy beside the slot that the former leader has kept.
    const back = await change(lab, 'switchover', '--candidate', 'pg1', '--dry-run');
    expect(slotsCheck(back)).toMatch(/^refused: .*on pg1 .*not a synchronized copy/);
    await lab.psql('pg1', "SELECT pg_drop_replication_slot('sub')");
    await isCopied('pg1', 'sub');
  },
  STEP_LIMIT_MS,
);

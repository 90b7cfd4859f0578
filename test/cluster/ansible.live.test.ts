/** The task files of docs/ansible, run by ansible-playbook on a real cluster and looked at from outside. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import { PASSWORDS } from '../support/lab/configs.js';
import type { Lab } from '../support/lab/cluster.js';
import { cleanEnv, runProgram } from '../support/lab/process.js';
import { ensureAnsible } from '../support/programs/ansible.js';
import { PATCTL } from '../support/run.js';
import { sharedCluster } from '../support/shared.js';

type File = (typeof EACH)[number];

interface Played {
  code: number | null;
  out: string;
  /** Of the tasks in the file; the inclusion itself is not counted. */
  counts: { ok: number; changed: number; failed: number; skipped: number; rescued: number };
}

const FILES = join(import.meta.dirname, '../../docs/ansible');
let lab: Lab;
let folder = '';
let bin = '';

beforeAll(async () => {
  bin = await ensureAnsible();
  lab = await sharedCluster({ sync: 'on' });
  folder = mkdtempSync(join(tmpdir(), 'patctl-ansible-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface How {
  /** `--check`, or check mode of the play. */
  check?: 'option' | 'play';
  become?: boolean;
  config?: string;
  /** In patctl's place. */
  argv?: string[];
}

async function play(file: File, vars: Record<string, unknown>, how: How = {}): Promise<Played> {
  const include = {
    file: join(FILES, `${file}.yml`),
    apply: how.become === true ? { become: true, become_method: 'ansible.builtin.su' } : {},
  };
  const given = {
    patctl_cluster: lab.scope,
    patctl_argv: how.argv ?? [...PATCTL, '-c', how.config ?? lab.config],
    patctl_environment: { PGPASSWORD: PASSWORDS.superuser },
    ...vars,
  };
  const tasks = [{ 'ansible.builtin.include_tasks': include, vars: given }];
  const check = how.check === 'play' ? { check_mode: true } : {};
  const python = { ansible_python_interpreter: join(bin, 'python') };
  const book = [{ hosts: 'all', gather_facts: false, ...check, vars: python, tasks }];
  const cwd = mkdtempSync(join(folder, 'play-'));
  writeFileSync(join(cwd, 'play.yml'), JSON.stringify(book));
  const args = ['-i', 'localhost,', '-c', 'local', 'play.yml'];
  const { PATH: path = '', ...env } = cleanEnv(cwd, { ANSIBLE_NOCOLOR: '1' });
  const run = await runProgram(
    join(bin, 'ansible-playbook'),
    how.check === 'option' ? [...args, '--check'] : args,
    { cwd, env: { ...env, PATH: `${bin}:${path}` }, timeoutMs: 120_000 },
  );
  for (const secret of Object.values(PASSWORDS)) expect(run.out + run.err).not.toContain(secret);
  const count = (what: string) => Number(new RegExp(`\\b${what}=(\\d+)`).exec(run.out)?.[1]);
  const counts = {
    ok: count('ok') - 1,
    changed: count('changed'),
    failed: count('failed'),
    skipped: count('skipped'),
    rescued: count('rescued'),
  };
  return { code: run.code, out: run.out + run.err, counts };
}

const EACH = ['switchover', 'rolling-restart', 'health-gate'] as const;
const OK = { ok: 1, changed: 0, failed: 0, skipped: 0, rescued: 0 };
const FAILED = { ...OK, ok: 0, failed: 1, rescued: 1 };

async function roles(): Promise<{ leader: string; standby: string; replica: string }> {
  await lab.waitHealthy();
  const leader = (await lab.leader()) ?? '';
  const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby?: string };
  const standby = sync.sync_standby ?? '';
  const isOther = (name: string) => name !== leader && name !== standby;
  const replica = lab.members.map(({ name }) => name).find(isOther) ?? '';
  return { leader, standby, replica };
}

const startOf = (name: string): Promise<string> =>
  lab.psql(name, 'SELECT pg_postmaster_start_time()');
const starts = (): Promise<string[]> => Promise.all(lab.members.map(({ name }) => startOf(name)));

test('each begins with its variables, all that it takes', () => {
  for (const file of EACH) {
    const text = readFileSync(join(FILES, `${file}.yml`), 'utf8');
    const listed = [...text.matchAll(/^# {3}(patctl_\w+) /gm)].map(([, name]) => name);
    // What the caller gives is what has a default, and what is required.
    const taken = [
      ...text.matchAll(/\b(patctl_(?!document|text|failed|gate)[a-z]+) (?:\| default|is defined)/g),
    ];
    expect(new Set([...taken.map(([, name]) => name), 'patctl_cluster'])).toEqual(
      new Set(listed.filter((name) => name !== 'patctl_candidate')),
    );
  }
});

test('nothing to do, refused, check mode: nothing is changed', async () => {
  const { leader, standby, replica } = await roles();
  const before = await starts();
  const [same, none, refused] = await Promise.all([
    play('switchover', { patctl_candidate: leader }),
    play('rolling-restart', {}, { become: true }),
    play('switchover', { patctl_candidate: replica }),
  ]);
  expect(same.counts, same.out).toEqual({ ...OK, ok: 2, skipped: 1 });
  expect(none.counts, none.out).toEqual({ ...OK, skipped: 1 });
  expect([refused.code, refused.counts], refused.out).toEqual([2, FAILED]);
  expect(refused.out).toContain('the switchover is refused by candidate_sync, votes');
  expect(refused.out).toContain(`you could name ${standby} instead`);
  expect(refused.out).toContain(`check candidate_sync ${replica} is asynchronous`);

  const option = { check: 'option' } as const;
  const [plan, planned, never, restarts, idle, gate] = await Promise.all([
    play('switchover', { patctl_candidate: standby }, option),
    play('switchover', { patctl_candidate: standby }, { check: 'play' }),
    play('switchover', { patctl_candidate: replica }, option),
    play('rolling-restart', { patctl_pending: false }, option),
    play('rolling-restart', {}, option),
    play('health-gate', { patctl_deadline: '60s' }, option),
  ]);
  const would = { ...OK, changed: 1 };
  expect(plan.counts, plan.out).toEqual({ ...would, skipped: 2 });
  expect(planned.counts, planned.out).toEqual({ ...would, skipped: 2 });
  expect(never.counts, never.out).toEqual({ ...FAILED, skipped: 1 });
  expect(restarts.counts, restarts.out).toEqual({ ...would, skipped: 1 });
  expect(idle.counts, idle.out).toEqual({ ...OK, skipped: 1 });
  expect(gate.counts, gate.out).toEqual(OK);
  expect([await lab.leader(), await starts()]).toEqual([leader, before]);
}, 120_000);

test('a switchover and a restart are done, and are changes', async () => {
  const { standby } = await roles();
  const done = await play('switchover', { patctl_candidate: standby });
  expect(done.counts, done.out).toEqual({ ...OK, changed: 1, skipped: 2 });
  expect(await lab.leader()).toBe(standby);
  const { replica } = await roles();
  const before = await startOf(replica);
  const vars = { patctl_members: [replica], patctl_pending: false };
  const restarted = await play('rolling-restart', vars);
  expect(restarted.counts, restarted.out).toEqual({ ...OK, changed: 1, skipped: 1 });
  expect(await startOf(replica)).not.toBe(before);
}, 90_000);

test('the gate fails while a member is stopped, and opens when it is back', async () => {
  const { replica } = await roles();
  const vars = { patctl_conditions: ['healthy', 'streaming=2'] };
  await lab.stop(replica);
  try {
    const shut = await play('health-gate', { ...vars, patctl_deadline: '3s' });
    expect([shut.code, shut.counts], shut.out).toEqual([2, { ...FAILED, ok: 1 }]);
    expect(shut.out).toMatch(/Explain why it failed[^]*1 of 2 replicas stream/);
    // What patctl says while it waits, for the test to see. Ansible shows it at the end only.
    const said = join(folder, 'waiting');
    const spy = ['bash', '-c', 'exec "$@" 2> >(tee "$0" >&2)', said, ...PATCTL, '-c', lab.config];
    const waiting = play('health-gate', { ...vars, patctl_deadline: '80s' }, { argv: spy });
    await eventually('the gate waits', 60_000, () =>
      readFileSync(said, 'utf8').includes('waiting: 1 of 2 replicas stream'),
    );
    await lab.start(replica);
    const open = await waiting;
    expect([open.code, open.counts], open.out).toEqual([0, OK]);
  } finally {
    await lab.launch(replica);
    await lab.waitHealthy();
  }
}, 120_000);

test('a DCS that does not answer fails each, with the evidence', async () => {
  const { standby } = await roles();
  const config = join(folder, 'unreachable.yml');
  const port = new URL(lab.etcd[0]?.url ?? '').port;
  writeFileSync(config, readFileSync(lab.config, 'utf8').replaceAll(port, '1'));
  const vars = { patctl_candidate: standby, patctl_deadline: '5s' };
  await Promise.all(
    EACH.map(async (file) => {
      const run = await play(file, vars, { config });
      const looked = file === 'health-gate' ? 1 : 0;
      expect([run.code, run.counts], run.out).toEqual([2, { ...FAILED, ok: looked }]);
      expect(run.out).toMatch(/Explain why it failed[^]*etcd is not reachable/);
      expect(run.out).toMatch(/Explain why it failed[^]*connection refused/);
    }),
  );
}, 60_000);

test('what the variables name is passed on', async () => {
  const calls = join(folder, 'calls');
  const argv = [
    'sh',
    '-c',
    `echo "$*" >> '${calls}'; echo '{"code": "already_leader"}'; exit 1`,
    'p',
  ];
  const vars = { patctl_candidate: 'b', patctl_group: 7, patctl_deadline: '9s' };
  for (const [file, more] of [
    ['switchover', { patctl_arguments: ['--wait', 'writable'] }],
    ['rolling-restart', { patctl_members: ['a', 'b'], patctl_arguments: ['--timeout', '60s'] }],
    ['rolling-restart', { patctl_pending: false, patctl_switch: false }],
    ['health-gate', { patctl_conditions: ['leader', 'streaming=1'] }],
  ] as const) {
    const run = await play(file, { ...vars, ...more }, { argv });
    expect([run.code, run.counts.failed, run.counts.changed], run.out).toEqual([2, 1, 0]);
  }
  const named = `${lab.scope} --group 7`;
  expect(readFileSync(calls, 'utf8').trimEnd().split('\n')).toEqual([
    `switchover ${named} --candidate b -f json --progress none --deadline 9s --wait writable --yes`,
    `leader ${named}`,
    `restart ${lab.scope} a b --group 7 --rolling -f json --deadline 9s --pending --switchover --timeout 60s --yes`,
    `restart ${named} --rolling -f json --deadline 9s --yes`,
    `wait ${named} --for leader --for streaming=1 --deadline 9s`,
    `check ${named} -f json`,
  ]);
}, 60_000);

test('a program that does not run fails each and changes nothing; one that was killed may have changed something', async () => {
  const vars = { patctl_candidate: 'b' };
  await Promise.all(
    EACH.map(async (file) => {
      const missing = await play(file, vars, { argv: ['/nonexistent/patctl'] });
      expect(missing.out.match(/"changed": true/g)).toBeNull();
      expect(missing.code).toBe(2);
      expect(missing.out).toMatch(
        /Explain why it failed[^]*Error executing command. .nonexistent.patctl/,
      );
      const shell = await play(file, vars, { argv: ['sh', '-c', 'exec patctl-is-not-here'] });
      expect(shell.out.match(/"changed": true/g)).toBeNull();
      expect(shell.code).toBe(2);
      expect(shell.out).toMatch(/Explain why it failed[^]*not found/);
      const killed = await play(file, vars, { argv: ['sh', '-c', 'kill -9 $$'] });
      // Ansible counts a failed task as failed only; what it registers says changed as well.
      const changed = /^fatal: .*?"changed": (true|false)/m.exec(killed.out)?.[1];
      expect([killed.code, changed], killed.out).toEqual([2, String(file !== 'health-gate')]);
    }),
  );
}, 60_000);

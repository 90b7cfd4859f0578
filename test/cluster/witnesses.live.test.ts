/** Witnesses that are slow, silent, guarded or behind TLS, on real clusters. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDns } from '../support/dns-server.js';
import { eventually } from '../support/eventually.js';
import { runInProcess } from '../support/in-process.js';
import type { Lab } from '../support/lab/cluster.js';
import { MONITOR_USER, PASSWORDS } from '../support/lab/configs.js';
import { PATCTL, runPatctl } from '../support/run.js';
import { privateCluster, sharedCluster } from '../support/shared.js';

interface Document {
  members: { name: string; observedRole: string; witness: string | null; silence: string | null }[];
  witnesses: Record<'rest' | 'sql', { asked: number; answered: number }>;
  findings: { code: string }[];
}

async function status(lab: Lab, args: string[], env: Record<string, string> = {}) {
  const run = await runPatctl(['-c', lab.config, 'status', '-f', 'json', ...args], { env });
  expect(run.err).toBe('');
  return { document: JSON.parse(run.out) as Document, ms: run.ms, out: run.out };
}

describe('a cluster behind TLS and passwords', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ tls: true, restAuth: true, etcd: 3, sync: 'on' });
  });
  afterAll(async () => {
    await lab.down();
  });

  test('all three witnesses speak, and no secret is printed', async () => {
    const { document, out } = await status(lab, []);
    expect(document.witnesses).toMatchObject({
      rest: { asked: 3, answered: 3 },
      sql: { asked: 3, answered: 3 },
    });
    expect(document.findings).toEqual([]);
    const shown = await runPatctl(['-c', lab.config, 'config', 'show']);
    expect(shown.code).toBe(0);
    for (const text of [out, shown.out, shown.err]) expect(text).not.toContain('lab-secret-');
  });

  /** With a frozen raft leader etcd itself does not answer until it has elected another. */
  async function etcdFollower(): Promise<string> {
    const said = await lab.etcdctl('endpoint', 'status', '-w', 'json');
    const nodes = JSON.parse(said) as {
      Endpoint: string;
      Status: { header: { member_id: number }; leader: number };
    }[];
    const follower = nodes.find(({ Status }) => Status.leader !== Status.header.member_id);
    const node = lab.etcd.find(({ url }) => url === follower?.Endpoint);
    if (node === undefined) throw new Error(`no follower in ${said}`);
    return node.name;
  }

  test('one etcd of three down costs less than the deadline', async () => {
    const follower = await etcdFollower();
    lab.freeze(follower);
    try {
      const { ms, document } = await status(lab, ['--verify', 'off', '--timeout', '3']);
      expect(document.members).toHaveLength(3);
      expect(ms).toBeLessThan(3000);
    } finally {
      lab.thaw(follower);
    }
  });

  test('without a majority: exit 3 within the deadline; --serializable still reads, and says so', async () => {
    lab.freeze('etcd1');
    lab.freeze('etcd2');
    try {
      const args = ['-c', lab.config, 'list', '--verify', 'off', '--timeout', '2'];
      const run = await runPatctl(args);
      expect([run.code, run.out]).toEqual([3, '']);
      expect(run.err).toContain('Error: ');
      expect(run.ms).toBeLessThan(5000);
      const stale = await status(lab, ['--serializable', '--verify', 'off', '--timeout', '3']);
      expect(stale.out).toContain('"serializable": true');
    } finally {
      lab.thaw('etcd1');
      lab.thaw('etcd2');
    }
  });
});

describe('a plain cluster', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await sharedCluster({ sync: 'on' });
  });

  test('a login in pg_monitor is enough', async () => {
    const env = { PGPASSWORD: PASSWORDS.monitor };
    const { document } = await status(lab, ['--verify', 'sql', '-U', MONITOR_USER], env);
    expect(document.members.map(({ witness }) => witness)).toEqual(['SQL', 'SQL', 'SQL']);
    expect(document.findings).toEqual([]);
  });

  test('without any login REST is the witness, and says so', async () => {
    const etcd = lab.etcd[0];
    const run = await runPatctl([
      ...['-d', `etcd3://${etcd?.host ?? ''}:${etcd?.port ?? 0}/service`],
      ...['status', lab.scope, '-f', 'json'],
    ]);
    const { members, witnesses } = JSON.parse(run.out) as Document;
    expect(members.map(({ witness }) => witness)).toEqual(['REST', 'REST', 'REST']);
    expect(witnesses.sql).toEqual({ asked: 0, answered: 0, logins: [] });
  });

  test('etcd is found by the service records of a domain', async () => {
    const { host = '', port = 0 } = lab.etcd[0] ?? {};
    const dns = await startDns({ '_etcd-client-lab._tcp.lab.example': [{ host, port }] });
    try {
      const env = { PATRONI_ETCD3_SRV: 'lab.example', PATRONI_ETCD3_SRV_SUFFIX: 'lab' };
      const run = await runInProcess(['list', lab.scope, '-f', 'json'], { env, ...dns });
      expect([run.code, run.err]).toEqual([0, '']);
      const members = JSON.parse(run.out) as { Member: string }[];
      expect(members.map(({ Member }) => Member)).toEqual(['pg1', 'pg2', 'pg3']);
    } finally {
      await dns.close();
    }
  });

  test('two frozen members cost one deadline, not a sum, and are named with the reason', async () => {
    for (const name of ['pg2', 'pg3']) {
      lab.freeze(name);
      lab.freeze(name, { postgres: true });
    }
    try {
      const { document, ms } = await status(lab, ['--timeout', '2']);
      const frozen = document.members.filter(({ name }) => name !== 'pg1');
      expect(frozen.map(({ observedRole }) => observedRole)).toEqual([
        'unreachable',
        'unreachable',
      ]);
      for (const { silence } of frozen) expect(silence).toMatch(/REST .*2000 ms.*SQL .*2000 ms/);
      expect(ms).toBeLessThan(4000);
    } finally {
      for (const name of ['pg2', 'pg3']) lab.thaw(name);
    }
    await lab.waitHealthy();
  });

  test('every etcd dead: exit 3 in time, as JSON when JSON was asked for', async () => {
    const run = await runPatctl([
      ...['-d', 'etcd3://127.0.0.1:1/service', 'list', 'demo', '-f', 'json'],
      ...['--timeout', '2'],
    ]);
    expect([run.code, run.out]).toEqual([3, '']);
    expect(JSON.parse(run.err)).toMatchObject({ error: { code: 'unreachable', exit: 3 } });
    expect(run.ms).toBeLessThan(4000);
  });

  test('-W on a terminal redraws in place, and Ctrl-C gives the terminal back', async () => {
    // exec: where the user's shell is dash, it would die of Ctrl-C itself, and hide how patctl ends.
    const command = `exec ${PATCTL.join(' ')} -c ${lab.config} list -w 0.3`;
    const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let screen = '';
    terminal.stdout.on('data', (data: Buffer) => (screen += data.toString()));
    const ended = new Promise<number | null>((resolve) => terminal.on('exit', resolve));
    try {
      await eventually('three frames', 20_000, () => screen.split('\x1b[H').length > 3);
      terminal.stdin.write('\x03');
      expect(await ended).toBe(0);
      expect(screen.split('\x1b[2J')).toHaveLength(2);
      expect(screen).toContain('Sync Standby');
      expect(screen.trimEnd().endsWith('\x1b[?25h')).toBe(true);
    } finally {
      terminal.kill();
    }
  });
});

/** patctl on a real Patroni cluster whose DCS is a real kube-apiserver. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { chmod, copyFile, mkdtemp } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { restoreUnderLoad } from '../support/lab/provoke.js';
import { restWay } from '../support/rest-way.js';
import { kubePatch, kubeRequest, setPodStatus } from '../support/lab/kube.js';
import type { KubeNode } from '../support/lab/state.js';
import { PATCTL, runPatctl, runPatronictl, type RunOptions } from '../support/run.js';
import { cleanEnv, runProgram } from '../support/lab/process.js';
import { sharedKubernetes } from './kube-lab.js';

let lab: Lab;
let kube: KubeNode;
beforeAll(async () => {
  ({ lab, kube } = await sharedKubernetes());
});

const env = (): Record<string, string> => ({ KUBECONFIG: kube.kubeconfig });
const patctl = (args: string[], options: RunOptions = {}) =>
  runPatctl(['-c', lab.config, ...args], { ...options, env: { ...env(), ...options.env } });
const path = (rest: string): string => `/api/v1/namespaces/default/${rest}`;

/** Codes of what `check` finds, with one reading. */
async function found(...args: string[]): Promise<string[]> {
  const { out } = await patctl(['check', '-f', 'json', '--settle', '0', ...args]);
  const { clusters } = JSON.parse(out) as { clusters: { findings: { code: string }[] }[] };
  return clusters.flatMap(({ findings }) => findings.map(({ code }) => code));
}

/** No process of this user id reaches these addresses, which are local to the tier's network namespace. */
const UNROUTED_UID = 45_678;
const RULE = ['rule', 'add', 'pref', '1', 'uidrange', `${UNROUTED_UID}-${UNROUTED_UID}`];

/** patctl as a user whose packets to these addresses are dropped; `end` gives them back their routes. */
async function withoutRoutes(addresses: readonly string[]): Promise<{
  patctl(args: string[]): ReturnType<typeof runProgram>;
  end(): void;
}> {
  const ip = (...args: string[]): void => void execFileSync('ip', args);
  // Local addresses come first in any case, unless their table is moved behind ours.
  ip('rule', 'add', 'pref', '2', 'lookup', 'local');
  ip('rule', 'del', 'pref', '0');
  ip(...RULE, 'lookup', '100');
  for (const address of addresses) ip('route', 'add', 'unreachable', address, 'table', '100');
  const folder = await mkdtemp('/tmp/patctl-unrouted-');
  await chmod(folder, 0o755);
  for (const [name, file] of [
    ['kubeconfig', kube.kubeconfig],
    ['patctl.yml', lab.config],
  ] as const) {
    await copyFile(file, `${folder}/${name}`);
    await chmod(`${folder}/${name}`, 0o644);
  }
  return {
    patctl: (args) =>
      runProgram(
        'setpriv',
        [
          `--reuid=${UNROUTED_UID}`,
          '--clear-groups',
          ...PATCTL,
          '-c',
          `${folder}/patctl.yml`,
          ...args,
        ],
        {
          env: cleanEnv('/nonexistent', { KUBECONFIG: `${folder}/kubeconfig` }),
          timeoutMs: 150_000,
        },
      ),
    end: () => {
      ip('rule', 'add', 'pref', '0', 'lookup', 'local');
      ip('rule', 'del', 'pref', '1');
      ip('rule', 'del', 'pref', '2');
      ip('route', 'flush', 'table', '100');
      rmSync(folder, { recursive: true });
    },
  };
}

describe('reading', () => {
  it('prints with --compat what patronictl of the same version prints', async () => {
    await lab.waitHealthy();
    for (const args of [['list'], ['list', '-f', 'json'], ['show-config'], ['history']]) {
      await eventually(`${args.join(' ')} is the same`, 30_000, async () => {
        const theirs = await runPatronictl(lab, args, { env: env() });
        const ours = await runPatctl(['-c', lab.config, '--compat', ...args], { env: env() });
        return ours.code === theirs.code && ours.out === theirs.out;
      });
    }
  });

  it('finds nothing wrong with a healthy cluster', async () => {
    await lab.waitHealthy();
    const { out, code, err } = await patctl(['check']);
    expect([code, err, out]).toEqual([0, expect.anything(), expect.stringContaining('OK')]);
    expect((await patctl(['list', '--strict'])).code).toBe(0);
    expect((await patctl(['quorum'])).code).toBe(0);
    expect((await patctl(['status', '-f', 'json'])).code).toBe(0);
  });

  it('is recorded, and shown by --snapshot as it was at a moment and at the end', async () => {
    const leader = await lab.waitHealthy();
    const file = `${kube.folder}/record-${process.pid}.jsonl`;
    const done = await patctl(['record', lab.scope, '-o', file, '--for', '10s']);
    expect([done.code, done.err]).toEqual([0, expect.anything()]);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const first = lines.find((line) => line.startsWith('{"kind":"snapshot"')) ?? '';
    const { at, snapshot } = JSON.parse(first) as {
      at: string;
      snapshot: { cluster: { kubernetes?: { namespace: string } } };
    };
    expect(snapshot.cluster.kubernetes?.namespace).toBe('default');
    // Neither a configuration nor Kubernetes is asked.
    for (const words of [['--at', at], []]) {
      const list = ['list', lab.scope, '--snapshot', file, ...words, '-f', 'json'];
      const { code, out } = await runPatctl(list);
      expect(code).toBe(0);
      const rows = JSON.parse(out) as { Member: string; Role: string }[];
      expect(rows.map(({ Member }) => Member)).toEqual(['pg1', 'pg2', 'pg3']);
      expect(rows.find(({ Role }) => Role === 'Leader')?.Member).toBe(leader);
    }
    rmSync(file);
  });

  it('finds the labels by itself, and lists namespaces with a column', async () => {
    const { out, code } = await runPatctl(
      ['--kube-context', 'admin', 'list', '--all', '-f', 'json'],
      {
        env: env(),
      },
    );
    expect(code).toBe(0);
    const rows = JSON.parse(out) as Record<string, unknown>[];
    const own = rows.filter(({ Cluster }) => Cluster === lab.scope);
    expect(own.map((row) => [row['Member'], row['Namespace']])).toEqual(
      ['pg1', 'pg2', 'pg3'].map((name) => [name, 'default']),
    );
  });
});

describe('rights', () => {
  it('reads with the reading role, and names the right that is missing for a write', async () => {
    const args = ['--kube-context', 'reader', '-c', lab.config];
    expect((await runPatctl([...args, 'list'], { env: env() })).code).toBe(0);
    const edit = [...args, 'edit-config', '--force', '-s', 'ttl=21'];
    const { code, err } = await runPatctl(edit, { env: env() });
    expect(code).toBe(1);
    expect(err).toMatch(/User "reader" cannot patch resource "endpoints"/);
    expect(JSON.parse((await lab.dcsGet('config')) ?? '{}')).toMatchObject({ ttl: 20 });
  });

  it('edits the configuration with the acting role', async () => {
    const args = ['--kube-context', 'actor', '-c', lab.config, 'edit-config', '--force', '-s'];
    const { code, err } = await runPatctl([...args, 'ttl=22'], { env: env() });
    expect([code, err]).toEqual([0, expect.anything()]);
    expect(JSON.parse((await lab.dcsGet('config')) ?? '{}')).toMatchObject({ ttl: 22 });
    expect((await patctl(['edit-config', '--force', '-s', 'ttl=20'])).code).toBe(0);
  });

  it('says of a token that is not valid that it is not, and ends with 1', async () => {
    const text = await import('node:fs').then(({ readFileSync, writeFileSync }) => {
      const bad = readFileSync(kube.kubeconfig, 'utf8').replaceAll('lab-secret-token-', 'expired-');
      writeFileSync(`${kube.folder}/expired`, bad);
      return `${kube.folder}/expired`;
    });
    const { code, err } = await runPatctl(['-c', lab.config, 'list'], {
      env: { KUBECONFIG: text },
    });
    expect(code).toBe(1);
    expect(err).toContain('does not accept our identity (context admin)');
    expect(err).not.toContain('expired-admin');
  });

  it('ends with 3 within the deadline when the API server hangs', async () => {
    lab.freeze('kube');
    try {
      const started = Date.now();
      const { code, err } = await runPatctl(['-c', lab.config, '--timeout', '2s', 'list'], {
        env: env(),
      });
      expect([code, err]).toEqual([3, expect.stringContaining('no answer within 2 s')]);
      expect(Date.now() - started).toBeLessThan(15_000);
    } finally {
      lab.thaw('kube');
    }
    await lab.waitHealthy();
  });
});

describe("Kubernetes' own claims", () => {
  it('finds Endpoints of the leader that lead elsewhere', async () => {
    const leader = await lab.waitHealthy();
    const name = lab.scope;
    const before = (await kubeRequest(kube, path(`endpoints/${name}`))).json['subsets'];
    lab.freeze(leader);
    try {
      const subsets = [{ addresses: [{ ip: '10.244.0.99' }], ports: [{ port: 5432 }] }];
      await kubePatch(kube, path(`endpoints/${name}`), { subsets });
      expect(await found()).toContain('leader_endpoints_wrong');
    } finally {
      await kubePatch(kube, path(`endpoints/${name}`), { subsets: before });
      lab.thaw(leader);
    }
    await lab.waitHealthy();
  });

  it('finds a role label that is not the role', async () => {
    const leader = await lab.waitHealthy();
    const replica = lab.members.find(({ name }) => name !== leader)?.name ?? '';
    lab.freeze(replica);
    try {
      await kubePatch(kube, path(`pods/${replica}`), { metadata: { labels: { role: 'primary' } } });
      expect(await found()).toContain('role_label_wrong');
    } finally {
      await kubePatch(kube, path(`pods/${replica}`), { metadata: { labels: { role: 'replica' } } });
      lab.thaw(replica);
    }
    await lab.waitHealthy();
  });

  it('finds a Ready Pod whose PostgreSQL does not run, and one that is not Ready is none', async () => {
    const leader = await lab.waitHealthy();
    const replica = lab.members.find(({ name }) => name !== leader)?.name ?? '';
    const pid = await lab.walreceiverPid(replica);
    if (pid === null) throw new Error(`${replica} has no WAL receiver`);
    lab.freeze(replica);
    lab.freezePid(pid);
    try {
      // Its synchronous standby may be the frozen one.
      const write = 'CREATE TABLE kube_lag AS SELECT generate_series(1, 200000) AS a';
      await lab.psql(leader, `SET synchronous_commit TO local; ${write}`);
      expect(await found('--max-lag', '1MiB')).toContain('pod_ready_behind');
      await setPodStatus(kube, replica, { ready: false });
      expect(await found('--max-lag', '1MiB')).not.toContain('pod_ready_behind');
    } finally {
      lab.thawPid(pid);
      lab.thaw(replica);
      await setPodStatus(kube, replica, { ready: true });
      await lab.psql(leader, 'SET synchronous_commit TO local; DROP TABLE IF EXISTS kube_lag');
    }
    await lab.waitHealthy();
  });
});

describe('a replica made from a base backup under write load', () => {
  it('is found although its Pod is Ready, until it has caught up', async () => {
    const { member, flow, endLoad, release, undo } = await restoreUnderLoad(lab);
    try {
      const { out } = await patctl(['list']);
      expect(out).toContain('pod_ready_behind');
      expect(await found('--max-lag', '1MiB')).toContain('pod_ready_behind');
      flow();
      await endLoad();
      await release();
      const waited = ['wait', '--for', `caught-up=${member}`, '--max-lag', '1MiB'];
      expect((await patctl(waited, { timeoutMs: 120_000 })).code).toBe(0);
      expect(await found('--max-lag', '1MiB')).not.toContain('pod_ready_behind');
    } finally {
      await undo();
    }
  }, 240_000);
});

describe('acting', () => {
  it('refuses an edit after another client wrote in the meantime', async () => {
    const { writeFileSync, chmodSync } = await import('node:fs');
    const editor = `${kube.folder}/editor.sh`;
    // The editor of this user lets another one write in the middle of the edit.
    const other = `${process.execPath} ${new URL('../../bin/patctl.cjs', import.meta.url).pathname}`;
    writeFileSync(
      editor,
      `#!/bin/sh\nset -e\n${other} -c ${lab.config} edit-config --force -s maximum_lag_on_failover=2097152 >/dev/null 2>&1\nsed -i 's/^ttl:.*/ttl: 23/' "$1"\n`,
    );
    chmodSync(editor, 0o755);
    const { code, err } = await patctl(['edit-config', '--force'], { env: { EDITOR: editor } });
    expect([code, err]).toEqual([1, expect.stringContaining('concurrent changes')]);
    expect(err).toContain('maximum_lag_on_failover');
    expect(JSON.parse((await lab.dcsGet('config')) ?? '{}')).toMatchObject({ ttl: 20 });
    await patctl(['edit-config', '--force', '-s', 'maximum_lag_on_failover=1048576']);
  });

  it('switches over to a member that is named, and to one that Patroni chooses', async () => {
    const leader = await lab.waitHealthy();
    const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby?: string };
    const named = sync.sync_standby?.split(',')[0] ?? '';
    const first = await patctl(['switchover', '--candidate', named, '--force'], {
      timeoutMs: 120_000,
    });
    expect([first.code, first.err]).toEqual([0, expect.anything()]);
    expect(await lab.waitHealthy()).toBe(named);
    const second = await patctl(['switchover', '--force'], { timeoutMs: 120_000 });
    expect([second.code, second.err]).toEqual([0, expect.anything()]);
    expect(await lab.waitHealthy()).not.toBe(named);
    expect(leader).not.toBe(named);
  }, 300_000);

  it('does it by the DCS too, under its guard', async () => {
    const leader = await lab.waitHealthy();
    const done = await patctl(['switchover', '--via', 'dcs', '--force', '--leader', leader], {
      timeoutMs: 120_000,
    });
    expect([done.code, done.err]).toEqual([0, expect.anything()]);
    expect(await lab.waitHealthy()).not.toBe(leader);
  }, 200_000);

  it('does it through the API server when Pods cannot be reached directly', async (test) => {
    // The API server refuses loopback addresses: members have their Pods' only in a namespace of the tier's own.
    if (lab.members.some(({ host }) => host === '127.0.0.1')) return test.skip();
    const leader = await lab.waitHealthy();
    const args = ['--kube-proxy', 'always', '-c', lab.config];
    const list = await runPatctl([...args, 'list', '--verify', 'rest', '--strict'], { env: env() });
    expect([list.code, list.err]).toEqual([0, '']);
    const done = await runPatctl([...args, 'switchover', '--force'], {
      env: env(),
      timeoutMs: 120_000,
    });
    expect([done.code, done.err]).toEqual([0, expect.anything()]);
    expect(await lab.waitHealthy()).not.toBe(leader);
  }, 200_000);

  it('goes through the API server by itself where direct connections are not routed', async (test) => {
    if (lab.members.some(({ host }) => host === '127.0.0.1')) return test.skip();
    const leader = await lab.waitHealthy();
    const blocked = await withoutRoutes(lab.members.map(({ host }) => host));
    try {
      const list = await blocked.patctl(['list', '-f', 'json', '--verify', 'rest', '--strict']);
      expect([list.code, list.err]).toEqual([0, '']);
      const sql = await blocked.patctl(['status', '-f', 'json']);
      const { witnesses } = JSON.parse(sql.out) as {
        witnesses: Record<'rest' | 'sql', { answered: number }>;
      };
      expect([witnesses.rest.answered, witnesses.sql.answered]).toEqual([3, 0]);
      const done = await blocked.patctl(['switchover', '--force', '--allow-data-loss']);
      expect([done.code, done.err]).toEqual([0, expect.anything()]);
      expect(await lab.waitHealthy()).not.toBe(leader);
    } finally {
      blocked.end();
    }
  }, 240_000);

  it('restarts one member after the other, reinitializes one, and waits', async () => {
    await lab.waitHealthy();
    const limit = { timeoutMs: 200_000 };
    const rolling = await patctl(['restart', lab.scope, '--rolling', '--force'], limit);
    expect([rolling.code, rolling.out + rolling.err]).toEqual([
      0,
      expect.stringContaining('restarted 3 members'),
    ]);
    const leader = await lab.waitHealthy();
    const replica = lab.members.findLast(({ name }) => name !== leader)?.name ?? '';
    const anew = await patctl(['reinit', lab.scope, replica, '--force', '--wait'], limit);
    expect([anew.code, anew.out]).toEqual([0, expect.stringContaining(replica)]);
    const waited = await patctl(['wait', '--for', 'healthy', '--for', 'streaming=2'], limit);
    expect(waited.code).toBe(0);
  }, 400_000);

  it('is the same cluster by the address of a member, without the API server', async () => {
    await lab.waitHealthy();
    const run = await runPatctl([...restWay(lab), 'check']);
    expect([run.code, run.out]).toEqual([0, expect.stringContaining('OK')]);
  });

  it('shows the claim of a leader that died as expired, and then the new leader', async () => {
    const leader = await lab.waitHealthy();
    const others = lab.members.map(({ name }) => name).filter((name) => name !== leader);
    // No member takes over: their Patronis are frozen until the claim was seen to be old.
    for (const name of others) lab.freeze(name);
    await lab.kill(leader);
    await lab.kill(leader, { postgres: true });
    // ttl is 20 s.
    await eventually('the claim has expired', 60_000, async () =>
      (await patctl(['list'])).out.includes(`held by ${leader}, expired: renewed`),
    );
    for (const name of others) lab.thaw(name);
    await eventually('another one leads', 60_000, async () => {
      const { code, out } = await patctl(['leader']);
      return code === 0 && others.includes(out.trim());
    });
    await lab.start(leader);
    await lab.waitHealthy(90_000);
  }, 300_000);
});

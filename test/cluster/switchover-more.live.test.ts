/**
 * switchover and failover beside the real patronictl on a terminal, without a leader, refused, and disturbed midway.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { change, runUntil, stepsOf, streamingMembers } from '../support/change.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { cleanEnv } from '../support/lab/process.js';
import { runPatctl } from '../support/run.js';
import { finished, mirrored, ours, theirs, timeless } from '../support/screens.js';
import { privateCluster } from '../support/shared.js';
import { onTerminal } from '../support/terminal.js';

/** mod_revision of a key below /service/SCOPE/; '0': there is none. */
async function revisionOf(lab: Lab, key: string): Promise<string> {
  const text = await lab.etcdctl('get', `/service/${lab.scope}/${key}`, '-w', 'fields');
  return /"ModRevision" : (\d+)/.exec(text)?.[1] ?? '0';
}

/** Refused before anything was sent: leader and /failover are what they were, to the revision. */
async function expectRefused(lab: Lab, by: string, command: string, ...args: string[]) {
  const before = [await lab.leader(), await revisionOf(lab, 'failover')];
  const { code, document } = await change(lab, command, ...args);
  expect([code, document.code, document.sent]).toEqual([1, 'refused', null]);
  expect(document.plan.refusedBy).toContain(by);
  expect([await lab.leader(), await revisionOf(lab, 'failover')]).toEqual(before);
}

describe('beside patronictl on a terminal, synchronous mode on', () => {
  let lab: Lab;
  beforeAll(async () => {
    // pg3 is never synchronous: the synchronous standby does not depend on chance.
    lab = await privateCluster({ sync: 'on', loopWait: 1, tags: { pg3: { nosync: true } } });
  });
  afterAll(async () => {
    await lab.down();
  });

  test('switchover and failover: the same questions in the same words, and no is no', async () => {
    const before = [await lab.leader(), await revisionOf(lab, 'failover')];
    const at = '2099-11-21T10:00+01:00';
    const dialogues: { args: string[]; answers: string[]; ours?: string[] }[] = [
      { args: ['switchover'], answers: ['', '', '', 'n'] },
      { args: ['switchover', lab.scope], answers: ['pg1', 'pg2', 'now', 'perhaps', ''] },
      { args: ['switchover'], answers: ['', 'pg2', at, 'N'] },
      { args: ['switchover', '--primary', 'pg1', '--scheduled', at], answers: ['', 'no'] },
      { args: ['failover'], answers: ['pg2', 'n'] },
      { args: ['failover'], answers: ['pg3', 'n'], ours: ['--allow-data-loss'] },
      { args: ['failover'], answers: ['pg3', 'Yes', 'n'], ours: ['--allow-data-loss'] },
    ];
    for (const { args, answers, ours: more = [] } of dialogues) {
      const [their, our] = await Promise.all([
        onTerminal(theirs(lab, args), answers),
        onTerminal(ours(lab, [...args, ...more]), answers),
      ]);
      expect(timeless(our.screen)).toBe(timeless(their.screen));
      expect(our.screen).toMatch(/\nError: Aborting (scheduled )?(switchover|failover)\n$/);
      expect([our.code, their.code]).toEqual([1, 1]);
    }
    expect([await lab.leader(), await revisionOf(lab, 'failover')]).toEqual(before);
  });

  test('names that cannot be: the same error, and below it what could', async () => {
    const dialogues: [string[], string[]][] = [
      [['switchover'], ['pg2']],
      [['switchover'], ['', 'pg1']],
      [['switchover'], ['', 'pg9']],
      [['failover'], ['']],
    ];
    for (const [args, answers] of dialogues) {
      const [their, our] = await Promise.all([
        onTerminal(theirs(lab, args), answers),
        onTerminal(ours(lab, args), answers),
      ]);
      expect(their.screen).toContain('\nError: ');
      expect(timeless(our.screen)).toSatisfy((s: string) => s.startsWith(timeless(their.screen)));
      expect([our.code, their.code]).toEqual([1, 1]);
    }
  });

  test('scheduled by answers: the same screen, and the same key', async () => {
    const answers = ['', 'pg2', '2099-11-21T10:00+01:00', 'y'];
    const schedule = async (command: string[]) => {
      const { screen, code } = await onTerminal(command, answers);
      const key: unknown = JSON.parse((await lab.dcsGet('failover')) ?? '{}');
      await lab.dcsPut('failover', '{}');
      return { screen: timeless(screen), code, key };
    };
    const their = await schedule(theirs(lab, ['switchover']));
    const our = await schedule(ours(lab, ['switchover']));
    expect(our).toEqual(their);
    expect(their.key).toEqual({
      leader: 'pg1',
      member: 'pg2',
      scheduled_at: '2099-11-21T10:00:00+01:00',
    });
  });

  test.each([
    { args: ['switchover'], answers: ['', 'OTHER', '', 'y'] },
    { args: ['failover', '--force', '--candidate', 'OTHER'], answers: [] },
  ])('$args done: the same words, the same move', async ({ args, answers }) => {
    // patronictl moves the leadership from pg1 to pg2, patctl back from pg2 to pg1.
    const move = async (program: typeof ours, to: string) => {
      await lab.waitHealthy();
      const towards = (words: string[]) => words.map((word) => (word === 'OTHER' ? to : word));
      const screen = await onTerminal(program(lab, towards(args)), towards(answers));
      const history = JSON.parse((await lab.dcsGet('history')) ?? '[]') as unknown[][];
      return {
        ...screen,
        leader: await lab.leader(),
        said: finished(timeless(screen.screen)),
        history,
      };
    };
    const their = await move(theirs, 'pg2');
    const our = await move(ours, 'pg1');
    expect([their.leader, our.leader, our.code, their.code]).toEqual(['pg2', 'pg1', 0, 0]);
    expect(mirrored(lab, our.said)).toBe(their.said);
    expect(our.said).toContain('STAMP Successfully ');
    expect(await lab.dcsGet('failover')).toSatisfy((key) => key === null || key === '{}');
    const leaders = our.history.slice(-2).map((line) => line[4]);
    expect(leaders).toEqual(['pg2', 'pg1']);
  });

  test('patctl is killed in the middle: the switchover completes, and can be looked at', async () => {
    const leader = await lab.waitHealthy();
    const run = await runUntil(lab, ['switchover'], 'accepted', (kill) => kill('SIGKILL'));
    expect(run.code).toBeNull();
    await eventually('another leader', 20_000, async () => {
      const now = await lab.leader();
      return now !== null && now !== leader;
    });
    const now = await lab.waitHealthy();
    const status = await runPatctl(['-c', lab.config, 'status', '-f', 'json']);
    const { members } = JSON.parse(status.out) as {
      members: { name: string; observedRole: string }[];
    };
    expect(members.filter((m) => m.observedRole === 'primary').map((m) => m.name)).toEqual([now]);
    const { out } = await runPatctl(['-c', lab.config, 'list', '-f', 'json']);
    const list = JSON.parse(out) as { Member: string; Role: string }[];
    expect(list.filter(({ Role }) => Role === 'Leader').map(({ Member }) => Member)).toEqual([now]);
    expect(now).not.toBe(leader);
  });

  test('etcd is frozen for 4 s in the middle: done, and proven', async () => {
    const leader = await lab.waitHealthy();
    let thawed: Promise<void> = Promise.resolve();
    const run = await runUntil(lab, ['switchover', '-f', 'json'], 'stopping', () => {
      lab.freeze('etcd1');
      thawed = new Promise((resolve) => {
        setTimeout(() => {
          lab.thaw('etcd1');
          resolve();
        }, 4000);
      });
    });
    await thawed;
    const document = JSON.parse(run.out) as ChangeDocument;
    expect([run.code, document.ending]).toEqual([0, 'ok']);
    expect(document.result?.newLeader).toBe(await lab.leader());
    expect(document.result?.newLeader).not.toBe(leader);
    expect(await streamingMembers(lab)).toHaveLength(2);
  });

  test('the leader key vanishes while the leader stops: the new leader is found', async () => {
    const leader = await lab.waitHealthy();
    let deleted: Promise<unknown> = Promise.resolve();
    const run = await runUntil(lab, ['switchover', '-f', 'json'], 'stopping', () => {
      deleted = lab.etcdctl('del', `/service/${lab.scope}/leader`);
    });
    await deleted;
    const document = JSON.parse(run.out) as ChangeDocument;
    expect([run.code, document.ending]).toEqual([0, 'ok']);
    expect(document.result?.newLeader).toBe(await lab.leader());
    expect(document.result?.newLeader).not.toBe(leader);
  });

  test("the candidate's Patroni is killed when the request is taken: it is told as it went", async () => {
    const leader = await lab.waitHealthy();
    const candidate = leader === 'pg1' ? 'pg2' : 'pg1';
    const args = ['switchover', '--candidate', candidate, '-f', 'json', '--deadline', '60s'];
    let killed: Promise<void> = Promise.resolve();
    const run = await runUntil(lab, args, 'accepted', () => {
      killed = lab.kill(candidate);
    });
    await killed;
    const document = JSON.parse(run.out) as ChangeDocument;
    // The leader drops it, mostly; what has gone further by then is told as it went.
    expect(document.sent).toMatchObject({ to: leader });
    if (document.ending === 'error') expect(await lab.leader()).toBe(leader);
    else if (document.ending === 'ok') expect(document.result?.newLeader).toBe(candidate);
    else expect([4, 5, 6]).toContain(run.code);
    await lab.start(candidate);
    await lab.waitHealthy();
  });

  test('etcd goes away for longer than is waited: exit 5, and what was sent', async () => {
    const leader = await lab.waitHealthy();
    const args = ['switchover', '-f', 'json', '--deadline', '6s'];
    const run = await runUntil(lab, args, 'accepted', () => lab.freeze('etcd1'));
    lab.thaw('etcd1');
    const document = JSON.parse(run.out) as ChangeDocument;
    expect(document.sent).toMatchObject({ to: leader });
    const said = JSON.stringify({ leader, candidate: null });
    if (document.result === null) {
      expect([run.code, document.ending]).toEqual([5, 'unconfirmed']);
      expect(document.evidence).toEqual([{ witness: 'request', subject: leader, said }]);
    } else {
      // On a busy machine a member leads before etcd is frozen.
      expect(document.result.newLeader).not.toBe(leader);
    }
    await lab.waitHealthy();
  });
});

describe('four members, quorum, two nodes', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await privateCluster({ members: 4, sync: 'quorum', syncNodes: 2, loopWait: 1 });
  });
  afterAll(async () => {
    await lab.down();
  });

  const others = (...names: (string | null)[]) =>
    lab.members.map(({ name }) => name).filter((name) => !names.includes(name));

  test('a named switchover ends with the proof', async () => {
    const leader = await lab.waitHealthy();
    const [candidate = ''] = others(leader).reverse();
    const changed = await change(lab, 'switchover', '--candidate', candidate);
    expect([changed.code, changed.err]).toEqual([0, '']);
    expect(stepsOf(changed)).toEqual(
      expect.arrayContaining(['released', 'locked', 'writable', 'rejoined', 'sync_restored']),
    );
    expect(changed.document.plan.dataLoss.verdict).toBe('none');
    expect(changed.document.result).toMatchObject({ oldLeader: leader, newLeader: candidate });
    expect(await lab.leader()).toBe(candidate);
    expect(await lab.psql(candidate, 'SELECT pg_is_in_recovery()')).toBe('f');
    expect(await streamingMembers(lab)).toEqual(others(candidate));
    const names = await lab.psql(candidate, 'SHOW synchronous_standby_names');
    expect(names).toMatch(/^ANY 2 /);
  });

  /** `pg2 yes 3/2`: may win, with votes of those needed. */
  async function chances(): Promise<string[]> {
    const run = await runPatctl(['-c', lab.config, 'quorum', '-f', 'json']);
    const { members } = JSON.parse(run.out) as QuorumDocument;
    return members.map((one) => `${one.name} ${one.mayWin} ${one.counted}/${one.needed}`).sort();
  }

  async function nodeCount(count: number): Promise<void> {
    const leader = await lab.waitHealthy();
    const body = { synchronous_node_count: count };
    await lab.rest(leader, '/config', { method: 'PATCH', body });
    await eventually(`${count} are waited for`, 30_000, async () => {
      const names = await lab.psql(leader, 'SHOW synchronous_standby_names');
      const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { quorum?: number };
      return names.startsWith(`ANY ${count} `) && sync.quorum === 3 - count;
    });
  }

  test('three voters and one node: no member wins without all three; switched and failed over', async () => {
    await nodeCount(1);
    const leader = await lab.waitHealthy();
    const all = others(leader);
    await eventually('each has every vote', 20_000, async () => {
      expect(await chances()).toEqual(all.map((name) => `${name} yes 3/3`));
      return true;
    });
    const [frozen = '', ...left] = all;
    lab.freeze(frozen);
    try {
      await eventually('a vote is missing to each', 30_000, async () => {
        const now = (await chances()).filter((one) => !one.startsWith(frozen));
        expect(now).toEqual(left.map((name) => `${name} no 2/3`));
        return true;
      });
      await expectRefused(lab, 'votes', 'switchover');
    } finally {
      lab.thaw(frozen);
    }
    await lab.waitHealthy();
    const unnamed = await change(lab, 'switchover');
    expect([unnamed.code, unnamed.err]).toEqual([0, '']);
    expect(unnamed.document.result?.newLeader).toBe(await lab.leader());
    const now = await lab.waitHealthy();
    const [candidate = ''] = others(now);
    const failed = await change(lab, 'failover', '--candidate', candidate);
    expect([failed.code, failed.err]).toEqual([0, '']);
    expect(await lab.leader()).toBe(candidate);
    expect(await streamingMembers(lab)).toEqual(others(candidate));
    expect(stepsOf(failed)).toEqual(expect.arrayContaining(['writable', 'sync_restored']));
    await nodeCount(2);
  });

  test('three voters and two nodes: one may be missing', async () => {
    const leader = await lab.waitHealthy();
    await eventually('two of three votes are enough', 20_000, async () => {
      expect(await chances()).toEqual(others(leader).map((name) => `${name} yes 3/2`));
      return true;
    });
    const unnamed = await change(lab, 'switchover');
    expect([unnamed.code, unnamed.err]).toEqual([0, '']);
    expect(unnamed.document.plan.dataLoss.verdict).toBe('none');
    expect(unnamed.document.result?.newLeader).toBe(await lab.leader());
  });

  test('refused, with nothing changed: a pending request', async () => {
    const leader = await lab.waitHealthy();
    const [candidate = ''] = others(leader);
    const at = new Date(Date.now() + 3_600_000).toISOString();
    await lab.dcsPut('failover', JSON.stringify({ leader, scheduled_at: at }));
    await expectRefused(lab, 'failover_pending', 'switchover', '--candidate', candidate);
    await lab.dcsPut('failover', '{}');
  });

  test('refused, with nothing changed: a candidate whose Patroni is frozen', async () => {
    const [candidate = ''] = others(await lab.waitHealthy());
    lab.freeze(candidate);
    try {
      await expectRefused(lab, 'candidate_answers', 'switchover', '--candidate', candidate);
    } finally {
      lab.thaw(candidate);
    }
  });

  test('refused, with nothing changed: a candidate tagged nofailover', async () => {
    const [candidate = ''] = others(await lab.waitHealthy());
    const file = lab.memberConfig(candidate);
    const before = readFileSync(file, 'utf8');
    const tagged = async (wanted: boolean) => {
      await lab.rest(candidate, '/reload', { method: 'POST' });
      await eventually(`nofailover ${wanted}`, 15_000, async () => {
        const key = (await lab.dcsGet(`members/${candidate}`)) ?? '';
        return key.includes('"nofailover":true') === wanted;
      });
    };
    writeFileSync(file, `${before}\ntags: { nofailover: true }\n`);
    try {
      await tagged(true);
      await expectRefused(lab, 'candidate_nofailover', 'switchover', '--candidate', candidate);
      await expectRefused(lab, 'candidate_nofailover', 'failover', '--candidate', candidate);
    } finally {
      writeFileSync(file, before);
    }
    await tagged(false);
  });

  describe('paused', () => {
    beforeAll(async () => {
      await lab.waitHealthy();
      expect((await runPatctl(['-c', lab.config, 'pause', '--wait'])).code).toBe(0);
    });

    test('refused, with nothing changed: a switchover without a candidate', async () => {
      await expectRefused(lab, 'paused_needs_candidate', 'switchover');
    });

    /** The leader's Patroni and PostgreSQL die; its lease ends at once, as it would after the ttl. */
    async function loseLeader(): Promise<string> {
      const leader = (await lab.leader()) ?? '';
      await lab.kill(leader);
      await lab.kill(leader, { postgres: true });
      const key = await lab.etcdctl('get', `/service/${lab.scope}/leader`, '-w', 'fields');
      const lease = BigInt(/"Lease" : (\d+)/.exec(key)?.[1] ?? '0');
      await lab.etcdctl('lease', 'revoke', lease.toString(16));
      expect(await lab.leader()).toBeNull();
      return leader;
    }

    /** More than the sockets between walsender and walreceiver hold. */
    const WRITE =
      "SELECT count(pg_logical_emit_message(true, 'x', repeat('y', 1000000))) FROM generate_series(1, 40)";

    /** The leader is lost with writes that this member has not received. */
    async function loseLeaderAhead(leader: string, behind: string): Promise<void> {
      const pid = (await lab.walreceiverPid(behind)) ?? 0;
      lab.freezePid(pid);
      try {
        await lab.psql(leader, WRITE);
        await loseLeader();
      } finally {
        lab.thawPid(pid);
      }
    }

    test('without a leader: refused for a member that is behind, done for one that has everything', async () => {
      const leader = (await lab.leader()) ?? '';
      const [behind = '', candidate = '', third = ''] = others(leader);
      await loseLeaderAhead(leader, behind);
      await expectRefused(lab, 'data_loss', 'failover', '--candidate', behind);
      const changed = await change(lab, 'failover', '--candidate', candidate);
      expect([changed.code, changed.err]).toEqual([0, '']);
      expect(changed.document.plan.dataLoss.verdict).toBe('none');
      expect(changed.document.result).toMatchObject({ oldLeader: null, newLeader: candidate });
      expect(await lab.leader()).toBe(candidate);
      expect(await streamingMembers(lab)).toEqual([behind, third].sort());
    });

    test('without a leader: a member that is behind leads if the loss is accepted', async () => {
      const leader = (await lab.leader()) ?? '';
      // One of the two that are left is enough for a commit: the other may lack it.
      const body = { synchronous_node_count: 1 };
      await lab.rest(leader, '/config', { method: 'PATCH', body });
      await eventually('one is enough', 20_000, async () => {
        const names = await lab.psql(leader, 'SHOW synchronous_standby_names');
        const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { quorum?: number };
        return names.startsWith('ANY 1 ') && sync.quorum === 1;
      });
      const [behind = ''] = await streamingMembers(lab);
      await loseLeaderAhead(leader, behind);
      await expectRefused(lab, 'data_loss', 'failover', '--candidate', behind);
      const flags = ['--allow-data-loss', '--wait', 'writable'];
      const changed = await change(lab, 'failover', '--candidate', behind, ...flags);
      expect([changed.code, changed.document.result?.newLeader]).toEqual([0, behind]);
      expect(changed.document.plan.dataLoss.verdict).toBe('possible');
      expect(await lab.psql(behind, 'SELECT pg_is_in_recovery()')).toBe('f');
    });
  });
});

describe('behind TLS and passwords, with logical clients', () => {
  let lab: Lab;
  let client: ReturnType<typeof spawn> | null = null;
  beforeAll(async () => {
    const parameters = { wal_level: 'logical' };
    lab = await privateCluster({
      sync: 'on',
      members: 2,
      tls: true,
      restAuth: true,
      loopWait: 1,
      parameters,
    });
  });
  afterEach(() => {
    if (client?.pid !== undefined) process.kill(-client.pid, 'SIGKILL');
    client = null;
  });
  afterAll(async () => {
    await lab.down();
  });

  test('a switchover over TLS with a login ends with the proof, and shows no secret', async () => {
    const leader = await lab.waitHealthy();
    const changed = await change(lab, 'switchover');
    expect([changed.code, changed.err]).toEqual([0, '']);
    expect(await lab.leader()).toBe(changed.document.result?.newLeader);
    expect(changed.document.result?.newLeader).not.toBe(leader);
    expect(await streamingMembers(lab)).toEqual([leader]);
    const text = JSON.stringify(changed);
    for (const secret of Object.values(PASSWORDS)) expect(text).not.toContain(secret);
  });

  /** A client that answers, confirms nothing, and connects again `seconds` after it was cut off. */
  async function returningClient(slot: string, seconds: number): Promise<void> {
    const leader = await lab.waitHealthy();
    const login = `-h ${lab.root}/run -p ${lab.member(leader).port} -U postgres -d postgres`;
    const receive = `pg_recvlogical ${login} --slot ${slot} --create-slot --if-not-exists`;
    const start = '--start --no-loop -f /dev/null -F 0 -s 0 -P test_decoding';
    const bin = '/usr/lib/postgresql/15/bin';
    const script = `while :; do ${bin}/${receive} ${start}; sleep ${seconds}; done`;
    client = spawn('sh', ['-c', script], {
      stdio: 'ignore',
      detached: true,
      env: cleanEnv('/nonexistent'),
    });
    await eventually('the client streams', 10_000, () =>
      lab.psql(leader, `SELECT active_pid FROM pg_replication_slots WHERE slot_name = '${slot}'`),
    );
    await lab.psql(leader, "SELECT pg_logical_emit_message(true, 'x', repeat('y', 100000))");
  }

  test('--terminate-logical: a client that would come back too late is ended once', async () => {
    await returningClient('late', 5);
    await eventually('it is called stuck', 20_000, async () => {
      const plan = await runPatctl(['-c', lab.config, 'switchover', '--dry-run', '-f', 'json']);
      return plan.out.includes('"logical_walsenders"') && plan.code === 1;
    });
    const args = ['switchover', '--terminate-logical', '-f', 'json'];
    const run = await runUntil(lab, args, 'never', () => undefined);
    expect(run.code, run.err).toBe(0);
    expect(run.err.split('"step":"terminated"')).toHaveLength(2);
  });

  test('--terminate-logical: a client that is back at once is ended again', async () => {
    await returningClient('quick', 0.1);
    await eventually('it is called stuck', 20_000, async () => {
      const plan = await runPatctl(['-c', lab.config, 'switchover', '--dry-run', '-f', 'json']);
      return plan.code === 1;
    });
    const args = ['switchover', '--terminate-logical', '-f', 'json'];
    const run = await runUntil(lab, args, 'accepted', () => {
      if (client?.pid !== undefined) process.kill(-client.pid, 'SIGKILL');
      client = null;
    });
    expect(run.code, run.err).toBe(0);
    expect(run.err.split('"step":"terminated"')).toHaveLength(3);
  });
});

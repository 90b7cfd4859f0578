import { describe, expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import { UNREACHABLE } from '../support/fake-world.js';
import { answered, breathe, changeWorld, PREFIX, promote, runIn } from './change-world.js';

const document = (out: string) => JSON.parse(out) as ChangeDocument;

describe('a switchover', () => {
  test('asks once, follows it, and says in patronictl words that it is done', async () => {
    const world = changeWorld();
    const run = await runIn(world, ['switchover', '--force']);
    const [winner = ''] = world.replicas;
    expect(run.code).toBe(0);
    expect(world.sent).toMatchObject([
      { method: 'POST', path: '/switchover', body: { leader: world.leader } },
    ]);
    expect(run.out).toMatch(/^Current cluster topology\n\+ Cluster: demo /);
    expect(run.out).toMatch(
      new RegExp(
        `^\\d{4}-\\d\\d-\\d\\d [\\d:]{8}\\.\\d{5} Successfully switched over to "${winner}"$`,
        'm',
      ),
    );
    expect(run.out).toMatch(/^New leader {4}pg\d, timeline \d+$/m);
    expect(run.out).toMatch(
      /^Write outage {2}[\d.]+ (to [\d.]+ )?s: pg\d took the last write at [\d:.]+ \(REST\)/m,
    );
    for (const step of ['released the leader lock', 'accepts writes', 'every replica streams']) {
      expect(run.err).toContain(step);
    }
  });

  test('-f json is one document, and stderr stays empty', async () => {
    const world = changeWorld();
    const [, named = ''] = world.replicas;
    const run = await runIn(world, ['switchover', '--force', '-f', 'json', '--candidate', named]);
    expect([run.code, run.err]).toEqual([0, '']);
    expect(document(run.out)).toMatchObject({
      schemaVersion: 1,
      command: 'switchover',
      ending: 'ok',
      exit: 0,
      plan: { candidate: named, refusedBy: [] },
      sent: { to: world.leader, status: 200, lost: null },
      result: { oldLeader: world.leader, newLeader: named },
    });
    expect(world.sent[0]?.body).toEqual({ leader: world.leader, candidate: named });
  });

  test('--compat prints what patronictl prints, and nothing more', async () => {
    const world = changeWorld();
    const run = await runIn(world, ['--compat', 'switchover', '--force']);
    const lines = run.out.split('\n').filter((line) => !/^[+|]/.test(line));
    expect(lines).toEqual([
      'Current cluster topology',
      expect.stringMatching(/ Successfully switched over to "pg\d"$/),
      '',
    ]);
    expect(run.err).toBe('');
  });

  test('the closing table waits for keys that say what was proven, but not for ever', async () => {
    const stateInTable = async (writesLate: boolean, ...args: string[]) => {
      const world = changeWorld();
      const key = `${PREFIX}members/${world.leader}`;
      const kv = (await world.dcs.range(PREFIX)).kvs.find((one) => one.key === key);
      const member = JSON.parse(kv?.value ?? '') as object;
      const [winner = ''] = world.replicas;
      world.answer = async () => {
        world.dcs.put(key, JSON.stringify({ ...member, state: 'stopped' }));
        await world.switchTo(winner);
        return answered(200, `Successfully switched over to "${winner}"`);
      };
      const range = world.dcs.range.bind(world.dcs);
      let proven = false;
      world.dcs.range = async (...asked) => {
        const read = await range(...asked);
        // The first table that could be printed is read; only then does the member write.
        if (proven && writesLate)
          world.dcs.put(key, JSON.stringify({ ...member, state: 'running' }));
        return read;
      };
      const onErr = (text: string) => (proven ||= text.includes('every replica streams'));
      const run = await runIn(world, [...args, 'switchover', '--force'], { onErr });
      const row = run.out.split('\n').findLast((line) => line.startsWith(`| ${world.leader} `));
      return [run.code, row?.split('|')[4]?.trim()];
    };
    expect(await stateInTable(true)).toEqual([0, 'running']);
    expect(await stateInTable(false)).toEqual([0, 'stopped']);
    expect(await stateInTable(false, '--compat')).toEqual([0, 'stopped']);
  });

  test('--progress json tells the steps as lines', async () => {
    const run = await runIn(changeWorld(), [
      ...['switchover', '--force', '-f', 'json'],
      ...['--progress', 'json'],
    ]);
    const events = run.err
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(events[0]).toMatchObject({ step: 'accepted' });
    expect(events.at(-1)).toMatchObject({ step: 'streaming' });
  });

  test('--no-wait leaves when it is accepted', async () => {
    const world = changeWorld();
    world.answer = async () => {
      world.dcs.put(`${PREFIX}failover`, `{"leader":"${world.leader}"}`);
      await new Promise(() => undefined);
      return answered(200, 'never');
    };
    const run = await runIn(world, ['switchover', '--force', '--no-wait']);
    expect([run.code, world.sent.length]).toEqual([0, 1]);
  });
});

describe('nothing is sent', () => {
  test('with --dry-run, whatever the plan says', async () => {
    const world = changeWorld();
    const go = await runIn(world, ['switchover', '--dry-run']);
    expect(go.code).toBe(0);
    expect(go.out).toContain('Would switch over demo');
    const no = await runIn(world, ['switchover', '--dry-run', '--leader', world.leader]);
    expect(no.code).toBe(0);
    expect(world.sent).toEqual([]);
  });

  test('without a terminal and without --force: the flag is named', async () => {
    const world = changeWorld();
    const run = await runIn(world, ['switchover']);
    expect([run.code, run.out]).toEqual([2, '']);
    expect(run.err).toContain('--force');
    expect(world.dcs.calls).toEqual([]);
  });

  test.each([
    [['--leader', 'pg9'], 'Member pg9 is not the leader of cluster demo'],
    [
      ['--candidate', 'pg9'],
      'Member pg9 does not exist in cluster demo or is tagged as nofailover',
    ],
  ])('for names that cannot be: %j', async (args, words) => {
    const world = changeWorld();
    const run = await runIn(world, ['switchover', '--force', ...args]);
    expect(run.code).toBe(1);
    expect(run.err).toContain(words);
    expect(world.sent).toEqual([]);
  });

  test('when the plan is refused; --force does not skip a check', async () => {
    const world = changeWorld();
    const [frozen = ''] = world.replicas;
    world.rest[frozen] = UNREACHABLE;
    const args = ['switchover', '--force', '-f', 'json', '--candidate', frozen];
    const run = await runIn(world, args);
    expect(run.code).toBe(1);
    expect(document(run.out)).toMatchObject({ code: 'refused', sent: null });
    expect(document(run.out).plan.refusedBy).toContain('candidate_answers');
    expect(JSON.parse(run.err)).toMatchObject({ error: { code: 'refused', exit: 1 } });
    expect(world.sent).toEqual([]);
  });

  test('when --avoid names a member that does not lead: a success', async () => {
    const world = changeWorld();
    const run = await runIn(world, ['switchover', '--force', '--avoid', world.replicas[0] ?? '']);
    expect(run.code).toBe(0);
    expect(run.out).toContain('nothing to do');
    expect(world.sent).toEqual([]);
  });

  test('when the cluster changes while the question stands', async () => {
    const world = changeWorld();
    const [candidate = '', other = ''] = world.replicas;
    const run = await runIn(world, ['switchover'], {
      typed: ['', candidate, '', 'y'],
      onErr: (text) => {
        if (!text.includes('demoting')) return;
        world.dcs.put(`${PREFIX}leader`, other);
        promote(world.rest, world.leader, other);
      },
    });
    expect(run.code).toBe(1);
    expect(run.err).toContain('the cluster has changed since the plan was shown');
    expect(run.err).toContain(`leader: was ${world.leader}, is ${other}`);
    expect(world.sent).toEqual([]);
  });

  test("when the leader's REST API is silent: exit 3, and --via dcs is named", async () => {
    const world = changeWorld();
    world.answer = () => ({ kind: 'not_sent', reason: 'connection refused' });
    const run = await runIn(world, ['switchover', '--force', '-f', 'json']);
    expect(run.code).toBe(3);
    expect(run.err).toContain('--via dcs');
    expect(document(run.out)).toMatchObject({ ending: 'unreachable', sent: null });
    expect(await world.failoverKey()).toBe('{}');
  });
});

describe('questions', () => {
  test('in its order, with its defaults', async () => {
    const world = changeWorld();
    const run = await runIn(world, ['switchover'], { typed: ['', '', '', 'y'] });
    const [first = ''] = world.replicas;
    const prompts = [
      `Primary [${world.leader}]: `,
      ` ${first}  lag `,
      `Candidate [${first}]: `,
      ', now) [now]: ',
      `Are you sure you want to switchover cluster demo, demoting current leader ${world.leader}? [y/N]: `,
    ];
    const found = prompts.map((prompt) => run.err.replace(/\n {2}(?=\S)/g, ' ').indexOf(prompt));
    expect(found.every((at) => at >= 0)).toBe(true);
    expect([...found].sort((a, b) => a - b)).toEqual(found);
    expect(run.code).toBe(0);
  });

  test('an invalid name or time is asked for again, and nothing replaces it', async () => {
    const world = changeWorld();
    const wrong = [world.leader, 'pgx', 'soon', '2020-01-01T00:00Z'];
    const [leader = '', pgx = '', soon = '', past = ''] = wrong;
    const typed = ['', leader, pgx, world.replicas[1] ?? '', soon, past, 'now', 'n'];
    const run = await runIn(world, ['switchover'], { typed });
    expect(run.err).toContain(`Error: "${leader}" is not one of: `);
    expect(run.err).toContain('Error: "pgx" is not one of: ');
    expect(run.err).toContain('Error: "soon" is not a valid time; give ');
    expect(run.err).toContain('Error: 2020-01-01T00:00Z is in the past; it is ');
    expect(run.err).toContain('Aborting switchover');
    expect([run.code, world.sent]).toEqual([1, []]);
  });

  test('flags answer them; no is exit 1', async () => {
    const world = changeWorld();
    const [candidate = ''] = world.replicas;
    const flags = ['--primary', world.leader, '--candidate', candidate, '--scheduled', 'now'];
    const run = await runIn(world, ['switchover', ...flags], { typed: ['n'] });
    expect(run.code).toBe(1);
    expect(run.err).toContain('Error: Aborting switchover');
    expect(run.err).not.toContain('Candidate [');
    expect(world.sent).toEqual([]);
  });

  test('another answer than yes and no is asked again; the end of input means no', async () => {
    const world = changeWorld();
    const run = await runIn(world, ['switchover'], { typed: ['', '', '', 'perhaps'] });
    expect(run.code).toBe(1);
    expect(run.err).toContain('Error: invalid input');
    expect(run.err).toContain('Aborted!');
    expect(world.sent).toEqual([]);
  });
});

describe('other endings', () => {
  test.each([
    [412, 'refused_by_patroni'],
    [401, 'rest_login_wanted'],
    [403, 'rest_forbidden'],
    [400, 'request_refused'],
  ])('HTTP %d is exit 1 with its own code', async (status, code) => {
    const world = changeWorld();
    world.answer = () => answered(status, 'no');
    const run = await runIn(world, ['switchover', '--force', '-f', 'json']);
    expect(run.code).toBe(1);
    expect(document(run.out)).toMatchObject({ code, sent: { status } });
    expect(world.sent).toHaveLength(1);
  });

  test('--compat says a refusal as patronictl does, and exits 1 anyway', async () => {
    const world = changeWorld();
    world.answer = () => answered(412, 'no good candidates');
    const run = await runIn(world, ['--compat', 'switchover', '--force']);
    expect(run.out).toContain('Switchover failed, details: 412, no good candidates\n');
    expect(run.code).toBe(1);
  });

  test('dropped after it was accepted: exit 1, with what the members say against it', async () => {
    const world = changeWorld();
    const [candidate = ''] = world.replicas;
    world.answer = async () => {
      world.rest[candidate] = UNREACHABLE;
      world.dcs.put(`${PREFIX}failover`, `{"leader":"${world.leader}"}`);
      await breathe();
      world.dcs.put(`${PREFIX}failover`, '{}');
      return answered(503, 'Switchover failed');
    };
    const args = ['switchover', '--force', '-f', 'json', '--candidate', candidate];
    const run = await runIn(world, args);
    expect(run.code).toBe(1);
    const { code, evidence } = document(run.out);
    expect(code).toBe('dropped_by_patroni');
    expect(evidence.map(({ subject }) => subject)).toContain('candidate_answers');
  });

  test.each([
    ['lost', { kind: 'lost', reason: 'socket hang up' }],
    ['503 status unknown', answered(503, 'Switchover status unknown')],
    ['502', answered(502, 'bad gateway')],
    ['504', answered(504, 'timeout')],
  ] as const)('%s, but carried out: exit 0 and one request', async (_, outcome) => {
    const world = changeWorld();
    world.answer = async () => {
      await world.switchTo(world.replicas[0] ?? '');
      return outcome;
    };
    const run = await runIn(world, ['switchover', '--force']);
    expect([run.code, world.sent.length]).toEqual([0, 1]);
  });

  test.each([
    [500, 1, 'not_written'],
    [501, 1, 'request_refused'],
    [502, 5, 'no_trace'],
    [200, 5, 'no_trace'],
  ])('%i, and nothing seen: exit %i long before the limit', async (status, exit, code) => {
    const world = changeWorld();
    world.answer = () => answered(status, 'so');
    const run = await runIn(world, ['switchover', '--force', '-f', 'json', '--no-wait']);
    expect(document(run.out)).toMatchObject({ exit, code });
    expect(world.sent).toHaveLength(1);
  });

  test('lost, and nothing seen: exit 5, one request, no write', async () => {
    const world = changeWorld();
    world.answer = () => ({ kind: 'lost', reason: 'socket hang up' });
    const args = ['switchover', '--force', '-f', 'json', '--deadline', '20'];
    const run = await runIn(world, args);
    expect(run.code).toBe(5);
    expect(document(run.out)).toMatchObject({ code: 'no_trace', sent: { lost: 'socket hang up' } });
    expect(world.sent).toHaveLength(1);
    expect(world.dcs.calls).not.toContain('txn');
  });

  test('another winner is exit 6', async () => {
    const world = changeWorld();
    const [winner = '', named = ''] = world.replicas;
    world.answer = async () => {
      await world.switchTo(winner);
      return answered(200, `Switched over to "${winner}" instead of "${named}"`);
    };
    const run = await runIn(world, ['switchover', '--force', '--candidate', named]);
    expect(run.code).toBe(6);
    expect(run.out).toContain(`Switched over to "${winner}" instead of "${named}"`);
  });

  test('the watch is lost and etcd is away for a while: read again until it is seen', async () => {
    const world = changeWorld();
    world.answer = async () => {
      world.dcs.failNext('unreachable', 'range');
      world.dcs.disconnect();
      await world.switchTo(world.replicas[0] ?? '');
      return answered(200, 'done');
    };
    expect((await runIn(world, ['switchover', '--force'])).code).toBe(0);
  });

  test('dropped before the answer: the request and its member are shown anyway', async () => {
    const world = changeWorld();
    world.answer = async () => {
      world.dcs.put(`${PREFIX}failover`, `{"leader":"${world.leader}"}`);
      await breathe();
      world.dcs.put(`${PREFIX}failover`, '{}');
      return await new Promise(() => undefined);
    };
    const run = await runIn(world, ['switchover', '--force', '-f', 'json']);
    const sent = { to: world.leader, status: null, text: null, lost: null };
    expect([run.code, document(run.out)]).toMatchObject([1, { code: 'dropped_by_patroni', sent }]);
  });

  test('never answered, nothing seen: exit 5 with the request as evidence', async () => {
    const world = changeWorld();
    world.answer = () => new Promise(() => undefined);
    const run = await runIn(world, ['switchover', '--force', '-f', 'json', '--deadline', '1']);
    expect(run.code).toBe(5);
    const { evidence, sent } = document(run.out);
    expect(sent).toEqual({ to: world.leader, status: null, text: null, lost: null });
    const said = JSON.stringify({ leader: world.leader, candidate: null });
    expect(evidence).toEqual([{ witness: 'request', subject: world.leader, said }]);
  });

  test('SIGINT while waiting: 130, and the operation is left alone', async () => {
    const world = changeWorld();
    const interrupt = new AbortController();
    world.answer = async () => {
      world.dcs.put(`${PREFIX}failover`, `{"leader":"${world.leader}"}`);
      return await new Promise(() => undefined);
    };
    const run = await runIn(world, ['switchover', '--force'], {
      signal: interrupt.signal,
      onErr: (text) => {
        if (text.includes('is in /failover')) interrupt.abort();
      },
    });
    expect(run.code).toBe(130);
    expect(run.err).toContain('was sent and continues by itself');
    expect(run.err).toContain('patctl status demo');
    expect(await world.failoverKey()).toContain(world.leader);
  });
});

describe('--via dcs', () => {
  test('writes under a compare, and follows it', async () => {
    const world = changeWorld();
    const run = runIn(world, ['switchover', '--force', '--via', 'dcs']);
    while (!world.dcs.calls.includes('txn')) await breathe();
    await breathe();
    expect(await world.failoverKey()).toBe(`{"leader":"${world.leader}"}`);
    await world.switchTo(world.replicas[0] ?? '');
    expect((await run).code).toBe(0);
    expect(world.sent).toEqual([]);
  });

  test('does not overwrite a request that is already there', async () => {
    const world = changeWorld();
    world.dcs.put(`${PREFIX}failover`, '{"leader":"x"}');
    const skip = ['--skip-check', 'failover_pending'];
    const run = await runIn(world, ['switchover', '--force', '--via', 'dcs', ...skip]);
    expect(run.code).toBe(1);
    expect(run.err).toContain('--stuck');
    expect(await world.failoverKey()).toBe('{"leader":"x"}');
  });
});

describe('--scheduled', () => {
  const later = (world: ReturnType<typeof changeWorld>) => (request: { body: unknown }) => {
    world.dcs.put(`${PREFIX}failover`, JSON.stringify(request.body));
    return answered(202, 'Switchover scheduled');
  };

  test('is sent with the offset that was named, and read back', async () => {
    const world = changeWorld();
    world.answer = later(world);
    const run = await runIn(world, [
      'switchover',
      '--force',
      '--scheduled',
      '2099-01-01T10:00+01:00',
    ]);
    expect(run.code).toBe(0);
    expect(world.sent[0]?.body).toEqual({
      leader: world.leader,
      candidate: null,
      scheduled_at: '2099-01-01T10:00:00+01:00',
    });
    expect(run.out).toContain('Switchover scheduled at: 2099-01-01T10:00:00+01:00');
    expect(run.err).toContain('2099-01-01T09:00:00Z');
  });

  test('an answer that does not stand in the DCS is not believed', async () => {
    const world = changeWorld();
    world.answer = () => answered(202, 'Switchover scheduled');
    const run = await runIn(world, ['switchover', '--force', '--scheduled', '+30m']);
    expect(run.code).toBe(5);
  });

  test('an error that does not stand there either is told in the words of patronictl', async () => {
    const world = changeWorld();
    world.answer = () => answered(500, 'no');
    const args = ['switchover', '--force', '--scheduled', '+30m'];
    const run = await runIn(world, ['--compat', ...args]);
    expect([run.code, run.out.split('\n').at(-2)]).toEqual([
      1,
      'Switchover failed, details: 500, no',
    ]);
    expect((await runIn(world, args)).out).not.toContain('failed');
  });

  test.each([
    [501, 1, 'request_refused'],
    [500, 1, 'not_written'],
    [502, 5, 'schedule_not_seen'],
    [202, 5, 'schedule_not_seen'],
  ])('HTTP %i without a schedule in /failover is exit %i', async (status, exit, code) => {
    const world = changeWorld();
    world.answer = () => answered(status, 'so');
    const args = ['switchover', '--force', '--scheduled', '+30m', '-f', 'json'];
    expect(document((await runIn(world, args)).out)).toMatchObject({ exit, code });
    expect(world.sent).toHaveLength(1);
  });

  test('a lost answer that does stand there is', async () => {
    const world = changeWorld();
    world.answer = (request) => {
      later(world)(request);
      return { kind: 'lost', reason: 'reset' };
    };
    const run = await runIn(world, ['switchover', '--force', '--scheduled', '+30m']);
    expect([run.code, world.sent.length]).toEqual([0, 1]);
  });

  test('in a paused cluster, and in the past, nothing is sent', async () => {
    const paused = changeWorld('paused');
    const run = await runIn(paused, ['switchover', '--force', '--scheduled', '+30m']);
    expect(run.code).toBe(1);
    expect(run.err).toContain("Can't schedule switchover in the paused state");
    const past = ['switchover', '--force', '--scheduled', '2020-01-01T00:00Z'];
    expect((await runIn(changeWorld(), past)).code).toBe(2);
    expect(paused.sent).toEqual([]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { JsonValue } from '../../src/cluster/model/model.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import type { CallOutcome } from '../../src/patroni/patroni.js';
import {
  quickClock,
  recorded,
  runFake,
  UNREACHABLE,
  type FakeCluster,
} from '../support/fake-world.js';

const CONFIG = '/service/demo/config';

interface Sent {
  to: string;
  method: string;
  path: string;
  body: JsonValue;
}

let cluster: FakeCluster & { dcs: MemoryStore };
let sent: Sent[];

/** Names by REST address, as the recorded keys have them. */
function nameAt(apiUrl: string): string {
  const found = Object.entries(cluster.keys).find(([, value]) => value.includes(apiUrl));
  return found?.[0].split('/').at(-1) ?? '?';
}

function set(key: string, change: (value: Record<string, unknown>) => void, keys = cluster): void {
  const value = JSON.parse(keys.keys[key] ?? '{}') as Record<string, unknown>;
  change(value);
  keys.keys[key] = JSON.stringify(value);
  keys.dcs.put(key, keys.keys[key]);
}

const setPause = (paused: boolean) =>
  set(CONFIG, (value) => {
    if (paused) value['pause'] = true;
    else delete value['pause'];
  });
const acknowledge = (name: string, paused: boolean) =>
  set(`/service/demo/members/${name}`, (value) => {
    if (paused) value['pause'] = true;
    else delete value['pause'];
  });

const answer = (status: number, body = ''): CallOutcome => ({
  kind: 'answered',
  answer: { status, body, json: null },
});

/** Every member answers; the first PATCH is carried out, and these members take it in their next loop. */
function obey(acknowledging: readonly string[], outcome: CallOutcome = answer(200)): void {
  cluster.call = (method, apiUrl, path, body) => {
    sent.push({ to: nameAt(apiUrl), method, path, body });
    const paused = (body as { pause: true | null }).pause === true;
    setPause(paused);
    cluster.clock = quickClock();
    for (const name of acknowledging) acknowledge(name, paused);
    return Promise.resolve(outcome);
  };
}

beforeEach(() => {
  const { keys, rest } = recorded('on');
  cluster = { keys, rest: rest ?? {}, dcs: memoryStore(keys), clock: quickClock() };
  sent = [];
  obey(['pg1', 'pg2', 'pg3']);
});

describe('pause', () => {
  test('asks the leader once, in the words of patronictl', async () => {
    const run = await runFake(cluster, ['pause']);
    expect(run).toEqual({ code: 0, out: 'Success: cluster management is paused\n', err: '' });
    expect(sent).toEqual([{ to: 'pg2', method: 'PATCH', path: '/config', body: { pause: true } }]);
  });

  test('resume sends null', async () => {
    setPause(true);
    const run = await runFake(cluster, ['resume', 'demo']);
    expect(run).toEqual({ code: 0, out: 'Success: cluster management is resumed\n', err: '' });
    expect(sent.map(({ body }) => body)).toEqual([{ pause: null }]);
  });

  test.each([
    ['pause', true, 'Cluster is already paused'],
    ['resume', false, 'Cluster is not paused'],
  ] as const)(
    '%s when it is so already: exit 1, or 0 when that is fine',
    async (verb, paused, words) => {
      if (paused) setPause(true);
      expect(await runFake(cluster, [verb])).toEqual({
        code: 1,
        out: '',
        err: `Error: ${words}\n`,
      });
      const fine = await runFake(cluster, [verb, '--idempotent']);
      expect(fine).toEqual({ code: 0, out: `${words}\n`, err: '' });
      expect(sent).toEqual([]);
    },
  );

  test('the next member is asked when the leader does not answer', async () => {
    cluster.rest = { ...cluster.rest, pg2: UNREACHABLE };
    const run = await runFake(cluster, ['pause']);
    expect(run.code).toBe(0);
    expect(run.err).toBe('Member pg2 is not accessible: connect ECONNREFUSED\n');
    expect(sent.map(({ to }) => to)).toEqual(['pg1']);
  });

  test('no member answers: exit 3, nothing sent, every member named', async () => {
    cluster.rest = {};
    const run = await runFake(cluster, ['pause']);
    expect(run.code).toBe(3);
    expect(run.out).toBe('');
    expect(run.err).toContain('Can not find accessible cluster member');
    for (const name of ['pg1', 'pg2', 'pg3']) expect(run.err).toContain(`REST ${name}: `);
    expect(sent).toEqual([]);
  });

  test('a page that Patroni answers is only its message', async () => {
    const page = `<!DOCTYPE HTML>\n<html><body>\n<h1>Error response</h1>\n<p>Error code: 409</p>
      <p>Message: Conflict.</p>\n<p>Error code explanation: 409 - Request conflict.</p></body></html>`;
    cluster.call = () => Promise.resolve(answer(409, page));
    const done = await runFake(cluster, ['pause']);
    expect([done.code, done.out]).toEqual([
      1,
      'Failed: pause cluster management status code=409, (Conflict)\n',
    ]);
    expect(done.err).toContain('Try again');
  });

  test.each([401, 403, 409, 503])(
    'HTTP %i is exit 1, and no other member is asked',
    async (status) => {
      cluster.call = (method, apiUrl, path, body) => {
        sent.push({ to: nameAt(apiUrl), method, path, body });
        return Promise.resolve(answer(status, 'no'));
      };
      const run = await runFake(cluster, ['pause']);
      expect(run.code).toBe(1);
      expect(run.out).toBe(`Failed: pause cluster management status code=${status}, (no)\n`);
      expect(sent).toHaveLength(1);
    },
  );

  test.each([
    ['never written', 5, false],
    ['written late', 0, true],
  ] as const)('409 while etcd does not answer, %s: exit %i', async (_, code, isWritten) => {
    const silentReads = isWritten ? 2 : 1000;
    cluster.call = () => {
      setPause(isWritten);
      for (let at = 0; at < silentReads; at++) cluster.dcs.failNext('unreachable', 'range');
      return Promise.resolve(answer(409));
    };
    const run = await runFake(cluster, ['pause']);
    expect(run.code).toBe(code);
    if (code === 5) expect(run.err).toContain('to pg2, but the DCS has not answered since');
  });

  test.each<[string, CallOutcome, number]>([
    ['HTTP 200', answer(200, '{"postgresql": {"parameters": {"x.y": "zq7"}}}'), 5],
    ['HTTP 500', answer(500), 1],
    ['HTTP 502 of a proxy', answer(502), 5],
    ['a lost answer', { kind: 'lost', reason: 'socket hang up' }, 5],
  ])('%s: the DCS tells how it ended', async (_, outcome, code) => {
    obey(['pg1'], outcome);
    expect((await runFake(cluster, ['pause'])).code).toBe(0);
    sent = [];
    cluster.call = (method, apiUrl, path, body) => {
      sent.push({ to: nameAt(apiUrl), method, path, body });
      return Promise.resolve(outcome);
    };
    setPause(false);
    const run = await runFake(cluster, ['pause', '--wait']);
    expect([run.code, sent.length]).toEqual([code, 1]);
    expect(run.out).not.toContain('Success');
    expect(run.out).not.toContain('waiting');
    expect(run.out + run.err).not.toContain('zq7');
    if (code === 5)
      expect(run.err).toContain('the pause was sent to pg2, but it is not in the DCS');
    else expect(run.err).toContain('DCS /config: pause is false, unchanged');
  });

  test('501 is a refusal: the DCS need not be asked', async () => {
    cluster.call = () => Promise.resolve(answer(501, 'Unsupported method'));
    const run = await runFake(cluster, ['pause']);
    expect(run.code).toBe(1);
    expect(run.err).toContain('pg2 refused to pause: status code=501, (Unsupported method)');
  });
});

describe('pause --wait', () => {
  test('ends when every member has acknowledged', async () => {
    const run = await runFake(cluster, ['pause', '--wait']);
    expect(run).toEqual({
      code: 0,
      out:
        "'pause' request sent, waiting until it is recognized by all nodes\n" +
        'Success: cluster management is paused\n',
      err: '',
    });
  });

  test('names the member that does not, with its state, and never prints Success', async () => {
    obey(['pg1', 'pg2']);
    cluster.rest = { ...cluster.rest, pg3: UNREACHABLE };
    const run = await runFake(cluster, ['pause', '-w', '--deadline', '25s']);
    expect(run.code).toBe(5);
    expect(run.out).toBe("'pause' request sent, waiting until it is recognized by all nodes\n");
    expect(run.err).toContain('Error: not acknowledged by pg3\n  REST pg3: connect ECONNREFUSED\n');
    expect(run.err.match(/^waiting for .*$/gm)).toEqual([
      'waiting for pg3 to acknowledge the pause (pg3: REST connect ECONNREFUSED), 10.2 s so far',
      'waiting for pg3 to acknowledge the pause (pg3: REST connect ECONNREFUSED), 20.4 s so far',
    ]);
  });

  test('a pause that is taken back in the meantime is not waited for, and not said to be there', async () => {
    obey(['pg1', 'pg2']);
    let looks = 0;
    const range = cluster.dcs.range.bind(cluster.dcs);
    cluster.dcs.range = (...args) => {
      looks += 1;
      if (looks === 4) setPause(false);
      return range(...args);
    };
    const run = await runFake(cluster, ['pause', '--wait']);
    expect(run.code).toBe(4);
    expect(run.err).toContain('the pause was in the DCS, but was reverted in the meantime');
  });

  test('a member whose key is gone is not waited for', async () => {
    obey(['pg1', 'pg2']);
    cluster.dcs.remove('/service/demo/members/pg3');
    expect((await runFake(cluster, ['pause', '--wait'])).code).toBe(0);
  });

  test('--idempotent waits too', async () => {
    setPause(true);
    acknowledge('pg1', true);
    const run = await runFake(cluster, ['pause', '--idempotent', '--wait', '--deadline', '2s']);
    expect(run.code).toBe(5);
    expect(run.err).toContain('not acknowledged by pg2, pg3');
  });

  test('resume waits until no member is paused', async () => {
    setPause(true);
    for (const name of ['pg1', 'pg2', 'pg3']) acknowledge(name, true);
    obey(['pg1', 'pg3']);
    expect((await runFake(cluster, ['resume', '--wait'])).err).toContain('not acknowledged by pg2');
  });
});

describe('pause --while', () => {
  const bodies = () => sent.map(({ body }) => (body as { pause: unknown }).pause);

  test('runs the command in the pause, resumes, and ends with its status', async () => {
    const run = await runFake(cluster, ['pause', 'demo', '--while', '--', 'sh', '-c', 'exit 5']);
    expect([run.code, run.out]).toEqual([5, '']);
    expect(run.err).toContain('sh ended with 5\n');
    expect(bodies()).toEqual([true, null]);
  });

  test('a patctl of its own stays as it was typed, without the options of this run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'patctl-pause-'));
    const file = join(folder, 'patctl.yml');
    writeFileSync(file, 'scope: demo\n');
    writeFileSync(join(folder, 'patctl'), '#!/bin/sh\nexit 5\n', { mode: 0o755 });
    const words = ['-c', file, 'pause', '--while', '--', 'patctl', 'list'];
    const run = await runFake(cluster, words, { PATH: folder });
    rmSync(folder, { recursive: true });
    expect(run.code).toBe(5);
    expect(run.err).toMatch(/^patctl ended with 5$/m);
  });

  test('a cluster that is paused already is left alone, or left paused', async () => {
    setPause(true);
    for (const name of ['pg1', 'pg2', 'pg3']) acknowledge(name, true);
    const refused = await runFake(cluster, ['pause', '--while', '--', 'false']);
    expect([refused.code, refused.err]).toEqual([1, 'Error: Cluster is already paused\n']);
    const run = await runFake(cluster, ['pause', '--while', '--idempotent', '--', 'true']);
    expect([run.code, bodies()]).toEqual([0, []]);
  });

  test('not acknowledged: the command does not run, and the cluster is resumed', async () => {
    obey(['pg1', 'pg2']);
    const rest = cluster.rest?.['pg3'];
    expect(rest?.ok).toBe(true);
    const run = await runFake(cluster, ['pause', '--while', '--', 'sh', '-c', 'echo ran >&2']);
    expect([run.code, bodies()]).toEqual([5, [true, null]]);
    expect(run.err).toContain('not acknowledged by pg3');
    expect(run.err).not.toContain('sh ended');
  });

  test('a member that does not answer is not waited for', async () => {
    obey(['pg1', 'pg2']);
    cluster.rest = { ...cluster.rest, pg3: UNREACHABLE };
    const run = await runFake(cluster, ['pause', '--while', '--', 'true']);
    expect([run.code, bodies()]).toEqual([0, [true, null]]);
  });

  test('a resume that is refused leaves the pause, and says so first', async () => {
    const { call } = cluster;
    cluster.call = (method, apiUrl, path, body, limitMs) => {
      if ((body as { pause: unknown }).pause === true && call)
        return call(method, apiUrl, path, body, limitMs);
      return Promise.resolve(answer(403, 'no'));
    };
    const run = await runFake(cluster, ['pause', '--while', '--', 'true']);
    expect(run.code).toBe(4);
    expect(run.err).toContain('Error: the cluster may still be paused: ');
    expect(run.err).toContain('COMMAND status: ended with 0');
    expect(run.err).toContain('patctl resume demo --wait');
  });

  test.each([
    [['pause', '--while'], 'no COMMAND is given after --'],
    [['pause', '--', 'true'], 'a COMMAND and --max need --while'],
    [['pause', '--max', '1h'], 'a COMMAND and --max need --while'],
    [
      ['pause', 'demo', 'pg2', '--while', '--', 'true'],
      "too many arguments for 'pause': one cluster, not also pg2",
    ],
  ])('%j is a wrong command line', async (args, words) => {
    const run = await runFake(cluster, args);
    expect([run.code, sent]).toEqual([2, []]);
    expect(run.err).toContain(words);
  });
});

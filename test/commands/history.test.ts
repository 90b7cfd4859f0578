import { describe, expect, test } from 'vitest';
import { loadGolden, goldenNames } from '../fixtures/golden.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { recorded, runFake } from '../support/fake-world.js';

/** The scope the recording was configured with: the cluster that its `list` shows. */
function scopeOf(runs: ReturnType<typeof loadGolden>['runs']): { PATRONI_SCOPE: string } {
  const title = /Cluster: (\S+) /.exec(runs['list']?.out ?? '');
  return { PATRONI_SCOPE: title?.[1] ?? 'demo' };
}

const FORMATS = ['', '-json', '-tsv', '-yaml'];

describe('history and show-config of every recorded cluster, --compat', () => {
  const cases = goldenNames()
    .map(loadGolden)
    .filter(({ etcd, runs, name }) => etcd && runs['history'] && name !== 'standby-sync-3.3.0')
    .map(({ name }) => name);

  test('there are recordings', () => expect(cases.length).toBeGreaterThan(15));

  test.each(cases)('%s', async (name) => {
    const { runs } = loadGolden(name);
    const names = ['show-config', ...FORMATS.map((format) => `history${format}`)];
    for (const run of names.flatMap((one) => runs[one] ?? [])) {
      const args = run.cmd.split('\n')[0]?.split(' ').slice(1) ?? [];
      const ours = await runFake(recorded(name), ['--compat', ...args], scopeOf(runs));
      expect([ours.out, ours.err, ours.code]).toEqual([run.out, '', 0]);
    }
  });

  test('an unknown cluster: the same empty table, and an ending that a script notices', async () => {
    const run = loadGolden('on').runs['history-nosuch'];
    const ours = await runFake(recorded('on'), ['--compat', 'history', 'nosuch']);
    expect([ours.out, ours.code]).toEqual([run?.out, 1]);
    expect(ours.err).toBe('clusters in /service: demo\nError: no cluster "nosuch" in /service\n');
    const config = await runFake(recorded('on'), ['--compat', 'show-config', 'nosuch']);
    expect([config.out, config.code]).toEqual(['', 1]);
  });
});

const HISTORY =
  '[[1,84333624,"no recovery target specified","2026-11-20T23:53:35+00:00","pg2"],[2,1]]';

describe('history', () => {
  const cluster = () => {
    const one = recorded('on');
    one.keys['/service/demo/history'] = HISTORY;
    return one;
  };

  test('json has typed rows: numbers, and null where nothing is known', async () => {
    const { out, code } = await runFake(cluster(), ['history', '-f', 'json']);
    expect([JSON.parse(out), code]).toEqual([
      [
        {
          TL: 1,
          LSN: 84333624,
          Reason: 'no recovery target specified',
          Timestamp: '2026-11-20T23:53:35+00:00',
          'New Leader': 'pg2',
          Position: '0/506D438',
          Cause: 'not known',
        },
        {
          TL: 2,
          LSN: 1,
          Reason: '',
          Timestamp: null,
          'New Leader': null,
          Position: '0/1',
          Cause: 'not known',
        },
      ],
      0,
    ]);
  });

  test('tsv has the new column last', async () => {
    const { out } = await runFake(cluster(), ['history', '-f', 'tsv']);
    expect(out.split('\n').slice(0, 3)).toEqual([
      'TL\tLSN\tReason\tTimestamp\tNew Leader\tPosition\tCause',
      '1\t84333624\tno recovery target specified\t2026-11-20T23:53:35+00:00\tpg2\t0/506D438\tnot known',
      '2\t1\t\t\t\t0/1\tnot known',
    ]);
  });

  test('what cannot be read is a warning', async () => {
    const broken = cluster();
    broken.keys['/service/demo/history'] = '{';
    const { out, err, code } = await runFake(broken, ['history', '-f', 'json']);
    expect([out, code]).toEqual(['[]\n', 0]);
    expect(err).toBe('warning: /service/demo/history is not valid JSON\n');
  });

  test('control characters of a name stay out of the table', async () => {
    const evil = cluster();
    evil.keys['/service/demo/history'] = '[[1,1,"\\u001b[31mx","t","pg"]]';
    expect((await runFake(evil, ['history'])).out).not.toContain('\u001b');
  });
});

describe('show-config', () => {
  test('json is the same document', async () => {
    const { out } = await runFake(recorded('on'), ['show-config', '-f', 'json']);
    expect(JSON.parse(out)).toEqual(JSON.parse(recorded('on').keys['/service/demo/config'] ?? ''));
  });

  test('no config key, and one that is not JSON, are errors', async () => {
    const none = recorded('on');
    delete none.keys['/service/demo/config'];
    const missing = await runFake(none, ['show-config']);
    expect([missing.out, missing.code]).toEqual(['', 1]);
    expect(missing.err).toContain('The config key does not exist in the cluster demo');
    const broken = recorded('on');
    broken.keys['/service/demo/config'] = '{"ttl"';
    const unreadable = await runFake(broken, ['show-config']);
    expect([unreadable.out, unreadable.code]).toEqual(['', 1]);
    expect(unreadable.err).toContain('/service/demo/config is not valid JSON');
  });
});

describe('why the leader changed', () => {
  /** Keys as Patroni writes them when the lock changes hands, `timeline` ending. */
  const world = () => {
    const dcs = memoryStore({ '/service/demo/config': '{}', '/service/demo/status': '{}' });
    const key = (name: string) => `/service/demo/${name}`;
    const history: unknown[] = [];
    let holder = 'pg1';
    dcs.put(key('leader'), holder);
    const noise = (times: number) => {
      for (let n = 0; n < times; n += 1) dcs.put(key('status'), `{"optime":${n}}`);
    };
    return {
      dcs,
      request: (value: object) => dcs.put(key('failover'), JSON.stringify(value)),
      change: (to: string, whileFree: () => void = () => undefined) => {
        noise(7);
        dcs.remove(key('leader'));
        whileFree();
        holder = to;
        dcs.put(key('leader'), to);
        noise(3);
        const at = '2026-11-21T08:00:00+00:00';
        history.push([history.length + 1, 100, 'no recovery target specified', at, to]);
        dcs.put(key('history'), JSON.stringify(history));
        dcs.put(key('failover'), '{}');
        noise(5);
      },
      causes: async () => {
        const { out } = await runFake({ keys: {}, dcs }, ['history', '-f', 'json']);
        return (JSON.parse(out) as { Cause: string }[]).map(({ Cause }) => Cause);
      },
    };
  };

  test('a switchover, a manual failover and a lost lock are distinguished', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.change('pg2');
    demo.change('pg3');
    demo.request({ member: 'pg1' });
    demo.change('pg1');
    demo.change('pg2', () => demo.request({ member: 'pg2' }));
    demo.request({ leader: 'pg2' });
    demo.change('pg1');
    demo.change('pg1');
    expect(await demo.causes()).toEqual([
      'switchover from pg1 to pg2',
      'pg2 lost the lock',
      'manual failover to pg1',
      'manual failover to pg2',
      'switchover from pg2',
      'pg1 lost the lock and took it again',
    ]);
  });

  test('a request that does not fit is not the cause, and neither is one for later', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.change('pg3');
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.change('pg2');
    demo.request({ leader: 'pg2', member: 'pg1', scheduled_at: '2026-11-22T08:00:00+00:00' });
    demo.change('pg1');
    demo.request({ leader: 'pg1', member: 'pg2', scheduled_at: '2026-11-21T07:59:00+00:00' });
    demo.change('pg2');
    expect(await demo.causes()).toEqual([
      'not known',
      'not known',
      'pg2 lost the lock',
      'switchover from pg1 to pg2, scheduled for 2026-11-21T07:59:00+00:00',
    ]);
  });

  test('a cause that etcd no longer has is not known, and neither is a promotion that kept the lock', async () => {
    const demo = world();
    demo.change('pg2');
    demo.dcs.compact(demo.dcs.revision);
    demo.change('pg3');
    demo.request({ leader: 'pg3', member: 'pg1' });
    demo.change('pg1');
    expect((await demo.causes()).slice(0, 1)).toEqual(['not known']);
    expect((await demo.causes()).at(-1)).toBe('switchover from pg3 to pg1');
    const kept = world();
    const line = [1, 100, 'no recovery target specified', '2026-11-21T08:00:00+00:00', 'pg1'];
    kept.dcs.put('/service/demo/history', JSON.stringify([line]));
    expect(await kept.causes()).toEqual(['not known']);
    kept.dcs.failNext('unreachable', 'rangeAt');
    expect(await kept.causes()).toEqual(['not known']);
  });
});

/** `top` where there is no terminal, or with --plain: lines; and how it ends. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { pause } from '../../src/clock.js';
import type { Cluster } from '../../src/cluster/model/model.js';
import type { Dcs } from '../../src/dcs/dcs.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import { recorded, runFake, type FakeCluster, type FakeRun } from '../support/fake-world.js';

/** Ends it when a line matches; `then` is done once everything was printed. */
async function topUntil(
  end: RegExp,
  args: readonly string[],
  then: (dcs: MemoryStore) => void = () => undefined,
  terminal: Pick<FakeCluster, 'stdin' | 'columns'> = {},
): Promise<FakeRun> {
  const cluster = { ...recorded('on'), ...terminal };
  const dcs = memoryStore(cluster.keys);
  const stop = new AbortController();
  let out = '';
  let isDone = false;
  const onOut = (text: string): void => {
    out += text;
    if (!isDone && /member pg3/.test(out)) {
      isDone = true;
      then(dcs);
    }
    if (isDone && end.test(out)) stop.abort();
  };
  return runFake({ ...cluster, dcs, signal: stop.signal, onOut }, args);
}

const withoutTime = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ''));

test('without a terminal it prints lines, each with its time and its cluster, and no escape', async () => {
  const { code, out, err } = await topUntil(/member pg3/, ['top', 'demo']);
  expect([code, err]).toEqual([0, '']);
  expect(withoutTime(out)).toEqual(
    [
      'OK pg2 leads, 2 replicas, nothing is wrong',
      'Cluster: demo (7710410091562263061)',
      'Leader: pg2, seen as primary, timeline 1, at 0/5000088',
      'Mode: normal',
      'Sync: on, /sync leader pg2, standbys pg1; synchronous_standby_names not read',
      'Votes: synchronous pg1; survives losing the leader and 0 members more',
      'Pending: nothing',
      'Witnesses: DCS at revision 9, REST 3 of 3, SQL 0 of 0',
      'member pg1: replica, streaming, timeline 1, lag 0 B, sync, verdict ok',
      'member pg2: primary, running, timeline 1, verdict ok',
      'member pg3: replica, streaming, timeline 1, lag 0 B, async, verdict ok',
    ].map((text) => `demo: ${text}`),
  );
  expect(out).not.toContain('\x1b');
  for (const line of out.trimEnd().split('\n')) expect(line).toMatch(/^20\d\d-.*Z demo: /);
});

test('what happens is a line as soon as the DCS says so', async () => {
  const { code, out } = await topUntil(/paused/, ['top', 'demo', '--interval', '200ms'], (dcs) => {
    dcs.put('/service/demo/config', JSON.stringify({ ttl: 20, loop_wait: 2, pause: true }));
  });
  expect(code).toBe(0);
  expect(withoutTime(out).slice(11)).toContainEqual(expect.stringMatching(/^demo: .*paused/));
});

test('a cluster that does not exist is exit 1', async () => {
  const run = await runFake(recorded('on'), ['top', 'nosuch']);
  expect([run.code, run.out]).toEqual([1, '']);
  expect(run.err).toBe('Error: no cluster "nosuch" in /service\nclusters in /service: demo\n');
});

test.each([
  [['demo', 'demo'], 'cluster demo is named twice'],
  [['demo', '--interval', '100ms'], 'expected a time of at least 200ms'],
])('%j is exit 2', async (args, message) => {
  const run = await runFake(recorded('on'), ['top', ...args]);
  expect([run.code, run.out]).toEqual([2, '']);
  expect(run.err).toContain(message);
});

test.each([
  ['--no-input on a terminal', ['--no-input', 'top'], { stdin: new PassThrough(), columns: 80 }],
  ['--plain on a terminal', ['top', '--plain'], { stdin: new PassThrough(), columns: 80 }],
  ['stdout is a pipe', ['top'], { stdin: new PassThrough() }],
  ['stdin is not a terminal', ['top'], { columns: 80 }],
] as const)('%s: lines, and no key is read', async (_, words, terminal) => {
  const { code, out } = await topUntil(/member pg3/, words, undefined, terminal);
  expect(code).toBe(0);
  expect(out).toContain('demo: member pg1: replica, streaming');
  expect(out).not.toContain('\x1b');
});

test.each([['demo'], ['--all']])(
  'top %s: a DCS that fails the first time is exit 3, with a terminal and without',
  async (what) => {
    const dcs = memoryStore(recorded('on').keys);
    for (const terminal of [{}, { stdin: new PassThrough(), columns: 80 }]) {
      dcs.failNext('unreachable');
      const { code, out, err } = await runFake({ keys: {}, dcs, ...terminal }, ['top', what]);
      expect([code, err]).toEqual([3, expect.stringMatching(/^Error: etcd did not answer/)]);
      expect(out.replace(ENTERED, '').replace(LEFT, '')).not.toContain('member');
      if ('columns' in terminal) expect(out.endsWith(LEFT)).toBe(true);
    }
  },
);

const ENTERED = '\x1b[?1049h\x1b[?25l\x1b[2J';
const LEFT = '\x1b[?25h\x1b[?1049l';

describe('on a terminal', () => {
  interface Terminal {
    dcs: MemoryStore;
    type: (keys: string) => void;
    stop: AbortController;
    /** Ends what is typed, as a terminal does that is gone. */
    hangUp: () => void;
  }

  /** Takes one step after the other, each as soon as its pattern was printed after the step before. */
  async function onTerminal(
    args: readonly string[],
    steps: readonly (readonly [RegExp, (terminal: Terminal) => void])[],
    given: Partial<FakeCluster> = {},
  ): Promise<FakeRun & { modes: boolean[]; last: string }> {
    const modes: boolean[] = [];
    const stdin = Object.assign(new PassThrough(), {
      setRawMode: (isRaw: boolean) => modes.push(isRaw),
    });
    const dcs = memoryStore(recorded('on').keys);
    const stop = new AbortController();
    const terminal: Terminal = {
      dcs,
      stop,
      type: (keys) => stdin.write(keys),
      hangUp: () => stdin.end(),
    };
    let last = '';
    let at = 0;
    const onOut = (text: string): void => {
      last += text;
      const [pattern, step] = steps[at] ?? [];
      if (!pattern?.test(last) || !step) return;
      at += 1;
      last = '';
      step(terminal);
    };
    const cluster = { ...recorded('on'), dcs, stdin, columns: 80, signal: stop.signal, onOut };
    const run = await runFake({ ...cluster, ...given }, ['top', ...args]);
    expect(at).toBe(steps.length);
    return { ...run, modes, last };
  }

  test('q gives it back as it was', async () => {
    const { code, out, err, modes } = await onTerminal(
      ['demo'],
      [[/pg3/, ({ type }) => type('q')]],
    );
    expect([code, err]).toEqual([0, '']);
    expect([out.startsWith(ENTERED), out.endsWith(LEFT)]).toEqual([true, true]);
    expect(modes).toEqual([true, false]);
  });

  test('and so does the end of its input', async () => {
    const { code, out, modes } = await onTerminal(['demo'], [[/pg3/, ({ hangUp }) => hangUp()]]);
    expect([code, out.endsWith(LEFT)]).toEqual([0, true]);
    expect(modes).toEqual([true, false]);
  });

  test('Ctrl-C at a question of a command ends both, as the command ends alone', async () => {
    const { code, out, err, modes } = await onTerminal(
      ['demo'],
      [
        [/pg3/, ({ type }) => type('jjs')],
        [/Enter runs this/, ({ type }) => type('\r')],
        [
          /\$ patctl switchover demo --candidate pg3/,
          ({ stop }) => setTimeout(() => stop.abort(), 0),
        ],
      ],
    );
    expect([code, err]).toEqual([130, expect.stringMatching(/^Error: interrupted/m)]);
    expect(out.endsWith(LEFT)).toBe(true);
    expect(modes.slice(0, 2)).toEqual([true, false]);
    expect(modes.at(-1)).toBe(false);
  });

  test('Ctrl-D at a question of a command does not wait for a key that cannot come', async () => {
    const { code, out } = await onTerminal(
      ['demo'],
      [
        [/pg3/, ({ type }) => type('jjs')],
        [/Enter runs this/, ({ type }) => type('\r')],
        [/\$ patctl switchover demo --candidate pg3/, ({ hangUp }) => hangUp()],
      ],
    );
    expect([code, out.endsWith(LEFT)]).toEqual([1, true]);
  });

  /** The first of these reads may be one of the page that is left. */
  function silence(dcs: MemoryStore): void {
    for (let read = 0; read < 3; read += 1) dcs.failNext('unreachable', 'range');
  }

  test('later silence is survived: of a cluster, and when a cluster or all of them are entered', async () => {
    const { code, err } = await onTerminal(
      ['--all', '--interval', '200ms'],
      [
        [
          /demo +\w+ +pg2/,
          ({ dcs, type }) => {
            silence(dcs);
            type('\r');
          },
        ],
        [/CANNOT BE READ etcd did not answer/, () => undefined],
        [
          /pg3/,
          ({ dcs, type }) => {
            silence(dcs);
            type('\x1b');
          },
        ],
        [/CANNOT BE READ etcd did not answer/, () => undefined],
        [/demo +\w+ +pg2/, ({ type }) => type('q')],
      ],
    );
    expect([code, err]).toEqual([0, '']);
  });

  test('a cluster that is gone when it is entered is said to be', async () => {
    const { code } = await onTerminal(
      ['--all', '--interval', '10s'],
      [
        [
          /demo +\w+ +pg2/,
          ({ dcs, type }) => {
            for (const key of Object.keys(recorded('on').keys)) dcs.remove(key);
            type('\r');
          },
        ],
        [/CANNOT BE READ no cluster/, ({ type }) => type('q')],
      ],
    );
    expect(code).toBe(0);
  });

  /** A DCS with a namespace of Kubernetes for each of these stores; the first is the one that is configured. */
  function namespaced(stores: Record<string, MemoryStore>, own: string): Dcs {
    const at = (place: string): Dcs => keyedDcs(stores[place] ?? memoryStore({}), '/service');
    const placed = (namespace: string, clusters: Cluster[]): Cluster[] =>
      clusters.map((cluster) => ({ ...cluster, kubernetes: { namespace } as never }));
    return {
      ...at(own),
      at: (place) => namespaced(stores, place),
      readAll: async (how) => {
        const all = Object.keys(stores).map(async (name) =>
          placed(name, await at(name).readAll(how)),
        );
        return (await Promise.all(all)).flat();
      },
      read: async (name, how) => {
        const place = name.place ?? own;
        return placed(place, await at(place).read(name, how));
      },
      follow: (name) => at(name.place ?? own).follow(name),
    };
  }

  test('Enter in a row of another namespace of Kubernetes goes there, and a key acts there', async () => {
    const stores = {
      // The namesake in the configured namespace is another cluster.
      default: memoryStore({ '/service/demo/leader': 'other', '/service/demo/initialize': '1' }),
      prod: memoryStore(recorded('on').keys),
    };
    const keys = recorded('on').keys;
    const called: string[] = [];
    /** Patroni of prod: it writes what is asked for, and every member sees it at once. */
    const call: FakeCluster['call'] = (method, apiUrl, path, body) => {
      called.push(`${method} ${apiUrl}${path} ${JSON.stringify(body)}`);
      for (const [key, value] of Object.entries(keys)) {
        if (!/\/(?:config|members\/\w+)$/.test(key)) continue;
        stores.prod.put(key, JSON.stringify({ ...(JSON.parse(value) as object), pause: true }));
      }
      const answer = { status: 200, body: '{}', json: {} };
      return Promise.resolve({ kind: 'answered', answer });
    };
    const { code, out } = await onTerminal(
      ['--all', '--interval', '200ms'],
      [
        [/prod\/demo +\w+ +pg2/, ({ type }) => type('/prod\r\r')],
        [/pg3 +Replica/, ({ type }) => type('p')],
        [/patctl --kube-namespace prod pause demo --wait/, ({ type }) => type('\r')],
        // What is typed together with the Enter before is not an answer.
        [/Press Enter/, ({ type }) => setTimeout(() => type('\r'), 150)],
        [/paused/, ({ type }) => type('q')],
      ],
      { port: namespaced(stores, 'default'), columns: 120, call },
    );
    expect(code).toBe(0);
    expect(out).toContain('\n$ patctl --kube-namespace prod pause demo --wait\n');
    expect(called).toEqual([expect.stringMatching(/^PATCH http:.*\/config \{"pause":true\}$/)]);
  });

  test('a fault of ours in drawing ends it with the terminal as it was', async () => {
    let isBroken = false;
    const nowMs = (): number => {
      if (isBroken) throw new Error('cannot draw');
      return Date.now();
    };
    const { code, out, err, modes } = await onTerminal(
      ['demo', '--interval', '30s'],
      [
        [
          /pg3/,
          ({ type }) => {
            isBroken = true;
            type('j');
          },
        ],
      ],
      { clock: { nowMs, wait: pause } },
    );
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('internal error in patctl: cannot draw'),
    ]);
    expect(out.endsWith(LEFT)).toBe(true);
    expect(modes).toEqual([true, false]);
  });
});

/** Why the leader changed, from what the DCS alone still knows. */
import { describe, expect, test } from 'vitest';
import type { ExplainDocument } from '../../src/cluster/documents/explain-document.js';
import { memoryStore } from '../../src/dcs/keyed/memory-store.js';
import { runFake } from '../support/fake-world.js';

/** Keys as Patroni writes them, on etcd's terms: a lease ends all of its keys at one revision. */
function world() {
  const key = (name: string): string => `/service/demo/${name}`;
  const dcs = memoryStore({ [key('config')]: '{}', [key('status')]: '{"optime":100}' });
  const history: unknown[] = [];
  let leader = 'pg1';
  const member = (name: string, role: string, state = 'running', lsn = 100): string =>
    dcs.put(key(`members/${name}`), JSON.stringify({ role, state, xlog_location: lsn }), name);
  for (const name of ['pg1', 'pg2', 'pg3']) member(name, name === leader ? 'primary' : 'replica');
  dcs.put(key('leader'), leader, leader);
  return {
    dcs,
    member,
    request: (value: object) => dcs.put(key('failover'), JSON.stringify(value)),
    release: () => dcs.remove(key('leader')),
    expire: (...names: string[]) =>
      Promise.all(
        names.map((name) =>
          dcs.txn(
            [],
            [
              ...(name === leader ? [{ op: 'delete' as const, key: key('leader') }] : []),
              { op: 'delete', key: key(`members/${name}`) },
            ],
          ),
        ),
      ),
    take: (name: string) => {
      leader = name;
      dcs.put(key('leader'), name, name);
      dcs.put(key('failover'), '{}');
      const at = `2026-11-21T0${history.length}:00:00+00:00`;
      history.push([
        history.length + 1,
        110 + history.length * 100,
        'no recovery target specified',
        at,
        name,
      ]);
      dcs.put(key('history'), JSON.stringify(history));
      member(name, 'primary');
    },
    explain: async (...args: string[]) => {
      const { out, code } = await runFake({ keys: {}, dcs }, ['explain', '-f', 'json', ...args]);
      return { code, document: (out === '' ? null : JSON.parse(out)) as ExplainDocument };
    },
  };
}

const verdicts = ({ stories }: ExplainDocument) =>
  stories.map(({ timeline, from, to, verdict }) => [
    timeline,
    from,
    to,
    verdict.cause ?? verdict.fits,
  ]);

describe('explain, from the DCS alone', () => {
  test('a switchover, a manual failover and a Patroni that was stopped are told apart', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.member('pg1', 'primary', 'stopping');
    demo.release();
    demo.member('pg1', 'demoted', 'stopped');
    demo.take('pg2');
    demo.request({ member: 'pg3' });
    demo.release();
    demo.take('pg3');
    demo.release();
    demo.member('pg3', 'primary', 'stopped');
    demo.take('pg1');
    const { document, code } = await demo.explain('--since', '3650d');
    expect([code, verdicts(document)]).toEqual([
      0,
      [
        [1, 'pg1', 'pg2', 'switchover'],
        [2, 'pg2', 'pg3', 'manual_failover'],
        [3, 'pg3', 'pg1', 'patroni_stopped'],
      ],
    ]);
    expect(verdicts((await demo.explain()).document)).toEqual([
      [3, 'pg3', 'pg1', 'patroni_stopped'],
    ]);
    expect(verdicts((await demo.explain('--timeline', '2')).document)).toEqual([
      [2, 'pg2', 'pg3', 'manual_failover'],
    ]);
    expect(verdicts((await demo.explain('--at', '2026-11-21T00:04Z')).document)).toEqual([
      [1, 'pg1', 'pg2', 'switchover'],
    ]);
  });

  test('a lease that ended: four causes fit, and none is chosen', async () => {
    const demo = world();
    demo.member('pg1', 'primary', 'running', 130);
    await demo.expire('pg1');
    demo.take('pg2');
    const [story] = (await demo.explain()).document.stories;
    expect([story?.verdict.cause, story?.verdict.fits]).toEqual([
      null,
      ['patroni_killed', 'node_lost', 'patroni_frozen', 'leader_cut_off'],
    ]);
    expect(story?.verdict.missing).toContain('the logs of Patroni');
    expect(story?.loss).toEqual({
      newTimelineStart: '0/6E',
      lastKnown: '0/82',
      lastKnownSource: 'etcd',
      lostBytes: 20,
      message:
        'the new timeline begins at 0/6E, and pg1 had written up to 0/82: at least 20 bytes of WAL are not in it',
    });
  });

  test('leases of all members that ended together: the DCS did not serve them', async () => {
    const demo = world();
    await demo.expire('pg3', 'pg1', 'pg2');
    demo.member('pg3', 'replica');
    demo.take('pg3');
    expect(verdicts((await demo.explain()).document)).toEqual([
      [1, 'pg1', 'pg3', 'dcs_unreachable'],
    ]);
  });

  test('a request for another candidate, or for later, is not the cause', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    await demo.expire('pg1');
    demo.take('pg3');
    demo.request({ leader: 'pg3', member: 'pg2', scheduled_at: '2026-11-22T08:00:00+00:00' });
    await demo.expire('pg3');
    demo.take('pg2');
    const { document } = await demo.explain('--since', '3650d');
    expect(document.stories.map(({ verdict }) => verdict.cause)).toEqual([null, null]);
  });

  test('what is compacted is not known, and said so; /history still tells the change', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2' });
    demo.release();
    demo.take('pg2');
    demo.dcs.compact(demo.dcs.revision);
    const { document, code } = await demo.explain();
    expect([code, document.stories[0]?.verdict.cause, document.stories[0]?.verdict.fits]).toEqual([
      0,
      null,
      [],
    ]);
    expect(document.stories[0]?.verdict.message).toBe(
      'The cause is unknown: no source recorded why the leader lost the lock.',
    );
  });

  test('no change of leader, or none that fits, is exit 1', async () => {
    const demo = world();
    const none = await runFake({ keys: {}, dcs: demo.dcs }, ['explain']);
    expect([none.code, none.out.split('\n')[0]]).toEqual([
      1,
      'demo: no change of leader is recorded',
    ]);
    demo.release();
    demo.take('pg2');
    const other = await runFake({ keys: {}, dcs: demo.dcs }, ['explain', '--timeline', '7']);
    expect([other.code, other.out.split('\n')[0]]).toEqual([
      1,
      'demo: nothing is recorded for what was asked (1 change of leader known)',
    ]);
    const two = await runFake({ keys: {}, dcs: demo.dcs }, [
      'explain',
      '--timeline',
      '7',
      '--since',
      '2h',
    ]);
    expect([two.code, two.err]).toEqual([2, 'Error: give one of --since, --at and --timeline\n']);
  });

  test('on a screen of 80 columns no line is longer, and names from the DCS stay harmless', async () => {
    const demo = world();
    demo.request({ leader: 'pg1', member: 'pg2\u001b[31m' });
    await demo.expire('pg1');
    demo.take('pg2');
    const { out } = await runFake({ keys: {}, dcs: demo.dcs, columns: 80 }, ['explain']);
    expect(out).not.toContain('\u001b[31m');
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).toContain(
      'Verdict  pg1 did not renew its lease within ttl; the DCS does not show why.',
    );
  });
});

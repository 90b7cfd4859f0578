import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import type { LossForecastDocument } from '../../src/cluster/documents/loss-forecast-document.js';
import type { WhyNotDocument } from '../../src/cluster/documents/why-not-document.js';
import { recorded, runFake, UNREACHABLE, type FakeCluster } from '../support/fake-world.js';

async function quorum(cluster: FakeCluster, ...args: string[]): Promise<QuorumDocument> {
  const { out, code } = await runFake(cluster, ['quorum', '-f', 'json', ...args]);
  expect(code).toBe(0);
  return JSON.parse(out) as QuorumDocument;
}

async function whyNot(cluster: FakeCluster, member: string, ...args: string[]) {
  const { out, code } = await runFake(cluster, ['why-not', member, '-f', 'json', ...args]);
  return { code, answer: JSON.parse(out) as WhyNotDocument };
}

const chances = ({ members }: QuorumDocument) =>
  members.map((one) => `${one.name} ${one.mayWin} ${one.counted}/${one.needed}`);

describe('quorum on recorded clusters, REST as the witness', () => {
  test('three members in quorum mode: either standby may win with both votes', async () => {
    const document = await quorum(recorded('quorum'));
    expect(chances(document)).toEqual(['pg2 yes 2/2', 'pg3 yes 2/2']);
    expect(document).toMatchObject({
      schemaVersion: 1,
      cluster: 'demo',
      leader: 'pg1',
      leaderState: 'alive',
      mode: 'quorum',
      sync: { leader: 'pg1', quorum: 1 },
      gate: { unnamed: { candidate: null, passes: 'yes', needed: 2 } },
      survives: { leaderLoss: 'yes', more: 0 },
      dataLoss: { verdict: 'none', words: 'no acknowledged commit can be lost' },
    });
    expect(document.gate?.named.map((one) => [one.candidate, one.passes, one.needed])).toEqual([
      ['pg2', 'yes', 1],
      ['pg3', 'yes', 1],
    ]);
    expect(document.members[0]?.votes).toMatchObject([
      { name: 'pg2', voted: 'yes', why: 'its own vote' },
      { name: 'pg1', voted: 'no', why: 'is the lost leader' },
      { name: 'pg3', voted: 'yes' },
    ]);
  });

  test('one voter silent: no member can win, and a switchover without a candidate is impossible', async () => {
    const cluster = recorded('quorum');
    cluster.rest = { ...cluster.rest, pg3: UNREACHABLE };
    const document = await quorum(cluster);
    expect(chances(document)).toEqual(['pg2 no 1/2', 'pg3 no 1/2']);
    expect(document.gate?.unnamed.passes).toBe('no');
    expect(document.gate?.named.map((one) => `${one.candidate ?? ''} ${one.passes}`)).toEqual([
      'pg2 yes',
      'pg3 no',
    ]);
    expect(document.survives.sentence).toBe('no member can take over if the leader is lost');
  });

  test('--verify off knows nothing, and says so', async () => {
    const document = await quorum(recorded('quorum'), '--verify', 'off');
    expect(chances(document)).toEqual(['pg2 unknown 1/2', 'pg3 unknown 1/2']);
    expect(document.leaderState).toBe('unknown');
    expect(document.dataLoss.verdict).toBe('unknown');
  });

  test('mode off counts no votes, and admits what may be lost', async () => {
    const { out, err, code } = await runFake(recorded('off'), ['quorum']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('Sync     off\n');
    expect(out).toMatch(/^ {2}pg2 +yes +- +no +commits$/m);
    expect(out).not.toContain('Each vote');
    expect(out).toContain(
      '\nThe cluster survives losing the leader and 1 more\n' +
        'If it were lost now: acknowledged commits may be lost: commits are acknowledged before a standby has them\n',
    );
  });

  test('the table for people', async () => {
    const { out } = await runFake(recorded('quorum'), ['quorum']);
    expect(out).toContain('Cluster  demo\nLeader   pg1, alive\n');
    expect(out).toMatch(/^Sync {5}quorum, \/sync of pg1 names pg[23], pg[23], quorum 1$/m);
    expect(out).toMatch(/^ {2}pg2 +yes +2 of 2 +yes +nothing$/m);
    expect(out).toMatch(/^ {2}pg3 +pg1 +no +is the lost leader$/m);
    expect(out).toContain('Would pg1 step down for a switchover\n');
    expect(out).toMatch(/^ {2}\(nobody\) +yes +2 of 2 +pg2, pg3$/m);
  });

  test('no leader: there is no gate', async () => {
    const document = await quorum(recorded('no-leader'));
    expect([document.leader, document.leaderState, document.gate]).toEqual([null, 'none', null]);
  });
});

describe('quorum --lose', () => {
  const lost = async (name: string, ...args: string[]) => {
    const { out, code, err } = await runFake(recorded(name), ['quorum', '-f', 'json', ...args]);
    return { code, err, document: out === '' ? null : (JSON.parse(out) as LossForecastDocument) };
  };

  test('members by name, separated by commas or one by one', async () => {
    const { code, document } = await lost('quorum', '--lose', 'pg1,pg3');
    expect(code).toBe(0);
    expect(document).toMatchObject({
      schemaVersion: 1,
      cluster: 'demo',
      leader: 'pg1',
      lost: ['pg1', 'pg3'],
      leaderLost: true,
      leadership: 'none',
      writes: 'stop',
      choices: null,
      heirs: [{ name: 'pg2', mayWin: 'no', counted: 1, needed: 2, reasons: ['has 1 of 2 votes'] }],
    });
    const again = await lost('quorum', '--lose', 'pg1', '--lose', 'pg3');
    expect(again.document?.lost).toEqual(['pg1', 'pg3']);
  });

  test('the worst choice', async () => {
    expect((await lost('quorum', '--lose-any', '1')).document).toMatchObject({
      lost: ['pg1'],
      choices: 3,
      leadership: 'moves',
    });
  });

  test('a tag: of the members that have it', async () => {
    const { document } = await lost('tags', '--lose', 'tag:nofailover=true');
    expect(document).toMatchObject({ lost: ['pg2'], leadership: 'stays' });
  });

  test('the same of a recording', async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'patctl-')), 'demo.json');
    expect((await runFake(recorded('quorum'), ['snapshot', '-o', file])).code).toBe(0);
    const { out, err } = await runFake({ keys: {} }, [
      'quorum',
      '--snapshot',
      file,
      '--lose',
      'pg2',
    ]);
    expect(out, err).toMatch(
      /^Cluster {2}demo\nLost {5}pg2\nLeader {3}pg1 stays\nWrites {3}go on: a commit/,
    );
  });

  test('an unknown member: exit 1', async () => {
    const { code, err } = await lost('quorum', '--lose', 'pg9');
    expect(code).toBe(1);
    expect(err).toContain('pg9 is not a member of demo');
    expect((await lost('quorum', '--lose', 'tag:zone=b')).code).toBe(1);
  });
});

describe('why-not', () => {
  test('a healthy standby could: exit 0, every check in Patroni’s order', async () => {
    const { code, answer } = await whyNot(recorded('quorum'), 'pg2');
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      member: 'pg2',
      could: 'yes',
      switchover: { could: 'yes' },
      race: { could: 'yes', counted: 2, needed: 2, reasons: [] },
    });
    expect(answer.switchover?.steps.map((s) => `${s.asks} ${s.check} ${s.result}`)).toEqual([
      'leader candidate_sync ok',
      'API candidate_answers ok',
      'API candidate_nofailover ok',
      'API candidate_watchdog ok',
      'leader candidate_lag ok',
      'leader candidate_timeline ok',
      'leader patroni_405_quorum ok',
      'leader votes ok',
      'patctl candidate_streams ok',
      'patctl replay_paused ok',
      'patctl data_loss ok',
    ]);
  });

  test('nofailover: exit 1, and both ways say why', async () => {
    const { code, answer } = await whyNot(recorded('tags'), 'pg2');
    expect([code, answer.could, answer.race?.could]).toEqual([1, 'no', 'no']);
    expect(answer.race?.reasons).toContain('is tagged nofailover');
    const { out } = await runFake(recorded('tags'), ['why-not', 'pg2']);
    expect(out).toContain('By a switchover now: pg2 would not be promoted\n');
    expect(out).toMatch(/^ {2}API +candidate_nofailover +refused +pg2 is tagged nofailover/m);
    expect(out).toContain('If the leader were lost now: pg2 would not be promoted\n');
  });

  test('asynchronous in synchronous mode: the API refuses it first', async () => {
    const { code, answer } = await whyNot(recorded('on'), 'pg3');
    expect(code).toBe(1);
    expect(answer.switchover?.steps[0]).toMatchObject({
      asks: 'API',
      check: 'candidate_sync',
      result: 'refused',
      said: 'pg3 is asynchronous: /sync names pg1',
    });
    expect(answer.race?.reasons).toEqual(['is not in /sync']);
  });

  test('not knowing is not a yes', async () => {
    const { code, answer } = await whyNot(recorded('quorum'), 'pg2', '--verify', 'off');
    expect([code, answer.could]).toEqual([3, 'unknown']);
  });

  test('the leader leads already; a stranger is named with the members', async () => {
    const leader = await runFake(recorded('quorum'), ['why-not', 'pg1']);
    expect([leader.code, leader.out]).toEqual([0, 'pg1 is already the leader\n']);
    const stranger = await runFake(recorded('quorum'), ['why-not', 'pg9']);
    expect(stranger.code).toBe(1);
    expect(stranger.out).toBe('');
    expect(stranger.err).toContain('pg9 is not a member of demo');
    expect(stranger.err).toContain('members: pg1, pg2, pg3');
  });

  test('no leader: the race decides', async () => {
    const { answer } = await whyNot(recorded('no-leader'), 'pg2');
    expect(answer.switchover).toBeNull();
    expect(answer.could).toBe(answer.race?.could);
  });
});

/** A leader that has lost the DCS only, its keys expired: what is said of it, of the lock, and of the vote after it. */
import { describe, expect, test } from 'vitest';
import { quorumDocument, survival } from '../../src/cluster/documents/quorum-document.js';
import { whyNot } from '../../src/cluster/documents/why-not-document.js';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type { Departed, SyncMode } from '../../src/cluster/model/model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { quorumText, whyNotText } from '../../src/output/vote-table.js';
import {
  DEAD,
  healthy,
  OFF,
  plan,
  REQUEST,
  type ProcessEnvironment as World,
} from './plan-support.js';

const SCREEN = { width: null, color: false, command: 'patctl' };

/** pg1 leads on without its keys; every Patroni that answers says that failsafe mode is active. */
function cutOff(
  mode: SyncMode = 'quorum',
  change: (pg1: Departed, world: World) => void = () => undefined,
) {
  const failsafe = '{"pg1":"http://10.0.0.1:7431","pg2":"http://x","pg3":"http://x"}';
  const config = { failsafe_mode: true };
  const world = healthy(mode, { config, keys: { failsafe } });
  const { snapshot } = world;
  for (const name of ['pg1', 'pg2', 'pg3']) world.rest(name).failsafeModeIsActive = true;
  const place = { host: '10.0.0.1', port: 5431, listening: true };
  const pg1: Departed = { ...world.readings('pg1'), origin: 'dcs history', ...place };
  change(pg1, world);
  snapshot.departed = [pg1];
  snapshot.members.splice(0, 1);
  snapshot.cluster.members.splice(0, 1);
  snapshot.cluster.leaderName = null;
  return world;
}

const gone = (pg1: Departed): void => {
  pg1.rest = DEAD;
  pg1.sql = DEAD;
  pg1.listening = false;
};

const found = ({ snapshot }: World) => {
  const { findings, consequences } = look(viewOf(snapshot), DEFAULT_LIMITS, () => true);
  const all = [...findings, ...consequences.map(({ finding }) => finding)];
  return (code: string) => all.find((one) => one.code === code);
};

describe('the vote', () => {
  const chances = (members: { name: string; mayWin: string; counted: number; needed: number }[]) =>
    members.map((one) => `${one.name} ${one.mayWin} ${one.counted}/${one.needed}`);

  test.each<[SyncMode, string[], string[]]>([
    ['quorum', ['pg2 no 2/2', 'pg3 no 2/2'], ['pg2 yes 2/2', 'pg3 yes 2/2']],
    ['on', ['pg2 no 0/0', 'pg3 no 0/0'], ['pg2 yes 0/0', 'pg3 no 0/0']],
    ['off', ['pg2 no 0/0', 'pg3 no 0/0'], ['pg2 yes 0/0', 'pg3 yes 0/0']],
  ])('mode %s: no member takes the lock; who would after its end', (mode, now, after) => {
    const document = quorumDocument(cutOff(mode).snapshot);
    expect(chances(document.members)).toEqual(now);
    expect(document.survives.sentence).toBe('no member can take the free lock');
    expect(document.dataLoss.verdict).toBe('possible');
    expect(document.afterPrimary).toMatchObject({
      primary: 'pg1',
      dataLoss: { verdict: mode === 'off' ? 'possible' : 'none' },
      survives: { leaderLoss: 'yes' },
    });
    expect(chances(document.afterPrimary?.members ?? [])).toEqual(after);
  });

  test('the primary is gone too: the same vote, and nothing more to come', () => {
    const document = quorumDocument(cutOff('quorum', gone).snapshot);
    expect(chances(document.members)).toEqual(['pg2 yes 2/2', 'pg3 yes 2/2']);
    expect(document.survives.sentence).toBe('the cluster survives losing 0 more');
    expect(document.afterPrimary).toBeNull();
  });

  test('a member leads: nothing is said of a primary without the lock', () => {
    const { snapshot } = healthy('quorum');
    expect(quorumDocument(snapshot).afterPrimary).toBeNull();
    expect(whyNot(snapshot, 'pg2').afterPrimary).toBeNull();
  });

  test('for people: the race now, and the race after it', async () => {
    const { snapshot } = cutOff();
    const text = await quorumText(quorumDocument(snapshot), SCREEN);
    expect(text).toContain('\nIn the race for the free lock\n');
    expect(text).toContain(
      '\nNo member can take the free lock\nIf a member took the lock now: acknowledged commits may be lost: pg1 is a primary and continues to acknowledge commits\n',
    );
    expect(text).toContain('\nIf the primary pg1, which runs without the lock, were lost too\n');
    expect(text).toMatch(
      /\nThe cluster survives losing 0 more\nIf a member took the lock then: no ackn/,
    );
    expect(survival(snapshot).words).toMatch(/; no member can take the free lock$/);
    const why = await whyNotText(whyNot(snapshot, 'pg2'), SCREEN);
    expect(why).toContain('  pg1 is out of recovery: a primary is still alive\n');
    expect(why).toMatch(
      /\nIf the primary pg1 were lost too: pg2 could be promoted, with 2 of 2 votes\n$/,
    );
  });
});

describe('findings', () => {
  test('its Patroni answers: its connection to the DCS is what has to be restored', () => {
    const one = found(cutOff());
    const restore = 'restore the connection between pg1';
    expect(one('failsafe_active')).toMatchObject({
      severity: 'warning',
      message: 'failsafe mode is active on pg2, pg3, pg1: pg1 does not reach the DCS',
      next: `${restore} and the DCS`,
    });
    expect(one('member_left')).toMatchObject({
      message:
        'pg1 has left the DCS; PostgreSQL still runs as a primary, and Patroni answers there',
      next: expect.stringContaining(`${restore} (10.0.0.1:5431) and the DCS`) as string,
    });
    expect(one('primary_without_lock')).toMatchObject({
      severity: 'info',
      next: expect.stringContaining('no member takes the lock while it answers') as string,
    });
  });

  test('its Patroni is dead: failsafe mode does not keep it alive, and another will be promoted', () => {
    const one = found(cutOff('quorum', (pg1) => (pg1.rest = DEAD)));
    expect(one('primary_without_lock')?.severity).toBe('critical');
    expect(one('member_left')?.message).toContain('still runs as a primary without Patroni');
  });

  test('the whole DCS was lost, or the primary is gone and its last request still counts', () => {
    expect(found(cutOff('quorum', gone))('failsafe_active')?.message).toBe(
      'failsafe mode is active on pg2, pg3: a primary lost the DCS and asked them to stay replicas; they do not take the lock for ttl after its last request',
    );
    const all = healthy();
    for (const name of ['pg1', 'pg2', 'pg3']) all.rest(name).failsafeModeIsActive = true;
    expect(found(all)('failsafe_active')).toMatchObject({
      message: 'failsafe mode is active on pg1, pg2, pg3: the DCS was lost',
      next: 'repair the DCS',
    });
  });

  test('another member leads: it is a second primary, whatever its failsafe mode says', () => {
    const world = cutOff();
    world.snapshot.cluster.leaderName = 'pg2';
    expect(found(world)('primary_without_lock')?.severity).toBe('critical');
  });
});

test('a failover is refused, and the next step is the connection of the primary', () => {
  const request = { ...REQUEST, kind: 'failover' as const, leader: null, candidate: 'pg2' };
  const { checks } = plan(cutOff(), request);
  expect(checks.find(({ name }) => name === 'leader_alive')).toMatchObject({
    result: 'refused',
    next: expect.stringMatching(/^pg1 is in failsafe mode: restore its connection/) as string,
  });
  const silent = plan(
    cutOff('quorum', (pg1) => (pg1.rest = OFF)),
    request,
  );
  expect(silent.checks.find(({ name }) => name === 'leader_alive')?.next).toMatch(
    /^it may be in f/,
  );
});

/** Witnesses that are there and cannot be asked, and PostgreSQL that accepts no connection. */
import { describe, expect, test } from 'vitest';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type { Reading, SilenceKind } from '../../src/cluster/model/model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { DEAD, healthy, OFF, restOnly, type ProcessEnvironment as World } from './plan-support.js';

const CODES = [
  'rest_unusable',
  'member_refuses',
  'login_refused',
  'postgres_unreachable',
  'connections_exhausted',
];
const silent = (kind: SilenceKind, reason: string = kind): Reading<never> => ({
  ok: false,
  kind,
  reason,
});

const ownWord = (kind: SilenceKind): Reading<never> => ({
  ok: false,
  kind,
  reason: 'its own word',
  cannotServe: true,
});

function looked(change: (world: World) => void) {
  const world = healthy();
  change(world);
  return look(viewOf(world.snapshot), DEFAULT_LIMITS, () => true);
}

const found = (change: (world: World) => void) => {
  const { findings, consequences } = looked(change);
  return [...findings, ...consequences.map(({ finding }) => finding)]
    .filter(({ code }) => CODES.includes(code))
    .map(({ code, severity, members }) => `${code} ${severity} ${members.join()}`);
};

describe('a REST API beside which SQL answers', () => {
  test.each<[SilenceKind, string]>([
    ['denied', 'denies our requests'],
    ['invalid', 'answers something that Patroni never sends'],
    ['no_address', 'has no usable address'],
  ])('%s is unknown, and names what was not looked for', (kind, words) => {
    const mute = (world: World) => {
      world.readings('pg3').rest = silent(kind);
    };
    expect(found(mute)).toEqual(['rest_unusable unknown pg3']);
    const { findings, unlooked } = looked(mute);
    expect(findings.find(({ code }) => code === 'rest_unusable')?.message).toContain(words);
    const missing = unlooked.filter(({ needs }) => needs === 'REST');
    expect(missing.map(({ code }) => code)).toContain('failsafe_active');
    expect(missing[0]?.members).toEqual(['pg3']);
  });

  test('one finding for all members with the same reason', () => {
    const names = ['pg1', 'pg2'];
    expect(
      found((world) => names.forEach((name) => (world.readings(name).rest = silent('denied')))),
    ).toEqual(['rest_unusable unknown pg1,pg2']);
  });

  test('votes that cannot be counted are named too', () => {
    const { unlooked } = looked((world) => {
      world.readings('pg2').rest = silent('invalid');
      world.readings('pg3').rest = silent('invalid');
    });
    const votes = unlooked.find(({ code }) => code === 'no_failover_candidate');
    expect(votes?.members).toEqual(['pg2', 'pg3']);
  });

  test('one that is down, that was not asked, or that is another, has its own finding', () => {
    expect(found((world) => (world.readings('pg3').rest = DEAD))).toEqual([]);
    expect(found((world) => (world.readings('pg3').rest = OFF))).toEqual([]);
    expect(found((world) => (world.readings('pg3').rest = silent('misidentified')))).toEqual([]);
  });
});

test('a member without any witness, also one without an address', () => {
  expect(
    found((world) => {
      restOnly(world);
      world.readings('pg3').rest = silent('no_address');
    }),
  ).toEqual(['member_refuses unknown pg3']);
});

describe('a database login', () => {
  test.each([
    ['flag: no password', ['login_refused unknown pg2']],
    ['superuser: denied; environment: denied', ['login_refused unknown pg2']],
    ['superuser: password authentication failed', []],
    ['superuser: TLS: self-signed certificate in certificate chain', ['login_refused unknown pg2']],
    ['superuser: denied; rewind: TLS: tlsv1 alert unknown ca', ['login_refused unknown pg2']],
  ])('that says %j', (reason, expected) => {
    expect(found((world) => (world.readings('pg2').sql = silent('denied', reason)))).toEqual(
      expected,
    );
  });
});

describe('PostgreSQL that runs by the word of Patroni and takes no connection', () => {
  test('critical on the leader, a warning elsewhere', () => {
    expect(found((world) => (world.readings('pg1').sql = DEAD))).toEqual([
      'postgres_unreachable critical pg1',
    ]);
    expect(found((world) => (world.readings('pg2').sql = DEAD))).toEqual([
      'postgres_unreachable warning pg2',
    ]);
    const late = silent('unreachable', 'no answer within 3000 ms');
    expect(found((world) => (world.readings('pg1').sql = late))).toEqual([
      'postgres_unreachable warning pg1',
    ]);
  });

  test('not where no member answers SQL: then it is our way there, or our login', () => {
    expect(
      found((world) => {
        for (const one of world.snapshot.members) one.sql = DEAD;
      }),
    ).toEqual([]);
  });

  test.each<[string, Reading<never>, string, string]>([
    ['out of memory', ownWord('unreachable'), 'critical', 'warning'],
    ['a corrupted page', ownWord('invalid'), 'critical', 'warning'],
    ['another error of our query', silent('invalid'), 'warning', 'warning'],
  ])('by its own words, also where no member answers SQL: %s', (_, sql, leader, standby) => {
    expect(
      found((world) => {
        for (const one of world.snapshot.members) one.sql = sql;
      }).sort(),
    ).toEqual([
      `postgres_unreachable ${leader} pg1`,
      `postgres_unreachable ${standby} pg2`,
      `postgres_unreachable ${standby} pg3`,
    ]);
  });

  test('not while it starts', () => {
    expect(
      found((world) => {
        world.readings('pg2').sql = DEAD;
        world.rest('pg2').state = 'starting';
      }),
    ).toEqual([]);
  });
});

describe('max_connections', () => {
  const with_ = (name: string, used: number) => (world: World) => {
    world.sql(name).connections = { used, max: 100, reserved: 3 };
  };

  test('reached: seen by a superuser, which can still connect', () => {
    expect(found(with_('pg1', 96))).toEqual([]);
    expect(found(with_('pg1', 97))).toEqual(['connections_exhausted critical pg1']);
    expect(found(with_('pg2', 98))).toEqual(['connections_exhausted warning pg2']);
  });

  test('reached: by the refusal of our own login', () => {
    const full = {
      ...silent('denied', 'flag: sorry, too many clients already'),
      full: true as const,
    };
    expect(found((world) => (world.readings('pg1').sql = full))).toEqual([
      'connections_exhausted critical pg1',
    ]);
  });
});

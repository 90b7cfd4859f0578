import { describe, expect, test } from 'vitest';
import {
  leaderFirst,
  membersOfRole,
  selectMembers,
  type RoleFilter,
} from '../../src/cluster/select-members.js';
import type { Cluster } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';

interface Shape {
  roles: Record<string, string>;
  leader?: string;
  silent?: string[];
}

function cluster({ roles, leader, silent = [] }: Shape, group: number | null = null): Cluster {
  const kvs = Object.entries(roles).map(([name, role]) => {
    const api = silent.includes(name) ? {} : { api_url: `http://${name}:8008/patroni` };
    const value = JSON.stringify({ role, conn_url: `postgres://${name}:5432/postgres`, ...api });
    return { key: `/service/demo/members/${name}`, value, modRevision: '1' };
  });
  if (leader !== undefined)
    kvs.push({ key: '/service/demo/leader', value: leader, modRevision: '1' });
  return parseCluster('demo', group, { revision: '1', kvs }, '/service/demo/');
}

const three = cluster({ roles: { b: 'primary', a: 'replica', c: 'replica' }, leader: 'b' });
const names = (clusters: Cluster[], role: RoleFilter) =>
  membersOfRole(clusters, role).map(({ member }) => member.name);

describe('members of a role', () => {
  test.each([
    ['any', ['a', 'b', 'c']],
    ['replica', ['a', 'c']],
    ['standby', ['a', 'c']],
    ['leader', ['b']],
    ['primary', ['b']],
    ['standby-leader', []],
  ] as const)('%s', (role, wanted) => {
    expect(names([three], role)).toEqual(wanted);
  });

  test.each([
    ['primary', 'primary', ['leader', 'primary']],
    ['master', 'primary', ['leader', 'primary']],
    ['standby_leader', 'standby', ['leader', 'standby-leader']],
    // patronictl counts a leader of another role among both.
    ['replica', 'odd', ['leader', 'primary', 'standby-leader']],
  ])('a leader whose own role is %s', (role, _, wanted) => {
    const one = cluster({ roles: { a: role }, leader: 'a' });
    const all = ['leader', 'primary', 'standby-leader'] as const;
    expect(all.filter((filter) => names([one], filter).length === 1)).toEqual(wanted);
  });

  test('without a leader every member is a replica, and none leads', () => {
    const headless = cluster({ roles: { a: 'replica', b: 'replica' } });
    expect(names([headless], 'replica')).toEqual(['a', 'b']);
    expect(names([headless], 'leader')).toEqual([]);
  });

  test('Citus groups come one after the other', () => {
    const other = cluster({ roles: { w2: 'replica', w1: 'primary' }, leader: 'w1' }, 1);
    const coordinator = cluster({ roles: { c1: 'primary' }, leader: 'c1' }, 0);
    expect(names([other, coordinator], 'any')).toEqual(['c1', 'w1', 'w2']);
    expect(names([other, coordinator], 'leader')).toEqual(['c1', 'w1']);
  });
});

describe('named members', () => {
  const pick = (role: RoleFilter, ...wanted: string[]) => {
    const selection = selectMembers([three], role, wanted);
    if (!selection.ok) return selection.words;
    return selection.members.map(({ member }) => member.name);
  };

  test('come in name order, each once', () => {
    expect(pick('any', 'c', 'a', 'c')).toEqual(['a', 'c']);
  });

  test('one unknown among good ones is an error', () => {
    expect(pick('any', 'a', 'x')).toBe('x is not a member of cluster');
    expect(pick('replica', 'a', 'b')).toBe('b is not a replica');
  });

  test('none that fits has the words of patronictl', () => {
    expect(pick('replica', 'b')).toBe('No replica among provided members');
    expect(pick('any', 'x')).toBe('No any among provided members');
  });

  test('the hint names the existing members', () => {
    const selection = selectMembers([three], 'replica', ['b']);
    expect(selection).toMatchObject({ ok: false, hint: 'members with the role replica: a, c' });
  });

  test('no member with the role', () => {
    const selection = selectMembers([cluster({ roles: {} })], 'any', []);
    expect(selection).toMatchObject({ ok: false, words: "demo cluster doesn't have any members" });
  });
});

test('the leader is asked first, and a member without a REST address not at all', () => {
  const one = cluster({
    roles: { a: 'replica', b: 'replica', c: 'primary' },
    leader: 'c',
    silent: ['a'],
  });
  expect(leaderFirst(one).map(({ name }) => name)).toEqual(['c', 'b']);
});

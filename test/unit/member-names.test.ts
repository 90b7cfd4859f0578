import { describe, expect, test } from 'vitest';
import {
  isSenderOf,
  sameName,
  senderNames,
  strangersIn,
} from '../../src/cluster/model/member-names.js';

// Seen on PostgreSQL 13, 15, 16 and 18: set application_name, then select it from pg_stat_activity.
const LONG = 'a-member-whose-name-is-much-longer-than-the-63-bytes-that-postgresql-shows';

describe('application_name, as PostgreSQL changes it', () => {
  test.each([
    ['pg1', ['pg1']],
    ['PG-1', ['pg-1']],
    [LONG, [LONG, LONG.slice(0, 63)]],
    ['b\u00fcro', ['b\u00fcro', 'b??ro', 'b\\xc3\\xbcro']],
    ['a\tb', ['a\tb', 'a?b', 'a\\x09b']],
    [
      '\u65e5'.repeat(30),
      ['\u65e5'.repeat(30), '?'.repeat(63), '\\xe6\\x97\\xa5'.repeat(6).slice(0, 63)],
    ],
  ])('%s', (name, expected) => expect(senderNames(name)).toEqual(expected));

  test('case is not told apart, other names are', () => {
    expect(sameName('PG1', 'pg1')).toBe(true);
    expect(sameName(null, 'pg1')).toBe(false);
    expect(isSenderOf('B??RO', 'b\u00fcro')).toBe(true);
    expect(isSenderOf('b??ro', 'buero')).toBe(false);
    const rows = [{ applicationName: 'b\\xc3\\xbcro' }, { applicationName: 'pg_recvlogical' }];
    expect(strangersIn(rows, [{ name: 'b\u00fcro' }])).toEqual([rows[1]]);
  });
});

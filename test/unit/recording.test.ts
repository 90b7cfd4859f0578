/** Recordings: everything comes back, and no secret goes in. */
import { expect, test } from 'vitest';
import type { Snapshot } from '../../src/cluster/model.js';
import { chosen, parseRecording, recordingText, withoutSecrets } from '../../src/recording.js';

function snapshot(scope: string, extra: object = {}): Snapshot {
  return {
    cluster: { scope, group: null, members: [], ...extra },
    members: [],
    departed: [],
    previous: null,
  } as unknown as Snapshot;
}

test('WAL positions, nulls and nested readings survive a round trip', () => {
  const before = snapshot('demo', {
    status: { optime: 0x5000060n, slots: { pg2: 1n } },
    sync: null,
  });
  expect(parseRecording(recordingText([before]), 'x')).toEqual([before]);
});

test.each([
  ['postgres://replicator:hunter2@db:5432/postgres', 'postgres://db:5432/postgres'],
  ["host=a password='hunter2 x' user=b", 'host=a password=*** user=b'],
  ['host=a password=hunter2 sslpassword=hunter2', 'host=a password=*** sslpassword=***'],
  ['{"password": "hunter2", "host": "a"}', '{"password": "***", "host": "a"}'],
  ['host all all ldap ldapbindpasswd="hunter2"', 'host all all ldap ldapbindpasswd=***'],
  ['AWS_SECRET_ACCESS_KEY=hunter2 wal-g %p', 'AWS_SECRET_ACCESS_KEY=*** wal-g %p'],
])('no secret stays in %s', (text, expected) => {
  expect(withoutSecrets(text)).toBe(expected);
});

test('a value under a name like password is not recorded, however deep', () => {
  const raw = {
    postgresql: { authentication: { rewind: { password: 'hunter2', username: 'r' } } },
  };
  const text = recordingText([snapshot('demo', { config: { raw, text: JSON.stringify(raw) } })]);
  expect(text).not.toContain('hunter2');
  expect(text).toContain('"username": "r"');
});

test.each([
  ['not JSON at all', /cannot be read/],
  ['null', /no recording/],
  ['{"kind":"patctl-snapshot","schemaVersion":2,"snapshots":[]}', /newer patctl/],
  ['{"kind":"patctl-snapshot","schemaVersion":1,"snapshots":[{}]}', /no snapshots/],
  ['{"kind":"patctl-snapshot","schemaVersion":1,"snapshots":[{"$lsn":"x"}]}', /WAL position/],
])('%s is refused with a reason', (text, reason) => {
  expect(() => parseRecording(text, 'file')).toThrow(reason);
});

test('a recording of one cluster needs no name, one of several does', () => {
  const one = snapshot('one');
  expect(chosen([one], '', null)).toEqual([one]);
  expect(() => chosen([one, snapshot('two')], '', null)).toThrow(/several clusters/);
  expect(() => chosen([one], 'two', null)).toThrow(/no cluster "two"/);
});

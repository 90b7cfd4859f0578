/** Recordings: everything comes back, and no secret goes in. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Dcs } from '../../src/dcs/dcs.js';
import { recordedDcs } from '../../src/dcs/recording/recorded-dcs.js';
import type { Snapshot } from '../../src/cluster/model/model.js';
import { parseRecording, recordingText } from '../../src/dcs/recording/recording-file.js';
import { cleaned, withoutSecrets } from '../../src/cluster/configuration/without-secrets.js';

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
  ['postgres://u:p@hunter2@h/db', 'postgres://h/db'],
  ['a postgres://u:p@hunter2@h:1/db, http://x:hunter2@y', 'a postgres://h:1/db, http://y'],
  ['postgres://u:hunter2/x@h/db', 'postgres://h/db'],
  ['http://h:80/a@b', 'http://h:80/a@b'],
  ['{"jwt": "hunter2", "creds": 1}', '{"jwt": "***", "creds": "***"}'],
  [
    '-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----',
    '-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----',
  ],
  ['run --password hunter2 -x', 'run --password *** -x'],
  ['run --repo1-cipher-pass=hunter2 -x', 'run --repo1-cipher-pass=*** -x'],
  ['curl -u admin:hunter2 h', 'curl -u *** h'],
  ['curl -H "Authorization: Bearer hunter2" h', 'curl -H "Authorization: ***" h'],
  ['sent Bearer hunter2hunter2 there', 'sent Bearer *** there'],
  ['sshpass -p hunter2 scp', 'sshpass -p *** scp'],
  ['pwd=hunter2', 'pwd=***'],
  ['password: hunter2', 'password: ***'],
  ['https://blob/x?sig=hunter2&se=1', 'https://blob/x?sig=***&se=1'],
  ["a = 1\narchive_command = 'cp hunter2'\nb = 2", "a = 1\narchive_command = 'cp ***'\nb = 2"],
  ['restore_command: fetch hunter2\nb: 2', 'restore_command: fetch ***\nb: 2'],
  ['{"n": 1.0, "x": {"on_start": "a hunter2"}}', '{"n": 1.0, "x": {"on_start": "a hunter2"}}'],
  [
    '{"n": 1.0, "callbacks": {"on_start": "a hunter2"}}',
    '{"n": 1.0, "callbacks": {"on_start": "a ***"}}',
  ],
  ['{"archive_command": "cp hunter2', '{"archive_command": "cp ***"'],
  ['password authentication failed for user "a"', 'password authentication failed for user "a"'],
  ['compass: north', 'compass: north'],
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
  ['cp %p /archive/hunter2', 'cp ***'],
  ['false --password hunter2', 'false ***'],
  ['PGPASSWORD=hunter2 pg_push %p', '***'],
  ['"/opt/a b/push" hunter2', '***'],
  ['sh -c "push hunter2"', 'sh ***'],
  ['https://hunter2@h', '***'],
  ['/bin/true', '/bin/true'],
  ['(disabled)', '(disabled)'],
  ['', ''],
])('of the command %s a recording keeps the program', (command, kept) => {
  const raw = {
    postgresql: {
      parameters: { archive_command: command, password_encryption: 'md5' },
      callbacks: { on_start: command },
      pgbackrest: { command, 'repo1-cipher-pass': 'hunter2' },
      pre_promote: command,
      before_stop: command,
      recovery_conf: { restore_command: command, archive_cleanup_command: command },
    },
    standby_cluster: { restore_command: command },
    pending_restart_reason: { restore_command: { old_value: command, new_value: command } },
  };
  const settings = { ssl_passphrase_command: { value: command, source: 'configuration file' } };
  const recorded = recordingText([
    snapshot('demo', { config: { raw, text: JSON.stringify(raw) }, settings }),
  ]);
  expect(recorded).not.toContain('hunter2');
  const [back] = parseRecording(recorded, 'x');
  const config = back?.cluster.config as unknown as { raw: typeof raw; text: string };
  expect(config.raw).toEqual({
    postgresql: {
      parameters: { archive_command: kept, password_encryption: 'md5' },
      callbacks: { on_start: kept },
      pgbackrest: { command: kept, 'repo1-cipher-pass': '***' },
      pre_promote: kept,
      before_stop: kept,
      recovery_conf: { restore_command: kept, archive_cleanup_command: kept },
    },
    standby_cluster: { restore_command: kept },
    pending_restart_reason: { restore_command: { old_value: kept, new_value: kept } },
  });
  expect(JSON.parse(config.text)).toEqual(config.raw);
  expect(back?.cluster).toMatchObject({
    settings: { ssl_passphrase_command: { value: kept, source: 'configuration file' } },
  });
});

test.each([
  ['not JSON at all', /cannot be read/],
  ['null', /not a patctl recording/],
  ['{"kind":"patctl-snapshot","schemaVersion":2,"snapshots":[]}', /newer patctl/],
  ['{"kind":"patctl-snapshot","schemaVersion":1,"snapshots":[{}]}', /no snapshots/],
  ['{"kind":"patctl-snapshot","schemaVersion":1,"snapshots":[{"$lsn":"x"}]}', /WAL position/],
])('%s is refused with a reason', (text, reason) => {
  expect(() => parseRecording(text, 'file')).toThrow(reason);
});

/** A recording of clusters of these names, behind the port. */
function recordedOf(...scopes: string[]): Dcs {
  const file = join(mkdtempSync(join(tmpdir(), 'patctl-recording-')), 'recording.json');
  writeFileSync(file, recordingText(scopes.map((scope) => snapshot(scope))));
  return recordedDcs(file);
}

test('a recording of one cluster needs no name, one of several does', async () => {
  const one = recordedOf('one');
  const several = recordedOf('one', 'two');
  expect(await one.ownScope?.()).toBe('one');
  expect(await several.scopes()).toEqual(['one', 'two']);
  await expect(several.ownScope?.()).rejects.toThrow(/several clusters/);
  expect((await several.recorded?.snapshots('two', null))?.length).toBe(1);
  expect(await one.read({ scope: 'two', group: null })).toEqual([]);
});

test('a recording takes no write', async () => {
  const dcs = recordedOf('one');
  const [cluster] = await dcs.read({ scope: 'one', group: null });
  if (!cluster) throw new Error('no cluster');
  const refused = { ending: 'usage', code: 'recording' };
  await expect(dcs.writeConfig(cluster, '{}')).rejects.toMatchObject(refused);
  await expect(dcs.writeFailover(cluster, null)).rejects.toMatchObject(refused);
  await expect(dcs.removal({ scope: 'one', group: null })).rejects.toMatchObject(refused);
});

test('secrets go by name and by place, whatever the type of the value', () => {
  const held = { password: 12345, bindpw: 'x1', pass: true, credentials: { user: 'u1', n: [7] } };
  const kept = { username: 'u', compass: 'north', slots: { auth_token: 5n }, password: null };
  const seen = JSON.stringify(cleaned(held));
  for (const secret of ['12345', 'x1', 'true', 'u1', '7']) expect(seen).not.toContain(secret);
  expect(cleaned(kept)).toEqual(kept);
  const text = '{"bindpw": 12345, "a": {"token": [1, null]}, "passive": true}';
  expect(withoutSecrets(text)).toBe(
    '{"bindpw": "***", "a": {"token": ["***", null]}, "passive": true}',
  );
  const settings = {
    'x.password_length': { value: '9', source: 'default', pendingRestart: false },
  };
  expect(cleaned({ settings })).toEqual({
    settings: { 'x.password_length': { value: '***', source: 'default', pendingRestart: false } },
  });
});

test.each([
  ['one long word', 'x'.repeat(100_000)],
  ['a word of passwords', 'password'.repeat(12_500)],
  ['dashes', '-'.repeat(100_000)],
  ['a scheme without end', `${'a+.'.repeat(33_000)}:/`],
  ['many open quotes', `p="${"a='".repeat(30_000)}`],
  ['blanks after a name', `password${' '.repeat(100_000)}x`],
  ['commands', '_command'.repeat(12_500)],
  ['JSON of many keys', `{${Array.from({ length: 20_000 }, (_, at) => `"k${at}":1`).join()}}`],
])('takes time in proportion to %s', (_, text) => {
  const start = process.cpuUsage();
  withoutSecrets(text);
  // Quadratic expressions took 38 s for 100 kB; a few milliseconds are enough.
  expect(process.cpuUsage(start).user / 1e6).toBeLessThan(2);
});

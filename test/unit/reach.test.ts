/** What a server saw when it connected to another one, in libpq's words. */
import { expect, test } from 'vitest';
import { dblinkOf, reachOf, reachSql } from '../../src/postgres/reach.js';

const TO = 'connection to server at "10.0.1.1", port 5432 failed: ';

test.each<[said: string, reached: boolean | null, admitted: boolean | null]>([
  [`${TO}Connection refused\n\tIs the server running on that host?`, false, null],
  [`${TO}timeout expired`, false, null],
  ['could not translate host name "w" to address: Name or service not known', false, null],
  [`${TO}fe_sendauth: no password supplied`, true, true],
  [
    `${TO}FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.1", user "r", no encryption`,
    true,
    false,
  ],
  [
    `${TO}FATAL:  pg_hba.conf rejects replication connection for host "10.0.0.1", user "r", SSL encryption\n` +
      `${TO}FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.1"`,
    true,
    false,
  ],
  [
    `${TO}FATAL:  connection requires a valid client certificate\n` +
      `${TO}FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.1"`,
    true,
    null,
  ],
  [`${TO}FATAL:  the database system is starting up`, true, null],
  // Two addresses of one name: the second one answers.
  [`${TO}Connection refused\n${TO}FATAL:  the database system is starting up`, true, null],
  ['server closed the connection unexpectedly', null, null],
  ['no answer within 6000 ms', null, null],
])('%s', (said, reached, admitted) => {
  const line = said.replaceAll(/\n\t?/g, '; ');
  expect(reachOf(said)).toEqual({ reached, admitted, said: line });
});

test('a name in the statement stays a name', () => {
  const sql = reachSql('my"schema', { host: String.raw`w\'x`, port: 5432, user: "o'b" });
  expect(sql).toContain('"my""schema".dblink_connect(');
  expect(sql).toContain(String.raw`E'host=''w\\\\\\''x''`);
});

test.each([
  [
    { schema: null, superuser: true, database: 'app' },
    'extension dblink is not in its database app',
  ],
  [
    { schema: 'public', superuser: false, role: 'm' },
    'role m is not a superuser, as dblink wants it',
  ],
])('dblink cannot be asked: %j', (document, why) => {
  expect(dblinkOf(document)).toEqual({ why });
});

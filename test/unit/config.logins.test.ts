import { describe, expect, it } from 'vitest';
import { FILE, loadYaml } from './config-support.js';

describe("the file's accounts", () => {
  const names = async (text: string): Promise<string[]> =>
    (await loadYaml(text)).logins.map((l) => `${l.origin}=${l.username ?? '-'}`);

  it.each([
    ['postgresql: {authentication: {rewind: {username: r}}}', ['rewind=r']],
    ['postgresql: {authentication: {superuser: {password: p}}}', ['superuser=-']],
    ['postgresql: {authentication: {superuser: {sslmode: require}, rewind: }}', []],
    ['postgresql:', []],
    [
      'postgresql: {superuser: {username: s}, replication: {username: r}}',
      ['superuser=s', 'replication=r'],
    ],
    [
      'postgresql: {pg_rewind: {username: w}, replication: {username: r}}',
      ['superuser=w', 'replication=r'],
    ],
    [
      'postgresql: {superuser: {username: old}, authentication: {replication: {username: r}}}',
      ['replication=r'],
    ],
  ])('%s', async (text, expected) => {
    expect(await names(text)).toEqual(expected);
  });

  it('warns of a revocation list, which is ignored', async () => {
    const config = await loadYaml(
      'postgresql:\n  authentication:\n    superuser:\n      username: u\n      sslcrl: /crl\n',
    );
    expect(config.warnings).toEqual([
      `file ${FILE}:5: postgresql.authentication.superuser.sslcrl is ignored by patctl`,
    ]);
  });
});

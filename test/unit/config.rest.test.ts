/** Where --rest, PATCTL_REST and patctl.rest lead, and what is refused. */
import { describe, expect, it } from 'vitest';
import { loadConfig, type LoadInput } from '../../src/config/load.js';

interface Given {
  flags?: LoadInput['flags'];
  env?: Record<string, string>;
  file?: string;
}

const load = ({ flags = {}, env = {}, file }: Given) =>
  loadConfig({
    flags: { configFile: '/p.yml', ...flags },
    env,
    home: '/h',
    platform: 'linux',
    files: {
      readFile: () => Promise.resolve(file ?? '{}'),
      readdir: () => Promise.reject(new Error('no directory')),
    },
  });

const FILE = 'patctl:\n  rest: [pg1.example.net, "https://pg2:443"]\n';

describe('the address of a member', () => {
  it.each<[string, string]>([
    ['pg1', 'http://pg1:8008'],
    ['pg1:8010', 'http://pg1:8010'],
    ['http://pg1:8008/patroni', 'http://pg1:8008'],
    ['https://pg1', 'https://pg1:443'],
    ['http://[::1]:8008', 'http://[::1]:8008'],
    ['http://pg1:8008, https://pg2:8008,', 'http://pg1:8008,https://pg2:8008'],
  ])('%s is %s', async (rest, url) => {
    const { memberUrls, etcd } = await load({ flags: { rest } });
    expect([memberUrls?.urls.join(','), etcd]).toEqual([url, null]);
  });

  it.each([
    ['ftp://pg1', 'must begin with http:// or https://'],
    ['http://u:secret@pg1', 'ctl.authentication'],
    ['http://pg1:8008/other', 'only host and port count'],
    ['', 'names no host'],
  ])('%s is refused', async (rest, problem) => {
    const failed = load({ flags: { rest } });
    await expect(failed).rejects.toMatchObject({ ending: 'usage', code: 'bad_rest_url' });
    const said = await failed.catch((error: unknown) => String(error));
    expect(said).toContain(problem);
    expect(said).not.toContain('secret');
  });
});

describe('which one counts', () => {
  it('an option before the variable, the variable before the file', async () => {
    const env = { PATCTL_REST: 'env' };
    const urls = async (given: Given) => (await load(given)).memberUrls?.urls.join(',');
    expect(await urls({ flags: { rest: 'flag' }, env, file: FILE })).toBe('http://flag:8008');
    expect(await urls({ env, file: FILE })).toBe('http://env:8008');
    expect(await urls({ file: FILE })).toBe('http://pg1.example.net:8008,https://pg2:443');
  });

  it('an option for the DCS before the variable and the file, and both options are refused', async () => {
    const dcsUrl = 'etcd3://e:2379';
    const { memberUrls, etcd } = await load({ flags: { dcsUrl }, env: { PATCTL_REST: 'env' } });
    expect([memberUrls, etcd?.endpoints[0]?.host]).toEqual([null, 'e']);
    for (const other of [{ dcsUrl }, { kubeContext: 'admin' }]) {
      const both = load({ flags: { rest: 'pg1', ...other } });
      await expect(both).rejects.toMatchObject({ ending: 'usage', code: 'two_ways' });
    }
  });

  it('whatever the DCS of the file is, and however broken its section', async () => {
    const file = 'scope: x\nconsul:\n  host: c\netcd3:\n  hosts: "a:b:c"\n';
    const { memberUrls, etcd, kubernetes, sources } = await load({ flags: { rest: 'pg1' }, file });
    expect([memberUrls?.urls, etcd, kubernetes]).toEqual([['http://pg1:8008'], null, null]);
    expect(sources).toContainEqual({
      key: 'patctl.rest',
      value: 'http://pg1:8008',
      source: 'flag --rest',
    });
  });
});

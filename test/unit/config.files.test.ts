import { describe, expect, it, test } from 'vitest';
import { configPath } from '../../src/config/files.js';
import { failure, FILE, load, loadYaml, sourceOf } from './config-support.js';

describe('which file is read', () => {
  it.each([
    ['the flag', 'x.yml', { PATRONICTL_CONFIG_FILE: 'y.yml' }, 'linux', 'x.yml'],
    ['the variable', undefined, { PATRONICTL_CONFIG_FILE: 'y.yml' }, 'linux', 'y.yml'],
    ['the default', undefined, {}, 'linux', '/home/op/.config/patroni/patronictl.yaml'],
    [
      'an empty variable',
      undefined,
      { PATRONICTL_CONFIG_FILE: '', XDG_CONFIG_HOME: '' },
      'linux',
      '/home/op/.config/patroni/patronictl.yaml',
    ],
    ['XDG', undefined, { XDG_CONFIG_HOME: '/xdg' }, 'linux', '/xdg/patroni/patronictl.yaml'],
    [
      'XDG with ~',
      undefined,
      { XDG_CONFIG_HOME: '~/c' },
      'linux',
      '/home/op/c/patroni/patronictl.yaml',
    ],
    [
      'macOS',
      undefined,
      { XDG_CONFIG_HOME: '/xdg' },
      'darwin',
      '/home/op/Library/Application Support/patroni/patronictl.yaml',
    ],
  ] as const)('%s', (_name, flag, env, platform, path) => {
    expect(configPath(flag, env, '/home/op', platform).path).toBe(path);
  });

  it('goes on without the default file', async () => {
    const config = await load({});
    expect(config).toMatchObject({ scope: null, namespace: '/service', group: null, etcd: null });
    expect(config.warnings).toEqual([]);
    expect(sourceOf(config, 'config_file')).toBe(
      '/home/op/.config/patroni/patronictl.yaml < default, not read',
    );
  });

  it('warns of a default file that it may not read', async () => {
    const path = '/home/op/.config/patroni/patronictl.yaml';
    const config = await load({ files: { [path]: { code: 'EACCES' } } });
    expect(config.warnings).toEqual([`file ${path}: ignored, cannot be read (EACCES)`]);
  });

  it.each([
    ['missing', { flags: { configFile: '/no.yml' } }, 'configuration file /no.yml does not exist'],
    [
      'missing, by variable',
      { env: { PATRONICTL_CONFIG_FILE: '/no.yml' } },
      'configuration file /no.yml does not exist',
    ],
    [
      'unreadable',
      { flags: { configFile: '/no.yml' }, files: { '/no.yml': { code: 'EACCES' } } },
      'configuration file /no.yml cannot be read (EACCES)',
    ],
  ])('a named file that is %s is an error', async (_name, world, message) => {
    const error = await failure(load(world));
    expect([error.ending, error.message]).toEqual(['error', message]);
  });

  it('reads a file that really exists through node:fs', async () => {
    const { loadConfig } = await import('../../src/config/load.js');
    const error = await failure(
      loadConfig({
        flags: {
          configFile: new URL('../fixtures/config/pyyaml-words.json', import.meta.url).pathname,
        },
        env: {},
        home: '/',
        platform: 'linux',
      }),
    );
    expect(error.message).toMatch(/pyyaml-words.json:1: this is not a mapping/);
  });
});

describe('a folder', () => {
  const folder = (files: Record<string, string | string[]>) =>
    load({
      flags: { configFile: '/etc/patroni' },
      files: {
        '/etc/patroni': Object.keys(files),
        ...Object.fromEntries(Object.entries(files).map(([k, v]) => [`/etc/patroni/${k}`, v])),
      },
    });

  it('merges its YAML files in name order, deeply', async () => {
    const config = await folder({
      '20-b.yaml': 'scope: second\netcd3: {username: u}\nctl:\n  cacert: null\n',
      '10-a.yml': 'scope: first\netcd3: {host: "a:1", password: p}\nctl: {cacert: /ca}\n',
      'ignored.txt': '{',
      'sub.yml': [],
    });
    expect(config.scope).toBe('second');
    expect(config.etcd).toMatchObject({
      username: 'u',
      password: 'p',
      endpoints: [{ host: 'a', port: 1 }],
    });
    expect(config.rest.cacert).toBeNull();
    expect(sourceOf(config, 'scope')).toBe('second < file /etc/patroni/20-b.yaml:1');
    expect(sourceOf(config, 'etcd3.hosts')).toBe('http://a:1 < file /etc/patroni/10-a.yml:2');
  });

  it('replaces lists and lets null remove a section', async () => {
    const config = await folder({
      'a.yml': 'etcd: {host: x}\netcd3:\n  hosts: [a, b]\n',
      'b.yml': 'etcd:\netcd3:\n  hosts: [c]\n',
    });
    expect(config.etcd?.endpoints.map(({ host }) => host)).toEqual(['c']);
  });

  it('says that it holds no file', async () => {
    const config = await folder({ 'notes.txt': '' });
    expect(config.warnings).toEqual(['folder /etc/patroni: no *.yml or *.yaml in it']);
  });

  it('names the file that is broken', async () => {
    const error = await failure(folder({ 'a.yml': 'scope: x\n', 'b.yml': 'scope: [\n' }));
    expect(error.message).toMatch(/^file \/etc\/patroni\/b\.yml:\d: not YAML, near the key scope/);
  });
});

describe('what is wrong in a file', () => {
  it.each([
    ['empty', '', 'the file is empty'],
    ['only a comment', '# x\n', 'the file is empty'],
    ['a list', '- a\n', ':1: this is not a mapping of keys to values'],
    ['a word', '\n\nhello\n', ':3: this is not a mapping of keys to values'],
    ['an open bracket', 'scope: a\netcd3:\n  hosts: [a, b\n', ':4: not YAML, near the key hosts'],
    ['an open quote', 'scope: "a\n', 'not YAML, near the key scope: a quote, bracket'],
    ['a tab', 'etcd3:\n\thost: a\n', ':2: not YAML, near the key host'],
    ['a reserved sign', 'etcd3:\n  password: @abc\n', ':2: not YAML, near the key password'],
    ['a lost anchor', 'etcd3:\n  password: *abc\n', ':2: etcd3.password refers to an anchor'],
    ['two documents', 'scope: a\n---\nscope: b\n', 'more than one document'],
    ['a foreign tag', 'scope: !vault x\n', ':1: scope has a tag that Patroni does not know'],
    ['a tag that lies', 'scope: !!int x\n', ':1: scope is not what its tag says'],
    ['a circle', 'etcd3: &a\n  hosts: [*a]\n', 'contains itself'],
    ['a merge of text', 'etcd3:\n  <<: x\n', ':2: etcd3 merges what is not a mapping'],
    ['scope', 'scope: [a]\n', ':1: scope must be text'],
    ['a section', 'name: x\nctl: on\n', ':2: ctl must be a mapping'],
    ['a subsection', 'ctl:\n  authentication: x\n', ':2: ctl.authentication must be a mapping'],
    ['insecure', 'ctl:\n  insecure: maybe\n', ':2: ctl.insecure must be true or false'],
    ['a port', 'etcd3:\n  host: a\n  port: x\n', ':3: etcd3.port must be a whole number'],
    ['a port too high', 'etcd3: {host: a, port: 70000}\n', ':1: etcd3.port must be between'],
    ['hosts', 'etcd3:\n  hosts: {a: b}\n', ':2: etcd3.hosts must be a list'],
    ['one host', 'etcd3:\n  hosts:\n  - a\n  - [b]\n', ':4: etcd3.hosts must be a list of texts'],
    ['a host number', 'etcd3:\n  host: 5\n', ':2: etcd3.host must be text'],
    ['a number of hosts', 'etcd3:\n  hosts: 5\n', ':2: etcd3.hosts must be a list of texts'],
    ['hosts', 'etcd3:\n  hosts: [5, null]\n', ':2: etcd3.hosts must be a list of texts'],
    ['no host between', 'etcd3:\n  hosts: [a, null]\n', ':2: etcd3.hosts must be a list of texts'],
    ['a namespace', 'namespace: 5\n', ':1: namespace must be text'],
    ['a certificate', 'etcd3: {host: a, cert: 5}\n', ':1: etcd3.cert must be text'],
    ['a CA', 'ctl:\n  cacert: on\n', ':2: ctl.cacert must be text'],
    ['no host', 'etcd3:\n  hosts: [" "]\n', ':2: etcd3.hosts names no host'],
    ['a bad port', 'etcd3:\n  hosts:\n  - a\n  - b:x\n', ':4: etcd3.hosts has no port between'],
    ['protocol', 'etcd3: {host: a, protocol: ftp}\n', ':1: etcd3.protocol must be http or https'],
    ['group', 'citus:\n  group: one\n', ':2: citus.group must be a whole number'],
    ['deep nesting', `a: ${'['.repeat(8_000)}`, 'not YAML'],
  ])('%s', async (_name, text, message) => {
    const error = await failure(loadYaml(text));
    expect(error.ending).toBe('error');
    expect(error.message).toContain(`file ${FILE}`);
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/\n/);
  });

  it('does not mind nested aliases that would explode', async () => {
    const lines = ['a0: &a0 [x]'];
    for (let i = 1; i < 40; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    expect((await loadYaml(`${lines.join('\n')}\nscope: s\n`)).scope).toBe('s');
  });

  it('warns of a key that is given twice, and takes the last', async () => {
    const config = await loadYaml('scope: a\nctl:\n  cacert: x\n  cacert: /y\nscope: b\n');
    expect([config.scope, config.rest.cacert]).toEqual(['b', '/y']);
    expect(config.warnings).toEqual([
      `file ${FILE}:4: ctl.cacert is given twice; the last value is used`,
      `file ${FILE}:5: scope is given twice; the last value is used`,
    ]);
  });

  it('takes numbers for names and passwords, as Patroni writes them out', async () => {
    const auth = 'authentication: {username: 5, password: 12345}';
    const { rest, scope } = await loadYaml(`scope: 7\nrestapi:\n  ${auth}\n`);
    expect([scope, rest.username, rest.password]).toEqual(['7', '5', '12345']);
  });

  it('warns of a log level that there is not', async () => {
    const { warnings } = await load({ env: { PATRONI_LOG_LEVEL: 'NOPE' } });
    expect(warnings).toEqual([
      'environment PATRONI_LOG_LEVEL: NOPE is not a log level (patronictl exits)',
    ]);
  });

  it('strips control characters from what is shown', async () => {
    const config = await loadYaml('scope: "a\\e[31mb"\n');
    expect(sourceOf(config, 'scope')).toBe(`a[31mb < file ${FILE}:1`);
    const error = await failure(load({ flags: { configFile: '/a\u001b[2J\nb' } }));
    expect(error.message).toBe('configuration file /a[2Jb does not exist');
  });
});

describe('a file of Patroni on this machine', () => {
  const ONE = {
    '/etc/patroni': ['db1.yml', 'README'],
    '/etc/patroni/db1.yml': 'scope: demo\netcd3: {host: h}',
  };
  const search = (files: Record<string, string | string[]>, env = {}) =>
    load({ files, env, searches: true });

  test('the only one is used, where nothing else tells', async () => {
    expect((await search(ONE)).search).toMatchObject({ found: '/etc/patroni/db1.yml', read: true });
    expect((await search(ONE)).scope).toBe('demo');
    expect((await load({ files: ONE })).search.found).toBeNull();
    const told = await search(ONE, { PATRONI_ETCD3_HOST: 'other' });
    expect([told.scope, told.search.found]).toEqual([null, null]);
    const named = { ...ONE, '/home/op/.config/patroni/patronictl.yaml': 'scope: mine' };
    expect((await search(named)).scope).toBe('mine');
  });

  test('of several none is taken, and all are named', async () => {
    const { search: found } = await search({ ...ONE, '/etc/patroni.yml': 'scope: other' });
    expect(found).toMatchObject({
      found: null,
      read: false,
      others: ['/etc/patroni.yml', '/etc/patroni/db1.yml'],
    });
  });

  test('the one that the service names is meant before all others', async () => {
    const files = { ...ONE, '/etc/patroni.yml': 'scope: other', '/srv/p.yml': 'scope: served' };
    const config = await search(files, { PATRONI_CONFIG_LOCATION: '/srv/p.yml' });
    expect([config.scope, config.search.found]).toEqual(['served', '/srv/p.yml']);
  });
});

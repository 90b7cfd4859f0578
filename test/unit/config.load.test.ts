import { describe, expect, it } from 'vitest';
import { KEYS } from '../../src/config/known-keys.js';
import { logLevel } from '../../src/config/load.js';
import { configRows } from '../../src/config/show.js';
import { failure, FILE, load, loadYaml, sourceOf } from './config-support.js';

const WHOLE = `
scope: batman
namespace: /prod/
name: pg1
restapi:
  listen: 0.0.0.0:8008
  connect_address: 10.0.0.1:8008
  cafile: /rest/ca.pem
  certfile: /rest/cert.pem
  authentication:
    username: rest
    password: rest-secret
ctl:
  insecure: on
  certfile: /ctl/cert.pem
  keyfile: /ctl/key.pem
  keyfile_password: key-secret
etcd3:
  hosts: 10.0.0.1:2379, 10.0.0.2
  protocol: https
  cacert: /etcd/ca.pem
  cert: /etcd/cert.pem
  key: /etcd/key.pem
  key_password: etcd-key-secret
  username: root
  password: etcd-secret
citus: {group: 2, database: app}
bootstrap:
  dcs: {ttl: 30}
  users: {admin: {password: x}}
postgresql:
  listen: 0.0.0.0:5432
  authentication:
    replication: {username: rep, password: rep-secret}
    superuser: {username: postgres, password: su-secret, sslmode: verify-full, sslrootcert: /pg/ca}
    rewind: {username: rew, sslcert: /pg/crt, sslkey: /pg/key, sslpassword: ssl-secret}
`;

describe('a whole patroni.yml', () => {
  it('is read by value', async () => {
    const { sources, warnings, ...config } = await loadYaml(WHOLE);
    const open = { database: null, sslmode: null, sslrootcert: null, sslcert: null, sslkey: null };
    const login = { ...open, sslpassword: null };
    expect(config).toEqual({
      patctl: {},
      search: { path: FILE, read: true, found: null, others: [] },
      scope: 'batman',
      memberUrls: null,
      namespace: '/prod',
      group: 2,
      kubernetes: null,
      etcd: {
        endpoints: [
          { protocol: 'https', host: '10.0.0.1', port: 2379 },
          { protocol: 'https', host: '10.0.0.2', port: 2379 },
        ],
        srv: null,
        username: 'root',
        password: 'etcd-secret',
        cacert: '/etcd/ca.pem',
        cert: '/etcd/cert.pem',
        key: '/etcd/key.pem',
        keyPassword: 'etcd-key-secret',
      },
      rest: {
        username: 'rest',
        password: 'rest-secret',
        cacert: '/rest/ca.pem',
        certfile: '/ctl/cert.pem',
        keyfile: '/ctl/key.pem',
        keyfilePassword: 'key-secret',
        insecure: true,
      },
      logins: [
        {
          ...login,
          origin: 'superuser',
          username: 'postgres',
          password: 'su-secret',
          sslmode: 'verify-full',
          sslrootcert: '/pg/ca',
        },
        {
          ...login,
          origin: 'rewind',
          username: 'rew',
          password: null,
          sslcert: '/pg/crt',
          sslkey: '/pg/key',
          sslpassword: 'ssl-secret',
        },
        { ...login, origin: 'replication', username: 'rep', password: 'rep-secret' },
      ],
    });
    expect(warnings).toEqual([]);
    expect(JSON.stringify(sources)).not.toContain('secret');
  });

  it('shows every value with its line', async () => {
    const rows = configRows(await loadYaml(WHOLE)).map((r) => `${r.key} ${r.value} ${r.source}`);
    expect(rows).toEqual([
      `config_file ${FILE} flag --config-file`,
      `scope batman file ${FILE}:2`,
      `namespace /prod file ${FILE}:3`,
      `name pg1 file ${FILE}:4`,
      `citus.group 2 file ${FILE}:27`,
      `citus.database app file ${FILE}:27`,
      `etcd3.hosts https://10.0.0.1:2379,https://10.0.0.2:2379 file ${FILE}:19`,
      `etcd3.protocol https file ${FILE}:20`,
      `etcd3.cacert /etcd/ca.pem file ${FILE}:21`,
      `etcd3.cert /etcd/cert.pem file ${FILE}:22`,
      `etcd3.key /etcd/key.pem file ${FILE}:23`,
      `etcd3.key_password *** file ${FILE}:24`,
      `etcd3.username root file ${FILE}:25`,
      `etcd3.password *** file ${FILE}:26`,
      `ctl.insecure true file ${FILE}:14`,
      `ctl.certfile /ctl/cert.pem file ${FILE}:15`,
      `ctl.keyfile /ctl/key.pem file ${FILE}:16`,
      `ctl.keyfile_password *** file ${FILE}:17`,
      `restapi.connect_address 10.0.0.1:8008 file ${FILE}:7`,
      `restapi.cafile /rest/ca.pem file ${FILE}:8`,
      `restapi.certfile /rest/cert.pem file ${FILE}:9`,
      `restapi.authentication.username rest file ${FILE}:11`,
      `restapi.authentication.password *** file ${FILE}:12`,
      `postgresql.authentication.superuser.username postgres file ${FILE}:35`,
      `postgresql.authentication.superuser.password *** file ${FILE}:35`,
      `postgresql.authentication.superuser.sslmode verify-full file ${FILE}:35`,
      `postgresql.authentication.superuser.sslrootcert /pg/ca file ${FILE}:35`,
      `postgresql.authentication.rewind.username rew file ${FILE}:36`,
      `postgresql.authentication.rewind.sslcert /pg/crt file ${FILE}:36`,
      `postgresql.authentication.rewind.sslkey /pg/key file ${FILE}:36`,
      `postgresql.authentication.rewind.sslpassword *** file ${FILE}:36`,
      `postgresql.authentication.replication.username rep file ${FILE}:34`,
      `postgresql.authentication.replication.password *** file ${FILE}:34`,
      'log.level WARNING default',
    ]);
  });
});

describe('precedence', () => {
  it('environment beats file, key by key', async () => {
    const config = await loadYaml(WHOLE, {
      env: {
        PATRONI_SCOPE: 'robin',
        PATRONI_ETCD3_PASSWORD: 'other',
        PATRONI_CTL_INSECURE: 'off',
        PATRONI_SUPERUSER_SSLMODE: 'require',
        PATRONI_CITUS_GROUP: '0',
        PATRONI_CTL_CACERT: '',
      },
    });
    expect(config).toMatchObject({ scope: 'robin', group: 0, namespace: '/prod' });
    expect(config.etcd).toMatchObject({ username: 'root', password: 'other' });
    expect(config.rest).toMatchObject({ insecure: false, cacert: '/rest/ca.pem' });
    expect(config.logins[0]).toMatchObject({ sslmode: 'require', password: 'su-secret' });
    expect(sourceOf(config, 'scope')).toBe('robin < environment PATRONI_SCOPE');
  });

  it('flags beat the environment', async () => {
    const config = await loadYaml(WHOLE, {
      flags: { dcsUrl: 'etcd3://flag:1/ns', insecure: true, group: 7 },
      env: { DCS_URL: 'etcd3://env:2/env', PATRONI_NAMESPACE: 'x', PATRONI_CTL_INSECURE: 'no' },
    });
    expect(config).toMatchObject({ namespace: '/ns', group: 7 });
    expect(config.rest.insecure).toBe(true);
    expect(sourceOf(config, 'namespace')).toBe('/ns < flag --dcs-url');
    expect(sourceOf(config, 'ctl.insecure')).toBe('true < flag --insecure');
    expect(sourceOf(config, 'citus.group')).toBe('7 < flag --group');
  });

  it('takes every variable of the table', async () => {
    const env = Object.fromEntries(
      KEYS.filter(({ key }) => !/^etcd3\.(srv|url|proxy|host$|protocol)/.test(key)).map((spec) => [
        spec.variable,
        { bool: 'on', int: '7', list: 'h1,h2', map: 'a: b', text: `v-${spec.key}` }[spec.type],
      ]),
    );
    const config = await load({ env });
    const wrong = KEYS.filter(({ variable, key }) => variable in env && key !== 'etcd3.port')
      .map(({ key, variable }) => [key, variable, sourceOf(config, key)] as const)
      .filter(([, variable, row]) => !row.endsWith(`< environment ${variable}`));
    expect(wrong).toEqual([]);
    expect(config.rest).toEqual({
      username: 'v-ctl.authentication.username',
      password: 'v-ctl.authentication.password',
      cacert: 'v-ctl.cacert',
      certfile: 'v-ctl.certfile',
      keyfile: 'v-ctl.keyfile',
      keyfilePassword: 'v-ctl.keyfile_password',
      insecure: true,
    });
    expect(config.logins.map(({ username }) => username)).toEqual(
      ['superuser', 'rewind', 'replication'].map(
        (a) => `v-postgresql.authentication.${a}.username`,
      ),
    );
    expect(config.etcd?.endpoints.map(({ host, port }) => `${host}:${port}`)).toEqual([
      'h1:7',
      'h2:7',
    ]);
  });

  it.each([
    ['PATRONI_CTL_INSECURE', 'perhaps', 'ctl.insecure must be true or false'],
    ['PATRONI_ETCD3_PORT', 'x', 'etcd3.port must be a whole number'],
    ['PATRONI_CITUS_GROUP', '-1', 'citus.group must be a whole number'],
  ])('%s=%s is an error', async (name, value, message) => {
    const error = await failure(load({ env: { [name]: value } }));
    expect([error.ending, error.message]).toEqual(['error', `environment ${name}: ${message}`]);
  });

  it('ignores the variable that Kubernetes makes for a service of that name', async () => {
    const env = { PATRONI_ETCD3_PORT: 'tcp://10.0.0.1:2379', PATRONI_ETCD3_HOST: 'h' };
    expect((await load({ env })).etcd?.endpoints).toEqual([
      { protocol: 'http', host: 'h', port: 2379 },
    ]);
  });
});

describe('PATRONI_CONFIGURATION', () => {
  const env = { PATRONI_CONFIGURATION: 'scope: whole\netcd3:\n  host: h\n', PATRONI_NAME: 'x' };

  it('stands alone without a file, and says what it hides', async () => {
    const config = await load({ env });
    expect(config.scope).toBe('whole');
    expect(sourceOf(config, 'etcd3.hosts')).toBe(
      'http://h:2379 < environment PATRONI_CONFIGURATION:3',
    );
    expect(sourceOf(config, 'name')).toBe('none');
    expect(config.warnings).toEqual([
      'environment PATRONI_CONFIGURATION is set: as in Patroni, the variables for name are ignored',
    ]);
  });

  it('does not count beside a file', async () => {
    const config = await loadYaml('scope: file\n', { env });
    expect([config.scope, config.etcd]).toEqual(['file', null]);
  });

  it('is an error when it is broken', async () => {
    const error = await failure(load({ env: { PATRONI_CONFIGURATION: 'scope: [' } }));
    expect(error.message).toMatch(
      /^environment PATRONI_CONFIGURATION:1: not YAML, near the key scope/,
    );
  });
});

describe('namespace and group', () => {
  it.each([
    ['service', '/service'],
    ['/a//b/', '/a/b'],
    ['" /a "', '/a'],
    ['/', '/'],
    ['""', '/service'],
    ['~', '/service'],
  ])('namespace %s is %s', async (text, namespace) => {
    expect((await loadYaml(`scope: s\nnamespace: ${text}\n`)).namespace).toBe(namespace);
  });

  it('drops a group without a database, as Patroni does', async () => {
    const config = await loadYaml('citus: {group: 1}\n');
    expect(config.group).toBeNull();
    expect(config.warnings[0]).toContain('citus.group is ignored');
  });
});

describe('REST', () => {
  it('prefers ctl, whole', async () => {
    const config = await loadYaml(
      'restapi: {cafile: /r, authentication: {username: r, password: rp}}\n' +
        'ctl: {cacert: /c, authentication: {username: c, password: cp}}\n',
    );
    expect(config.rest).toMatchObject({ username: 'c', password: 'cp', cacert: '/c' });
  });

  it('does not mix half a login of ctl with restapi', async () => {
    const config = await loadYaml(
      'restapi: {certfile: /r, authentication: {username: r, password: rp}}\n' +
        'ctl: {authentication: {username: c}}\n',
    );
    expect(config.rest).toMatchObject({ username: 'r', password: 'rp', certfile: null });
    expect(config.warnings).toEqual([
      `file ${FILE}:2: ctl.authentication is ignored, it has no password`,
    ]);
  });

  it('takes the old form user:password', async () => {
    const config = await loadYaml('restapi:\n  auth: "u:p:q"\n');
    expect(config.rest).toMatchObject({ username: 'u', password: 'p:q' });
  });
});

describe('the rest', () => {
  it.each([
    [{}, 'WARNING'],
    [{ LOGLEVEL: 'INFO' }, 'INFO'],
    [{ LOGLEVEL: 'INFO', PATRONI_LOGLEVEL: 'ERROR' }, 'ERROR'],
    [{ PATRONI_LOGLEVEL: 'ERROR', PATRONI_LOG_LEVEL: 'DEBUG' }, 'DEBUG'],
  ])('log level of %o is %s', (env, level) => {
    expect(logLevel(env)).toBe(level);
  });
});

describe('patctl.routes', () => {
  it('are kept as they are written, and shown without a login', async () => {
    const yaml = `patctl: {routes: {rw: 'postgresql://u:geheim@a:1,b:2/app', ro: [c, 'host=d password=geheim']}}`;
    const { routes, sources } = await loadYaml(yaml);
    expect(routes?.map(({ kind, value }) => `${kind} ${value}`)).toEqual([
      'rw postgresql://u:geheim@a:1,b:2/app',
      'ro c',
      'ro host=d password=geheim',
    ]);
    const shown = sources.filter(({ key }) => key.startsWith('patctl.routes'));
    expect(shown.map(({ key, value }) => `${key} ${value}`)).toEqual([
      'patctl.routes.rw a:1,b:2',
      'patctl.routes.ro c:5432',
      'patctl.routes.ro d:5432',
    ]);
  });

  it.each([
    ['{routes: db}', 'patctl.routes must be a mapping'],
    ['{routes: {wo: db}}', 'patctl.routes has a key that is neither rw nor ro'],
    ['{routes: {rw: 5432}}', 'patctl.routes.rw must be a text or a list of texts'],
    ['{routes: {rw: [{host: db}]}}', 'patctl.routes.rw must be a text or a list of texts'],
  ])('%s is refused', async (section, problem) => {
    const error = await failure(loadYaml(`patctl: ${section}`));
    expect(error.message).toContain(problem);
  });
});

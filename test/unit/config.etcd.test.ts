import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/config/endpoints.js';
import type { SrvDomain } from '../../src/config/effective.js';
import { failure, FILE, hostsOf, load, loadYaml, sourceOf } from './config-support.js';

describe('one address', () => {
  it.each([
    ['h', 'null h 2379'],
    ['h:1', 'null h 1'],
    [' h:1 ', 'null h 1'],
    ['h:1/', 'null h 1'],
    ['http://h', 'http h 2379'],
    ['https://h:1/v3/', 'https h 1'],
    ['HTTPS://h', 'https h 2379'],
    ['//h:1', 'null h 1'],
    ['[::1]', 'null ::1 2379'],
    ['[::1]:1', 'null ::1 1'],
    ['https://[fe80::1]:1/', 'https fe80::1 1'],
    ['fe80::1', 'null fe80::1 2379'],
    ['::1:2379', 'null ::1 2379'],
    ['2001:db8::5:2380', 'null 2001:db8::5 2380'],
    ['http://u:p@h:1', 'http h 1 u p'],
    ['http://u:p:q@w@h', 'http h 2379 u p:q@w'],
    ['http://u:a%40b@h', 'http h 2379 u a%40b'],
  ])('%s', (text, expected) => {
    const found = parseAddress(text);
    if ('problem' in found) throw new Error(found.problem);
    const { protocol, host, port, username, password } = found;
    const login = username === null ? '' : ` ${username} ${password ?? ''}`;
    expect(`${protocol} ${host} ${port}${login}`).toBe(expected);
  });

  it.each([
    ['', 'names no host'],
    [':1', 'names no host'],
    ['http://', 'names no host'],
    ['h:', 'has no port between 1 and 65535'],
    ['h:0', 'has no port between 1 and 65535'],
    ['h:65536', 'has no port between 1 and 65535'],
    ['h:1x', 'has no port between 1 and 65535'],
    ['[::1]:', 'has no port between 1 and 65535'],
    ['[nonsense]:1', 'is not a host name or address'],
    ['a b', 'is not a host name or address'],
    ['a:b:c', 'is not a host name or address'],
    ['ftp://h', 'must begin with http:// or https://, or name a host'],
    ['etcd3://h', 'must begin with http:// or https://, or name a host'],
    ['http://u:12/3@h', 'has an @ after a slash: write a slash inside a login as %2F'],
  ])('not %j', (text, problem) => {
    expect(parseAddress(text)).toEqual({ problem });
  });
});

describe('the etcd3 section', () => {
  it.each([
    ['host: h', 'http h 2379'],
    ['{host: h, port: 1}', 'http h 1'],
    ['{host: "h:5", port: 1}', 'http h 1'],
    ['{host: h, protocol: https}', 'https h 2379'],
    ['{hosts: "a, b:1,, c/"}', 'http a 2379, http b 1, http c 2379'],
    ['{hosts: [a, "b:1"], port: 9}', 'http a 9, http b 1'],
    ['{hosts: ["https://a:1/", b]}', 'https a 1, http b 2379'],
    ['{hosts: ["[::1]:1"]}', 'http ::1 1'],
    ['{url: "https://a:1", hosts: [b], host: c}', 'https a 1'],
    ['{proxy: "http://p:1", url: "http://a"}', 'http p 1'],
    ['{url: a, port: 5, protocol: https}', 'https a 2379'],
    ['{hosts: [b], host: c}', 'http b 2379'],
    ['{hosts: [b], srv: example.org}', 'http b 2379'],
    ['{cacert: /ca}', ''],
    ['{host: }', ''],
  ])('%s', async (section, hosts) => {
    const text = section.startsWith('{') ? `etcd3: ${section}` : `etcd3:\n  ${section}`;
    expect(hostsOf(await loadYaml(text))).toBe(hosts);
  });

  it('takes the login of a URL before its own, and shows none of it', async () => {
    const config = await loadYaml('etcd3: {url: "http://u:pw@h", username: x, password: y}');
    expect(config.etcd).toMatchObject({ username: 'u', password: 'pw' });
    expect(sourceOf(config, 'etcd3.hosts')).toBe(`http://h:2379 < file ${FILE}:1`);
    expect(sourceOf(config, 'etcd3.password')).toBe(`*** < file ${FILE}:1`);
  });

  it.each<[string, SrvDomain | null, string]>([
    ['{srv: example.org}', { domain: 'example.org', suffix: null }, ''],
    ['{srv: example.org, srv_suffix: blue}', { domain: 'example.org', suffix: 'blue' }, ''],
    ['{discovery_srv: a.example}', { domain: 'a.example', suffix: null }, ''],
    ['{srv: c, discovery_srv: b, srv_domain: a}', { domain: 'a', suffix: null }, ''],
    ['{srv: example.org, hosts: [b]}', { domain: 'example.org', suffix: null }, 'http b 2379'],
    [
      '{srv: example.org, url: "https://b"}',
      { domain: 'example.org', suffix: null },
      'https b 2379',
    ],
    ['{srv: example.org, proxy: "http://p:1"}', null, 'http p 1'],
  ])('leaves it to the DNS: %s', async (section, srv, hosts) => {
    const config = await loadYaml(`etcd3: ${section}`);
    expect(config.etcd?.srv).toEqual(srv);
    expect(hostsOf(config)).toBe(hosts);
    expect(sourceOf(config, 'etcd3.srv')).toBe(srv ? `${srv.domain} < file ${FILE}:1` : 'none');
  });

  it('takes no address for a name of the DNS', async () => {
    const error = await failure(loadYaml('etcd3:\n  srv: https://example.org\n'));
    expect(error.message).toBe(`file ${FILE}:2: etcd3.srv is not a valid DNS name`);
  });

  it('--dcs-url needs no DNS', async () => {
    const config = await loadYaml('etcd3: {srv: example.org}', {
      flags: { dcsUrl: 'etcd3://flag:1' },
    });
    expect([config.etcd?.srv, hostsOf(config)]).toEqual([null, 'http flag 1']);
  });

  it('knows no etcd when nothing is configured', async () => {
    expect((await loadYaml('scope: a')).etcd).toBeNull();
  });
});

describe('where etcd is, from the environment', () => {
  it.each([
    [{ PATRONI_ETCD3_HOSTS: 'a,b:1' }, 'http a 2379, http b 1'],
    [{ PATRONI_ETCD3_HOSTS: "['a:5', 'b']" }, 'http a 5, http b 2379'],
    [{ PATRONI_ETCD3_HOSTS: '- a\n- b:1' }, 'http a 2379, http b 1'],
    [{ PATRONI_ETCD3_HOSTS: '[::1]:1,[::2]' }, 'http ::1 1, http ::2 2379'],
    [{ PATRONI_ETCD3_HOST: 'a', PATRONI_ETCD3_PORT: '9' }, 'http a 9'],
    [{ PATRONI_ETCD3_URL: 'https://a' }, 'https a 2379'],
    [{ PATRONI_ETCD3_PROXY: 'http://p:1', PATRONI_ETCD3_HOSTS: 'a' }, 'http p 1'],
    [{ PATRONI_ETCD3_HOST: 'a', PATRONI_ETCD3_PROTOCOL: 'https' }, 'https a 2379'],
  ])('%o', async (env, hosts) => {
    expect(hostsOf(await load({ env }))).toBe(hosts);
  });

  it('beats the file whatever the key, and says where patronictl would go', async () => {
    const config = await loadYaml('etcd3: {hosts: [file], cacert: /ca}', {
      env: { PATRONI_ETCD3_HOST: 'env' },
    });
    expect(hostsOf(config)).toBe('http env 2379');
    expect(config.etcd?.cacert).toBe('/ca');
    expect(config.warnings).toEqual([
      'environment PATRONI_ETCD3_HOST: used; patronictl would use etcd3.hosts of the file',
    ]);
  });

  it('is quiet when patronictl would go there too', async () => {
    const config = await loadYaml('etcd3: {host: file}', { env: { PATRONI_ETCD3_HOSTS: 'env' } });
    expect([hostsOf(config), config.warnings]).toEqual(['http env 2379', []]);
  });

  it('takes a login without any other variable', async () => {
    const config = await loadYaml('etcd3: {host: h}', {
      env: { PATRONI_ETCD3_USERNAME: 'u', PATRONI_ETCD3_PASSWORD: 'p' },
    });
    expect(config.etcd).toMatchObject({ username: 'u', password: 'p' });
  });
});

describe('--dcs-url', () => {
  const TLS =
    'etcd3: {hosts: [x, y], protocol: https, cacert: /ca, cert: /c, username: u, password: p}';

  it.each([
    ['etcd3://h', 'http h 2379', '/service'],
    ['etcd3://h:1/ns', 'http h 1', '/ns'],
    ['etcd3://h:1/', 'http h 1', '/service'],
    ['etcd3://a:1,b,[::1]:3/n/s/', 'http a 1, http b 2379, http ::1 3', '/n/s'],
    ['ETCD3://h', 'http h 2379', '/service'],
    ['etcd3://', 'http localhost 2379', '/service'],
    ['etcd3://:5', 'http localhost 5', '/service'],
    ['h:7/ns', 'http h 7', '/ns'],
    ['//h', 'http h 2379', '/service'],
    ['', 'http localhost 2379', '/service'],
  ])('%s', async (dcsUrl, hosts, namespace) => {
    const config = await load({ flags: { dcsUrl } });
    expect([hostsOf(config), config.namespace]).toEqual([hosts, namespace]);
  });

  it('keeps TLS and login of file and environment', async () => {
    const config = await loadYaml(TLS, {
      flags: { dcsUrl: 'etcd3://h:1' },
      env: { PATRONI_ETCD3_PASSWORD: 'q' },
    });
    expect(config.etcd).toEqual({
      endpoints: [{ protocol: 'https', host: 'h', port: 1 }],
      srv: null,
      username: 'u',
      password: 'q',
      cacert: '/ca',
      cert: '/c',
      key: null,
      keyPassword: null,
    });
    expect(sourceOf(config, 'etcd3.hosts')).toBe('https://h:1 < flag --dcs-url');
  });

  it.each([
    ['etcd3: {url: "https://x"}', 'https'],
    ['etcd3: {hosts: ["https://x"]}', 'https'],
    ['etcd3: {cacert: /ca}', 'https'],
    ['etcd3: {hosts: [x], cacert: /ca}', 'http'],
    ['etcd3: {host: "broken:port"}', 'http'],
    ['etcd: {host: x}', 'http'],
  ])('over %s speaks %s', async (text, protocol) => {
    const config = await loadYaml(text, { flags: { dcsUrl: 'etcd3://h' } });
    expect(hostsOf(config)).toBe(`${protocol} h 2379`);
  });

  it('takes a login in the URL, decoded', async () => {
    const config = await loadYaml(TLS, { flags: { dcsUrl: 'etcd3://me:a%2Fb%40c@h/ns' } });
    expect(config.etcd).toMatchObject({ username: 'me', password: 'a/b@c' });
    expect(hostsOf(config)).toBe('https h 2379');
  });

  it('notes that a scheme is missing', async () => {
    const config = await load({ env: { DCS_URL: 'h:7' } });
    expect(config.warnings).toEqual([
      'environment DCS_URL: has no scheme and is read as etcd3 (patronictl assumes etcd v2)',
    ]);
  });

  it.each([
    ['etcd://h', 'error', 'etcd (v2) is not supported yet, supported: etcd3, kubernetes'],
    ['consul://h', 'error', 'consul is not supported yet, supported: etcd3, kubernetes'],
    ['zookeeper://h', 'error', 'zookeeper is not supported yet, supported: etcd3, kubernetes'],
    ['exhibitor://h', 'error', 'exhibitor is not supported yet, supported: etcd3, kubernetes'],
    [
      'kubernetes://h',
      'error',
      'Kubernetes is not named by a URL: give --kube-context NAME or a kubernetes section',
    ],
    ['raft://h', 'error', 'raft is not supported yet, supported: etcd3, kubernetes'],
    ['h:8500', 'error', 'consul is not supported yet, supported: etcd3, kubernetes'],
    ['h:2181', 'error', 'zookeeper is not supported yet, supported: etcd3, kubernetes'],
    ['redis://h', 'usage', 'unknown scheme redis, supported: etcd3'],
    ['https://h', 'usage', 'unknown scheme https, supported: etcd3'],
    ['etcd3://h:x', 'usage', 'the address has no port between 1 and 65535'],
    ['etcd3://a:1,b:x', 'usage', 'the address has no port between 1 and 65535'],
    ['etcd3://a b', 'usage', 'the address is not a host name or address'],
    ['etcd3://h/ns?x=1', 'usage', 'a query or fragment is not allowed'],
    [
      'etcd3://u:12/3@h',
      'usage',
      'the address has an @ after a slash: write a slash inside a login as %2F',
    ],
  ])('%s is %s', async (dcsUrl, ending, message) => {
    const error = await failure(load({ flags: { dcsUrl } }));
    expect([error.ending, error.message]).toEqual([ending, `flag --dcs-url: ${message}`]);
    const inEnvironment = await failure(load({ env: { DCS_URL: dcsUrl } }));
    expect([inEnvironment.ending, inEnvironment.message]).toEqual([
      'error',
      `environment DCS_URL: ${message}`,
    ]);
  });
});

describe('another DCS', () => {
  it.each(['etcd', 'consul', 'zookeeper', 'exhibitor', 'raft'])(
    '%s in the file is not supported yet',
    async (dcs) => {
      const error = await failure(loadYaml(`scope: a\n${dcs}: {x: y}\n`));
      const name = dcs === 'etcd' ? 'etcd (v2)' : dcs;
      expect([error.ending, error.code, error.message]).toEqual([
        'error',
        'dcs_not_supported',
        `file ${FILE}:2: ${name} is not supported yet, supported: etcd3, kubernetes`,
      ]);
    },
  );

  it.each([
    ['PATRONI_ETCD_HOSTS', 'etcd (v2)'],
    ['PATRONI_CONSUL_HOST', 'consul'],
    ['PATRONI_ZOOKEEPER_HOSTS', 'zookeeper'],
    ['PATRONI_RAFT_SELF_ADDR', 'raft'],
  ])('%s neither', async (name, dcs) => {
    const error = await failure(load({ env: { [name]: 'x' } }));
    expect(error.message).toBe(
      `environment ${name}: ${dcs} is not supported yet, supported: etcd3, kubernetes`,
    );
  });

  it('beside etcd3 counts where Patroni would take it first', async () => {
    expect((await failure(loadYaml('etcd3: {host: a}\netcd: {host: a}\n'))).message).toContain(
      `${FILE}:2: etcd (v2)`,
    );
    const config = await loadYaml('etcd3: {host: a}\nkubernetes: {x: y}\n');
    expect(config.warnings).toEqual([
      `file ${FILE}:2: kubernetes is ignored because etcd3 is also given`,
    ]);
  });
});

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadYaml } from './config-support.js';

interface Case {
  yaml: string;
  env: Record<string, string>;
  expected: unknown;
}

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/config/patroni-cases.json', import.meta.url), 'utf8'),
) as Case[];

it.each(cases.map((one, index) => [index, one] as const))(
  'reads case %i as Patroni 4.1.5 did',
  async (_index, { yaml, env, expected }) => {
    const { rest, etcd, ...config } = await loadYaml(yaml, { env });
    const { username, password, ...restOfRest } = rest;
    expect({
      scope: config.scope,
      namespace: config.namespace,
      group: config.group,
      auth: username === null ? null : `${username}:${password ?? ''}`,
      ...restOfRest,
      etcd: etcd?.endpoints.map(({ protocol, host, port }) => [protocol, host, port]),
      etcdUser: [etcd?.username, etcd?.password],
      etcdTls: [etcd?.cacert, etcd?.cert, etcd?.key],
      logins: config.logins.map((login) => [
        login.origin,
        login.username,
        login.password,
        login.sslmode,
        login.sslrootcert,
      ]),
    }).toEqual(expected);
  },
);

import { describe, expect, it } from 'vitest';
import { KEYS } from '../../src/config/known-keys.js';
import { configRows } from '../../src/config/show.js';
import { ToolError } from '../../src/errors.js';
import { FILE, load, loadYaml, type ProcessEnvironment } from './config-support.js';

/** Everything of a load that may be printed, whichever way it ends. */
async function printed(world: ProcessEnvironment): Promise<string> {
  try {
    const config = await load(world);
    return JSON.stringify([config.sources, configRows(config), config.warnings]);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const { message, hint, evidence, code, cause, stack } = error;
    return `${JSON.stringify({ message, hint, evidence, code })} ${String(cause)} ${stack ?? ''}`;
  }
}

const yaml = (text: string): ProcessEnvironment => ({
  flags: { configFile: FILE },
  files: { [FILE]: text },
});

/** `zq7` in many shapes: as YAML, as a number, with every sign that means something somewhere. */
const SHAPES = [
  'zq7zq7',
  '"zq7zq7"',
  "'zq7zq7",
  '"zq7zq7',
  '"a\\zq7zq7"',
  '*zq7zq7',
  '&zq7zq7',
  '!zq7zq7',
  '!zq7zq7 x',
  '@zq7zq7',
  '%zq7zq7',
  '`zq7zq7',
  '[zq7zq7]',
  '[zq7zq7',
  '{zq7zq7}',
  '{zq7zq7, zq7zq7}',
  '{zq7zq7: zq7zq7, zq7zq7: 1}',
  'zq7: zq7zq7',
  '- zq7zq7',
  '|\n  zq7zq7',
  '|\nzq7zq7',
  '>-\n      zq7zq7\n   zq7zq7: [',
  '\n\tzq7zq7',
  '"\\e[31mzq7zq7"',
  '? zq7zq7',
  '<<: zq7zq7',
  '{<<: zq7zq7}',
];

async function leaks(world: ProcessEnvironment): Promise<boolean> {
  return (await printed(world)).includes('zq7');
}

const SECRET_KEYS = KEYS.filter(({ secret }) => secret);

describe('a secret', () => {
  it.each(SECRET_KEYS.map(({ key }) => key))(
    '%s is not shown, however it is written',
    async (key) => {
      const path = key.split('.');
      const block = path.map((word, depth) => `${'  '.repeat(depth)}${word}:`).join('\n');
      const leaky: string[] = [];
      for (const shape of SHAPES) {
        const whole = `scope: s\n${block} ${shape}\n`;
        const broken = `${whole}etcd: [`;
        if (await leaks(yaml(whole))) leaky.push(whole);
        if (key === 'etcd3.password' && (await leaks(yaml(broken)))) leaky.push(broken);
        if (await leaks({ env: { PATRONI_CONFIGURATION: whole } }))
          leaky.push(`variable: ${whole}`);
      }
      expect(leaky).toEqual([]);
    },
  );

  it.each(SECRET_KEYS.map(({ key, variable }) => [variable, key]))(
    '%s shows only that it is set',
    async (variable, key) => {
      const config = await load({ env: { [variable]: 'zq7zq7' } });
      const row = config.sources.find((source) => source.key === key);
      expect(row).toEqual({ key, value: '***', source: `environment ${variable}` });
      expect(JSON.stringify([config.sources, config.warnings])).not.toContain('zq7');
    },
  );

  // The user name of a login may be shown, so only passwords carry the word.
  const LOGINS = ['u:zq7', ':zq7', 'u:zq7@zq7', 'u:zq7/zq7', 'u:12/zq7', 'u:1?zq7', 'u:1#zq7'];
  LOGINS.push('u:1,zq7', 'u:1,zq7:zq7', 'u: zq7', 'u:[zq7]', 'u:%7Aq7%');
  const HOSTS = ['h', 'h:x', 'h/ns', 'h,i'];
  const SCHEMES = ['http://', 'etcd3://', 'consul://', ''];
  const ADDRESSES = LOGINS.flatMap((login) =>
    SCHEMES.flatMap((scheme) => HOSTS.map((host) => `${scheme}${login}@${host}`)),
  );

  it.each<[string, (address: string) => ProcessEnvironment]>([
    ['--dcs-url', (dcsUrl) => ({ flags: { dcsUrl } })],
    ['DCS_URL', (address) => ({ env: { DCS_URL: address } })],
    ['PATRONI_ETCD3_URL', (address) => ({ env: { PATRONI_ETCD3_URL: address } })],
    ['PATRONI_ETCD3_HOST', (address) => ({ env: { PATRONI_ETCD3_HOST: address } })],
    ['PATRONI_ETCD3_HOSTS', (address) => ({ env: { PATRONI_ETCD3_HOSTS: address } })],
    ['etcd3.url', (address) => yaml(`etcd3:\n  url: ${JSON.stringify(address)}\n`)],
    ['etcd3.hosts', (address) => yaml(`etcd3:\n  hosts: [a, ${JSON.stringify(address)}]\n`)],
    ['etcd3.host', (address) => yaml(`etcd3:\n  host: ${address}\n`)],
  ])('inside an address in %s is not shown, good or bad', async (_name, world) => {
    const leaks: string[] = [];
    for (const address of ADDRESSES) {
      if (/zq7|%7Aq7/.test(await printed(world(address)))) leaks.push(address);
    }
    expect(leaks).toEqual([]);
  });

  it('in the old form of a REST login is not shown', async () => {
    for (const section of ['ctl', 'restapi']) {
      const world = yaml(`${section}:\n  auth: u:zq7zq7\n`);
      expect(await printed(world)).not.toContain('zq7');
    }
  });

  it('in place of a certificate path is not shown', async () => {
    const pem = '-----BEGIN PRIVATE KEY-----zq7';
    const config = await loadYaml(`etcd3: {host: h, key: "${pem}"}`);
    expect(JSON.stringify(config.sources)).not.toContain('zq7');
  });

  it('would be noticed by these tests', async () => {
    expect(await printed(yaml('scope: zq7zq7'))).toContain('zq7');
  });
});

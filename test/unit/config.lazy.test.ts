import { expect, it, vi } from 'vitest';
import { hostsOf, load, loadYaml } from './config-support.js';

vi.mock('yaml', () => {
  throw new Error('the YAML parser was loaded');
});

it('does not load the YAML parser when there is nothing to parse', async () => {
  const config = await load({ env: { PATRONI_ETCD3_HOSTS: 'a, "b:1",[::1]:3' } });
  expect(hostsOf(config)).toBe('http a 2379, http b 1, http ::1 3');
});

it('would notice: a file needs the parser', async () => {
  await expect(loadYaml('scope: a')).rejects.toThrow();
});

import { expect, it, vi } from 'vitest';
import { hostsOf, load, loadYaml } from './config-support.js';

vi.mock('yaml', () => {
  throw new Error('the YAML parser was loaded');
});

it('does not load the YAML parser when there is nothing to parse', async () => {
  const config = await load({ env: { PATRONI_ETCD3_HOSTS: 'a, "b:1",[::1]:3' } });
  expect(hostsOf(config)).toBe('http a 2379, http b 1, http ::1 3');
});

it('does not load the YAML parser for a file in plain words', async () => {
  const config = await loadYaml('scope: a\netcd3:\n  hosts:\n    - b:1\n    - "c:2" # here\n');
  expect(config.scope).toBe('a');
  expect(hostsOf(config)).toBe('http b 1, http c 2');
});

it('would notice: another file needs the parser', async () => {
  await expect(loadYaml('scope: &name a')).rejects.toThrow();
});

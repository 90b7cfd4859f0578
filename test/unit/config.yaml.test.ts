import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { resolvePlain } from '../../src/config/scalar.js';
import { FILE, loadYaml, sourceOf } from './config-support.js';

const words = JSON.parse(
  readFileSync(new URL('../fixtures/config/pyyaml-words.json', import.meta.url), 'utf8'),
) as [word: string, type: string, text: string][];

describe('YAML 1.1', () => {
  it("reads plain words as Patroni's parser does", () => {
    const ours = words.map(([word]) => [word, ...Object.values(resolvePlain(word))]);
    expect(words.length).toBeGreaterThan(300);
    expect(ours).toEqual(words);
  });

  it.each([
    ['on', true],
    ['off', false],
    ['yes', true],
    ['"on"', true],
    ['1', true],
    ['False', false],
    ['~', false],
  ])('ctl.insecure: %s', async (text, insecure) => {
    expect((await loadYaml(`ctl:\n  insecure: ${text}\n`)).rest.insecure).toBe(insecure);
  });

  it.each([
    ['010', '8', 1],
    ['"010"', '010', 0],
    ["'on'", 'on', 0],
    ['on', 'True', 1],
    ['12345', '12345', 0],
    ['123456789012345678901234567890', '123456789012345678901234567890', 0],
    ['1e3', '1e3', 0],
    ['1.10', '1.1', 1],
    ['!!str 010', '010', 0],
    ['|-\n    010', '010', 0],
    ['&x 77', '77', 0],
  ])('the password %s is %s', async (text, password, warnings) => {
    const config = await loadYaml(`etcd3:\n  host: a\n  username: u\n  password: ${text}\n`);
    expect(config.etcd?.password).toBe(password);
    expect(config.warnings).toHaveLength(warnings);
  });

  it('warns of an unquoted value that YAML changes, once, without it', async () => {
    const config = await loadYaml('scope: 0777\n');
    expect(config.scope).toBe('511');
    expect(config.warnings).toEqual([
      `file ${FILE}:1: scope is unquoted and YAML changes its value (also for Patroni)`,
    ]);
  });

  it('follows aliases and merge keys', async () => {
    const config = await loadYaml(
      [
        'x: &base {username: base, password: p1, sslmode: require}',
        'y: &other {sslmode: disable, sslkey: /k}',
        'postgresql:',
        '  authentication:',
        '    superuser:',
        '      <<: [*base, *other]',
        '      username: root',
        '    rewind: *base',
      ].join('\n'),
    );
    expect(config.logins).toMatchObject([
      { origin: 'superuser', username: 'root', password: 'p1', sslmode: 'require', sslkey: '/k' },
      { origin: 'rewind', username: 'base', password: 'p1', sslmode: 'require', sslkey: null },
    ]);
  });

  it('takes a byte order mark and Windows line ends', async () => {
    const config = await loadYaml('\uFEFFscope: a\r\nnamespace: b\r\n');
    expect(sourceOf(config, 'namespace')).toBe(`/b < file ${FILE}:2`);
    expect(config.scope).toBe('a');
  });
});

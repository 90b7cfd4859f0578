/** All output is safe, and hidden characters are escaped rather than lost. */
import { describe, expect, test } from 'vitest';
import { ESC_SAMPLES, hostile, HOSTILE, UNSAFE } from '../support/hostile.js';
import { leaving, own, styled, withoutOwn } from '../../src/output/door.js';
import { yamlDump } from '../../src/output/write-yaml.js';
import { parse } from 'yaml';
import { runFake } from '../support/fake-world.js';

describe('the door', () => {
  test.each(ESC_SAMPLES)('writes %j out', (text) => {
    const left = leaving(`a${text}b`, false);
    expect(left).not.toMatch(UNSAFE);
    expect(JSON.parse(`"${left}"`)).toBe(`a${text}b`);
  });

  test('lets through what patctl draws itself, and nothing that only looks like it', () => {
    const red = (text: string) => `\x1b[31m${text}\x1b[39m`;
    expect(leaving(styled(red, 'a\x1b[2Jb'), false)).toBe('\x1b[31ma\\u001b[2Jb\x1b[39m');
    expect(leaving(`${own('\x1b[H')}\ufdd0x\ufdd1[2J`, false)).toBe('\x1b[H\ufdd0x\ufdd1[2J');
    expect(withoutOwn(styled(red, 'ab'))).toBe('ab');
  });

  test('with --compat passes what PyYAML prints, and no control character', () => {
    expect(leaving('a\u202eb\u0085c\u001b[31m\u009b', true)).toBe(
      'a\u202eb\u0085c\\u001b[31m\\u009b',
    );
  });
});

test('YAML quotes what is hidden and reads it back; PyYAML prints what turns text around', () => {
  for (const text of ESC_SAMPLES) {
    const yaml = yamlDump({ [`k${text}`]: `a${text}b` });
    expect(yaml).not.toMatch(UNSAFE);
    expect(parse(yaml)).toEqual({ [`k${text}`]: `a${text}b` });
  }
  expect(yamlDump({ a: 'b\u202ec' }, { asPyYaml: true })).toBe('a: b\u202ec\n');
});

const READING = [
  ...['list', 'list -e', 'topology', 'history', 'dsn', 'members', 'version demo', 'show-config'],
  ...['status', 'check', 'quorum', 'why-not pg1', 'config', 'leader', 'ready pg1'],
  ...['list -f yaml', 'list -f tsv', 'list -f json', 'history -f yaml', 'show-config -f json'],
  ...['status -f json', 'check -f json', 'quorum -f json', 'why-not pg1 -f json', 'snapshot'],
  ...['check -f junit', 'check -f tap', 'check -f github', 'check -f nagios'],
  ...['check -f prometheus', 'switchover demo --dry-run -f json'],
].map((line) => line.split(' '));
const ACTING = [
  ['flush', 'demo', 'restart', '--force'],
  ['flush', 'demo', 'switchover'],
  ['pause', 'demo', '--wait'],
  ['resume', 'demo'],
  ['reload', 'demo', '--force'],
  ['restart', 'demo', '--force'],
  ['restart', 'demo', '--rolling', '--dry-run'],
  ['reinit', 'demo', 'pg1', '--force'],
  ['switchover', 'demo', '--dry-run'],
  ['failover', 'demo', '--candidate', 'pg1', '--dry-run'],
  ['switchover', 'demo', '--candidate', `x${HOSTILE}`, '--force'],
  ['edit-config', 'demo', '-s', `x${HOSTILE}=1`, '--force'],
  ['demote-cluster', 'demo', '--host', `x${HOSTILE}`, '--force'],
  ['remove', `x${HOSTILE}`],
  [`x${HOSTILE}`],
];

describe('a cluster whose every text is hostile', () => {
  test.each(
    [...READING, ...ACTING].map((args) => ({
      args,
      line: args.slice(0, 3).join(' ').replace(HOSTILE, '…'),
    })),
  )('$line', async ({ args }) => {
    const run = await runFake(hostile(), ['--timeout', '100ms', ...args]);
    expect(run.out + run.err).not.toMatch(UNSAFE);
    if (args.includes('json') && run.code === 0)
      expect(() => void JSON.parse(run.out)).not.toThrow();
  });

  test('JSON and YAML still hold the very characters', async () => {
    const json = await runFake(hostile(), ['show-config', '-f', 'json']);
    expect(JSON.stringify(JSON.parse(json.out))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
    const yaml = await runFake(hostile(), ['show-config']);
    expect(JSON.stringify(parse(yaml.out))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
  });
});

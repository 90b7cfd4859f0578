/** pg_hba.conf, rule by rule, as PostgreSQL decides over a replication connection. */
import { expect, test } from 'vitest';
import { admission, type HbaRule } from '../../src/cluster/preflight/hba-rules.js';
import { accessRulesOf } from '../../src/postgres/access-rules.js';

const rule = (line: number, more: Partial<HbaRule> = {}): HbaRule => ({
  ...{ line, type: 'host', databases: ['replication'], users: ['all'], error: null },
  ...{ address: 'all', netmask: null, method: 'scram-sha-256' },
  ...more,
});
const NO_RULE = { admitted: false, line: null };
const decided = (rules: HbaRule[], address = '10.0.0.7') =>
  admission(rules, { user: 'replicator', address });

test.each<[what: string, rules: HbaRule[], admitted: boolean | null, line: number | null]>([
  ['no rule', [], false, null],
  ['the keyword replication', [rule(1)], true, 1],
  ['all means databases', [rule(1, { databases: ['all'] })], false, null],
  ['a local rule', [rule(1, { type: 'local', address: null })], false, null],
  ['the first one counts', [rule(1, { method: 'reject' }), rule(2)], false, 1],
  ['of another role', [rule(1, { users: ['backup'], method: 'reject' }), rule(2)], true, 2],
  ['a broken line', [rule(1, { error: 'invalid' })], false, null],
  ['only with TLS', [rule(1, { type: 'hostssl' })], true, 1],
  ['only without TLS', [rule(1, { type: 'hostnossl' })], true, 1],
  ['only with GSSAPI encryption', [rule(1, { type: 'hostgssenc' })], false, null],
  ['without GSSAPI encryption', [rule(1, { type: 'hostnogssenc' })], true, 1],
  [
    'TLS rejected, the rest let in',
    [rule(1, { type: 'hostssl', method: 'reject' }), rule(2)],
    true,
    2,
  ],
  ['a group', [rule(1, { users: ['+dba'] })], null, 1],
  ['a pattern that settles nothing', [rule(1, { users: ['/^rep'] }), rule(2)], true, 2],
  ['a pattern that may reject', [rule(1, { users: ['/^x'], method: 'reject' }), rule(2)], null, 1],
  ['a host name', [rule(1, { address: '.example.org' })], null, 1],
  ['samenet', [rule(1, { address: 'samenet' }), rule(2)], true, 2],
])('%s', (_, rules, admitted, line) => {
  expect(decided(rules)).toEqual({ admitted, line });
});

test.each([
  ['10.0.0.0', '255.255.255.0', '10.0.0.7', true],
  ['10.0.0.0', '255.255.255.0', '10.0.1.7', false],
  ['10.0.0.7', '255.255.255.255', '10.0.0.7', true],
  ['10.0.0.7', null, '10.0.0.7', true],
  ['10.0.0.7', null, '10.0.0.8', false],
  ['0.0.0.0', '0.0.0.0', '203.0.113.9', true],
  ['0.0.0.0', '0.0.0.0', '2001:db8::1', false],
  ['2001:db8::', 'ffff:ffff::', '2001:db8:1::7', true],
  ['2001:db8::', 'ffff:ffff::', '2001:db9::7', false],
  ['::', '::', 'fe80::1%eth0', true],
  ['10.0.0.0', '255.255.255.0', '::ffff:10.0.0.9', true],
])('%s with %s and %s: %s', (address, netmask, from, admitted) => {
  const one = decided([rule(1, { address, netmask })], from);
  expect(one).toEqual(admitted ? { admitted, line: 1 } : NO_RULE);
});

test('a line that PostgreSQL cannot read: no word of it, which may be a password', () => {
  const error = 'authentication option not in name=value format: secret123';
  const [read] = accessRulesOf({ rules: [{ line_number: 7, error }] });
  expect([read?.line, read?.error]).toEqual([7, 'authentication option not in name=value format']);
});

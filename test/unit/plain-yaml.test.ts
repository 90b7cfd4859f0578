/** What is read without the yaml package is read as the package reads it. */
import { expect, test } from 'vitest';
import { parseWithPackage } from '../../src/config/parse-yaml.js';
import { readPlainYaml } from '../../src/config/plain-yaml.js';

const PATRONI = `---
# a comment
scope: demo
namespace: /service/
name: pg1   # here too
restapi:
  listen: 0.0.0.0:8008
  connect_address: '10.0.0.1:8008'
etcd3:
  hosts:
  - 10.0.0.1:2379
  - "10.0.0.2:2379"
  protocol: https
bootstrap:
  dcs:
    ttl: 30
    maximum_lag_on_failover: 1_048_576
    postgresql:
      use_pg_rewind: yes
      parameters:

        wal_level: replica
        archive_command: cp %p /archive/%f # not "quoted"
    slots: {}
  initdb:
    - encoding: UTF8
      locale: C
    - data-checksums
postgresql:
  pg_hba:
    - host all all 0.0.0.0/0 md5
    - host replication # none
  authentication:
    superuser: {username: postgres}
    replication:
      password: it's #1
      options: -c geqo=off
tags:
`;
const WITHOUT_FLOW = PATRONI.replace('{}', '').replace(' {username: postgres}', '');

/** Whether the text was read; whatever is read has to be what the package makes of it, without a warning. */
async function isRead(text: string): Promise<boolean> {
  const plain = readPlainYaml(text, 'file a.yml');
  if (plain === null) return false;
  const warnings: string[] = [];
  let full: unknown;
  try {
    full = await parseWithPackage(text, 'file a.yml', warnings);
  } catch (error) {
    full = String(error);
  }
  expect([plain, warnings], text).toEqual([full, []]);
  return true;
}

test('a Patroni file is read', async () => {
  expect(await isRead(WITHOUT_FLOW)).toBe(true);
});

test.each([
  ['nothing', ''],
  ['a list', '- a\n- b'],
  ['a flow mapping', PATRONI],
  ['a tab', 'a:\tb'],
  ['an escape', 'a: "b\\n"'],
  ["a quote's end inside", "a: 'b''c'"],
  ['an anchor', 'a: &x b\nc: *x'],
  ['a tag', 'a: !!str 1'],
  ['a block', 'a: |\n  b\n'],
  ['a key twice', 'a: 1\na: 2'],
  ['a merge', 'a: 1\n<<: b'],
  ['a word that goes on', 'a: b\n  c'],
  ['a word that goes on below a key', 'a:\n  b\n  c'],
  ['a list in a list', 'a:\n  - - b'],
  ['two documents', 'a: 1\n---\nb: 2'],
  ['a document that begins twice', '---\n---\na: 1'],
  ['another encoding', 'a: é'],
  ['a mapping in a line', 'a: b: c'],
  ['wrong indentation', 'a:\n    b: 1\n  c: 2'],
  ['a quote without end', "a: 'b"],
  ['text behind a quote', "a: 'b' c"],
])('%s is left to the package', (_, text) => {
  expect(readPlainYaml(text, 'file a.yml')).toBeNull();
});

const PARTS = WITHOUT_FLOW.split('\n').concat(
  ...[
    'a:',
    'a: b',
    '- a',
    '- a: b',
    '-',
    '- ',
    'a:b',
    'on: off',
    '? a',
    'a: 0x1F',
    'b: 1:30',
    '- -1',
  ],
  ...[
    'a: - b',
    'a: #b',
    'a: b#c',
    "a: ''",
    'a: "" # x',
    'a : b',
    'a:  b  ',
    "'a': b",
    'a: b:',
    '# c',
    '~: 1',
  ],
  ...[
    'a: ~',
    'a: .5',
    'a: -.inf',
    'a: =',
    'a: -',
    'a: ---',
    'a: http://b:1/#c',
    'a: [b',
    'a: b]',
    '...',
    '-a',
  ],
);

/** A hundred thousand were tried once. */
const ROUNDS = 300;
const STEPS = [0, 0, 2, -2, 1, 2, -4];

test('whatever is made of the lines of such files is read in the same way, or left to the package', async () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  let read = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    let indent = 0;
    const lines = Array.from({ length: 1 + random(7) }, (_, at) => {
      indent = at === 0 ? 0 : Math.max(0, indent + (STEPS[random(STEPS.length)] ?? 0));
      return ' '.repeat(indent) + (PARTS[random(PARTS.length)] ?? '').trimStart();
    });
    if (await isRead(lines.join('\n'))) read += 1;
  }
  expect(read).toBeGreaterThan(5);
});

/** YAML of an edit, read as PyYAML 6 reads it: the values are what json.dumps(yaml.safe_load(text)) prints. */
import { expect, test } from 'vitest';
import { readYaml } from '../../src/actions/edit-config/document.js';
import { utf8 } from '../../src/config/read-limited.js';
import { ToolError } from '../../src/errors.js';
import { jsonDump } from '../../src/output/json.js';

/** Text, and PyYAML's value as JSON; null: an error. */
const CASES: [text: string, json: string | null][] = [
  ['|\n  x\n  y', '"x\\ny"'],
  ['a: |\n  x\n  y', '{"a": "x\\ny"}'],
  ['a: |\n  x\n  y\n', '{"a": "x\\ny\\n"}'],
  ['a: |\n  x\n  ', '{"a": "x\\n"}'],
  ['a: >\n  x\n  y', '{"a": "x y"}'],
  ['a: |+\n  x\n\n', '{"a": "x\\n\\n"}'],
  ['a: |-\n  x', '{"a": "x"}'],
  ['a: |\n  x\n# c', '{"a": "x\\n"}'],
  ['a: |\n  x\nb: 1', '{"a": "x\\n", "b": 1}'],
  ['a: |\n  x  ', '{"a": "x  "}'],
  ['a: |\n  x\n  # d', '{"a": "x\\n# d"}'],
  ['a:\n - |\n  x', '{"a": ["x"]}'],
  ['{a: 190:20:30.15}', '{"a": 685230.15}'],
  ['b: 190:20:30.15', '{"b": 685230.15}'],
  ['b: -1:30.5', '{"b": -90.5}'],
  ['b: 1:2:3', '{"b": 3723}'],
  ['b: 1:60.5', '{"b": "1:60.5"}'],
  ['c: !!float 3', '{"c": 3.0}'],
  ["c: !!float '3'", '{"c": 3.0}'],
  ['c: !!float 1e3', '{"c": 1000.0}'],
  ['c: !!float x', null],
  ['c: !!float 1:30.5', '{"c": 90.5}'],
  ["c: !!int '3'", '{"c": 3}'],
  ['c: !!int 0x1f', '{"c": 31}'],
  ['c: !!int 3.5', null],
  ["c: !!int '010'", '{"c": 8}'],
  ['c: !!bool YES', '{"c": true}'],
  ['c: !!bool 1', null],
  ['c: !!null x', '{"c": null}'],
  ['c: !!str 3', '{"c": "3"}'],
  ['? [ttl]\n: 30', null],
  ['? {a: 1}\n: 30', null],
  ['? ttl\n: 30', '{"ttl": 30}'],
  ['1: x', '{"1": "x"}'],
  ['on: x', '{"true": "x"}'],
  ['~: x', '{"null": "x"}'],
  ['010: x', '{"8": "x"}'],
  ['1.50: x', '{"1.5": "x"}'],
  ["'1': x", '{"1": "x"}'],
  ['a\u0007b: 1', null],
  ['a: "\\x07"', '{"a": "\\u0007"}'],
  ['a: \u007f', null],
  ['1_0: 3', '{"10": 3}'],
  ["a: ''", '{"a": ""}'],
  ['a: 1.', '{"a": 1.0}'],
  ['a: 1.e+5', '{"a": 100000.0}'],
  ['a: 1e5', '{"a": "1e5"}'],
  ['a: +1', '{"a": 1}'],
  ['a: 0o7', '{"a": "0o7"}'],
  ['a: 0_7', '{"a": 7}'],
  ['a: 08', '{"a": "08"}'],
  ['!!str on: x', '{"on": "x"}'],
  ['|\n x', '"x"'],
  ['a: |2\n   x', '{"a": " x"}'],
  ['a: 12:30:45', '{"a": 45045}'],
  ['? a\n', '{"a": null}'],
  ['a: !!int 1_000', '{"a": 1000}'],
  ['a: &x [1]\nb: *x', '{"a": [1], "b": [1]}'],
  ['a: |\n\n  x', '{"a": "\\nx"}'],
  ['a: |\n  x\n  \n', '{"a": "x\\n"}'],
  ['a: |\r\n  x\r\n  y', '{"a": "x\\ny"}'],
  ['a: >-\n  x', '{"a": "x"}'],
  ['a: |\n  x\n...\n', '{"a": "x\\n"}'],
];

test.each(CASES)('%j is %s', async (text, json) => {
  if (json !== null) expect(jsonDump(await readYaml(text, 'x'))).toBe(json);
  else await expect(readYaml(text, 'x')).rejects.toBeInstanceOf(ToolError);
});

test('a value that is not a number in JSON is refused', async () => {
  for (const text of ['a: .inf', 'a: !!float -.inf', 'a: .nan']) {
    await expect(readYaml(text, 'x')).rejects.toThrow('cannot be written as JSON');
  }
});

test('errors name the line', async () => {
  await expect(readYaml('a: 1\n? [ttl]\n: 30', 'f')).rejects.toThrow(
    'f:2: a list or a mapping cannot be a key',
  );
  await expect(readYaml('a: 1\nb\x07: 2', 'f')).rejects.toThrow('f:2: a control character');
});

test('bytes that are not UTF-8 are refused with their line, never replaced', () => {
  expect(utf8(Buffer.from('é\n\ufeffx'), 'f')).toBe('é\n\ufeffx');
  expect(() => utf8(Buffer.from('a: 1\nb: /b\xe4ckup', 'latin1'), 'f')).toThrow(
    'f:2: this is not UTF-8',
  );
});

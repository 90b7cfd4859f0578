import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  patched,
  readPair,
  rebased,
  threeWay,
  withValue,
} from '../../src/cluster/configuration/config-edit.js';
import {
  documentJson,
  documentOf,
  isEqual,
  looksSame,
  type Document,
} from '../../src/actions/edit-config/document.js';
import { unifiedDiff } from '../../src/output/unified.js';
import type { Value } from '../../src/output/value.js';

const doc = (json: string): Document => {
  const document = documentOf(json);
  if (!document) throw new Error(`not a document: ${json}`);
  return document;
};
const patch = (base: string, change: string) =>
  documentJson(patched(doc(base), doc(change), looksSame));

describe('patched, with the rules of Patroni', () => {
  test.each([
    ['{"a":1,"b":2}', '{"b":null,"c":3}', '{"a":1,"c":3}'],
    ['{"a":{"x":1,"y":2}}', '{"a":{"y":null,"z":3}}', '{"a":{"x":1,"z":3}}'],
    ['{"a":{"x":1}}', '{"a":{"x":null}}', '{"a":{}}'],
    ['{"a":1}', '{"a":{"x":null}}', '{"a":{"x":null}}'],
    ['{}', '{"a":{"x":null},"b":null}', '{"a":{"x":null}}'],
    ['{"a":"1"}', '{"a":1}', '{"a":"1"}'],
    ['{"a":"on"}', '{"a":true}', '{"a":true}'],
    ['{"a":[1,2]}', '{"a":[2]}', '{"a":[2]}'],
    ['{"a":1.0}', '{"a":1}', '{"a":1}'],
    ['{"a":12345678901234567890}', '{"b":1}', '{"a":12345678901234567890,"b":1}'],
  ])('%s with %s', (base, change, result) => {
    expect(patch(base, change)).toBe(result);
  });
});

describe('readPair and withValue', () => {
  test.each<[string, ReturnType<typeof readPair>]>([
    ['ttl=30', { path: ['ttl'], value: '30' }],
    [' a.b =x=y', { path: ['a', 'b'], value: 'x=y' }],
    ['postgresql.parameters.a.b=1', { path: ['postgresql', 'parameters', 'a.b'], value: '1' }],
    ['postgresql.other.a.b=1', { path: ['postgresql', 'other', 'a', 'b'], value: '1' }],
    ['postgresql.parameters=1', { path: ['postgresql', 'parameters'], value: '1' }],
    ['ttl', null],
  ])('%s', (pair, expected) => expect(readPair(pair)).toEqual(expected));

  const set = (json: string, path: string[], value: Value) =>
    documentJson(withValue(doc(json), path, value));

  test('replaces a value that is not a mapping, and removes empty mappings', () => {
    expect(set('{"a":1}', ['a', 'b', 'c'], 2)).toBe('{"a":{"b":{"c":2}}}');
    expect(set('{"a":{"b":{"c":2}},"d":1}', ['a', 'b', 'c'], null)).toBe('{"d":1}');
    expect(set('{"a":{}}', ['x', 'y'], null)).toBe('{"a":{}}');
  });
});

describe('two changes of one configuration', () => {
  const [base, theirs] = [doc('{"a":1,"b":{"x":1,"y":2}}'), doc('{"a":2,"b":{"x":1}}')];

  test('threeWay names every key that either side touched', () => {
    const found = threeWay(base, theirs, doc('{"a":3,"b":{"x":9,"y":2}}'), looksSame);
    expect(
      found.map(({ path, base: b, theirs: t, mine, clash }) => [path.join('.'), b, t, mine, clash]),
    ).toEqual([
      ['a', 1, 2, 3, true],
      ['b.y', 2, undefined, 2, false],
      ['b.x', 1, 1, 9, false],
    ]);
  });

  test('rebased joins them unless they clash', () => {
    const mine = doc('{"a":1,"b":{"x":9,"y":2},"c":4}');
    const joined = rebased(base, theirs, mine, looksSame);
    expect(joined && documentJson(joined)).toBe('{"a":2,"b":{"x":9},"c":4}');
    expect(rebased(base, theirs, doc('{"a":3,"b":{"x":1,"y":2}}'), looksSame)).toBeNull();
    // The same change on both sides is none.
    const same = rebased(base, theirs, doc('{"a":2,"b":{"x":1,"y":2}}'), looksSame);
    expect(same && documentJson(same)).toBe('{"a":2,"b":{"x":1}}');
  });
});

test('isEqual ignores the order of keys, and treats 1.0 and 1 as equal', () => {
  expect(isEqual(doc('{"a":1,"b":{"c":[1,2]}}'), doc('{"b":{"c":[1,2]},"a":1.0}'))).toBe(true);
  expect(isEqual(doc('{"a":[1,2]}'), doc('{"a":[2,1]}'))).toBe(false);
  expect(isEqual(doc('{"a":true}'), doc('{"a":1}'))).toBe(false);
});

describe('unifiedDiff', () => {
  test('equal texts have none', () => expect(unifiedDiff('a\nb\n', 'a\nb')).toEqual([]));

  test('hunks far apart, and the places of empty sides', () => {
    const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`);
    const after = ['new', ...lines.slice(0, 15), ...lines.slice(16)];
    const diff = unifiedDiff(lines.join('\n'), after.join('\n'));
    expect(diff.filter((line) => line.startsWith('@@'))).toEqual([
      '@@ -1,3 +1,4 @@',
      '@@ -13,7 +14,6 @@',
    ]);
    expect(diff.filter((line) => /^[-+][^-+]/.test(line))).toEqual(['+new', '-line 15']);
  });

  test('chooses what difflib chooses, on made-up pairs', () => {
    const cases = JSON.parse(
      gunzipSync(
        readFileSync(new URL('../fixtures/oracle/differences.json.gz', import.meta.url)),
      ).toString(),
    ) as [before: string, after: string, diff: string[]][];
    expect(cases.length).toBe(300);
    for (const [before, after, diff] of cases) expect(unifiedDiff(before, after)).toEqual(diff);
  });
});

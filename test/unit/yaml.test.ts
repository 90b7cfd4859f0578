import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { exactJson, jsonDump } from '../../src/output/json.js';
import { pyFloat, pythonText, type Value } from '../../src/output/value.js';
import { yamlDump } from '../../src/output/write-yaml.js';

interface OracleValue {
  json: string;
  block: string;
  flow: string;
}

// Made by test/fixtures/oracle/oracle.py: what the real PyYAML and json of Python write.
const packed = readFileSync(new URL('../fixtures/oracle/pyyaml.json.gz', import.meta.url));
const pairs = JSON.parse(gunzipSync(packed).toString('utf8')) as OracleValue[];

/** json.dumps writes infinities in a way that JSON does not have. */
function valueOf(json: string): Value {
  if (json.endsWith('Infinity')) return pyFloat(json.startsWith('-') ? -Infinity : Infinity);
  const value = exactJson(json);
  if (value === undefined) throw new Error(`fixture is not JSON: ${json}`);
  return value;
}

describe('PyYAML', () => {
  it.each(['block', 'flow'] as const)('%s', (style) => {
    const wrong = pairs
      .map((pair) => ({
        json: pair.json,
        expected: pair[style],
        printed: yamlDump(valueOf(pair.json), { flow: style === 'flow', asPyYaml: true }),
      }))
      .filter(({ expected, printed }) => printed !== expected);
    expect(wrong).toEqual([]);
  });

  it('is asked about enough', () => {
    expect(pairs.length).toBeGreaterThan(2500);
  });
});

describe('json.dumps', () => {
  it('writes back what it wrote', () => {
    const wrong = pairs.filter(({ json }) => jsonDump(valueOf(json)) !== json);
    expect(wrong.map(({ json }) => json)).toEqual([]);
  });

  it.each([
    [null, 'null'],
    [1.5, '1.5'],
    [pyFloat(1), '1.0'],
    [pyFloat(NaN), 'NaN'],
    [10n ** 30n, '1000000000000000000000000000000'],
    ['é\u007f"\u{1f418}', '"\\u00e9\\u007f\\"\\ud83d\\udc18"'],
    [{ b: 1, a: [true] }, '{"b": 1, "a": [true]}'],
  ])('writes %s as %s', (value, expected) => {
    expect(jsonDump(value)).toBe(expected);
  });
});

describe('exactJson', () => {
  it('keeps the order of keys, floats and large numbers', () => {
    const text = '{"10": 1.0, "9": 12345678901234567890, "a": -0, "b": {}}';
    expect(jsonDump(exactJson(text) ?? null)).toBe(text.replace('-0', '0'));
  });

  it('is undefined for what is not JSON', () => {
    expect(exactJson('{')).toBeUndefined();
    expect(exactJson('')).toBeUndefined();
  });
});

describe('str() of Python', () => {
  it.each([
    ['a', 'a'],
    [null, 'None'],
    [true, 'True'],
    [pyFloat(1e16), '1e+16'],
    [123456.75, '123456.75'],
    [0.00001, '1e-05'],
    [-0.0001, '-0.0001'],
    [{}, '{}'],
    [{ a: ["it's", 'x"'] }, `{'a': ["it's", 'x"']}`],
  ])('%s is %s', (value, expected) => {
    expect(pythonText(value)).toBe(expected);
  });
});

/** Typed values out of a tree; a wrong type is an error that names place and key, never the value. */
import { parseBool } from '../cluster/model/patroni-values.js';
import { isTextOnly } from './known-keys.js';
import { lookUp, wrongValue, type MapTree, type Sourced, type Tree } from './tree.js';

export interface Reader {
  tree: MapTree;
  text(key: string): Sourced<string> | null;
  bool(key: string): Sourced<boolean> | null;
  int(key: string): Sourced<number> | null;
  /** A list of texts, or one text with commas. Blank items are left out. */
  list(key: string): { items: Sourced<string>[]; from: string } | null;
  /** A mapping of names to texts; a number is taken as it is written. */
  map(key: string): { entries: Record<string, string>; from: string } | null;
}

export function makeReader(tree: MapTree, warnings: string[]): Reader {
  const warned = new Set<string>();
  const text = (key: string): Sourced<string> | null => {
    const leaf = lookUp(tree, key);
    if (leaf === null) return null;
    if (leaf.kind !== 'scalar' || (leaf.type !== 'text' && isTextOnly(key)))
      throw wrongValue(key, leaf.from, 'must be text');
    if (leaf.text !== leaf.written && !warned.has(key)) {
      warned.add(key);
      warnings.push(
        `${leaf.from}: ${key} is unquoted and YAML changes its value (also for Patroni)`,
      );
    }
    return { value: leaf.text, from: leaf.from };
  };
  return {
    tree,
    text,
    bool: (key) => readBool(key, lookUp(tree, key)),
    int: (key) => readInt(key, lookUp(tree, key)),
    list: (key) => readList(key, lookUp(tree, key)),
    map: (key) => readMap(key, lookUp(tree, key)),
  };
}

function readBool(key: string, leaf: Tree | null): Sourced<boolean> | null {
  if (leaf === null) return null;
  const value = leaf.kind === 'scalar' ? parseBool(leaf.text) : null;
  if (value === null) throw wrongValue(key, leaf.from, 'must be true or false');
  return { value, from: leaf.from };
}

function readMap(
  key: string,
  leaf: Tree | null,
): { entries: Record<string, string>; from: string } | null {
  if (leaf === null || (leaf.kind === 'scalar' && leaf.type === 'null')) return null;
  if (leaf.kind !== 'map') throw wrongValue(key, leaf.from, 'must be a mapping');
  const entries = [...leaf.entries].map(([name, value]): [string, string] => {
    if (value.kind !== 'scalar') throw wrongValue(`${key}.${name}`, value.from, 'must be text');
    return [name, value.text];
  });
  return { entries: Object.fromEntries(entries), from: leaf.from };
}

function readInt(key: string, leaf: Tree | null): Sourced<number> | null {
  if (leaf === null) return null;
  const number = leaf.kind === 'scalar' && /^\d+$/.test(leaf.text) ? Number(leaf.text) : NaN;
  if (!Number.isSafeInteger(number)) throw wrongValue(key, leaf.from, 'must be a whole number');
  return { value: number, from: leaf.from };
}

function readList(
  key: string,
  leaf: Tree | null,
): { items: Sourced<string>[]; from: string } | null {
  if (leaf === null) return null;
  const { from } = leaf;
  if (leaf.kind === 'map') throw wrongValue(key, from, 'must be a list');
  const items: Sourced<string>[] = [];
  if (leaf.kind === 'scalar') {
    if (leaf.type !== 'text') throw wrongValue(key, from, 'must be a list of texts');
    items.push(...leaf.text.split(',').map((value) => ({ value, from })));
  } else {
    for (const item of leaf.items) {
      if (item.kind !== 'scalar' || item.type !== 'text')
        throw wrongValue(key, item.from, 'must be a list of texts');
      items.push({ value: item.text, from: item.from });
    }
  }
  return { items: items.filter(({ value }) => value.trim() !== ''), from };
}

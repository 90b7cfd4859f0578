/** Configuration values that remember where they were written. Trees are never changed, only built. */
import { ToolError } from '../errors.js';

export interface ScalarTree {
  kind: 'scalar';
  type: 'text' | 'int' | 'float' | 'bool' | 'null';
  /** The value as Patroni would print it, e.g. 8 for 010 and True for yes. */
  text: string;
  /** As it stands in the file, without quotes. */
  written: string;
  from: string;
}

export interface ListTree {
  kind: 'list';
  items: Tree[];
  from: string;
}

export interface MapTree {
  kind: 'map';
  entries: ReadonlyMap<string, Tree>;
  from: string;
}

export type Tree = ScalarTree | ListTree | MapTree;

export interface Sourced<T> {
  value: T;
  from: string;
}

/** A text value that came from `from`. */
export function textLeaf(text: string, from: string): ScalarTree {
  return { kind: 'scalar', type: 'text', text, written: text, from };
}

export function emptyMap(from: string): MapTree {
  return { kind: 'map', entries: new Map(), from };
}

/** `base` with everything `patch` says laid over it: maps merge, null removes, all else replaces. */
export function mergeTrees(base: MapTree, patch: MapTree): MapTree {
  const entries = new Map(base.entries);
  for (const [key, value] of patch.entries) {
    const old = entries.get(key);
    if (isNull(value)) entries.delete(key);
    else if (value.kind === 'map' && old?.kind === 'map') entries.set(key, mergeTrees(old, value));
    else entries.set(key, value);
  }
  return { kind: 'map', entries, from: base.from };
}

/** `tree` with `leaf` at the dotted `key`. */
export function withLeaf(tree: MapTree, key: string, leaf: Tree): MapTree {
  const nested = key
    .split('.')
    .reduceRight<Tree>(
      (value, name) => ({ kind: 'map', entries: new Map([[name, value]]), from: leaf.from }),
      leaf,
    );
  return nested.kind === 'map' ? mergeTrees(tree, nested) : tree;
}

/** `tree` without the given entries of one of its sections. */
export function withoutEntries(tree: MapTree, section: string, names: readonly string[]): MapTree {
  const old = tree.entries.get(section);
  if (old?.kind !== 'map') return tree;
  const kept = new Map([...old.entries].filter(([name]) => !names.includes(name)));
  const entries = new Map(tree.entries).set(section, { ...old, entries: kept });
  return { ...tree, entries };
}

/** What stands at a dotted key; null when nothing, an empty text or YAML's null does. */
export function lookUp(tree: MapTree, key: string): Tree | null {
  let here: Tree = tree;
  const path = key.split('.');
  for (const [depth, name] of path.entries()) {
    if (here.kind !== 'map') {
      throw wrongValue(path.slice(0, depth).join('.'), here.from, 'must be a mapping');
    }
    const next = here.entries.get(name);
    if (next === undefined || (next.kind === 'scalar' && next.text === '')) return null;
    here = next;
  }
  return here;
}

/** Never quotes the value: it may be a secret in the wrong place. */
export function wrongValue(key: string, from: string, problem: string): ToolError {
  return new ToolError('error', `${from}: ${key} ${problem}`, { code: 'bad_configuration' });
}

function isNull(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.type === 'null';
}

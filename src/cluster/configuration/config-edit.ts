/**
 * Edits of a dynamic configuration, with the rules of Patroni's own patches. Works on any kind of leaf,
 * so that a caller may keep what JavaScript would lose (1.0 and 1, integers beyond 2^53).
 */

/** A configuration: mappings are Maps, which keep the order that Patroni keeps; the rest is leaves. */
export type Branch<Leaf> = ReadonlyMap<string, Node<Leaf>>;
export type Node<Leaf> = Leaf | Branch<Leaf>;

export function isBranch<Leaf>(node: Node<Leaf> | undefined): node is Branch<Leaf> {
  return node instanceof Map;
}

/**
 * `base` with `patch` over it: null removes, a mapping goes into a mapping, all else replaces. What
 * `same` calls the same stays as it was, and so does a null below a key that is new.
 */
export function patched<Leaf>(
  base: Branch<Leaf>,
  patch: Branch<Leaf>,
  same: (a: Node<Leaf>, b: Node<Leaf>) => boolean,
): Branch<Leaf> {
  const result = new Map(base);
  for (const [key, value] of patch) {
    const old = result.get(key);
    if (value === null) result.delete(key);
    else if (isBranch(value) && isBranch(old)) result.set(key, patched(old, value, same));
    else if (old === undefined || isBranch(value) || !same(old, value)) result.set(key, value);
  }
  return result;
}

/** Where settings of PostgreSQL live; their names may hold dots, and are not paths. */
const PARAMETERS = 'postgresql.parameters';

/** `a.b=value` as path and text of the value; null if it is not a pair. */
export function readPair(pair: string): { path: string[]; value: string } | null {
  const at = pair.indexOf('=');
  if (at < 0) return null;
  const words = pair.slice(0, at).trim().split('.');
  const isSetting = words.length > 3 && words.slice(0, 2).join('.') === PARAMETERS;
  const path = isSetting ? [...words.slice(0, 2), words.slice(2).join('.')] : words;
  return { path, value: pair.slice(at + 1) };
}

/** The pair of `-p name=value`. */
export function settingPair(pair: string): string {
  return `${PARAMETERS}.${pair.trimStart()}`;
}

/** `config` with `value` at `path`. null removes; a mapping left empty goes too. */
export function withValue<Leaf>(
  config: Branch<Leaf>,
  path: readonly string[],
  value: Node<Leaf>,
): Branch<Leaf> {
  const [key = '', ...below] = path;
  const result = new Map(config);
  if (below.length === 0) {
    if (value === null) result.delete(key);
    else result.set(key, value);
    return result;
  }
  const old = result.get(key);
  const inner = withValue(isBranch(old) ? old : new Map<string, Node<Leaf>>(), below, value);
  if (inner.size === 0) result.delete(key);
  else result.set(key, inner);
  return result;
}

/** One key that differs; undefined: not there. */
export interface LeafChange<Leaf> {
  path: string[];
  from: Node<Leaf> | undefined;
  to: Node<Leaf> | undefined;
}

/** What differs from `before` to `after`, in the order of the keys. */
export function changesOf<Leaf>(
  before: Branch<Leaf>,
  after: Branch<Leaf>,
  same: (a: Node<Leaf>, b: Node<Leaf>) => boolean,
  above: readonly string[] = [],
): LeafChange<Leaf>[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys.flatMap((key) => {
    const [from, to] = [before.get(key), after.get(key)];
    const path = [...above, key];
    if (isBranch(from) && isBranch(to)) return changesOf(from, to, same, path);
    if (from !== undefined && to !== undefined && same(from, to)) return [];
    return [{ path, from, to }];
  });
}

export interface ThreeWay<Leaf> {
  path: string[];
  base: Node<Leaf> | undefined;
  theirs: Node<Leaf> | undefined;
  mine: Node<Leaf> | undefined;
  /** Both changed it, and not to the same. */
  clash: boolean;
}

/** Everything that either side changed since `base`. */
export function threeWay<Leaf>(
  base: Branch<Leaf>,
  theirs: Branch<Leaf>,
  mine: Branch<Leaf>,
  same: (a: Node<Leaf>, b: Node<Leaf>) => boolean,
): ThreeWay<Leaf>[] {
  const paths = new Map<string, string[]>();
  const sides = [changesOf(base, theirs, same), changesOf(base, mine, same)] as const;
  for (const { path } of sides.flat()) paths.set(JSON.stringify(path), path);
  const equal = (a: Node<Leaf> | undefined, b: Node<Leaf> | undefined) =>
    a === undefined || b === undefined ? a === b : same(a, b);
  return [...paths.values()].map((path) => {
    const [was, other, own] = [at(base, path), at(theirs, path), at(mine, path)];
    const clash = !equal(was, other) && !equal(was, own) && !equal(other, own);
    return { path, base: was, theirs: other, mine: own, clash };
  });
}

function at<Leaf>(config: Branch<Leaf>, path: readonly string[]): Node<Leaf> | undefined {
  let here: Node<Leaf> | undefined = config;
  for (const key of path) here = isBranch(here) ? here.get(key) : undefined;
  return here;
}

/** `theirs` with what `mine` changed since `base`; null when both changed the same key. */
export function rebased<Leaf>(
  base: Branch<Leaf>,
  theirs: Branch<Leaf>,
  mine: Branch<Leaf>,
  same: (a: Node<Leaf>, b: Node<Leaf>) => boolean,
): Branch<Leaf> | null {
  if (threeWay(base, theirs, mine, same).some(({ clash }) => clash)) return null;
  return changesOf(base, mine, same).reduce<Branch<Leaf>>(
    (config, { path, to }) => withValue(config, path, to ?? (null as Node<Leaf>)),
    theirs,
  );
}

/** Patroni's environment variables as a tree that is laid over the file. */
import { parseBool } from '../cluster/model/patroni-values.js';
import type { ToolError } from '../errors.js';
import { KEYS, type KeySpec } from './known-keys.js';
import { parseYamlValue } from './parse-yaml.js';
import { emptyMap, textLeaf, withLeaf, wrongValue, type MapTree, type Tree } from './tree.js';

export type Env = Readonly<Record<string, string | undefined>>;

/** Variables that, in Patroni, make a section of a DCS that patctl does not speak. */
const OTHER_DCS: Record<string, string[]> = {
  etcd: ['HOST', 'HOSTS', 'URL', 'SRV', 'PROXY'],
  consul: ['HOST', 'URL'],
  zookeeper: ['HOSTS'],
  exhibitor: ['HOSTS'],
  kubernetes: ['POD_IP', 'PORTS', 'BYPASS_API_SERVICE'],
  raft: ['SELF_ADDR', 'PARTNER_ADDRS', 'DATA_DIR'],
};

/** What the environment sets, in Patroni's own keys. Empty variables count as unset. */
export async function environmentTree(env: Env, warnings: string[]): Promise<MapTree> {
  let tree = emptyMap('environment');
  for (const spec of KEYS) {
    const value = env[spec.variable];
    if (value === undefined || value === '') continue;
    const leaf = await readVariable(spec, value, warnings);
    if (leaf) tree = withLeaf(tree, spec.key, leaf);
  }
  for (const [dcs, suffixes] of Object.entries(OTHER_DCS)) {
    const variable = suffixes.map((s) => `PATRONI_${dcs.toUpperCase()}_${s}`).find((v) => env[v]);
    // Values that a section already has are kept.
    if (variable && !tree.entries.has(dcs)) {
      tree = withLeaf(tree, dcs, emptyMap(`environment ${variable}`));
    }
  }
  return tree;
}

async function readVariable(
  spec: KeySpec,
  value: string,
  warnings: string[],
): Promise<Tree | null> {
  const from = `environment ${spec.variable}`;
  const wrong = (what: string): ToolError => wrongValue(spec.key, from, what);
  switch (spec.type) {
    case 'text':
      return textLeaf(value, from);
    case 'list':
      return { ...(await readList(value, from, warnings)), from };
    case 'map':
      return { ...(await readMap(value, from, warnings, wrong)), from };
    case 'bool':
      if (parseBool(value.trim()) === null) throw wrong('must be true or false');
      return textLeaf(value.trim(), from);
    case 'int':
      // Kubernetes makes such variables of its own for a service that is called patroni-etcd3.
      if (/^tcp:\/\//.test(value)) return null;
      if (!/^\s*\d+\s*$/.test(value)) throw wrong('must be a whole number');
      return textLeaf(value.trim(), from);
  }
}

/** A YAML mapping; as for Patroni the braces may be left out. */
async function readMap(
  value: string,
  from: string,
  warnings: string[],
  wrong: (what: string) => ToolError,
): Promise<Tree> {
  const text = value.trim();
  const tree = await parseYamlValue(
    text.startsWith('{') ? text : `{${text}}`,
    from,
    warnings,
  ).catch(() => null);
  if (tree?.kind !== 'map') throw wrong('must be a mapping');
  return tree;
}

/** A YAML list, or items between commas. */
async function readList(value: string, from: string, warnings: string[]): Promise<Tree> {
  const text = value.trim();
  if (text.startsWith('-') || (text.startsWith('[') && text.endsWith(']'))) {
    try {
      const tree = await parseYamlValue(text, from, warnings);
      if (tree.kind === 'list') return { ...tree, items: tree.items.map((i) => ({ ...i, from })) };
    } catch {
      // `[::1]:2379,[::2]` looks like a list, but is not one.
    }
  }
  const items = text.split(',').map((item) => item.trim().replace(/^(["'])(.*)\1$/, '$2'));
  return { kind: 'list', items: items.map((item) => textLeaf(item, from)), from };
}

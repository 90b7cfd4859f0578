import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  clusterPrefix,
  parseCluster,
  parseFleet,
  type KeysRead,
} from '../../src/cluster/model/parse-keys.js';
import type { Cluster } from '../../src/cluster/model/model.js';
import {
  historyCompat,
  listCompat,
  showConfigCompat,
  topologyCompat,
} from '../../src/output/compat.js';
import type { Format } from '../../src/output/render.js';

interface OracleCase {
  scope: string;
  citus: boolean;
  keys: Record<string, string>;
  runs: { args: string[]; out: string }[];
}

// Made by test/fixtures/oracle/oracle.py from the real patronictl 4.1.5.
const packed = readFileSync(new URL('../fixtures/oracle/patronictl.json.gz', import.meta.url));
const cases = JSON.parse(gunzipSync(packed).toString('utf8')) as OracleCase[];

function keysOf({ keys }: OracleCase): KeysRead {
  const kvs = Object.entries(keys).map(([key, value]) => ({ key, value, modRevision: '5' }));
  return { revision: '9', kvs };
}

function ours(test: OracleCase, read: KeysRead, args: string[]): string {
  const flag = (name: string): string | null => {
    const at = args.indexOf(name);
    return at < 0 ? null : (args[at + 1] ?? null);
  };
  const groupText = flag('--group');
  const group = groupText === null ? null : Number(groupText);
  const command = args[0] ?? '';
  const format = (flag('-f') ?? 'pretty') as Format;
  const grouped = test.citus && group === null;

  if (command === 'history' || command === 'show-config') {
    // Their --group defaults to the configured one.
    const cluster = known(test.scope, test.citus ? (group ?? 0) : null, read);
    return command === 'history' ? historyCompat(cluster, format) : showConfigCompat(cluster);
  }
  const one = known(test.scope, group, read);
  const clusters = grouped
    ? parseFleet(read, 'service').filter(
        ({ scope, group: g }) => scope === test.scope && g !== null,
      )
    : one
      ? [one]
      : [];
  const entries = [{ scope: test.scope, clusters }];
  const options = { citus: test.citus, group };
  return command === 'topology'
    ? topologyCompat(entries, options)
    : listCompat(entries, { ...options, format, extended: args.includes('-e') });
}

/** Parsed once for all runs of a case, which have the same keys. */
const parsed = new WeakMap<KeysRead, Map<number | null, Cluster | null>>();

function known(scope: string, group: number | null, read: KeysRead): Cluster | null {
  const groups = parsed.get(read) ?? new Map<number | null, Cluster | null>();
  parsed.set(read, groups);
  const before = groups.get(group);
  if (before !== undefined) return before;
  const prefix = clusterPrefix('service', scope, group);
  const isThere = read.kvs.some(({ key }) => key.startsWith(prefix));
  const cluster = isThere ? parseCluster(scope, group, read, prefix) : null;
  groups.set(group, cluster);
  return cluster;
}

describe('patronictl 4.1.5 on made-up clusters', () => {
  it.each(cases.map((test, i) => [i, test] as const))('cluster %i', (_, test) => {
    const read = keysOf(test);
    for (const { args, out } of test.runs) {
      const printed = ours(test, read, args);
      if (printed !== out)
        expect(`${args.join(' ')}\n${printed}`).toBe(`${args.join(' ')}\n${out}`);
    }
  });

  it('has enough of them', () => {
    expect(cases.flatMap(({ runs }) => runs)).toHaveLength(2700);
  });
});

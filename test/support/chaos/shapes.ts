/**
 * The clusters that are broken: every synchronous mode and node count, three and four members, TLS, a standby cluster.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { startCluster, type Lab } from '../lab/cluster.js';
import type { Owner } from '../lab/lock.js';
import { LAB_FOLDER, readState, type ClusterOptions } from '../lab/state.js';
import { runPatctl, type RunResult } from '../run.js';
import { openGate, type Gate } from './gate.js';

export interface Shape {
  name: string;
  options: Partial<Omit<ClusterOptions, 'scope'>> & { members: number };
  /** It follows another cluster, which is started with it. */
  isStandby?: true;
}

/** Each lane takes them in this order: the rarest ones first, in case a run is ended early. */
export const SHAPES: readonly Shape[] = [
  { name: 'on-2', options: { members: 4, sync: 'on', syncNodes: 2, etcd: 3 } },
  { name: 'quorum-2', options: { members: 4, sync: 'quorum', syncNodes: 2 } },
  { name: 'standby', options: { members: 3, sync: 'off' }, isStandby: true },
  { name: 'off', options: { members: 3, sync: 'off' } },
  { name: 'on', options: { members: 3, sync: 'on' } },
  { name: 'quorum', options: { members: 3, sync: 'quorum', tls: true } },
];

/** A cluster with a gate before everything that can be cut off. */
export interface Site {
  lab: Lab;
  shape: Shape;
  /** Between a member and etcd, by name. */
  etcdGates: Map<string, Gate>;
  /** Between all clients and a member's REST API; none with TLS. */
  restGates: Map<string, Gate>;
  /** The member whose disk can be filled; null where nothing can be mounted. */
  smallDisk: string | null;
  /** Runs patctl on this cluster. */
  patctl: (args: string[], timeoutMs: number) => Promise<RunResult>;
  close(): Promise<void>;
}

const SMALL_DISK_MB = 320;

export interface SiteOptions {
  owner: Owner;
  /** The patctl that is put to the test. */
  program: string;
  log: (line: object) => void;
}

/** Starts the cluster of this shape, and the one that it follows. */
export async function openSite(
  shape: Shape,
  scope: string,
  { owner, program, log }: SiteOptions,
): Promise<Site> {
  const names = Array.from({ length: shape.options.members }, (_, at) => `pg${at + 1}`);
  const source = `${scope}-source`;
  const etcdHome = shape.isStandby ? source : scope;
  const etcdGates = await gates(names, () => () => readState(etcdHome)?.etcd ?? []);
  const restGates =
    shape.options.tls === true ? new Map<string, Gate>() : await gates(names, restOf(scope));
  const smallDisk = canMount() ? (names.at(-1) ?? null) : null;
  const addresses = (of: Map<string, Gate>) =>
    Object.fromEntries([...of].map(([name, { address }]) => [name, address]));
  const labs: Lab[] = [];
  const close = async (): Promise<void> => {
    for (const lab of labs.reverse()) await lab.down();
    for (const gate of [...etcdGates.values(), ...restGates.values()]) await gate.close();
  };
  try {
    const how = { owner, progress: (line: string) => log({ lab: line }) };
    if (shape.isStandby) labs.push(await startCluster({ scope: source, members: 2 }, how));
    const lab = await startCluster(
      {
        ...shape.options,
        scope,
        standbyOf: shape.isStandby ? source : null,
        etcdProxies: addresses(etcdGates),
        restProxies: addresses(restGates),
        smallDisks: smallDisk === null ? {} : { [smallDisk]: SMALL_DISK_MB },
        parameters: { wal_level: 'logical', max_wal_size: '64MB' },
      },
      how,
    );
    labs.push(lab);
    const patctl = async (args: string[], timeoutMs: number): Promise<RunResult> =>
      await runPatctl(['-c', lab.config, ...args], { program, timeoutMs });
    return { lab, shape, etcdGates, restGates, smallDisk, patctl, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function gates(
  names: string[],
  targetsOf: (name: string) => () => { host: string; port: number }[],
): Promise<Map<string, Gate>> {
  const opened = new Map<string, Gate>();
  for (const name of names) opened.set(name, await openGate(targetsOf(name)));
  return opened;
}

function restOf(scope: string) {
  return (name: string) => () => {
    const url = readState(scope)?.members.find((one) => one.name === name)?.restUrl;
    return url === undefined ? [] : [{ host: '127.0.0.1', port: Number(new URL(url).port) }];
  };
}

/** Root may not be allowed to, as in most containers. */
function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = `${LAB_FOLDER}/mount-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const mount = ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder];
  const isMounted = spawnSync('mount', mount, { stdio: 'ignore' }).status === 0;
  if (isMounted) spawnSync('umount', [folder], { stdio: 'ignore' });
  rmdirSync(folder);
  return isMounted;
}

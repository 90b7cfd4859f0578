/** What a cluster of the lab is made of, and the folder in which that is written down. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { withLock, type Owner } from './lock.js';

export interface EtcdNode {
  name: string;
  /** e.g. `http://127.0.0.1:20001` */
  url: string;
  host: string;
  port: number;
  peerPort: number;
  dataDir: string;
  log: string;
}

export interface LabMember {
  name: string;
  restUrl: string;
  host: string;
  port: number;
  dataDir: string;
  log: string;
}

/** The kube-apiserver of a cluster whose DCS is Kubernetes. */
export interface KubeNode {
  name: 'kube';
  port: number;
  /** e.g. `https://127.0.0.1:20001` */
  server: string;
  /** ca.crt, tokens.csv, kubeconfig and so on. */
  folder: string;
  /** Contexts: those of ACCOUNTS, admin is current. */
  kubeconfig: string;
  log: string;
}

/** Patroni's tags of one member. */
export type Tags = Record<string, string | number | boolean>;
export type SyncMode = 'off' | 'on' | 'quorum';

export interface ClusterOptions {
  scope: string;
  members: number;
  /** Of their names: `pg` for pg1, pg2, … */
  prefix: string;
  sync: SyncMode;
  syncNodes: number;
  patroni: string;
  /** Version of PostgreSQL, e.g. `17`; null: the machine's own. */
  pg: string | null;
  /** Version of etcd, e.g. `3.6`; null: the machine's own. */
  etcdVersion: string | null;
  /** Scope of the lab's cluster that this one is a standby cluster of; its etcd is used, unless `ownEtcd`. */
  standbyOf: string | null;
  /** A standby cluster with an etcd of its own, as on another site; it outlives the `down` of its source. */
  ownEtcd: boolean;
  /**
   * One group of a Citus cluster: its keys are below /service/OF/GROUP/. `of` is the scope of the lab's
   * cluster that has the etcd, group 0, and is what Patroni calls all of them.
   */
  citus: { group: number; of: string } | null;
  /** By member name. */
  tags: Record<string, Tags>;
  etcd: 1 | 3;
  /** Where Patroni keeps its keys. */
  store: 'etcd' | 'kubernetes';
  /** With Kubernetes: ConfigMaps instead of Endpoints. */
  configMaps: boolean;
  restAuth: boolean;
  tls: boolean;
  loopWait: number;
  /** Top-level keys added to the dynamic configuration, e.g. `{ primary_stop_timeout: 10 }`; not `postgresql`. */
  dcs: Record<string, unknown>;
  /** More PostgreSQL parameters in the dynamic configuration. */
  parameters: Record<string, string | number | boolean>;
  /** `HOST:PORT` that a member tells others instead of its own REST address, by name. */
  restProxies: Record<string, string>;
  /** `HOST:PORT` at which a member asks for etcd instead of at etcd itself, by name. */
  etcdProxies: Record<string, string>;
  /** Megabytes of a disk (tmpfs, which needs root) that holds this member's data and nothing else, by name. */
  smallDisks: Record<string, number>;
}

export interface ClusterState {
  options: ClusterOptions;
  /** The process whose end is the cluster's end; null: it stays until `down`. */
  owner: Owner | null;
  etcd: EtcdNode[];
  /** null: the keys are in etcd. */
  kube: KubeNode | null;
  members: LabMember[];
  /** Folder of ca.crt, server.crt, client.crt and the keys; null without --tls. */
  certs: string | null;
  /**
   * The member that this standby cluster follows: the leader at its start. One only, as
   * Patroni's password file has one port for all hosts.
   */
  source: LabMember | null;
  /** The real patronictl. */
  patronictl: string;
}

/** Short on purpose: a unix socket's path has 107 bytes at most. */
export const LAB_FOLDER = `/tmp/patctl-lab-${process.getuid?.() ?? 0}`;

export function rootOf(scope: string): string {
  return join(LAB_FOLDER, scope);
}

/** Where the cluster's keys are, as Patroni reckons it. */
export function keysOf({ scope, citus }: ClusterOptions): string {
  return citus ? `/service/${citus.of}/${citus.group}/` : `/service/${scope}/`;
}

/** The scope of the lab's cluster whose folder contains the etcd. */
export function etcdHome({ scope, standbyOf, ownEtcd, citus }: ClusterOptions): string {
  return (ownEtcd ? null : standbyOf) ?? citus?.of ?? scope;
}

/** A file that patctl and the real patronictl take with -c. */
export function configOf(scope: string): string {
  return join(rootOf(scope), 'patctl.yml');
}

/** The folder's only lock per scope is beside it: the folder itself goes away. */
export function scopeLock(scope: string): string {
  return join(LAB_FOLDER, `.${scope}.lock`);
}

export function readState(scope: string): ClusterState | null {
  try {
    return JSON.parse(readFileSync(join(rootOf(scope), 'state.json'), 'utf8')) as ClusterState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export function writeState(state: ClusterState): void {
  const root = rootOf(state.options.scope);
  mkdirSync(root, { recursive: true, mode: 0o755 });
  writeFileSync(join(root, 'state.json.new'), JSON.stringify(state, null, 2));
  renameSync(join(root, 'state.json.new'), join(root, 'state.json'));
}

/** Scopes that have a folder, with a state file or without (an `up` that was killed early). */
export function listScopes(): string[] {
  try {
    const entries = readdirSync(LAB_FOLDER, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** Takes the common folder away with its last cluster. */
export function removeLabFolderIfEmpty(): void {
  try {
    rmdirSync(LAB_FOLDER);
  } catch {
    // Other clusters, or their locks, are in it.
  }
}

/**
 * Chooses free ports and has `use` write them down before another process may choose.
 * Below the ephemeral range, so that no outgoing connection takes the port of a stopped member.
 */
export async function withFreePorts<T>(count: number, use: (ports: number[]) => T): Promise<T> {
  return await withLock(join(LAB_FOLDER, '.ports.lock'), 30_000, async () => {
    const taken = portsInUseByLab();
    const ports: number[] = [];
    let candidate = 12_000 + Math.floor(Math.random() * 16_000);
    while (ports.length < count) {
      candidate += 1;
      if (candidate > 32_000) candidate = 12_000;
      if (!taken.has(candidate) && (await isFree(candidate))) ports.push(candidate);
    }
    return use(ports);
  });
}

function portsInUseByLab(): Set<number> {
  const ports = new Set<number>();
  for (const state of listScopes().map(readState)) {
    for (const node of state?.etcd ?? []) ports.add(node.port).add(node.peerPort);
    if (state?.kube) ports.add(state.kube.port);
    for (const member of state?.members ?? []) {
      ports.add(member.port).add(Number(new URL(member.restUrl).port));
    }
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Options that differ from those of the existing cluster. */
export function optionsApart(made: ClusterOptions, wanted: Partial<ClusterOptions>): string[] {
  return Object.entries(wanted)
    .filter(([name, value]) => !isDeepStrictEqual(value, made[name as keyof ClusterOptions]))
    .map(([name]) => name);
}

/**
 * A real Patroni cluster on this machine: etcd, Patroni and PostgreSQL on free ports of 127.0.0.1.
 * `startCluster` is what tests and the command line call; it returns the cluster's controller.
 */
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { DEFAULT_PATRONI, ensureSetup, type LabPrograms, type Versions } from '../setup.js';
import { writeCitus } from './citus.js';
import { clientYaml, memberYaml, MONITOR_USER, PASSWORDS } from './configs.js';
import { controller, type Lab } from './controller.js';
import { takeDown } from './down.js';
import { dcsGet, isEtcdHealthy } from './health.js';
import { isKubeReady, isOnThisHost, kubeNode, makeObjects, podIp, writeKubeFiles } from './kube.js';
import { withLock, type Owner } from './lock.js';
import { cleanEnv, labProcesses, runProgram, signal, unprivilegedUser } from './process.js';
import {
  configOf,
  etcdHome,
  readState,
  rootOf,
  scopeLock,
  withFreePorts,
  writeState,
  type ClusterOptions,
  type ClusterState,
  type EtcdNode,
  type LabMember,
} from './state.js';
import { makeCertificates } from './tls.js';

export type { Lab } from './controller.js';

const UP_LIMIT_MS = 90_000;
export const MAX_MEMBERS = 9;

/** What `up` was asked for cannot be done. */
export class LabError extends Error {}

const DEFAULTS: ClusterOptions = {
  scope: 'demo',
  members: 3,
  prefix: 'pg',
  sync: 'off',
  syncNodes: 1,
  patroni: DEFAULT_PATRONI,
  pg: null,
  etcdVersion: null,
  standbyOf: null,
  ownEtcd: false,
  citus: null,
  tags: {},
  etcd: 1,
  store: 'etcd',
  configMaps: false,
  restAuth: false,
  tls: false,
  loopWait: 2,
  dcs: {},
  parameters: {},
  restProxies: {},
  etcdProxies: {},
  smallDisks: {},
};

export interface StartHow {
  /** The process whose end is the cluster's end; null: it stays until `down`. */
  owner: Owner | null;
  progress?: (line: string) => void;
}

/** Starts what is missing of the cluster and waits until it is healthy, 90 s at most. */
export async function startCluster(wanted: Partial<ClusterOptions>, how: StartHow): Promise<Lab> {
  const options = checked({ ...DEFAULTS, ...wanted });
  const progress = how.progress ?? (() => undefined);
  const programs = await ensureSetup(versionsOf(options));
  return await withLock(scopeLock(options.scope), UP_LIMIT_MS, async () => {
    const existing = readState(options.scope);
    const state = existing ?? (await prepare(options, programs, how.owner));
    const lab = controller(state, programs);
    try {
      await startMissing(lab, progress);
      return lab;
    } catch (error) {
      // A developer's cluster stays for inspection; a test's must not.
      if (how.owner !== null) await takeDown(options.scope);
      throw error;
    }
  });
}

/** The controller of a cluster that was started before; null when there is none of that name. */
export async function openCluster(scope: string): Promise<Lab | null> {
  const state = readState(scope);
  return state === null ? null : controller(state, await ensureSetup(versionsOf(state.options)));
}

const versionsOf = ({ patroni, pg, etcdVersion }: ClusterOptions): Versions => ({
  patroni,
  pg,
  etcd: etcdVersion,
});

function checked(options: ClusterOptions): ClusterOptions {
  const { scope, members, patroni, sync, standbyOf } = options;
  if (!/^[A-Za-z0-9][\w-]{0,60}$/.test(scope)) throw new LabError(`not a usable scope: ${scope}`);
  if (!Number.isInteger(members) || members < 1 || members > MAX_MEMBERS) {
    throw new LabError(`members: 1 to ${MAX_MEMBERS}`);
  }
  if (sync === 'quorum' && Number(patroni.split('.')[0]) < 4) {
    throw new LabError(`Patroni ${patroni} has no quorum mode`);
  }
  for (const name of Object.keys(options.tags)) {
    const number = new RegExp(`^${memberPrefix(options)}([1-9])$`).exec(name)?.[1];
    if (Number(number ?? 99) > members) throw new LabError(`tags for an unknown member: ${name}`);
  }
  if (options.ownEtcd && standbyOf === null) throw new LabError('ownEtcd: without standbyOf');
  const of = standbyOf ?? etcdHome(options);
  if (of === scope) return options;
  const source = readState(of);
  if (source === null && standbyOf === null) throw new LabError(`no cluster ${of} with group 0`);
  if (source === null) throw new LabError(`no cluster ${of} to be a standby cluster of`);
  return { ...options, tls: source.options.tls };
}

/** Chooses ports and writes down all files of a new cluster; nothing runs yet. */
async function prepare(
  options: ClusterOptions,
  programs: LabPrograms,
  owner: Owner | null,
): Promise<ClusterState> {
  const root = rootOf(options.scope);
  const home = etcdHome(options);
  const shared = home === options.scope ? null : readState(home);
  const source = options.standbyOf === null ? null : readState(options.standbyOf);
  const followed = source === null ? null : await leadingMember(source);
  const etcdCount = shared === null ? options.etcd : 0;
  const hosts = await hostsOf(options);
  const state = await withFreePorts(1 + 2 * (etcdCount + options.members), (ports) => {
    const next = (): number => ports.shift() ?? 0;
    const kubePort = next();
    const chosen: ClusterState = {
      options,
      owner,
      etcd: shared?.etcd ?? names('etcd', etcdCount).map((name) => etcdNode(options, name, next)),
      kube: shared?.kube ?? (options.store === 'etcd' ? null : kubeNode(options.scope, kubePort)),
      members: names(memberPrefix(options), options.members).map((name, index) =>
        member(options, name, hosts[index] ?? '127.0.0.1', next),
      ),
      source: followed,
      certs: options.tls ? ((shared ?? source)?.certs ?? join(root, 'certs')) : null,
      patronictl: join(programs.patroniBin, 'patronictl'),
    };
    writeState(chosen);
    return chosen;
  });
  if (options.tls && shared === null && source === null)
    await makeCertificates(join(root, 'certs'));
  if (state.kube && shared === null) await writeKubeFiles(state.kube);
  writeFiles(state, programs);
  await mountSmallDisks(state);
  return state;
}

async function leadingMember(source: ClusterState): Promise<LabMember> {
  const leader = await dcsGet(source, 'leader');
  const found = source.members.find(({ name }) => name === leader);
  if (found === undefined) throw new LabError(`${source.options.scope} has no leader to follow`);
  return found;
}

/** Patroni takes a worker with a name of the coordinator's for the coordinator's own. */
const memberPrefix = ({ citus, prefix }: ClusterOptions): string =>
  citus !== null && citus.group > 0 ? 'wk' : prefix;

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

function etcdNode(options: ClusterOptions, name: string, nextPort: () => number): EtcdNode {
  const root = rootOf(options.scope);
  const port = nextPort();
  return {
    name,
    url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    peerPort: nextPort(),
    dataDir: join(root, 'data', name),
    log: join(root, 'log', `${name}.log`),
  };
}

/** Where members listen: on the addresses of their Pods, if this network namespace has them. */
async function hostsOf({ store, members }: ClusterOptions): Promise<string[]> {
  if (store === 'etcd') return [];
  const indexes = Array.from({ length: members }, (_, index) => index);
  return await Promise.all(
    indexes.map(async (at) => ((await isOnThisHost(podIp(at))) ? podIp(at) : '127.0.0.1')),
  );
}

function member(
  options: ClusterOptions,
  name: string,
  host: string,
  nextPort: () => number,
): LabMember {
  const root = rootOf(options.scope);
  return {
    name,
    restUrl: `${options.tls ? 'https' : 'http'}://${host}:${nextPort()}`,
    host,
    port: nextPort(),
    dataDir: join(diskOf(options, name), name),
    log: join(root, 'log', `${name}.log`),
  };
}

/** The folder of a member's data directory. */
function diskOf({ scope, smallDisks }: ClusterOptions, name: string): string {
  const root = rootOf(scope);
  return smallDisks[name] === undefined ? join(root, 'data') : join(root, `disk-${name}`);
}

async function mountSmallDisks({ options }: ClusterState): Promise<void> {
  const user = unprivilegedUser();
  const owner = user === null ? '' : `,uid=${user.uid},gid=${user.gid}`;
  for (const [name, megabytes] of Object.entries(options.smallDisks)) {
    const folder = diskOf(options, name);
    mkdirSync(folder, { recursive: true });
    const how = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700${owner}`, 'tmpfs', folder];
    const done = await runProgram('mount', how, { env: cleanEnv('/') });
    if (done.code !== 0) throw new LabError(`no small disk for ${name}: ${done.err.trim()}`);
  }
}

function writeFiles(state: ClusterState, programs: LabPrograms): void {
  const root = rootOf(state.options.scope);
  const own = (path: string): void => {
    const user = unprivilegedUser();
    if (user !== null) chownSync(path, user.uid, user.gid);
  };
  if (state.options.citus !== null) writeCitus(root, programs.pgBin);
  for (const folder of ['data', 'run', 'log']) {
    mkdirSync(join(root, folder), { recursive: true, mode: 0o700 });
    own(join(root, folder));
  }
  for (const one of state.members) {
    const file = join(root, `${one.name}.yml`);
    writeFileSync(file, memberYaml(state, one, programs.pgBin), { mode: 0o600 });
    own(file);
  }
  writeFileSync(configOf(state.options.scope), clientYaml(state), { mode: 0o600 });
  const certs = join(root, 'certs');
  for (const name of existsSync(certs) ? readdirSync(certs) : []) own(join(certs, name));
}

async function startMissing(lab: Lab, progress: (line: string) => void): Promise<void> {
  const { state, scope } = lab;
  const deadline = Date.now() + UP_LIMIT_MS;
  const leftMs = (): number => Math.max(0, deadline - Date.now());
  for (const { pid, frozen } of labProcesses(lab.root)) if (frozen) signal(pid, 'SIGCONT');
  progress(`${scope}: etcd on port ${state.etcd.map((node) => node.port).join(', ')}`);
  for (const node of state.etcd) await lab.launch(node.name);
  await eventually('etcd is healthy', leftMs(), async () => {
    const healthy = await Promise.all(state.etcd.map((node) => isEtcdHealthy(state, node)));
    return healthy.every(Boolean);
  });
  if (state.kube) {
    const { kube } = state;
    progress(`${scope}: kube-apiserver on port ${kube.port}`);
    await lab.launch(kube.name);
    await eventually('the kube-apiserver is ready', Math.max(leftMs(), 60_000), async () => {
      lab.assertRunning([kube.name]);
      return await isKubeReady(kube);
    });
    await makeObjects(state, kube);
  }
  // In a new cluster the first member makes the database, so that the leader does not depend on luck.
  if ((await lab.dcsGet('initialize')) === null) {
    const first = state.members.find(({ name }) => !isTagged(state, name, 'nofailover'));
    if (first === undefined) throw new LabError('every member is tagged nofailover: none can lead');
    progress(`${scope}: ${first.name} makes the database`);
    await lab.launch(first.name);
    await eventually('there is a leader', leftMs(), () => {
      lab.assertRunning([first.name]);
      return lab.leader();
    });
  }
  progress(`${scope}: starting ${state.members.map(({ name }) => name).join(', ')}`);
  for (const { name } of state.members) await lab.launch(name);
  if (state.source === null) await ensureMonitorRole(lab, leftMs());
  await lab.waitHealthy(leftMs());
  progress(`${scope}: healthy`);
}

const isTagged = (state: ClusterState, name: string, tag: string): boolean =>
  state.options.tags[name]?.[tag] === true;

/** A login that sees all statistics and may change nothing. It must not wait for a standby. */
async function ensureMonitorRole(lab: Lab, limitMs: number): Promise<void> {
  const sql = `SET synchronous_commit TO local;
    DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${MONITOR_USER}') THEN
      CREATE ROLE ${MONITOR_USER} LOGIN PASSWORD '${PASSWORDS.monitor}' IN ROLE pg_monitor;
    END IF; END $$;`;
  await eventually(`role ${MONITOR_USER} exists`, limitMs, async () => {
    const leader = await lab.leader();
    if (leader === null) return false;
    await lab.psql(leader, sql);
    return true;
  });
}

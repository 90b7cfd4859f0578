/** What a test or a person can do to one cluster of the lab. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, GiveUp } from '../eventually.js';
import type { LabPrograms } from '../setup.js';
import { PASSWORDS, REST_USER } from './configs.js';
import { down } from './down.js';
import { assertHealthy, dcsGet, isEtcdHealthy } from './health.js';
import { httpRequest, type HttpAnswer, type HttpOptions } from './http.js';
import { isKubeReady, kubeCommand } from './kube.js';
import {
  cleanEnv,
  freezeProcess,
  labProcesses,
  runProgram,
  signal,
  startDaemon,
  unprivilegedUser,
  waitGone,
  type LabProcess,
} from './process.js';
import {
  configOf,
  etcdHome,
  keysOf,
  rootOf,
  type ClusterState,
  type EtcdNode,
  type KubeNode,
  type LabMember,
} from './state.js';

/** The one JSON line of `lab up` and `lab status`. */
export interface Description {
  scope: string;
  config: string;
  patronictl: string;
  /** URLs, etcd1 first. */
  etcd: string[];
  /** The kubeconfig of a cluster on Kubernetes; null elsewhere. */
  kubeconfig: string | null;
  members: LabMember[];
}

export interface PsqlOptions {
  database?: string;
  /** Fails when it takes longer; default 30 s. */
  timeoutMs?: number;
}

/** Which of a member's two processes is meant: its Patroni, or its PostgreSQL's postmaster. */
export interface Which {
  postgres?: boolean;
}

export interface Lab {
  scope: string;
  /** For -c of patctl and patronictl. */
  config: string;
  patronictl: string;
  /** Environment variables that make patctl and patronictl find the cluster without -c. */
  env: Record<string, string>;
  etcd: EtcdNode[];
  /** The kube-apiserver; null where the DCS is etcd. */
  kube: KubeNode | null;
  members: LabMember[];
  /** Folder of ca.crt, client.crt and client.key; null without TLS. */
  certs: string | null;
  /** The cluster's own folder. */
  root: string;
  state: ClusterState;
  describe(): Description;
  member(name: string): LabMember;
  /** Patroni's own file of this member. */
  memberConfig(name: string): string;

  /** Starts Patroni (or an etcd node) and waits until its REST API says it runs (30 s at most). */
  start(name: string): Promise<void>;
  /** The same without waiting; nothing when it runs already. */
  launch(name: string): Promise<void>;
  /** SIGTERM and wait: Patroni stops its PostgreSQL too. */
  stop(name: string): Promise<void>;
  /** SIGKILL. Of Patroni alone by default: its PostgreSQL goes on. */
  kill(name: string, which?: Which): Promise<void>;
  /** SIGSTOP, until `thaw`. */
  freeze(name: string, which?: Which): void;
  /** SIGCONT for everything of this member that was frozen. */
  thaw(name: string): void;
  freezePid(pid: number): void;
  thawPid(pid: number): void;
  /** Pids; null when it does not run. */
  patroniPid(name: string): number | null;
  postmasterPid(name: string): number | null;
  walreceiverPid(name: string): Promise<number | null>;
  /** The cluster's live processes. */
  processes(): LabProcess[];

  /** Runs SQL as superuser over the unix socket: rows as lines, columns split by tabs. */
  psql(name: string, sql: string, options?: PsqlOptions): Promise<string>;
  rest(name: string, path: string, options?: HttpOptions): Promise<HttpAnswer>;
  etcdctl(...args: string[]): Promise<string>;
  /** One of the cluster's keys, below /service/SCOPE/, e.g. `sync`. */
  dcsGet(key: string): Promise<string | null>;
  /** Writes such a key manually. */
  dcsPut(key: string, value: string): Promise<void>;
  /** Holder of the leader lock. */
  leader(): Promise<string | null>;
  /** Leader runs, all replicas stream, sync state is as asked for. Returns the leader's name. */
  waitHealthy(limitMs?: number): Promise<string>;
  assertRunning(names: string[]): void;
  down(): Promise<void>;
}

export function controller(state: ClusterState, programs: LabPrograms): Lab {
  const { scope } = state.options;
  const root = rootOf(scope);
  const user = unprivilegedUser();
  const kubeEnv = state.kube ? { KUBECONFIG: state.kube.kubeconfig } : {};
  const env = cleanEnv(join(root, 'run'), kubeEnv);
  const config = configOf(scope);

  const member = (name: string): LabMember => {
    const found = state.members.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${scope} has no member ${name}`);
    return found;
  };
  const etcdNode = (name: string): EtcdNode | undefined =>
    state.etcd.find((node) => node.name === name);
  // The etcd of a standby cluster may be in its source's folder, a Citus group's is in that of group 0.
  const folderOf = (name: string): string =>
    etcdNode(name) === undefined ? root : rootOf(etcdHome(state.options));
  const all = (name: string): LabProcess[] =>
    labProcesses(folderOf(name)).filter((found) => found.name === name);
  const main = (name: string): LabProcess | undefined =>
    all(name).find(({ kind }) => kind === 'patroni' || kind === 'etcd' || kind === 'apiserver');
  const isKube = (name: string): boolean => name === state.kube?.name;
  const postmaster = (name: string): LabProcess | undefined =>
    all(name).find(({ kind }) => kind === 'postmaster');
  const chosen = (name: string, which: Which | undefined): LabProcess => {
    const found = which?.postgres === true ? postmaster(name) : main(name);
    if (found === undefined) throw new Error(`${name} of ${scope} does not run`);
    return found;
  };

  const launch = async (name: string): Promise<void> => {
    const node = etcdNode(name);
    if (node === undefined && !isKube(name)) member(name);
    if (main(name) !== undefined) return;
    const [command, args] = isKube(name)
      ? await kubeCommand(state)
      : node === undefined
        ? patroniCommand(name)
        : etcdCommand(node);
    const logFile = isKube(name) ? (state.kube?.log ?? '') : (node?.log ?? member(name).log);
    const cwd = join(folderOf(name), 'run');
    // The API server reads keys that only we may read.
    const as = isKube(name) ? null : user;
    await startDaemon({ command, args, logFile, env, user: as, cwd });
  };
  const patroniCommand = (name: string): [string, string[]] => [
    join(programs.patroniBin, 'python'),
    [join(programs.patroniBin, 'patroni'), join(root, `${name}.yml`)],
  ];
  const etcdCommand = (node: EtcdNode): [string, string[]] => [
    programs.etcd,
    etcdArguments(state, node),
  ];

  const start = async (name: string): Promise<void> => {
    await launch(name);
    const node = etcdNode(name);
    await eventually(`${name} runs`, 30_000, async () => {
      assertRunning([name]);
      if (node !== undefined) return await isEtcdHealthy(state, node);
      if (state.kube && isKube(name)) return await isKubeReady(state.kube);
      return (await rest(name, '/health')).status === 200;
    });
  };

  const stop = async (name: string): Promise<void> => {
    const found = main(name);
    if (found === undefined) return;
    if (found.frozen) signal(found.pid, 'SIGCONT');
    signal(found.pid, 'SIGTERM');
    const running = (): unknown[] => all(name).filter(({ kind }) => kind !== 'postmaster');
    if (!(await waitGone(running, 60_000))) throw new Error(`${name} does not stop`);
  };

  const kill = async (name: string, which?: Which): Promise<void> => {
    const { pid } = chosen(name, which);
    signal(pid, 'SIGKILL');
    const running = (): unknown[] => all(name).filter((found) => found.pid === pid);
    if (!(await waitGone(running, 10_000))) throw new Error(`${name} cannot be killed`);
  };

  const assertRunning = (names: string[]): void => {
    for (const name of names) {
      if (main(name) !== undefined) continue;
      const { log } = etcdNode(name) ?? (state.kube && isKube(name) ? state.kube : member(name));
      throw new GiveUp(`${name} of ${scope} has ended; its log says:\n${tail(log)}`);
    }
  };

  const psql = async (name: string, sql: string, options: PsqlOptions = {}): Promise<string> => {
    const args = ['-XAtqF', '\t', '-v', 'ON_ERROR_STOP=1', '-h', join(root, 'run')];
    const login = ['-p', String(member(name).port), '-U', 'postgres', '-d'];
    const done = await runProgram(
      join(programs.pgBin, 'psql'),
      [...args, ...login, options.database ?? 'postgres', '-f', '-'],
      { env, user, input: sql, timeoutMs: options.timeoutMs ?? 30_000, cwd: join(root, 'run') },
    );
    if (done.code === 0) return done.out.trimEnd();
    throw new Error(`psql on ${name}: ${done.signal ?? ''} ${done.err.trim()}`);
  };

  const rest = async (name: string, path: string, options?: HttpOptions): Promise<HttpAnswer> => {
    const auth = state.options.restAuth ? `${REST_USER}:${PASSWORDS.rest}` : undefined;
    return await httpRequest(`${member(name).restUrl}${path}`, {
      certs: state.certs,
      auth,
      ...options,
    });
  };

  const etcdctl = async (...args: string[]): Promise<string> => {
    const { certs } = state;
    const tls =
      certs === null ? [] : ['--cacert', 'ca.crt', '--cert', 'client.crt', '--key', 'client.key'];
    const done = await runProgram(
      programs.etcdctl,
      [`--endpoints=${state.etcd.map(({ url }) => url).join(',')}`, ...tls, ...args],
      { env: { ...env, ETCDCTL_API: '3' }, cwd: certs ?? '/' },
    );
    if (done.code === 0) return done.out;
    throw new Error(`etcdctl ${args.join(' ')}: ${done.err.trim()}`);
  };

  const walreceiverPid = async (name: string): Promise<number | null> => {
    const pid = await psql(name, 'SELECT pid FROM pg_stat_wal_receiver');
    return pid === '' ? null : Number(pid);
  };

  const waitHealthy = async (limitMs = 60_000): Promise<string> =>
    await eventually(`${scope} is healthy`, limitMs, async () => {
      assertRunning(state.members.map(({ name }) => name));
      return await assertHealthy(state);
    });

  return {
    scope,
    config,
    patronictl: state.patronictl,
    env: { PATRONICTL_CONFIG_FILE: config, ...kubeEnv },
    etcd: state.etcd,
    kube: state.kube,
    members: state.members,
    certs: state.certs,
    root,
    state,
    describe: () => ({
      scope,
      config,
      patronictl: state.patronictl,
      etcd: state.etcd.map(({ url }) => url),
      kubeconfig: state.kube?.kubeconfig ?? null,
      members: state.members,
    }),
    member,
    memberConfig: (name) => join(root, `${member(name).name}.yml`),
    start,
    launch,
    stop,
    kill,
    freeze: (name, which) => freezeProcess(chosen(name, which).pid),
    thaw: (name) => {
      for (const { pid, frozen } of all(name)) if (frozen) signal(pid, 'SIGCONT');
    },
    freezePid: freezeProcess,
    thawPid: (pid) => void signal(pid, 'SIGCONT'),
    patroniPid: (name) => main(name)?.pid ?? null,
    postmasterPid: (name) => postmaster(name)?.pid ?? null,
    walreceiverPid,
    processes: () => labProcesses(root),
    psql,
    rest,
    etcdctl,
    dcsGet: (key) => dcsGet(state, key),
    dcsPut: async (key, value) => {
      await etcdctl('put', `${keysOf(state.options)}${key}`, value);
    },
    leader: () => dcsGet(state, 'leader'),
    waitHealthy,
    assertRunning,
    down: () => down(scope),
  };
}

function etcdArguments(state: ClusterState, node: EtcdNode): string[] {
  const peer = (one: EtcdNode): string => `http://127.0.0.1:${one.peerPort}`;
  const tls =
    state.certs === null
      ? []
      : [
          `--cert-file=${join(state.certs, 'server.crt')}`,
          `--key-file=${join(state.certs, 'server.key')}`,
          `--trusted-ca-file=${join(state.certs, 'ca.crt')}`,
          '--client-cert-auth',
        ];
  return [
    `--name=${node.name}`,
    `--data-dir=${node.dataDir}`,
    `--listen-client-urls=${node.url}`,
    `--advertise-client-urls=${node.url}`,
    `--listen-peer-urls=${peer(node)}`,
    `--initial-advertise-peer-urls=${peer(node)}`,
    `--initial-cluster=${state.etcd.map((one) => `${one.name}=${peer(one)}`).join(',')}`,
    `--initial-cluster-token=${etcdHome(state.options)}`,
    '--initial-cluster-state=new',
    '--unsafe-no-fsync',
    ...tls,
  ];
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  } catch {
    return '(no log)';
  }
}

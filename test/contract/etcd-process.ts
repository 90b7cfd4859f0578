/** Real etcd servers for the DCS tests: own folders, free loopback ports, stopped by pid. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EtcdConnection } from '../../src/dcs/etcd3/etcd-connection.js';
import type { Endpoint } from '../../src/config/endpoints.js';
import { freePort } from '../support/free-port.js';
import { freezeProcess } from '../support/lab/process.js';

export interface EtcdNode {
  endpoint: Endpoint;
  start(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGSTOP, and every thread has stopped. */
  freeze(): void;
  /** SIGCONT */
  thaw(): void;
}

export interface EtcdCluster {
  nodes: EtcdNode[];
  endpoints: Endpoint[];
  /** etcdctl against the first node. */
  ctl(...args: string[]): Promise<string>;
  put(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  stop(): Promise<void>;
}

export interface EtcdOptions {
  /** etcd's own flags, e.g. for TLS. */
  flags?: string[];
  tls?: { ca: string; cert: string; key: string };
}

/** `size` servers that have found each other. */
export async function startEtcd(size = 1, options: EtcdOptions = {}): Promise<EtcdCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'patctl-etcd-'));
  const ports = await Promise.all(
    Array.from({ length: size }, async () => ({
      client: await freePort(),
      peer: await freePort(),
    })),
  );
  const initial = ports.map(({ peer }, i) => `n${i}=http://127.0.0.1:${peer}`).join(',');
  const protocol = options.tls === undefined ? 'http' : 'https';
  const nodes = ports.map(({ client, peer }, i) =>
    etcdNode({ protocol, host: '127.0.0.1', port: client }, options, [
      ...['--name', `n${i}`, '--data-dir', join(folder, `n${i}`)],
      ...['--listen-client-urls', `${protocol}://127.0.0.1:${client}`],
      ...['--advertise-client-urls', `${protocol}://127.0.0.1:${client}`],
      ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-cluster', initial, '--unsafe-no-fsync', ...(options.flags ?? [])],
    ]),
  );
  await Promise.all(nodes.map((node) => node.start()));
  const endpoints = nodes.map((node) => node.endpoint);
  const tls = options.tls;
  const tlsFlags =
    tls === undefined ? [] : ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key];
  async function ctl(...args: string[]): Promise<string> {
    const flags = ['--endpoints', urlOf(endpoints[0]), ...tlsFlags, ...args];
    const env = { ...process.env, ETCDCTL_API: '3' };
    return (await promisify(execFile)('etcdctl', flags, { env })).stdout;
  }
  return {
    nodes,
    endpoints,
    ctl,
    async put(key, value) {
      await ctl('put', '--', key, value);
    },
    async remove(key) {
      await ctl('del', key);
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function urlOf(endpoint: Endpoint | undefined): string {
  if (endpoint === undefined) throw new Error('no endpoint');
  return `${endpoint.protocol}://${endpoint.host}:${endpoint.port}`;
}

function etcdNode(endpoint: Endpoint, options: EtcdOptions, flags: string[]): EtcdNode {
  let child: ChildProcess | undefined;
  return {
    endpoint,
    async start() {
      child = spawn('etcd', ['--logger', 'zap', '--log-level', 'error', ...flags], {
        stdio: 'ignore',
        env: { ...process.env, ETCD_UNSUPPORTED_ARCH: 'arm64' },
      });
      await healthy(endpoint, options);
    },
    async kill() {
      const dying = child;
      child = undefined;
      if (dying === undefined || dying.exitCode !== null) return;
      const gone = new Promise((resolve) => dying.once('exit', resolve));
      dying.kill('SIGCONT');
      dying.kill('SIGKILL');
      await gone;
    },
    freeze: () => freezeProcess(child?.pid ?? 0),
    thaw: () => void child?.kill('SIGCONT'),
  };
}

/** Until etcd has a leader and answers, or 20 s are over. */
async function healthy(endpoint: Endpoint, options: EtcdOptions): Promise<void> {
  const until = Date.now() + 20_000;
  for (;;) {
    const works =
      options.tls === undefined ? await answers(endpoint) : tlsAnswers(endpoint, options.tls);
    if (works) return;
    if (Date.now() > until) throw new Error(`etcd at ${endpoint.port} does not come up`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function answers(endpoint: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const { host, port } = endpoint;
    http
      .get({ host, port, path: '/health', agent: false, timeout: 1000 }, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
      .on('error', () => resolve(false))
      .on('timeout', () => resolve(false));
  });
}

function tlsAnswers(endpoint: Endpoint, tls: { ca: string; cert: string; key: string }): boolean {
  const flags = ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key];
  try {
    execFileSync('etcdctl', ['--endpoints', urlOf(endpoint), ...flags, 'get', 'x'], {
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: 'ignore',
      timeout: 2000,
    });
    return true;
  } catch {
    return false;
  }
}

/** Settings for a cluster without TLS and login. */
export function settingsFor(
  endpoints: Endpoint[],
  changes: Partial<EtcdConnection> = {},
): EtcdConnection {
  const none = { username: null, password: null, ca: null, cert: null, key: null };
  return { endpoints, ...none, keyPassword: null, timeoutMs: 3000, ...changes };
}

/** The files that Patroni, patctl and patronictl read, as plain objects written out as YAML. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { citusParameters, citusPostInit } from './citus.js';
import { LABELS, NAMESPACE, podIp } from './kube.js';
import { rootOf, type ClusterState, type LabMember } from './state.js';

/** Fixed, so that a standby cluster can log in to its source, and easy to look for in output. */
export const PASSWORDS = {
  superuser: 'lab-secret-superuser',
  replication: 'lab-secret-replication',
  rewind: 'lab-secret-rewind',
  monitor: 'lab-secret-monitor',
  rest: 'lab-secret-rest',
};

/** A login that is in pg_monitor and may nothing else. */
export const MONITOR_USER = 'patctl_monitor';
export const REST_USER = 'patroni';

/** Patroni's own file of one member. */
export function memberYaml(state: ClusterState, member: LabMember, pgBin: string): string {
  const root = rootOf(state.options.scope);
  const address = new URL(member.restUrl).host;
  const index = state.members.indexOf(member);
  const tags = state.options.tags[member.name];
  return stringify({
    ...commonPart(state),
    ...(state.kube ? { kubernetes: { ...kubernetesPart(state), pod_ip: podIp(index) } } : {}),
    ...etcdProxy(state, member),
    name: member.name,
    log: { level: 'INFO' },
    restapi: {
      listen: address,
      connect_address: state.options.restProxies[member.name] ?? address,
      ...restAuthentication(state),
      ...restServerTls(state),
    },
    bootstrap: {
      dcs: dynamicConfiguration(state),
      initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, 'data-checksums', 'no-sync'],
      ...(state.options.citus === null ? {} : { post_init: citusPostInit(root, pgBin) }),
    },
    postgresql: {
      listen: `${member.host}:${member.port}`,
      connect_address: `${member.host}:${member.port}`,
      data_dir: member.dataDir,
      bin_dir: pgBin,
      pgpass: join(root, 'run', `pgpass-${member.name}`),
      use_unix_socket: true,
      use_unix_socket_repl: true,
      basebackup: [{ checkpoint: 'fast' }, 'no-sync'],
      authentication: authentication(state),
      parameters: {
        unix_socket_directories: join(root, 'run'),
        ...serverTls(state),
        ...(state.options.citus === null ? {} : citusParameters(root)),
      },
    },
    ...(tags === undefined ? {} : { tags }),
  });
}

/** What a person keeps on the machine from which the cluster is looked after. */
export function clientYaml(state: ClusterState): string {
  return stringify({
    ...commonPart(state),
    ...(state.options.restAuth ? { restapi: restAuthentication(state) } : {}),
    postgresql: { authentication: authentication(state) },
  });
}

function commonPart(state: ClusterState): Record<string, unknown> {
  const { certs } = state;
  const ctl =
    certs === null
      ? {}
      : { ...certificates(certs, 'cacert', 'certfile', 'keyfile'), insecure: false };
  const { scope, citus } = state.options;
  return {
    scope: citus?.of ?? scope,
    // Patroni would take it for the namespace of Kubernetes.
    ...(state.kube
      ? { kubernetes: kubernetesPart(state) }
      : { namespace: '/service/', etcd3: etcdPart(state) }),
    ...(citus === null ? {} : { citus: { group: citus.group, database: 'postgres' } }),
    ...(certs === null && !state.options.restAuth
      ? {}
      : { ctl: { ...ctl, ...restAuthentication(state) } }),
  };
}

function kubernetesPart({ options }: ClusterState): Record<string, unknown> {
  return {
    context: 'admin',
    namespace: NAMESPACE,
    labels: LABELS,
    use_endpoints: !options.configMaps,
  };
}

/** Patroni would otherwise ask etcd for its own address and go there. */
function etcdProxy(state: ClusterState, { name }: LabMember): Record<string, unknown> {
  const proxy = state.options.etcdProxies[name];
  if (proxy === undefined) return {};
  return { etcd3: { ...etcdPart(state), hosts: [proxy], use_proxies: true } };
}

function etcdPart(state: ClusterState): Record<string, unknown> {
  const hosts = state.etcd.map((node) => `${node.host}:${node.port}`);
  const { certs } = state;
  if (certs === null) return { hosts };
  return { hosts, protocol: 'https', ...certificates(certs, 'cacert', 'cert', 'key') };
}

function certificates(folder: string, ca: string, cert: string, key: string) {
  return {
    [ca]: join(folder, 'ca.crt'),
    [cert]: join(folder, 'client.crt'),
    [key]: join(folder, 'client.key'),
  };
}

function restAuthentication(state: ClusterState): Record<string, unknown> {
  if (!state.options.restAuth) return {};
  return { authentication: { username: REST_USER, password: PASSWORDS.rest } };
}

function restServerTls({ certs }: ClusterState): Record<string, unknown> {
  if (certs === null) return {};
  return {
    certfile: join(certs, 'server.crt'),
    keyfile: join(certs, 'server.key'),
    cafile: join(certs, 'ca.crt'),
    verify_client: 'required',
  };
}

function serverTls({ certs }: ClusterState): Record<string, unknown> {
  if (certs === null) return {};
  return {
    ssl: 'on',
    ssl_cert_file: join(certs, 'server.crt'),
    ssl_key_file: join(certs, 'server.key'),
    ssl_ca_file: join(certs, 'ca.crt'),
  };
}

function authentication({ certs }: ClusterState): Record<string, unknown> {
  const tls =
    certs === null
      ? {}
      : { sslmode: 'verify-ca', ...certificates(certs, 'sslrootcert', 'sslcert', 'sslkey') };
  return {
    superuser: { username: 'postgres', password: PASSWORDS.superuser, ...tls },
    replication: { username: 'replicator', password: PASSWORDS.replication, ...tls },
    rewind: { username: 'rewind_user', password: PASSWORDS.rewind, ...tls },
  };
}

function dynamicConfiguration(state: ClusterState): Record<string, unknown> {
  const { options } = state;
  const sync = options.sync === 'off' ? false : options.sync === 'on' ? true : 'quorum';
  return {
    ttl: 20,
    loop_wait: options.loopWait,
    retry_timeout: 3,
    maximum_lag_on_failover: 1_048_576,
    synchronous_mode: sync,
    synchronous_node_count: options.syncNodes,
    postgresql: {
      use_pg_rewind: true,
      use_slots: true,
      pg_hba: accessRules(state),
      parameters: {
        // The lab's data is worth nothing: no waiting for disks.
        fsync: 'off',
        shared_buffers: '16MB',
        max_connections: 40,
        wal_log_hints: 'on',
        wal_keep_size: '16MB',
        // What accessRules() asks for is the default from 14 on only.
        ...(options.pg?.startsWith('13') === true ? { password_encryption: 'scram-sha-256' } : {}),
        ...options.parameters,
      },
    },
    ...standbyPart(state),
    ...options.dcs,
  };
}

/** Passwords over TCP, so that the order of logins matters; the sockets' folder is private. */
function accessRules({ certs, kube }: ClusterState): string[] {
  const kind = certs === null ? 'host' : 'hostssl';
  const method = certs === null ? 'scram-sha-256' : 'scram-sha-256 clientcert=verify-ca';
  return [
    'local all all trust',
    'local replication all trust',
    `${kind} replication replicator 127.0.0.1/32 ${method}`,
    `${kind} all all 127.0.0.1/32 ${method}`,
    ...(kube === null
      ? []
      : [
          `${kind} replication replicator 10.244.0.0/24 ${method}`,
          `${kind} all all 10.244.0.0/24 ${method}`,
        ]),
  ];
}

function standbyPart(state: ClusterState): Record<string, unknown> {
  if (state.source === null) return {};
  return {
    standby_cluster: {
      host: state.source.host,
      port: state.source.port,
      create_replica_methods: ['basebackup'],
    },
  };
}

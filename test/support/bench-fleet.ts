/** Fleets for the benchmark: many clusters in a real etcd, and members that answer over HTTP after a while. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEtcd } from '../../src/dcs/etcd3/open-etcd.js';
import type { Lab } from './lab/cluster.js';

interface MemberKey {
  name: string;
  apiUrl: string;
}

/** Writes `count` clusters of 6 keys below `namespace`; their members do not answer, except those in `members`. */
export async function writeFleet(
  { etcd }: Pick<Lab, 'etcd'>,
  namespace: string,
  count: number,
  members: (scope: string) => MemberKey[] = () => NOBODY,
): Promise<void> {
  const dcs = openEtcd({
    endpoints: etcd.map(({ host, port }) => ({ protocol: 'http', host, port })),
    username: null,
    password: null,
    ca: null,
    cert: null,
    key: null,
    keyPassword: null,
    timeoutMs: 5000,
  });
  for (let at = 0; at < count; at += 1) {
    const scope = scopeAt(at);
    const keys: Record<string, string> = {
      initialize: '7710410091562263061',
      leader: 'pg1',
      config: '{"ttl":20,"loop_wait":2,"retry_timeout":3}',
      status: '{"optime":83886216}',
    };
    for (const { name, apiUrl } of members(scope)) keys[`members/${name}`] = memberKey(apiUrl);
    const puts = Object.entries(keys).map(([key, value]) => ({
      op: 'put' as const,
      key: `${namespace}/${scope}/${key}`,
      value,
    }));
    await dcs.txn([], puts);
  }
  await dcs.close();
}

export const scopeAt = (at: number): string => `c${String(at).padStart(4, '0')}`;

const NOBODY: MemberKey[] = ['pg1', 'pg2'].map((name) => ({
  name,
  apiUrl: 'http://10.0.0.1:8008/patroni',
}));

function memberKey(apiUrl: string): string {
  return JSON.stringify({
    conn_url: 'postgres://10.0.0.1:5432/postgres',
    api_url: apiUrl,
    state: 'running',
    role: 'replica',
    version: '4.1.4',
    timeline: 1,
    receive_lsn: 83886216,
    replay_lsn: 83886216,
  });
}

/** A member's REST API; its answer comes after `afterMs`. */
export async function startMember(
  scope: string,
  name: string,
  afterMs: number,
): Promise<MemberKey & { close: () => void }> {
  const isLeader = name === 'pg1';
  const answer = JSON.stringify({
    state: 'running',
    role: isLeader ? 'primary' : 'replica',
    server_version: 170004,
    timeline: 1,
    xlog: isLeader
      ? { location: 83886216 }
      : { received_location: 83886216, replayed_location: 83886216 },
    replication: [],
    database_system_identifier: '7710410091562263061',
    patroni: { version: '4.1.4', scope, name },
  });
  const server = http.createServer((_, response) => {
    void sleep(afterMs).then(() => response.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { name, apiUrl: `http://127.0.0.1:${port}/patroni`, close: () => server.close() };
}

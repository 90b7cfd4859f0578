/** Clusters of any size for measuring: every member streams from the leader, asked over REST and SQL. */
import type { Member, Snapshot, SqlStatus, RestStatus } from '../../src/cluster/model/model.js';
import { parseCluster } from '../../src/cluster/model/parse-keys.js';
import { healthy, walsender } from '../unit/plan-support.js';

/** `mode` quorum: all replicas are voters; off: none is. */
export function sized(members: number, mode: 'off' | 'on' | 'quorum' = 'quorum'): Snapshot {
  const base = healthy(mode);
  const names = Array.from({ length: members }, (_, at) => `pg${at + 1}`);
  const replicas = names.slice(1);
  const state = mode === 'off' ? 'async' : mode === 'on' ? 'sync' : 'quorum';
  const quorum = Math.max(0, Math.floor(members / 2) - 1);
  const text = base.snapshot.cluster.members[1]?.text ?? '{}';
  const kvs = Object.entries({
    config: base.snapshot.cluster.config?.text ?? '{}',
    leader: 'pg1',
    initialize: base.snapshot.cluster.systemId ?? '',
    sync: JSON.stringify({ leader: 'pg1', sync_standby: replicas.join(','), quorum }),
    ...Object.fromEntries(
      names.map((name, at) => [
        `members/${name}`,
        at === 0 ? (base.snapshot.cluster.members[0]?.text ?? '{}') : text,
      ]),
    ),
  }).map(([key, value]) => ({ key: `/service/demo/${key}`, value, modRevision: '5' }));
  const cluster = parseCluster('demo', null, { revision: '9', kvs }, '/service/demo/');
  const senders = replicas.map((name) => walsender(name, { syncState: state }));
  const list = replicas.join(',');
  const leaderSql: SqlStatus = {
    ...base.sql('pg1'),
    walsenders: senders,
    settings: {
      ...base.sql('pg1').settings,
      synchronous_standby_names: {
        value: mode === 'off' ? '' : `ANY 1 (${list})`,
        source: 'configuration file',
        sourcefile: null,
        pendingRestart: false,
      },
    },
  };
  const readings = cluster.members.map(({ name }: Member) => {
    const from = name === 'pg1' ? 'pg1' : 'pg2';
    const rest: RestStatus = { ...base.rest(from), name };
    const sql = name === 'pg1' ? leaderSql : base.sql('pg2');
    return {
      name,
      rest: { ok: true, value: rest, tookMs: 1 } as const,
      sql: { ok: true, value: sql, tookMs: 1 } as const,
    };
  });
  return { ...base.snapshot, cluster, members: readings };
}

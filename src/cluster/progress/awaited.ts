/** What a change waits for at this moment, and what the witnesses of that member say, in one line. */
import type { Reading, RestStatus, SqlStatus } from '../model/model.js';
import {
  leadsSince,
  awaitedStreams,
  isHealthy,
  routesProven,
  stepOf,
  type Progress,
} from './change-outcome.js';

export interface Awaited {
  /** The member it is about; null: several, or no particular one. */
  member: string | null;
  said: string;
}

export function awaited(progress: Progress): Awaited {
  const { goal, newLeader, request } = progress;
  if (newLeader === null) {
    if (stepOf(progress, 'released')) {
      const others = goal.members.filter((name) => name !== goal.leader);
      return about(
        'a member to take the lock',
        goal.candidate === null ? others : [goal.candidate],
      );
    }
    const leader = goal.leader === null ? [] : [goal.leader];
    if (stepOf(progress, 'stopping')) return about(`${goal.leader ?? ''} to stop`, leader);
    if (request === null) return about('the request to appear in /failover', leader);
    return about('the request in /failover to be carried out', leader);
  }
  if (leadsSince(progress) === null) {
    const what = goal.standbyCluster ? 'lead the standby cluster' : 'accept writes';
    return about(`${newLeader} to ${what}`, [newLeader]);
  }
  const missing = awaitedStreams(progress);
  if (missing.length > 0)
    return about(`${missing.join(', ')} to stream from ${newLeader}`, missing);
  if (isHealthy(progress)) {
    const wrong = routesProven(progress)?.wrong[0]?.message ?? 'they were not asked yet';
    return { member: null, said: `waiting for the routes: ${wrong}` };
  }
  const { sync } = progress.cluster ?? {};
  const named = `/sync names ${sync?.standbys.join(', ') || 'none'}`;
  return { member: null, said: `waiting for ${goal.syncStandbys} synchronous standbys: ${named}` };

  function about(what: string, members: readonly string[]): Awaited {
    const facts = members.map((name) => `${name}: ${witnessesSay(progress, name)}`).join('; ');
    const [only = null] = members.length === 1 ? members : [];
    return { member: only, said: `waiting for ${what}${facts === '' ? '' : ` (${facts})`}` };
  }
}

function witnessesSay({ seen }: Progress, name: string): string {
  const own = seen.get(name);
  if (own === undefined) return 'no answer yet';
  const sql = sqlSays(own.sql);
  return [`REST ${restSays(own.rest)}`, ...(sql === null ? [] : [`SQL ${sql}`])].join(', ');
}

function restSays(rest: Reading<RestStatus>): string {
  if (!rest.ok) return rest.reason;
  const { role, state, replicationState, timeline } = rest.value;
  const streams = replicationState === null ? '' : `, ${replicationState}`;
  return `${role} ${state || 'without a state'}${streams}${timeline === null ? '' : `, timeline ${timeline}`}`;
}

function sqlSays(sql: Reading<SqlStatus>): string | null {
  if (!sql.ok) return sql.kind === 'off' ? null : sql.reason;
  const { inRecovery, walReceiver, timeline } = sql.value;
  if (!inRecovery) return `a primary on timeline ${timeline ?? 'unknown'}`;
  if (walReceiver === null) return 'in recovery, without a WAL receiver';
  const { status, senderHost, senderPort } = walReceiver;
  return `in recovery, ${status ?? 'unknown'} from ${senderHost ?? '?'}:${senderPort ?? '?'}`;
}

/** What a member of a fake cluster answers a client of a route. */
import type { Reading, RestStatus } from '../../src/cluster/model/model.js';
import type { RouteAnswer } from '../../src/cluster/model/route-model.js';

/** As its REST API describes it: known by the start of its postmaster. */
export function answerOf(rest: Reading<RestStatus> | undefined): Reading<RouteAnswer> {
  if (!rest?.ok) return rest ?? { ok: false, kind: 'unreachable', reason: 'no such member' };
  const { systemId, timeline, location, raw } = rest.value;
  const told = raw['postmaster_start_time'];
  const [seconds = '', micros = '0'] = (typeof told === 'string' ? told : '')
    .replace(/[+-]\d\d:\d\d$/, '')
    .split('.');
  const startedMs = Date.parse(`${seconds.replace(' ', 'T')}Z`);
  const inRecovery = location === null;
  const value: RouteAnswer = {
    systemId,
    inRecovery,
    startedAt: String(startedMs * 1000 + Number(micros.padEnd(6, '0'))),
    address: '127.0.0.1',
    port: 5432,
    timeline,
    streams: inRecovery ? true : null,
    defaultReadOnly: false,
  };
  return { ok: true, value, tookMs: 1 };
}

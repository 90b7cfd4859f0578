/** Texts that a terminal would obey or hide, and a cluster that is full of them. */
import type { FakeCluster } from './fake-world.js';
import { quickClock, recorded } from './fake-world.js';

/** One of each kind: escapes, single control characters, marks that turn text around, what has no width. */
export const ESC_SAMPLES = [
  '\x1b[2J',
  '\x1b]0;title\x07',
  '\x9b31m',
  '\x9d0;x\x9c',
  '\r',
  '\b\b',
  '\x7f',
  '\u0085',
  '\u202e',
  '\u2066',
  '\u200f',
  '\u2028',
  '\u200b',
  '\ufeff',
  '\u00ad',
  '\u3164',
  '\u{e0041}',
];
export const HOSTILE = ESC_SAMPLES.join('');

/** Nothing of it may leave, on no stream. */
export const UNSAFE =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\u{e0000}-\u{e007f}]/u;

/** The recorded cluster `on` with hostile texts wherever its members, or clients of etcd, may put one. */
export function hostile(): FakeCluster {
  const { keys, rest = {} } = recorded('on');
  const texts = <T>(value: T): T => {
    if (Array.isArray(value)) return value.map(texts) as T;
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        KEPT.test(key) ? item : typeof item === 'string' ? `${item}${HOSTILE}` : texts(item),
      ]),
    ) as T;
  };
  const bad: Record<string, string> = {};
  for (const [key, value] of Object.entries(keys)) {
    bad[key] = value.startsWith('{') ? JSON.stringify(texts(JSON.parse(value))) : value;
  }
  const member = bad['/service/demo/members/pg1'] ?? '{}';
  bad[`/service/demo/members/evil${HOSTILE}`] = member;
  bad['/service/demo/config'] = JSON.stringify({
    ...(JSON.parse(bad['/service/demo/config'] ?? '{}') as object),
    [`evil${HOSTILE}`]: HOSTILE,
  });
  bad['/service/demo/failover'] = JSON.stringify({
    leader: `pg2${HOSTILE}`,
    scheduled_at: '2099-01-01T09:00:00+00:00',
  });
  for (const reading of Object.values(rest)) {
    if (!reading.ok) continue;
    const { value } = reading;
    value.state = `${value.state}${HOSTILE}`;
    value.tags = { evil: HOSTILE };
    value.scheduledRestart = { schedule: HOSTILE };
  }
  rest['pg3'] = { ok: false, kind: 'unreachable', reason: `connect${HOSTILE}` };
  return {
    keys: bad,
    rest,
    clock: quickClock(),
    call: () =>
      Promise.resolve({ kind: 'answered', answer: { status: 500, body: HOSTILE, json: null } }),
  };
}

/** What has to be read for the cluster to be there at all. */
const KEPT = /^(api_url|leader|optime|sync_standby)$/;

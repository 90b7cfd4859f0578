/** A recorded cluster whose members take requests: what was sent, and answers that a test decides. */
import type { JsonValue } from '../../src/cluster/model/model.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import type { CallOutcome } from '../../src/patroni/patroni.js';
import { quickClock, recorded, type FakeCluster } from './fake-world.js';

export interface Sent {
  to: string;
  request: string;
  body: JsonValue;
}

type Change = (value: Record<string, unknown>) => void;

export interface FakeMembers {
  cluster: FakeCluster & { dcs: MemoryStore };
  /** Requests that change something, in order. */
  sent: Sent[];
  /** Answers by member name; 200 for all others. */
  answers: Record<string, CallOutcome>;
  /** Called with each request before it is answered; first as Patroni does where it answers that all is well. */
  onCall: (to: string, request: string) => void;
  /** Changes a JSON key below /service/demo/. */
  set(key: string, change: Change): void;
  /** Changes what a member answers at GET /patroni. */
  says(name: string, change: Change): void;
}

export const answer = (status: number, body = ''): CallOutcome => ({
  kind: 'answered',
  answer: { status, body, json: null },
});
/** Another postmaster runs than before. */
export const anotherPostmaster: Change = (value) => {
  const raw = value['raw'] as Record<string, unknown>;
  raw['postmaster_start_time'] = `after ${String(raw['postmaster_start_time'])}`;
};
export const lost: CallOutcome = { kind: 'lost', reason: 'socket hang up' };

export function fakeMembers(name: string): FakeMembers {
  const { keys, rest = {} } = recorded(name);
  const dcs = memoryStore(keys);
  const nameAt = (apiUrl: string): string =>
    Object.entries(keys)
      .find(([key, value]) => key.includes('/members/') && value.includes(apiUrl))?.[0]
      .split('/')
      .at(-1) ?? '?';
  const fake: FakeMembers = {
    cluster: { keys, rest, dcs, clock: quickClock() },
    sent: [],
    answers: {},
    onCall: (to, request) => {
      const answered = fake.answers[to];
      if (answered !== undefined && !(answered.kind === 'answered' && answered.answer.status < 300))
        return;
      if (request === 'POST /restart') fake.says(to, anotherPostmaster);
      if (request === 'POST /reinitialize')
        fake.says(to, (value) => (value['state'] = 'creating replica'));
    },
    set: (key, change) => {
      const path = `/service/demo/${key}`;
      const value = JSON.parse(keys[path] ?? '{}') as Record<string, unknown>;
      change(value);
      dcs.put(path, (keys[path] = JSON.stringify(value)));
    },
    says: (member, change) => {
      const all = fake.cluster.rest ?? {};
      const reading = all[member];
      if (!reading?.ok) throw new Error(`${member} says nothing`);
      const value = { ...reading.value, raw: { ...reading.value.raw } };
      change(value);
      fake.cluster.rest = { ...all, [member]: { ...reading, value } };
    },
  };
  fake.cluster.call = (method, apiUrl, path, body) => {
    const to = nameAt(apiUrl);
    fake.sent.push({ to, request: `${method} ${path}`, body });
    fake.onCall(to, `${method} ${path}`);
    return Promise.resolve(fake.answers[to] ?? answer(200, 'restarted successfully'));
  };
  return fake;
}

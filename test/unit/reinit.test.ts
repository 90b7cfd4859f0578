import { describe, expect, test } from 'vitest';
import type { RestStatus } from '../../src/cluster/model/model.js';
import { beginReinit, seeReinit, type Reinit } from '../../src/cluster/progress/copy-state.js';
import { copyWords } from '../../src/actions/reinit/copy-progress.js';
import { parseRestStatus } from '../../src/patroni/parse-status.js';

function says(state: string, more: Record<string, unknown> = {}): RestStatus {
  const patroni = { name: 'b', scope: 'demo', version: '4.1.4' };
  const parsed = parseRestStatus(200, { state, role: 'replica', patroni, ...more });
  if (!parsed) throw new Error('not a status');
  return parsed;
}
const before = says('running', { postmaster_start_time: 'before', replication_state: 'streaming' });
const started = { postmaster_start_time: 'later' };
const streams = says('running', { ...started, replication_state: 'streaming' });
const creating = says('creating replica', { role: 'uninitialized' });
const stopped = says('stopped', { role: 'uninitialized' });

/** Each status for a second, loop_wait 2. */
function seen(...all: RestStatus[]): Reinit {
  return all.reduce<Reinit>(
    (was, now, at) => seeReinit(was, now, at * 1000, 2),
    beginReinit(before, 0),
  );
}

describe('a reinitialization', () => {
  test('is done when the member was copied and streams', () => {
    const all = [before, says('stopping'), says('stopped'), creating, stopped, says('starting')];
    expect(seen(...all).phase).toBe('starting');
    expect(seen(...all, says('running', started)).phase).toBe('starting');
    expect(seen(...all, streams).phase).toBe('done');
  });

  test('has not begun while the member runs as before, however long', () => {
    expect(seen(...Array.from({ length: 60 }, () => before)).phase).toBe('asked');
  });

  test('a copy may be over between two looks: PostgreSQL was started after the request', () => {
    expect(seen(says('stopping'), streams)).toMatchObject({
      phase: 'done',
      said: 'streams; the copy was too short to be seen',
    });
    expect(seen(says('stopping'), says('running', started), streams).phase).toBe('done');
  });

  test('is unknown where neither the copy nor the time before it was seen', () => {
    for (const unknown of [null, says('running'), says('unknown')]) {
      expect(seeReinit(beginReinit(unknown, 0), streams, 1000, 2)).toMatchObject({
        phase: 'asked',
        said: 'streams, but was never seen to be copied',
      });
    }
    expect(seeReinit(beginReinit(says('start failed'), 0), streams, 1000, 2).phase).toBe('done');
  });

  test('a second copy means that the first one failed', () => {
    expect(seen(creating, stopped, creating).phase).toBe('failed');
  });

  test('without data for too long, also when no attempt was ever seen', () => {
    const stays = Array.from({ length: 11 }, () => stopped);
    expect(seen(...stays.slice(1, 9)).phase).toBe('asked');
    expect(seen(...stays)).toMatchObject({
      phase: 'failed',
      said: 'has no data directory: the copy failed',
    });
  });

  test('a server that does not start', () => {
    const stays = Array.from({ length: 11 }, () => says('start failed', started));
    expect(seen(creating, ...stays)).toMatchObject({ phase: 'failed', said: 'stays start failed' });
  });

  test('a copy may take as long as it takes', () => {
    const long = Array.from({ length: 3600 }, () => creating);
    expect(seen(...long).phase).toBe('creating');
  });
});

describe('how far it is', () => {
  const size = (bytes: number) => `${bytes} B`;
  const words = (...samples: [number, number | null, number][]) =>
    copyWords(
      samples.map(([bytes, totalBytes, atMs]) => ({ bytes, totalBytes, atMs })),
      size,
    );

  test('one look has no rate, two have', () => {
    expect(words()).toBe('');
    expect(words([10, 100, 0])).toBe('10 B of 100 B (10 %)');
    expect(words([10, 100, 0], [30, 100, 2000])).toBe('30 B of 100 B (30 %), 10 B/s, 7 s left');
  });

  test('an unknown or exceeded total is not shown', () => {
    expect(words([10, null, 0], [30, null, 1000])).toBe('30 B, 20 B/s');
    expect(words([10, 20, 0], [30, 20, 1000])).toBe('30 B, 20 B/s');
  });
});

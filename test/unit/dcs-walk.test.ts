import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/config/endpoints.js';
import { EndpointFailure, hostPort, walkEndpoints } from '../../src/dcs/etcd3/walk.js';
import { ToolError } from '../../src/errors.js';

const [a, b, c] = ['a', 'b', 'c'].map((host): Endpoint => ({ protocol: 'http', host, port: 2379 }));
const all = [a, b, c].filter((endpoint) => endpoint !== undefined);

/** Never answers; ends when it is stopped. */
function silent(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new EndpointFailure('stopped')));
  });
}

describe('walkEndpoints', () => {
  it('asks one endpoint when it answers', async () => {
    const asked: string[] = [];
    const { value, endpoint } = await walkEndpoints(all).first(1000, ({ host }) => {
      asked.push(host);
      return Promise.resolve(1);
    });
    expect([value, endpoint, asked]).toEqual([1, a, ['a']]);
  });

  it('goes on at once when one fails, and begins with the good one the next time', async () => {
    const walk = walkEndpoints(all);
    const asked: string[] = [];
    const attempt = ({ host }: Endpoint): Promise<string> => {
      asked.push(host);
      return host === 'a' ? Promise.reject(new EndpointFailure('down')) : Promise.resolve(host);
    };
    await walk.first(1000, attempt);
    await walk.first(1000, attempt);
    expect(asked).toEqual(['a', 'b', 'b']);
  });

  it('does not wait for a silent one, and stops it once another answered', async () => {
    let stopped = false;
    const begin = performance.now();
    const { value } = await walkEndpoints(all).first(400, ({ host }, signal) => {
      if (host !== 'a') return Promise.resolve(host);
      signal.addEventListener('abort', () => (stopped = true));
      return silent(signal);
    });
    expect([value, stopped]).toEqual(['b', true]);
    expect(performance.now() - begin).toBeLessThan(300);
  });

  it('is unreachable at once when all fail, with what each said', async () => {
    const walking = walkEndpoints(all).first(60_000, ({ host }) =>
      Promise.reject(new EndpointFailure(`${host} is down`)),
    );
    const error = await walking.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ToolError);
    expect(error).toMatchObject({
      ending: 'unreachable',
      message: 'etcd is not reachable (a:2379: a is down; b:2379: b is down; c:2379: c is down)',
    });
  });

  it('is unreachable at the deadline when all are silent', async () => {
    const begin = performance.now();
    const walking = walkEndpoints(all).first(100, (_, signal) => silent(signal));
    await expect(walking).rejects.toMatchObject({
      ending: 'unreachable',
      message: expect.stringContaining('etcd did not answer within 0.1 s') as string,
      evidence: all.map(({ host }) => ({
        witness: 'etcd',
        subject: `${host}:2379`,
        said: 'no answer',
      })),
    });
    expect(performance.now() - begin).toBeLessThan(1000);
  });

  it('asks again when etcd says that it passes', async () => {
    let asked = 0;
    const { value } = await walkEndpoints([all[0] as Endpoint]).first(5000, () => {
      asked += 1;
      return asked === 1
        ? Promise.reject(new EndpointFailure('etcdserver: no leader', true))
        : Promise.resolve('leader');
    });
    expect([value, asked]).toEqual(['leader', 2]);
  });

  it('asks skipped endpoints again, also while another is silent', async () => {
    const asked: string[] = [];
    const { value } = await walkEndpoints(all).first(5000, ({ host }, signal) => {
      asked.push(host);
      if (host === 'a') return silent(signal);
      const elected = asked.filter((name) => name === 'b').length > 1;
      return elected
        ? Promise.resolve(host)
        : Promise.reject(new EndpointFailure('etcdserver: leader changed', true));
    });
    expect([value, asked.slice(0, 4)]).toEqual(['b', ['a', 'b', 'c', 'b']]);
  });

  it('does not ask an endpoint again that is only down', async () => {
    const asked: string[] = [];
    const walking = walkEndpoints(all).first(500, ({ host }) => {
      asked.push(host);
      return Promise.reject(new EndpointFailure('etcdserver: no leader', host === 'b'));
    });
    await expect(walking).rejects.toThrow('etcd did not answer within 0.5 s');
    expect([asked.slice(0, 4), asked.filter((host) => host !== 'b')]).toEqual([
      ['a', 'b', 'c', 'b'],
      ['a', 'c'],
    ]);
  });

  it('ends at a refusal, because every endpoint would refuse', async () => {
    const asked: string[] = [];
    const walking = walkEndpoints(all).first(1000, ({ host }) => {
      asked.push(host);
      return Promise.reject(new ToolError('error', 'denied'));
    });
    await expect(walking).rejects.toMatchObject({ ending: 'error' });
    expect(asked).toEqual(['a']);
  });

  it('ends when it is cancelled', async () => {
    const stop = new AbortController();
    const walking = walkEndpoints(all).first(60_000, (_, signal) => silent(signal), stop.signal);
    stop.abort();
    await expect(walking).rejects.toThrow('cancelled');
  });
});

describe('hostPort', () => {
  it.each([
    ['etcd1', 'etcd1:2379'],
    ['::1', '[::1]:2379'],
    ['[::1]', '[::1]:2379'],
    [' 10.0.0.1 ', '10.0.0.1:2379'],
  ])('%s', (host, text) => {
    expect(hostPort({ protocol: 'http', host, port: 2379 })).toBe(text);
  });
});

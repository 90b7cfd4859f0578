/** What becomes of calls to an API server that refuses, hangs, loses answers, or hands them on to a Pod. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, describe } from 'vitest';
import type { Cluster } from '../../src/cluster/model/model.js';
import type { KubeAccess } from '../../src/dcs/kubernetes/kube-credentials.js';
import { openClient, type KubeClient } from '../../src/dcs/kubernetes/kube-client.js';
import type { KubernetesDcs } from '../../src/dcs/kubernetes/kubernetes-dcs.js';
import { patroniOfPods } from '../../src/dcs/kubernetes/pod-rest.js';
import { writeConfig, writeFailover } from '../../src/dcs/kubernetes/write-objects.js';
import type { DcsInputs } from '../../src/dcs/dcs-inputs.js';
import type { CallOutcome, Patroni } from '../../src/patroni/patroni.js';

type Answer = { status: number; body?: object | string } | 'hang' | 'hang up';
/** How long the API server may take; where nothing was written, a test takes as long. */
const LIMIT_MS = 1000;

type Ask = (method: string, path: string, authorization: string | undefined) => Answer;

const open: { close: () => void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** An API server that answers so; with what it was asked, in order. */
async function apiServer(
  answer: Ask,
  timeoutMs = LIMIT_MS,
): Promise<{ client: KubeClient; asked: string[] }> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    asked.push(`${method} ${url}`);
    request.resume();
    request.on('end', () => {
      const said = answer(method, url, headers.authorization);
      if (said === 'hang up') return void request.socket.destroy();
      if (said === 'hang') return;
      const { status, body = '' } = said;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  let token = 'old';
  const access: KubeAccess = {
    server: new URL(`http://127.0.0.1:${port}`),
    ca: null,
    cert: null,
    key: null,
    serverName: null,
    insecure: false,
    proxy: null,
    namespace: 'db',
    who: 'context test',
    headers: (again) => {
      if (again) token = 'new';
      return Promise.resolve({ headers: { authorization: `Bearer ${token}` } });
    },
  };
  const client = await openClient(access, timeoutMs);
  open.push({ close: () => (client.close(), server.closeAllConnections(), server.close()) });
  return { client, asked };
}

const refused = (code: number, message: string): Answer => ({
  status: code,
  body: { kind: 'Status', code, message },
});

describe('reading', () => {
  it('authenticates again once after the token was refused', async () => {
    const { client, asked } = await apiServer((_, __, login) =>
      login === 'Bearer new' ? { status: 200, body: { ok: 1 } } : refused(401, 'Unauthorized'),
    );
    expect((await client.get('/x', 'x')).json).toEqual({ ok: 1 });
    expect(asked).toHaveLength(2);
  });

  it.each([
    [refused(401, 'Unauthorized'), 'error', 'kubernetes_unauthorized', /context test/],
    [refused(403, 'pods is forbidden: User "u"'), 'error', 'kubernetes_forbidden', /User "u"/],
    [{ status: 404, body: 'page not found' }, 'error', 'kubernetes_refused', /404/],
    ['hang', 'unreachable', 'dcs_unreachable', /no answer within 0.3 s/],
    [refused(503, 'etcd is away'), 'unreachable', 'dcs_unreachable', /etcd is away/],
  ] as const)('of %j ends so', async (answer, ending, code, message) => {
    // A busy machine answers within a second; only silence has to be waited for.
    const { client } = await apiServer(() => answer, answer === 'hang' ? 300 : 1000);
    await expect(client.get('/x', 'x')).rejects.toMatchObject({
      ending,
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('asks an API server that is busy again, within the deadline', async () => {
    let times = 0;
    const { client } = await apiServer(() =>
      (times += 1) < 3 ? refused(429, 'too many requests') : { status: 200, body: {} },
    );
    expect((await client.get('/x', 'x')).json).toEqual({});
  });
});

describe('writing', () => {
  const cluster = {
    scope: 'demo',
    group: null,
    config: { modRevision: '7' },
    failoverRevision: '0',
    kubernetes: { namespace: 'db', kind: 'endpoints' },
  } as unknown as Cluster;
  const object = (resourceVersion: string, annotations: object): Answer => ({
    status: 200,
    body: { metadata: { name: 'demo-config', namespace: 'db', resourceVersion, annotations } },
  });
  const write = async (patched: Answer, now: Answer) => {
    const { client, asked } = await apiServer((method) => (method === 'GET' ? now : patched));
    const outcome = await writeConfig(client, cluster, '{"ttl":40}', LIMIT_MS).catch(
      (error: unknown) => error,
    );
    return { outcome, patches: asked.filter((one) => one.startsWith('PATCH')) };
  };

  it.each([
    [
      'a conflict',
      refused(409, 'conflict'),
      object('9', { config: '{"ttl":50}' }),
      { done: false, current: '{"ttl":50}' },
    ],
    [
      'an object that is gone',
      refused(404, 'not found'),
      refused(404, 'not found'),
      { done: false, current: null },
    ],
    [
      'a lost answer, and it was written',
      'hang up',
      object('8', { config: '{"ttl":40}' }),
      { done: true },
    ],
    [
      'a lost answer, and another one wrote',
      'hang up',
      object('9', { config: '{}' }),
      { done: false, current: '{}' },
    ],
    [
      'a lost answer, and nothing was written so far',
      'hang up',
      object('7', { config: '{}' }),
      { ending: 'unconfirmed' },
    ],
    [
      'HTTP 504, and it was written',
      refused(504, 'timeout'),
      object('8', { config: '{"ttl":40}' }),
      { done: true },
    ],
    [
      'a right that is missing',
      refused(403, 'cannot patch'),
      object('7', {}),
      { ending: 'error', code: 'kubernetes_forbidden' },
    ],
  ] as const)('with %s is sent once', async (_, patched, now, expected) => {
    const { outcome, patches } = await write(patched, now);
    expect(outcome).toMatchObject(expected);
    expect(patches).toHaveLength(1);
  });

  it('a first request makes an object with the labels of the others', async () => {
    const { client, asked } = await apiServer((method) =>
      method === 'GET' ? object('7', {}) : { status: 201, body: {} },
    );
    const request = { leader: 'pg1', candidate: null, scheduledAt: null };
    expect(await writeFailover(client, cluster, request, LIMIT_MS)).toEqual({ done: true });
    expect(asked).toEqual([
      'GET /api/v1/namespaces/db/endpoints/demo-config',
      'POST /api/v1/namespaces/db/endpoints',
    ]);
  });
});

describe('the REST API of a Pod', () => {
  const API = 'http://10.244.0.1:8008/patroni';
  const patroni = { version: '4.1.4', scope: 'demo', name: 'pg1' };
  const status = { state: 'running', role: 'replica', timeline: 1, patroni };

  async function through(
    answer: Ask,
    direct: CallOutcome,
    proxy: 'auto' | 'always' | 'never' = 'auto',
  ) {
    const { client, asked } = await apiServer(answer);
    const straight: string[] = [];
    const reading = { ok: false, kind: 'unreachable', reason: 'no route' } as const;
    const fake: Patroni = {
      status: () => Promise.resolve(reading),
      call: (method, _, path) => {
        straight.push(`${method} ${path}`);
        return Promise.resolve(direct);
      },
    };
    const dcs = {
      client: () => Promise.resolve(client),
      podOf: () => ({ namespace: 'db', pod: 'pg1', scheme: 'http', port: 8008 }),
    } as unknown as KubernetesDcs;
    const config = { kubernetes: { settings: { proxy } }, rest: { username: 'u', certfile: null } };
    const patroni = patroniOfPods(dcs, fake, { config } as unknown as DcsInputs);
    return { patroni, asked, straight };
  }
  const lost: CallOutcome = { kind: 'not_sent', reason: 'no route' };
  const ok: CallOutcome = { kind: 'answered', answer: { status: 200, body: 'ok', json: null } };
  const post = (patroni: Patroni) => patroni.call('POST', API, '/switchover', {}, 1000);

  it('is asked through the API server when it cannot be reached directly', async () => {
    const { patroni, asked, straight } = await through(() => ({ status: 200, body: status }), lost);
    const target = { apiUrl: API, name: 'pg1', scope: 'demo' };
    expect(await patroni.status(target, 1000)).toMatchObject({ ok: true, value: { name: 'pg1' } });
    expect(await post(patroni)).toMatchObject({ kind: 'answered', answer: { status: 200 } });
    expect(asked).toEqual([
      'GET /api/v1/namespaces/db/pods/pg1:8008/proxy/patroni',
      'POST /api/v1/namespaces/db/pods/pg1:8008/proxy/switchover',
    ]);
    expect(straight).toEqual([]);
  });

  it('is not asked like this if it is reached directly, or with never', async () => {
    for (const how of ['auto', 'never'] as const) {
      const { patroni, asked } = await through(() => ({ status: 200 }), ok, how);
      expect(await post(patroni)).toEqual(ok);
      expect(asked).toEqual([]);
    }
  });

  it.each([
    [refused(403, 'pods "pg1" is forbidden'), 'not_sent', /forbidden/],
    [
      refused(503, 'dial tcp 10.244.0.1:8008: connection refused'),
      'not_sent',
      /connection refused/,
    ],
    [refused(502, 'EOF'), 'lost', /EOF/],
    ['hang up', 'lost', /through the API server/],
  ] as const)('of which the API server says %j is %s', async (answer, kind, reason) => {
    const { patroni } = await through(() => answer, lost, 'always');
    const said = await post(patroni);
    expect(said).toMatchObject({ kind, reason: expect.stringMatching(reason) as string });
  });

  it('that wants a login says that none comes through', async () => {
    const { patroni } = await through(() => ({ status: 401, body: 'no auth' }), lost, 'always');
    expect(await post(patroni)).toMatchObject({
      answer: { status: 401, body: expect.stringContaining('does not pass on a login') as string },
    });
  });
});

/** Our identity at the API server: a Pod's account, and kubeconfigs as kubectl reads them. */
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findAccess } from '../../src/dcs/kubernetes/kube-access.js';
import type { AccessWanted, KubeAccess } from '../../src/dcs/kubernetes/kube-credentials.js';
import { proxyFor } from '../../src/dcs/kubernetes/kubeconfig.js';

const folder = (): string => mkdtempSync(join(tmpdir(), 'patctl-kube-'));

function wanted(more: Partial<AccessWanted>): AccessWanted {
  return {
    context: null,
    isContextNamed: false,
    cacert: null,
    env: {},
    home: '/nonexistent',
    timeoutMs: 3000,
    ...more,
  };
}

function kubeconfig(user: object, more: object = {}, cluster: object = {}): string {
  const file = join(folder(), 'config');
  const config = {
    'current-context': 'one',
    contexts: [{ name: 'one', context: { cluster: 'c', user: 'u', namespace: 'db' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://kube.example:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    ...more,
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const of = (file: string, more: Partial<AccessWanted> = {}): Promise<KubeAccess> =>
  findAccess(wanted({ env: { KUBECONFIG: file, PATH: process.env['PATH'] }, ...more }));
const authorization = async (access: KubeAccess, again = false): Promise<string | undefined> =>
  (await access.headers(again)).headers['authorization'];

describe('a kubeconfig', () => {
  it('gives server, namespace and token of its current context', async () => {
    const access = await of(kubeconfig({ token: 'abc' }));
    expect([access.server.host, access.namespace, access.who]).toEqual([
      'kube.example:6443',
      'db',
      'context one',
    ]);
    expect(await authorization(access)).toBe('Bearer abc');
  });

  it('gives certificates, from data or from files beside it', async () => {
    const file = kubeconfig(
      { 'client-certificate': 'me.crt', 'client-key-data': Buffer.from('KEY').toString('base64') },
      {},
      { 'certificate-authority-data': Buffer.from('CA').toString('base64') },
    );
    writeFileSync(join(file, '..', 'me.crt'), 'CERT');
    expect(await of(file)).toMatchObject({ ca: 'CA', cert: 'CERT', key: 'KEY' });
  });

  it('is merged of several files, of which the first counts', async () => {
    const first = kubeconfig({ token: 'first' });
    const second = kubeconfig({ token: 'second' }, { 'current-context': 'two' });
    expect(await authorization(await of(`${first}:/nonexistent/x:${second}`))).toBe('Bearer first');
  });

  it('reads a token file again when the token was refused', async () => {
    const file = kubeconfig({ tokenFile: 'token' });
    writeFileSync(join(file, '..', 'token'), 'old\n');
    const access = await of(file);
    expect(await authorization(access)).toBe('Bearer old');
    writeFileSync(join(file, '..', 'token'), 'new\n');
    expect(await authorization(access)).toBe('Bearer old');
    expect(await authorization(access, true)).toBe('Bearer new');
  });

  it('runs an exec plugin, and again when its credential was refused', async () => {
    const script = join(folder(), 'login');
    const credential = '{"kind":"ExecCredential","status":{"token":"\'"$N-$(date +%N)"\'"}}';
    writeFileSync(
      script,
      `#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" | grep -q ExecCredential || exit 3\nprintf '%s' '${credential}'\n`,
    );
    chmodSync(script, 0o755);
    const exec = { command: script, env: [{ name: 'N', value: 'cloud' }] };
    const access = await of(kubeconfig({ exec }));
    const first = await authorization(access);
    expect(first).toMatch(/^Bearer cloud-/);
    expect(await authorization(access)).toBe(first);
    expect(await authorization(access, true)).not.toBe(first);
  });

  it.each([
    ['a context that is not there', {}, { context: 'two' }, /no context "two"/],
    ['a plugin that cannot be run', { exec: { command: '/nonexistent/aws' } }, {}, /cannot be run/],
    ['a plugin that fails', { exec: { command: 'false' } }, {}, /ended with 1/],
    ['a plugin that prints something else', { exec: { command: 'true' } }, {}, /no ExecCredential/],
    ['an auth-provider', { 'auth-provider': { name: 'gcp' } }, {}, /auth-provider gcp/],
  ])('says what is wrong with %s', async (_, user, more, message) => {
    const ask = async () => (await of(kubeconfig(user), more)).headers(false);
    await expect(ask()).rejects.toMatchObject({
      ending: 'error',
      code: 'kubernetes_access',
      message: expect.stringMatching(message) as string,
    });
  });

  it('that is not there is asked for, with the places that were looked at', async () => {
    await expect(findAccess(wanted({}))).rejects.toMatchObject({
      hint: expect.stringContaining('/nonexistent/.kube/config') as string,
    });
  });
});

describe('a Pod', () => {
  const account = (): string => {
    const at = join(folder(), 'account');
    mkdirSync(at);
    for (const [name, text] of Object.entries({ token: 't1', 'ca.crt': 'CA', namespace: 'db' })) {
      writeFileSync(join(at, name), text);
    }
    return at;
  };
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

  it('has the account of its service account, and its token is read again', async () => {
    const accountFolder = account();
    const access = await findAccess(wanted({ env, accountFolder }));
    expect([access.server.href, access.namespace, access.ca]).toEqual([
      'https://10.96.0.1/',
      'db',
      'CA',
    ]);
    expect(await authorization(access)).toBe('Bearer t1');
    writeFileSync(join(accountFolder, 'token'), 't2');
    expect(await authorization(access, true)).toBe('Bearer t2');
  });

  it('does not count when a context is named on the command line', async () => {
    const file = kubeconfig({ token: 'abc' });
    const named = { context: 'one', isContextNamed: true, accountFolder: account() };
    const access = await findAccess(wanted({ env: { ...env, KUBECONFIG: file }, ...named }));
    expect(access.who).toBe('context one');
  });
});

describe('the proxy of the environment', () => {
  const server = new URL('https://kube.example:6443');
  it.each([
    [{ HTTPS_PROXY: 'http://p:3128' }, 'p:3128'],
    [{ https_proxy: 'http://q:3128', HTTPS_PROXY: 'http://p:3128' }, 'q:3128'],
    [{ HTTP_PROXY: 'http://p:3128' }, undefined],
    [{ HTTPS_PROXY: 'http://p:3128', NO_PROXY: 'example' }, undefined],
    [{ HTTPS_PROXY: 'http://p:3128', NO_PROXY: '.kube.example,x' }, undefined],
    [{ HTTPS_PROXY: 'http://p:3128', NO_PROXY: 'kube.example:443' }, 'p:3128'],
  ])('%j is %s', (env, host) => {
    expect(proxyFor(server, env)?.host).toBe(host);
  });

  it('leaves out networks', () => {
    const env = { HTTPS_PROXY: 'http://p:3128', NO_PROXY: '10.0.0.0/8' };
    expect(proxyFor(new URL('https://10.1.2.3'), env)).toBeNull();
    expect(proxyFor(new URL('https://11.1.2.3'), env)?.host).toBe('p:3128');
  });
});

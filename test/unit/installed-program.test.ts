/** The program as it is installed, run without a network: what main() alone cannot show. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PATCTL, runPatctl } from '../support/run.js';
import { cleanEnv, runProgram } from '../support/lab/process.js';

const EXAMPLE = join(import.meta.dirname, '../../docs/examples/two-primaries.json.gz');
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patctl-program-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('--version says which patctl, which Node.js, which machine and which commit', async () => {
  const { code, out, err } = await runPatctl(['--version']);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(
    /^patctl \d+\.\d+\.\d+ \(commit [0-9a-f]{12}\+?, Node\.js \d+\.\d+\.\d+, linux-(x64|arm64)\)\n$/,
  );
});

test('a recording is shown without any witness, a home or a cache', async () => {
  const { code, out } = await runPatctl(['list', '--snapshot', EXAMPLE]);
  expect([code, out]).toEqual([0, expect.stringContaining('two_primaries')]);
});

test('a command line that is wrong is exit 2', async () => {
  expect(await runPatctl(['nonsense'])).toMatchObject({ code: 2, out: '' });
});

test('called by the name patronictl it speaks as patronictl', async () => {
  const name = join(folder, 'patronictl');
  symlinkSync(PATCTL.at(-1) ?? '', name);
  const { code, out } = await runProgram(name, ['version'], { env: cleanEnv('/nonexistent') });
  expect([code, out]).toEqual([0, 'patronictl version 4.1.5\n']);
});

test('a closed stdin and a closed stderr change nothing', async () => {
  const line = `${PATCTL.map((word) => `'${word}'`).join(' ')} --version <&- 2>&-`;
  const child = spawn('/bin/sh', ['-c', line], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect([code, out]).toEqual([0, expect.stringContaining('Node.js')]);
});

test('a fleet that is looked at twice writes no warning of Node.js', async () => {
  const keys = Array.from({ length: 12 }, (_, at) => `/service/c${at + 10}`).flatMap((folder) => [
    [`${folder}/config`, '{"loop_wait":1,"ttl":20}'],
    [`${folder}/leader`, 'pg1'],
    [`${folder}/members/pg1`, '{"api_url":"http://127.0.0.1:1/patroni","role":"primary"}'],
  ]);
  const base64 = (text = ''): string => Buffer.from(text).toString('base64');
  const kvs = keys.map(([key, value]) => ({ key: base64(key), value: base64(value) }));
  const answer = JSON.stringify({ header: { revision: '1' }, kvs });
  const server = http.createServer((_, response) => void response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const dcs = ['-d', `etcd3://127.0.0.1:${port}/service`];
  const { out, err } = await runPatctl([...dcs, 'check', '--all', '--verify', 'rest']);
  server.close();
  expect([out.match(/^.* c\d\d: /gm)?.length, err]).toEqual([12, '']);
});

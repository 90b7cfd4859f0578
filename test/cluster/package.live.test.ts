/** The published package: packed, installed alone, run. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runPatronictl } from '../support/run.js';
import { sharedCluster } from '../support/shared.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patctl-package-'));
  run('npm', 'pack', '--silent', '--pack-destination', folder, ROOT);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  run('npm', 'install', '--silent', '-g', '--prefix', folder, '--offline', `./${tarball ?? ''}`);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('it needs nothing but itself', () => {
  expect(readdirSync(join(folder, 'lib/node_modules'))).toEqual(['patctl']);
  expect(readdirSync(join(folder, 'lib/node_modules/patctl'))).not.toContain('node_modules');
  expect(run(join(folder, 'bin/patctl'), '--help')).toContain('Exit codes:');
});

test('installed as patctl it tells the truth, called as patronictl it prints what patronictl prints', async () => {
  const lab = await sharedCluster({ sync: 'on' });
  expect(run(join(folder, 'bin/patctl'), '-c', lab.config, 'list')).toContain('Verdict');
  symlinkSync(join(folder, 'bin/patctl'), join(folder, 'patronictl'));
  const theirs = await runPatronictl(lab, ['list']);
  const head = (text: string) => text.split('\n').slice(0, 3);
  expect(head(run(join(folder, 'patronictl'), '-c', lab.config, 'list'))).toEqual(head(theirs.out));
  expect(run(join(folder, 'bin/patctl'), '-c', lab.config, 'status')).toContain('Witnesses');
}, 120_000);

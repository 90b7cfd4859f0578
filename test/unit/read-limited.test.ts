/** Named files: a pipe, a device and a folder are read or refused, and never waited for. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readLimited } from '../../src/config/read-limited.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-read-'));
afterAll(() => rmSync(folder, { recursive: true }));

function pipe(name: string): string {
  const path = join(folder, name);
  spawnSync('mkfifo', [path]);
  return path;
}

test('a pipe without a writer is empty at once', async () => {
  expect((await readLimited(pipe('silent'))).length).toBe(0);
});

test.each([
  ['/dev/zero', 'it has more than 1 MiB'],
  ['/dev/urandom', 'it has more than 1 MiB'],
])('%s: %s', async (path, words) => {
  await expect(readLimited(path, 1024 * 1024)).rejects.toThrow(words);
});

test('2 GiB are not read to the end, a folder not at all', async () => {
  const path = join(folder, 'large');
  writeFileSync(path, '');
  truncateSync(path, 2 * 1024 ** 3);
  await expect(readLimited(path, 1024 * 1024)).rejects.toThrow('it has more than 1 MiB');
  await expect(readLimited(folder)).rejects.toThrow('EISDIR');
});

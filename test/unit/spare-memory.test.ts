/** The flags that src/observe/spare-memory.ts sets do what it says, in the Node.js that runs this test. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { SPARING } from '../../src/observe/spare-memory.js';

/** Size of the young generation in MB after much has survived in it, and what V8 says of the flags. */
function afterWork(flags: readonly string[]): { youngMb: number; said: string } {
  const script = `
    const v8 = require('node:v8');
    for (const flag of ${JSON.stringify(flags)}) v8.setFlagsFromString(flag);
    const kept = [];
    for (let at = 0; at < 300000; at++) kept.push({ at, text: 'k' + at });
    const young = v8.getHeapSpaceStatistics().find((one) => one.space_name === 'new_space');
    console.log(young.space_size / 2 ** 20);
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  return { youngMb: Number(stdout), said: stderr };
}

test('a sparing V8 keeps its young generation small, and knows every flag', () => {
  const usual = afterWork([]);
  const sparing = afterWork(SPARING);
  // How far V8 lets it grow depends on the memory of the machine.
  expect(usual.youngMb).toBeGreaterThan(2 * sparing.youngMb);
  expect(sparing.said).toBe('');
  expect(afterWork(['--no-such-flag']).said).toContain('no-such-flag');
});

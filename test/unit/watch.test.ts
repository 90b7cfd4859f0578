import { expect, test } from 'vitest';
import { frame } from '../../src/output/watch.js';

test('a frame overwrites in place and marks the lines that changed', () => {
  const first = frame(['a', 'b'], null);
  expect(first).toBe('\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J');
  expect(frame(['a', 'c', 'd'], ['a', 'b'])).toBe('\x1b[Ha\x1b[K\nc <\x1b[K\nd <\x1b[K\n\x1b[J');
});

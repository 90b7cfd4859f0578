import { describe, expect, it } from 'vitest';
import { LOOKS_TOGETHER, lookTogether, type Look } from '../../src/dcs/etcd3/look-together.js';
import type { KeyValue } from '../../src/dcs/keyed/key-store.js';

const COMPACTED = { code: 11, message: 'required revision has been compacted' };

const stoodAt = (revision: bigint): KeyValue[] => [
  { key: 'k', value: '', createRevision: '1', modRevision: String(revision), lease: null },
];

/** A past that is compacted up to a revision, and the sizes of the requests that were made. */
function pastFrom(oldest: bigint) {
  const requests: number[] = [];
  const at = lookTogether((looks: readonly Look[]) => {
    requests.push(looks.length);
    const isCompacted = looks.some(({ revision }) => revision < oldest);
    return Promise.resolve(isCompacted ? COMPACTED : looks.map((look) => stoodAt(look.revision)));
  });
  return { at, requests };
}

describe('looks at the past', () => {
  it('that are asked for at the same time are one request, each with its own answer', async () => {
    const { at, requests } = pastFrom(1n);
    const answers = await Promise.all([7n, 30n, 2n].map((revision) => at(revision)));
    expect(answers).toEqual([7n, 30n, 2n].map(stoodAt));
    expect(requests).toEqual([3]);
  });

  it('are never more in one request than etcd allows', async () => {
    const { at, requests } = pastFrom(1n);
    await Promise.all(Array.from({ length: 70 }, (_, i) => at(BigInt(i + 1))));
    expect(requests).toEqual([LOOKS_TOGETHER, LOOKS_TOGETHER, 6]);
  });

  it.each([1, 5, 16, 17, 31, 32])(
    'before and after a compaction at revision %i are told apart in few requests',
    async (oldest) => {
      const { at, requests } = pastFrom(BigInt(oldest));
      const revisions = Array.from({ length: 32 }, (_, i) => i + 1);
      const answers = await Promise.all(revisions.map((revision) => at(BigInt(revision))));
      expect(answers).toEqual(
        revisions.map((one) => (one < oldest ? COMPACTED : stoodAt(BigInt(one)))),
      );
      expect(requests.length).toBeLessThan(15);
    },
  );

  it('fail together where nothing answers', async () => {
    const at = lookTogether(() => Promise.reject(new Error('connection closed')));
    const ended = await Promise.allSettled([at(3n), at(4n)]);
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

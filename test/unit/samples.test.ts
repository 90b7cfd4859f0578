import { describe, expect, it } from 'vitest';
import { distances, take } from '../../src/dcs/etcd3/samples.js';

describe('distances', () => {
  it.each([1, 2, 3, 7, 8, 100, 1023, 1024, 1025])('meets each of 1 to %i once', (oldest) => {
    const met = [...distances(() => oldest)].sort((a, b) => a - b);
    expect(met).toEqual(Array.from({ length: oldest }, (_, i) => i + 1));
  });

  it('has nowhere to go in a store that was never written', () => {
    expect([...distances(() => 0)]).toEqual([]);
  });

  it('begins far apart and comes back more densely, the newest first', () => {
    const first = take(
      distances(() => 40),
      15,
    );
    expect(first).toEqual([1, 2, 4, 8, 16, 32, 3, 6, 12, 24, 5, 7, 10, 14, 20]);
  });

  it('meets what lived for half as long as it has been gone within 40 looks at a million revisions', () => {
    const looks = take(
      distances(() => 1_000_000),
      40,
    );
    for (const goneFor of [1, 5, 77, 1000, 30_000, 90_000, 600_000]) {
      const met = looks.some((distance) => distance >= goneFor && distance <= goneFor * 1.5);
      expect(met, `gone for ${goneFor}`).toBe(true);
    }
  });

  it('does not go further back once the past has become shorter', () => {
    let oldest = 1000;
    const met: number[] = [];
    for (const distance of distances(() => oldest)) {
      met.push(distance);
      if (distance === 64) oldest = 50;
    }
    expect(met.filter((distance) => distance <= 50).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    expect(met.filter((distance) => distance > 50)).toEqual([64]);
  });
});

/** Where to look in a long past first. */

/**
 * Every distance from 1 to `oldest()` once, in growing order over and over, each time twice as dense: 1, 2,
 * 4, 8 … then 3, 6, 12 … and so on. Something that lived for as long as it has now been gone is met in the
 * first pass, for half as long in the second, and the newest is always met first. `oldest` may shrink
 * in the meantime.
 */
export function* distances(oldest: () => number): Generator<number> {
  for (let pass = 0; 2 ** pass <= oldest(); pass++) {
    for (let octave = pass; 2 ** octave <= oldest(); octave++) {
      const step = 2 ** (octave - pass);
      if (pass === 0) yield 2 ** octave;
      for (let k = 1; k < 2 ** pass; k += 2) {
        const distance = 2 ** octave + k * step;
        if (distance > oldest()) break;
        yield distance;
      }
    }
  }
}

/** The next `count` values, fewer at the end. */
export function take<T>(values: Iterator<T>, count: number): T[] {
  const taken: T[] = [];
  while (taken.length < count) {
    const next = values.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

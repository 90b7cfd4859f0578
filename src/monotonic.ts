/**
 * Milliseconds, with fractions, on a clock that nobody sets. Not performance.now(): Node.js loads seven
 * modules of its own to answer that.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

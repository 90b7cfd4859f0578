/** Sizes and times with units on the command line. */
import { InvalidArgumentError } from 'commander';

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1024,
  KB: 1024,
  KiB: 1024,
  MB: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1024 ** 4,
  TiB: 1024 ** 4,
};

/**
 * '16MB' and '16MiB' are both 16 777 216 bytes, as in PostgreSQL's settings and in Patroni's `?lag=16MB`; a bare
 * number is bytes. Throws InvalidArgumentError.
 */
export function parseSize(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = SIZES[match?.[2] ?? ''];
  if (!match || unit === undefined) {
    throw new InvalidArgumentError(
      'expected a size such as 1048576, 16MB or 1GB (1024-based, as in PostgreSQL).',
    );
  }
  return Math.round(Number(match[1]) * unit);
}

const TIMES: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** '500ms', '90s', '5m', '1h', '2d' -> milliseconds; a bare number is seconds. Throws InvalidArgumentError. */
export function parseDurationMs(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$/.exec(text.trim());
  const unit = TIMES[match?.[2] === '' ? 's' : (match?.[2] ?? '')];
  if (!match || unit === undefined) {
    throw new InvalidArgumentError('expected a time such as 3, 500ms, 90s, 5m, 1h or 2d.');
  }
  return Number(match[1]) * unit;
}

/** Limit of one call to one node: at least 1 ms. */
export function parseTimeoutMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms < 1) throw new InvalidArgumentError('expected a time of at least 1ms.');
  return ms;
}

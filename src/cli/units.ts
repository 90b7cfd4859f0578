/** Sizes and times with units on the command line. */
import { InvalidArgumentError } from 'commander';

const SIZES: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** '16MB' is 16 000 000 bytes, '16MiB' is 16 777 216; a bare number is bytes. */
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

const TIMES: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** '90s', '5m', '1h', '2d' -> milliseconds; a bare number is seconds. */
export function parseTimeMs(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$/.exec(text.trim());
  const unit = TIMES[match?.[2] === '' ? 's' : (match?.[2] ?? '')];
  if (!match || unit === undefined) {
    throw new InvalidArgumentError('expected a time such as 90s, 5m, 1h or 2d.');
  }
  return Number(match[1]) * unit;
}

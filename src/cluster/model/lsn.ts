/** A WAL position in bytes since the beginning of WAL, as pg_lsn. */
export type Lsn = bigint;

const TEXT = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** '0/5000050' -> bytes; null when it is not a WAL position. */
export function parseLsn(text: string): Lsn | null {
  const match = TEXT.exec(text);
  if (!match) return null;
  return (BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`);
}

/** Bytes -> '0/5000050', as PostgreSQL prints it. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** How many bytes `behind` lacks of `ahead`; never negative. Exact up to 2^53 bytes. */
export function lagBytes(ahead: Lsn, behind: Lsn): number {
  return ahead > behind ? Number(ahead - behind) : 0;
}

/**
 * The greater of what a standby received and what it replayed; null: unknown. PostgreSQL counts what it
 * receives on another timeline from the beginning of that segment, behind what it has long replayed.
 */
export function farther(received: Lsn | null, replayed: Lsn | null): Lsn | null {
  if (received === null || replayed === null) return received ?? replayed;
  return received > replayed ? received : replayed;
}

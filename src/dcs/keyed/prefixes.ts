/** Bounds of prefixes and the checks on what callers hand in. */
import type { Compare } from './key-store.js';

/** Keys to read in one answer; more are read in further pages at the same revision. */
export const PAGE_KEYS = 2000;
/** In the first one: each is twice the one before, so that we begin to work early. */
export const FIRST_PAGE_KEYS = 500;

/** A prefix ends with a slash: without it, /service/demo would read /service/demo2 too. */
export function checkPrefix(prefix: string): void {
  if (!prefix.endsWith('/')) throw new TypeError(`a DCS prefix ends with "/": ${prefix}`);
}

/** The first key after all keys below `prefix`; '0' is the character after '/'. */
export function endOfPrefix(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

/** The first key that can follow `key`. */
export function keyAfter(key: string): string {
  return `${key}\0`;
}

export function isRevision(text: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(text);
}

/** etcd takes a missing revision for 0, "does not exist": a mistake here must not become a write. */
export function checkCompares(compares: readonly Compare[]): void {
  for (const { key, modRevision } of compares) {
    if (!isRevision(modRevision)) throw new TypeError(`not a revision for ${key}: ${modRevision}`);
  }
}

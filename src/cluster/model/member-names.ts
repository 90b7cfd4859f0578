/** Names of members, and what PostgreSQL makes of them in application_name: the one place that compares the two. */

import { remembered } from './remembered.js';

/** Patroni and PostgreSQL do not tell cases apart. */
export function sameName(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && (a === b || a.toLowerCase() === b.toLowerCase());
}

const lowerNames = new WeakMap<readonly string[], ReadonlySet<string>>();

/** Whether the list has the name, compared as `sameName` does; the list does not change afterwards. */
export function isListed(names: readonly string[], name: string): boolean {
  const lower = remembered(lowerNames, names, () => new Set(names.map((one) => one.toLowerCase())));
  return lower.has(name.toLowerCase());
}

/** NAMEDATALEN - 1: what pg_stat_replication shows of an application_name, in bytes. */
const SHOWN_BYTES = 63;

/**
 * The application_names that the walsender of a member may have, in lower case. PostgreSQL 15 and older put `?` for
 * every byte that is not printable ASCII, 16 and newer `\xc3`; both show the first 63 bytes of the result.
 */
export function senderNames(memberName: string): string[] {
  const lower = memberName.toLowerCase();
  if (isUnchanged(memberName)) return [lower];
  const bytes = [...new TextEncoder().encode(memberName)];
  const written = (other: (byte: number) => string): string =>
    bytes
      .map((byte) => (byte >= 32 && byte <= 126 ? String.fromCharCode(byte) : other(byte)))
      .join('')
      .slice(0, SHOWN_BYTES)
      .toLowerCase();
  const old = written(() => '?');
  const now = written((byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
  return [...new Set([lower, old, now])];
}

/** Whether PostgreSQL shows the name as it is: Patroni looks for it in no other form. */
export function isUnchanged(memberName: string): boolean {
  return /^[\x20-\x7e]{0,63}$/.test(memberName);
}

/** Whether a walsender of this application_name is, or may be, this member's. */
export function isSenderOf(applicationName: string, memberName: string): boolean {
  if (sameName(applicationName, memberName)) return true;
  return (
    !isUnchanged(memberName) && senderNames(memberName).includes(applicationName.toLowerCase())
  );
}

const bySender = new WeakMap<readonly object[], ReadonlyMap<string, readonly object[]>>();

/** The rows of a member's walsenders; the list does not change afterwards. */
export function sendersOf<Row extends { applicationName: string }>(
  rows: readonly Row[],
  memberName: string,
): Row[] {
  const index = remembered(bySender, rows, () => {
    const found = new Map<string, Row[]>();
    for (const row of rows)
      remembered(found, row.applicationName.toLowerCase(), (): Row[] => []).push(row);
    return found;
  }) as ReadonlyMap<string, readonly Row[]>;
  return senderNames(memberName).flatMap((shown) => index.get(shown) ?? []);
}

/** The rows that no member's walsender can be. */
export function strangersIn<Row extends { applicationName: string }>(
  rows: readonly Row[],
  members: readonly { name: string }[],
): Row[] {
  const known = new Set(members.flatMap(({ name }) => senderNames(name)));
  return rows.filter(({ applicationName }) => !known.has(applicationName.toLowerCase()));
}

/**
 * Whether pg_hba.conf lets a replication connection in, decided as PostgreSQL does: the first rule that matches counts,
 * and no rule means no. A rule of which we cannot tell whether it matches leaves open what the others do not settle.
 */

/** One line of pg_hba.conf, as pg_hba_file_rules shows it. */
export interface HbaRule {
  line: number;
  /** local, host, hostssl, hostnossl, hostgssenc, hostnogssenc */
  type: string;
  databases: readonly string[];
  users: readonly string[];
  /** Address, host name or keyword; null: of a local connection. */
  address: string | null;
  netmask: string | null;
  method: string | null;
  /** Why PostgreSQL cannot take this line. */
  error: string | null;
}

/** `line` null: no rule matches. */
export interface Admission {
  admitted: boolean | null;
  line: number | null;
}

type Matches = 'yes' | 'no' | 'perhaps';

/** With TLS or without, whichever is let in: libpq tries both by default. */
export function admission(
  rules: readonly HbaRule[],
  { user, address }: { user: string; address: string },
): Admission {
  const one = [true, false].map((isTls) => decided(rules, { user, address, isTls }));
  return (
    one.find(({ admitted }) => admitted === true) ??
    one.find(({ admitted }) => admitted === null) ??
    one[0] ?? { admitted: null, line: null }
  );
}

interface Connection {
  user: string;
  address: string;
  isTls: boolean;
}

function decided([rule, ...rest]: readonly HbaRule[], connection: Connection): Admission {
  if (rule === undefined) return { admitted: false, line: null };
  const matches = matchesOf(rule, connection);
  if (matches === 'no') return decided(rest, connection);
  const mine = { admitted: rule.method !== 'reject', line: rule.line };
  if (matches === 'yes') return mine;
  const else_ = decided(rest, connection);
  return else_.admitted === mine.admitted ? else_ : { admitted: null, line: rule.line };
}

function matchesOf(rule: HbaRule, { user, address, isTls }: Connection): Matches {
  if (rule.error !== null || !rule.databases.includes('replication')) return 'no';
  const all = [
    typeMatches(rule.type, isTls),
    addressMatches(rule, address),
    userMatches(rule.users, user),
  ];
  if (all.includes('no')) return 'no';
  return all.includes('perhaps') ? 'perhaps' : 'yes';
}

function typeMatches(type: string, isTls: boolean): Matches {
  if (type === 'host' || type === 'hostnogssenc') return 'yes';
  if (type === 'hostssl') return isTls ? 'yes' : 'no';
  if (type === 'hostnossl') return isTls ? 'no' : 'yes';
  return 'no';
}

/** A group's members and what a pattern matches are not known here. */
function userMatches(users: readonly string[], user: string): Matches {
  if (users.includes('all') || users.includes(user)) return 'yes';
  return users.some((one) => /^[+/]/.test(one)) ? 'perhaps' : 'no';
}

function addressMatches({ address, netmask }: HbaRule, from: string): Matches {
  if (address === null) return 'no';
  if (address === 'all') return 'yes';
  const [rule, mask, client] = [address, netmask ?? address, from].map(bitsOf);
  // A host name, samehost or samenet.
  if (!rule || !client) return 'perhaps';
  if (!mask || rule.size !== client.size) return 'no';
  const kept = netmask === null ? (1n << BigInt(rule.size)) - 1n : mask.bits;
  return (rule.bits & kept) === (client.bits & kept) ? 'yes' : 'no';
}

/** An address as a number of 32 or 128 bits; null: it is none. */
function bitsOf(text: string): { bits: bigint; size: 32 | 128 } | null {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(mapped ?? text)?.slice(1);
  if (parts) return { bits: joined(parts.map(BigInt), 8n), size: 32 };
  if (!/^[0-9a-f:]+(%\w+)?$/i.test(text) || !text.includes(':')) return null;
  const [head = [], tail] = text
    .replace(/%.*/, '')
    .split('::')
    .map((half) => half.split(':').filter((word) => word !== ''));
  const middle = Array<string>(Math.max(0, 8 - head.length - (tail?.length ?? 0))).fill('0');
  const words = tail === undefined ? head : [...head, ...middle, ...tail];
  if (words.length !== 8 || words.some((word) => word.length > 4)) return null;
  return {
    bits: joined(
      words.map((word) => BigInt(`0x${word}`)),
      16n,
    ),
    size: 128,
  };
}

function joined(parts: readonly bigint[], width: bigint): bigint {
  return parts.reduce((bits, part) => (bits << width) | part, 0n);
}

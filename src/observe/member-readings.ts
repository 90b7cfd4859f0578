/** Readings of members that are asked again and again: one request of a kind at a time, SQL sessions kept open. */
import type { MemberReadings, Reading, VerifyMode } from '../cluster/model/model.js';
import { sharedParts } from '../cluster/model/shared-parts.js';
import { remembered } from '../cluster/model/remembered.js';
import { monotonicMs } from '../clock.js';
import { errorMessage } from '../errors.js';
import type { Context } from '../context.js';
import type { KeptSession } from '../postgres/postgres.js';
import { askRest, askSql, type MemberAddress } from './read-witnesses.js';

/** A login that was refused is tried again only then: each try is a line in the log of that server. */
const DENIED_MS = 30_000;

export interface MemberReader {
  /**
   * Asks each of these members over REST and SQL, except where its last question still waits for an answer. Resolves
   * once all that were asked now have answered, or after `graceMs`: then what was known of the others stays. A
   * member that is no longer among them is forgotten.
   */
  ask(members: readonly MemberAddress[], graceMs: number): Promise<void>;
  /** What each of them said last, in this order; the same objects as long as nothing new was said. */
  readings(members: readonly MemberAddress[]): MemberReadings[];
  /** Ends every session. Idempotent. */
  close(): void;
}

interface AskedMember {
  address: MemberAddress;
  last: MemberReadings;
  isAsking: { rest: boolean; sql: boolean };
  kept: KeptSession;
  /** On the clock of monotonicMs(): SQL is not asked before. */
  sqlFromMs: number;
  isForgotten: boolean;
}

const PENDING: Reading<never> = { ok: false, kind: 'unreachable', reason: 'no answer yet' };

/** A question that is under way when the signal comes is left to its limit. */
export function openMemberReader(
  context: Context,
  verify: VerifyMode,
  signal: AbortSignal,
): MemberReader {
  const all = new Map<string, AskedMember>();
  const forget = (id: string): void => {
    const one = all.get(id);
    if (one === undefined) return;
    one.isForgotten = true;
    one.kept.open?.close();
    all.delete(id);
  };
  const followed = (address: MemberAddress): AskedMember =>
    remembered(all, idOf(address), () => newMember(address));
  return {
    async ask(members, graceMs) {
      const ids = new Set(members.map(idOf));
      for (const id of all.keys()) if (!ids.has(id)) forget(id);
      const asked = members.flatMap((address) => {
        const one = followed(address);
        return [askOver(context, one, 'rest', verify), askOver(context, one, 'sql', verify)];
      });
      await within(Promise.all(asked), graceMs, signal);
    },
    readings: (members) => members.map((address) => followed(address).last),
    close() {
      for (const id of all.keys()) forget(id);
    },
  };
}

/** A member with another address is another one: what the old address said counts no longer. */
function idOf({ scope, name, apiUrl, host, port }: MemberAddress): string {
  return JSON.stringify([scope, name, apiUrl, host, port]);
}

function newMember(address: MemberAddress): AskedMember {
  return {
    address,
    last: { name: address.name, rest: PENDING, sql: PENDING },
    isAsking: { rest: false, sql: false },
    kept: { open: null },
    sqlFromMs: 0,
    isForgotten: false,
  };
}

/** Never rejects. */
async function askOver(
  context: Context,
  one: AskedMember,
  witness: 'rest' | 'sql',
  verify: VerifyMode,
): Promise<void> {
  const { isAsking, address, kept } = one;
  if (isAsking[witness] || (witness === 'sql' && monotonicMs() < one.sqlFromMs)) return;
  isAsking[witness] = true;
  try {
    if (witness === 'rest') {
      const rest = await askRest(context, address, verify);
      one.last = sharedParts(one.last, { ...one.last, rest });
    } else {
      const sql = await askSql(context, address, verify, kept);
      one.last = sharedParts(one.last, { ...one.last, sql });
      if (!sql.ok && sql.kind === 'denied') one.sqlFromMs = monotonicMs() + DENIED_MS;
    }
  } finally {
    isAsking[witness] = false;
    // The session may have been opened since.
    if (one.isForgotten) kept.open?.close();
  }
}

/** Once the work is done, after `ms`, or at the signal; what the work throws in time is thrown. */
export function within(work: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    work.then(end, (error: unknown) => {
      reject(error instanceof Error ? error : new Error(errorMessage(error)));
      end();
    });
  });
}

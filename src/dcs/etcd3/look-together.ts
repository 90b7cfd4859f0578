/** Looks at etcd's past, many in one request: a request costs more than the looks that it holds. */
import type { KeyValue } from '../keyed/key-store.js';
import type { Teller } from './deleted.js';
import type { EtcdError } from './refusal.js';

export interface Look {
  revision: bigint;
  /** One key; undefined: everything below the prefix. */
  key: string | undefined;
}

/** etcd allows 128 operations in a transaction (--max-txn-ops). */
export const LOOKS_TOGETHER = 32;

/** What stood there at each look; an error when etcd refuses one of them. */
type Ask = (looks: readonly Look[]) => Promise<KeyValue[][] | EtcdError>;

interface Waiting extends Look {
  resolve: (answer: KeyValue[] | EtcdError) => void;
  reject: (error: unknown) => void;
}

/** Looks that are asked for at the same time go out together, at most LOOKS_TOGETHER of them in one request. */
export function lookTogether(ask: Ask): Teller['at'] {
  let waiting: Waiting[] = [];
  const send = (): void => {
    const now = waiting.sort((a, b) => Number(b.revision - a.revision));
    waiting = [];
    for (let at = 0; at < now.length; at += LOOKS_TOGETHER) {
      void answer(ask, now.slice(at, at + LOOKS_TOGETHER));
    }
  };
  return (revision, key) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(send);
      waiting.push({ revision, key, resolve, reject });
    });
}

async function answer(ask: Ask, looks: readonly Waiting[]): Promise<void> {
  try {
    const answers = await answersOf(ask, looks);
    for (const [at, { resolve }] of looks.entries()) resolve(answers[at] ?? []);
  } catch (error) {
    for (const { reject } of looks) reject(error);
  }
}

/**
 * Takes looks, the newest first. etcd refuses all of a request because of one revision that is compacted; then the
 * newer half is asked for by itself, and the older half only if nothing of the newer is refused: what is older than a
 * compacted revision is compacted too.
 */
async function answersOf(ask: Ask, looks: readonly Look[]): Promise<(KeyValue[] | EtcdError)[]> {
  const answer = await ask(looks);
  if (Array.isArray(answer)) return answer;
  if (looks.length === 1) return [answer];
  const half = Math.ceil(looks.length / 2);
  const older = looks.slice(half);
  const newer = await answersOf(ask, looks.slice(0, half));
  const refused = newer.find((one) => !Array.isArray(one));
  return [...newer, ...(refused ? older.map(() => refused) : await answersOf(ask, older))];
}

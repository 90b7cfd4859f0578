/** What a DCS with a memory tells of the past of one cluster's keys. */

/** One write or deletion of a key, or (`kept`) a key as it stood at the oldest revision that is left. */
export interface KeyChange {
  /** Decimal; changes at the same revision were made in one transaction. */
  revision: string;
  /** Below the cluster's prefix: `leader`, `members/pg1`. */
  name: string;
  /** null: deleted. */
  value: string | null;
  /** Lease id, decimal or as the store writes it; null when the key has none, and for a deletion. */
  lease: string | null;
  kept?: true;
}

export interface KeyPast {
  /** The oldest revision of which a change is left; null: none is left. */
  from: string | null;
  /** It was read up to `head`; false when the limit came first. */
  complete: boolean;
  /** The store's revision when the reading began. */
  head: string;
}

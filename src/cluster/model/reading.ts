/** What was asked of a node, and what came of it. */

/**
 * Why a witness did not speak:
 * off: not asked (--verify); no_address: nowhere to ask; unreachable: refused, reset, no route, timed out;
 * denied: answered and refused us (login, certificate, allowlist); misidentified: another name or scope answered;
 * invalid: an answer that could not be read.
 */
export type SilenceKind =
  'off' | 'no_address' | 'unreachable' | 'denied' | 'misidentified' | 'invalid';

/** What a witness said, or why it said nothing. A node that does not answer is data. */
export type Reading<T> =
  | { ok: true; value: T; tookMs: number }
  | {
      ok: false;
      kind: SilenceKind;
      reason: string;
      /** PostgreSQL refused because every connection is taken (too many clients). */
      full?: true;
      /** PostgreSQL itself says that it cannot serve: it starts, stops, is out of something, or its files are bad. */
      cannotServe?: true;
      /** Nothing was asked: a CA, certificate or key file of ours cannot be used. */
      unasked?: true;
    };

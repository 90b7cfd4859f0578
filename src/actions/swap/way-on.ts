/** The two commands with which a swap that stopped halfway goes on, and what is so until then. */
import { formatLsn, type Lsn } from '../../cluster/model/lsn.js';
import { siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import type { LivePair } from './pair.js';

/** As a clause. */
export function wayOn(pair: LivePair): string {
  const { back, on } = commandsOf(pair);
  return `go back with: ${back}; or, once ${pair.there.label} has everything, finish with: ${on}`;
}

function commandsOf({ here, there }: LivePair): { back: string; on: string } {
  return {
    back: siteCommand(here, 'promote-cluster'),
    on: siteCommand(there, 'promote-cluster'),
  };
}

interface Halfway {
  /** Up to where the other site was seen to have everything; null: it was not. */
  position: Lsn | null;
  evidence: Evidence[];
  ending: Exclude<Ending, 'ok'>;
  code: string;
  /** Whether this site was told to become a standby cluster; null: unknown. */
  demoted: boolean | null;
}

/** Both sites are standby clusters, as far as is known: no site takes writes until one is promoted. */
export function bothStandbys(
  pair: LivePair,
  why: string,
  { position, evidence, ending, code, demoted }: Halfway,
): ToolError {
  const { here, there } = pair;
  const { back, on } = commandsOf(pair);
  const has =
    position === null
      ? `it is unknown whether ${there.label} has everything that ${here.label} wrote`
      : `${there.label} has everything that ${here.label} wrote (${formatLsn(position)})`;
  const finish =
    position === null
      ? `only where ${here.label} is lost (its last commits may be missing): ${on}`
      : `finish with: ${on}`;
  const mine =
    demoted === true
      ? `${here.label} is a standby cluster`
      : `it is unknown whether ${here.label} was told to become a standby cluster`;
  const message = `${why}; ${mine}, and ${has}`;
  const first = position === null ? `go back with: ${back}` : finish;
  const second =
    position === null ? finish : `or, if ${there.label} is not a primary, go back with: ${back}`;
  return new ToolError(ending, message, { code, evidence, hint: `${first}\n${second}` });
}

/** The promotion was sent, and nothing tells whether it was written: here must not be promoted meanwhile. */
export function promotionUnknown(
  { here, there }: LivePair,
  position: Lsn,
  evidence: Evidence[],
): ToolError {
  const message =
    `it is unknown whether ${there.label} was told to become a primary cluster; ` +
    `it has everything that ${here.label} wrote (${formatLsn(position)}), and ${here.label} is a standby cluster`;
  const see = siteCommand(there, 'show-config');
  return new ToolError('unconfirmed', message, {
    code: 'promotion_unknown',
    evidence,
    hint:
      `look first whether standby_cluster is still there: ${see}\n` +
      `if it is gone, ${there.label} becomes the primary by itself; if it is there, finish with: ` +
      `${siteCommand(there, 'promote-cluster')}; do not promote ${here.label} before`,
  });
}

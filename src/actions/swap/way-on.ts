/** The two commands with which a swap that stopped halfway goes on, and what is so until then. */
import { formatLsn, type Lsn } from '../../cluster/model/lsn.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Ending, type Evidence } from '../../errors.js';
import type { LivePair, LiveSite } from './pair.js';

/** As a clause. */
export function wayOn(pair: LivePair): string {
  const { back, on } = commandsOf(pair);
  return `go back with: ${back}; or, once ${pair.there.label} has everything, finish with: ${on}`;
}

/** The same once the other site may have been told to become the primary: going back would make two. */
export function wayOnPromoting({ here, there }: LivePair): string {
  return unknownHint(there, here, 'finish').replaceAll('\n', '; ');
}

function commandsOf({ here, there }: LivePair): { back: string; on: string } {
  return {
    back: siteCommand(here, 'promote-cluster'),
    on: siteCommand(there, 'promote-cluster'),
  };
}

interface Halfway {
  /** Up to where the other site was seen to have everything; null: it was not. */
  position: string | null;
  evidence: Evidence[];
  ending: Exclude<Ending, 'ok'>;
  /** Whether this site was told to become a standby cluster; null: unknown. */
  demoted: boolean | null;
}

/** Both sites are standby clusters, as far as is known, and none was told to become the primary. */
export function bothStandbys(
  pair: LivePair,
  why: string,
  { position, evidence, ending, demoted }: Halfway,
): ToolError {
  const { here, there } = pair;
  const { back, on } = commandsOf(pair);
  const has =
    position === null
      ? `it is unknown whether ${there.label} has everything that ${here.label} wrote`
      : `${there.label} has everything that ${here.label} wrote (${position})`;
  const finish =
    position === null
      ? `only where ${here.label} is lost (its last commits may be missing): ${on}`
      : `or finish with: ${on}`;
  const mine =
    demoted === true
      ? `${here.label} is a standby cluster`
      : `it is unknown whether ${here.label} was told to become a standby cluster`;
  return new ToolError(ending, `${why}; ${mine}, and ${has}`, {
    code: 'no_primary',
    evidence,
    hint: `go back with: ${back}\n${finish}`,
  });
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
  const hint = unknownHint(there, here, 'finish');
  return new ToolError('unconfirmed', message, { code: 'promotion_unknown', evidence, hint });
}

/** The promotion was written, and no primary was seen: here must not be promoted meanwhile. */
export function notPromotedInTime(
  { here, there }: LivePair,
  position: Lsn,
  evidence: Evidence[],
): ToolError {
  const message =
    `${there.label} was told to become a primary cluster, and no member of it was seen as a primary in time; ` +
    `it has everything that ${here.label} wrote (${formatLsn(position)}), and ${here.label} is a standby cluster`;
  const hint = comesHint(there, here);
  return new ToolError('unconfirmed', message, { code: 'not_promoted_in_time', evidence, hint });
}

interface OtherPromoted {
  /** The primary. */
  name: string;
  timeline: number;
  /** The member that was seen to have everything up to `position` of timeline `before`. */
  next: string;
  position: Lsn;
  before: number;
}

/** The other site failed over right then: what was seen of its old leader need not hold for the new one. */
export function otherPromoted(
  { here, there }: LivePair,
  { name, timeline, next, position, before }: OtherPromoted,
): ToolError {
  const who = memberOf(there, name);
  return new ToolError(
    'failed',
    `${who} became the primary, not ${next}: it is unknown whether it has the last commits of ${here.label}`,
    {
      code: 'other_member_promoted',
      evidence: [{ witness: 'DCS', subject: '/leader', said: `${name}, on timeline ${timeline}` }],
      hint:
        `it has them if timeline ${before} ended there at ${formatLsn(position)} or later: ${siteCommand(there, 'history')}\n` +
        `see whether ${here.label} follows: ${siteCommand(here, 'check')}`,
    },
  );
}

interface NotBack {
  /** Whether it is written that this site is a primary cluster; else unknown. */
  isWritten: boolean;
  evidence: Evidence[];
  ending: Exclude<Ending, 'ok'>;
}

/** This site was told to become the primary again, or perhaps: the other one must not be promoted meanwhile. */
export function notBackYet(
  { here, there }: LivePair,
  why: string,
  { isWritten, evidence, ending }: NotBack,
): ToolError {
  const said = isWritten
    ? `${here.label} is a primary cluster in its configuration, and no member of it was seen as a primary in time`
    : `it is unknown whether ${here.label} was told to become the primary again`;
  return new ToolError(ending, `${why}; ${said}`, {
    code: isWritten ? 'not_back_in_time' : 'back_unknown',
    evidence,
    hint: isWritten ? comesHint(here, there) : unknownHint(here, there, 'go back'),
  });
}

/** standby_cluster of `site` may be gone. */
function unknownHint(site: LiveSite, other: LiveSite, goal: string): string {
  return (
    `look first whether standby_cluster is still there: ${siteCommand(site, 'show-config')}\n` +
    `if it is gone, ${site.label} becomes the primary by itself; if it is there, ${goal} with: ` +
    `${siteCommand(site, 'promote-cluster')}; do not promote ${other.label} before`
  );
}

/** standby_cluster of `site` is gone. */
function comesHint(site: LiveSite, other: LiveSite): string {
  return (
    `${site.label} becomes the primary by itself as soon as a member can; see: ${siteCommand(site, 'list')}\n` +
    `do not promote ${other.label} meanwhile; see why it takes so long: ${siteCommand(site, 'check')}`
  );
}

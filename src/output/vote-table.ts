/** The vote table, and the answer to why-not, for people. */
import type { QuorumDocument, QuorumMember } from '../cluster/documents/quorum-document.js';
import type { WhyNotDocument } from '../cluster/documents/why-not-document.js';
import type { Outcome } from '../cluster/votes/vote-rules.js';
import { remembered } from '../cluster/model/remembered.js';
import { plural } from '../cluster/model/words.js';
import { grid, type Fit } from './grid.js';
import type { Narrowing } from './fit.js';
import type { Screen } from './screen.js';
import { oneLine } from './text.js';

/** Sentences go below the words. */
const NARROWINGS: readonly Narrowing[] = [
  { below: ['Why', 'Members or reason', 'Found'] },
  'headers',
  { below: ['Lost', 'Voter'] },
];

/** Which members may win with which votes, the votes of each member, the leader's gate, and what is survived. */
export async function quorumText(document: QuorumDocument, screen: Screen): Promise<string> {
  const { members, gate, survives, dataLoss, leader } = document;
  const fit = { screen, narrowings: NARROWINGS };
  const votes = members.length > MOST_SINGLY ? votesByVoter(members) : singleVotes(members);
  const ifLost = leader === null ? 'If a member took the lock now' : 'If it were lost now';
  const gates = gate === null ? [] : [gate.unnamed, ...gate.named];
  const gateRows = gates.map((one) => [
    one.candidate ?? '(nobody)',
    one.passes,
    `${one.healthy.length} of ${one.needed}`,
    one.reasons.join('; ') || one.healthy.join(', '),
  ]);
  const parts = [
    lines(headLines(document)),
    lines(['', leader === null ? 'In the race for the free lock' : 'If the leader were lost now']),
    await memberGrid(members, fit),
    votes.length === 0 ? '' : lines(['', 'Each vote']),
    votes.length === 0 ? '' : await grid(['For', 'Voter', 'Votes', 'Why'], votes, [], fit),
    gates.length === 0 ? '' : lines(['', `Would ${leader ?? ''} step down for a switchover`]),
    gates.length === 0
      ? ''
      : await grid(['To', 'Passes', 'Healthy', 'Members or reason'], gateRows, [], fit),
    lines(['', capital(survives.sentence), `${ifLost}: ${lossWords(dataLoss)}`]),
    await afterPrimaryText(document, fit),
  ];
  return parts.join('');
}

async function memberGrid(members: readonly QuorumMember[], fit: Fit): Promise<string> {
  const titles = ['Member', 'Can win', 'Votes', 'Voter', 'Lost', 'Why'];
  const isLarge = members.length > MOST_SINGLY;
  const cells = members.map((one) => memberCells(one, isLarge ? MOST_NAMED : Infinity));
  return await grid(titles, cells, [], fit);
}

async function afterPrimaryText({ afterPrimary }: QuorumDocument, fit: Fit): Promise<string> {
  if (afterPrimary === null) return '';
  const { primary, members, survives, dataLoss } = afterPrimary;
  return [
    lines(['', `If the primary ${primary}, which runs without the lock, were lost too`]),
    await memberGrid(members, fit),
    lines([
      '',
      capital(survives.sentence),
      `If a member took the lock then: ${lossWords(dataLoss)}`,
    ]),
  ].join('');
}

/** Of so many members each vote has its own line; of more those of one voter that are alike are one line. */
const MOST_SINGLY = 20;
const MOST_NAMED = 3;

function singleVotes(members: readonly QuorumMember[]): string[][] {
  return members.flatMap((one) =>
    one.votes.map((vote) => [one.name, vote.name, vote.voted, vote.why]),
  );
}

interface Alike {
  names: string[];
  vote: QuorumMember['votes'][number];
}

function votesByVoter(members: readonly QuorumMember[]): string[][] {
  const alike = new Map<string, Alike>();
  // Members of one position share what they hear: one text for all of them.
  const known = new Map<QuorumMember['votes'][number], Alike>();
  const lineOf = (vote: QuorumMember['votes'][number]): Alike => {
    const key = JSON.stringify([vote.name, vote.voted, vote.why]);
    return remembered(alike, key, () => ({ names: [], vote }));
  };
  for (const { name, votes } of members) {
    for (const vote of votes) remembered(known, vote, () => lineOf(vote)).names.push(name);
  }
  return [...alike.values()].map(({ names, vote }) => [
    names.length > MOST_NAMED ? plural(names.length, 'member') : names.join(', '),
    vote.name,
    vote.voted,
    vote.why,
  ]);
}

function standbyNote({ standbyCluster, members, mode }: QuorumDocument): string {
  if (!standbyCluster) return '';
  const needed = members.find((one) => one.needed > 0)?.needed ?? 0;
  if (mode !== 'quorum' || needed === 0) return 'standby cluster: no votes are counted';
  return `standby cluster: ${needed} votes are needed: /sync asks for them, and no member updates it here`;
}

function versionsNote({ mixedVersions }: QuorumDocument): string {
  if (mixedVersions === null) return '';
  return `${mixedVersions.join(' and ')} count differently: each member is judged by its own version`;
}

function headLines(document: QuorumDocument): string[] {
  const { cluster, group, leader, leaderState, sync, mode } = document;
  const state = leaderState === 'none' ? '' : `, ${leaderState}`;
  const notes = [
    standbyNote(document),
    document.syncWorkedOut === null
      ? ''
      : `/sync was not read; it follows from ${document.syncWorkedOut}`,
    versionsNote(document),
    document.paused ? 'paused: no leader race' : '',
  ].filter((note) => note !== '');
  const said =
    sync === null
      ? mode === 'off' || document.standbyCluster
        ? mode
        : document.syncUnknown === null
          ? `${mode}, but /sync is empty`
          : `${mode}, /sync is unknown: ${document.syncUnknown}`
      : `${mode}, /sync of ${sync.leader} names ${sync.voters.join(', ') || 'none'}` +
        (mode === 'quorum' ? `, quorum ${sync.quorum}` : '');
  return [
    `Cluster  ${cluster}${group === null ? '' : ` group ${group}`}`,
    `Leader   ${leader ?? 'none'}${state}`,
    `Sync     ${said}`,
    ...notes.map((note) => `Note     ${note}`),
  ];
}

/** `most`: so many reasons are written, the others counted. */
function memberCells(one: QuorumMember, most: number): string[] {
  const open = one.possible > one.counted ? ` (perhaps ${one.possible})` : '';
  return [
    one.name,
    one.mayWin,
    one.needed === 0 ? '-' : `${one.counted} of ${one.needed}${open}`,
    one.voter ? 'yes' : 'no',
    { none: 'nothing', possible: 'commits', unknown: 'unknown' }[one.dataLoss.verdict],
    firstOf(one.reasons, most).join('; '),
  ];
}

/** In a large cluster each member that is behind has as many reasons as members are ahead of it. */
function firstOf(reasons: readonly string[], most: number): string[] {
  if (reasons.length <= most) return [...reasons];
  return [...reasons.slice(0, most), `and ${reasons.length - most} more (see -f json)`];
}

function lossWords({ verdict, words, because }: QuorumDocument['dataLoss']): string {
  return verdict === 'unknown' ? `data loss is ${words}` : `${words}: ${because}`;
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

const COULD: Record<Outcome, string> = {
  yes: 'could be promoted',
  no: 'would not be promoted',
  unknown: 'may or may not be promoted',
};

/** The answer first; then the checks of a switchover in Patroni's order, then the race. */
export async function whyNotText(document: WhyNotDocument, screen: Screen): Promise<string> {
  const { member, leader, switchover, race, afterPrimary } = document;
  if (member === leader) return lines([`${member} is already the leader`]);
  const parts: string[] = [];
  if (switchover) {
    const rows = switchover.steps.map(({ asks, check, result, said }) => [
      asks,
      check,
      result,
      said,
    ]);
    parts.push(
      lines([`By a switchover now: ${member} ${COULD[switchover.could]}`]),
      await grid(['Asks', 'Check', 'Result', 'Found'], rows, [], {
        screen,
        narrowings: NARROWINGS,
      }),
      lines(
        switchover.steps
          .filter(({ result, next }) => result !== 'ok' && next !== null)
          .map(({ check, next }) => `  ${check}: ${next ?? ''}`),
      ),
    );
  }
  if (race) {
    const when =
      leader === null ? 'In the leader race (there is no leader)' : 'If the leader were lost now';
    const votes = race.needed === 0 ? '' : `, with ${race.counted} of ${race.needed} votes`;
    parts.push(lines([`${when}: ${member} ${COULD[race.could]}${votes}`]));
    parts.push(lines(race.reasons.map((reason) => `  ${reason}`)));
  }
  if (afterPrimary) {
    const { primary, could, counted, needed, reasons } = afterPrimary;
    const votes = needed === 0 ? '' : `, with ${counted} of ${needed} votes`;
    parts.push(
      lines([`If the primary ${primary} were lost too: ${member} ${COULD[could]}${votes}`]),
      lines(reasons.map((reason) => `  ${reason}`)),
    );
  }
  return parts.join('');
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${oneLine(text)}\n`).join('');
}

/** `patctl explain` on a screen. */
import type {
  ExplainDocument,
  LineDocument,
  StoryDocument,
} from '../cluster/documents/explain-document.js';
import type { CauseCode, StorySource } from '../cluster/story/story-model.js';
import { asCalled } from './as-called.js';
import { cells, fold, NO_COMMAND, type Screen } from './screen.js';
import { oneLine } from './text.js';

export const CAUSE_WORDS: Readonly<Record<CauseCode, string>> = {
  switchover: 'a planned switchover',
  manual_failover: 'a manual failover',
  patroni_stopped: 'Patroni on the leader was stopped',
  patroni_killed: "the leader's Patroni was killed or crashed",
  node_lost: "the leader's host went down",
  patroni_frozen: "the leader's Patroni, or its host, was frozen or overloaded",
  node_frozen: "the leader's host was frozen",
  leader_cut_off: 'the leader could not reach the DCS',
  dcs_unreachable: 'the DCS did not answer any member',
  lock_not_renewed: 'the lock could not be renewed within ttl',
  shutdown_too_slow: "the leader's PostgreSQL took longer than ttl to shut down",
  postgres_hung: "the leader's PostgreSQL did not answer its Patroni",
  postgres_crashed: "the leader's PostgreSQL crashed or was killed",
  postgres_stopped: "the leader's PostgreSQL was stopped, and not by Patroni",
  disk_full: "the leader's disk was full",
  out_of_memory: "the leader's PostgreSQL ran out of memory",
  postgres_start_failed: "the leader's PostgreSQL could not be started",
  postgres_start_timeout: "the leader's PostgreSQL took too long to start",
  postgres_stopped_in_pause: "the leader's PostgreSQL was stopped while the cluster was paused",
  data_directory_gone: "the leader's data directory was gone",
  watchdog_fired: "the watchdog restarted the leader's host",
  watchdog: "the leader's watchdog could not be activated",
  key_deleted: 'the leader key was deleted manually',
  cluster_removed: 'the keys of the cluster were deleted',
  demoted_to_standby_cluster: 'the cluster was demoted to a standby cluster',
  promotion_cancelled: 'the pre_promote script failed',
};

export function explainText(
  { cluster, stories, sources, known }: ExplainDocument,
  screen: Screen,
): string {
  const title = cluster === null ? '' : `${oneLine(cluster)}: `;
  const told = stories.flatMap((story) => [...storyLines(story, title, screen), '']);
  const none =
    known === 0
      ? 'no change of leader is recorded'
      : `nothing is recorded for what was asked (${known} ${known === 1 ? 'change' : 'changes'} of leader known)`;
  const lines = told.length > 0 ? told : [`${title}${none}`, ''];
  return `${[...lines, ...sourceLines(sources, screen)].join('\n')}\n`;
}

function storyLines(story: StoryDocument, title: string, screen: Screen): string[] {
  const { verdict } = story;
  const facts: [string, string][] = [
    ['Verdict', `${verdict.message}${verdict.sure === null ? '' : ` (${verdict.sure})`}`],
    ...verdict.fits.map((cause, at): [string, string] => [
      at === 0 ? 'Fits' : '',
      CAUSE_WORDS[cause],
    ]),
    ...(verdict.missing === null ? [] : [['Missing', verdict.missing] as [string, string]]),
    ['Writes', writesText(story)],
    ...(story.loss === null ? [] : [['Lost', story.loss.message] as [string, string]]),
    ...verdict.next.map((next, at): [string, string] => [
      at === 0 ? 'Next' : '',
      asCalled(next, screen.command),
    ]),
  ];
  return [
    ...wrapped(`${title}${headline(story)}`, '', screen),
    '',
    ...facts.flatMap(([label, text]) => wrapped(oneLine(text), `  ${label.padEnd(7)}  `, screen)),
    '',
    ...timeLines(story.lines, screen),
  ];
}

function headline({ from, to, at, timeline }: StoryDocument): string {
  const when = at === null ? ' at an unknown time' : ` at ${shown(at)}`;
  const ended = timeline === null ? '' : ` (timeline ${timeline} ended)`;
  const [old, now] = [from, to].map((name) =>
    name === null ? 'an unknown member' : oneLine(name),
  );
  if (from !== null && from === to && timeline === null)
    return `trouble of the leader ${old ?? ''}${when}`;
  if (from === to && from !== null)
    return `${old ?? ''} lost the lock and took it again${when}${ended}`;
  if (to === null) return `${old ?? ''} lost the lock${when}; no member took it`;
  return `the leader changed from ${old ?? ''} to ${now ?? ''}${when}${ended}`;
}

const shown = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;

function writesText({ writes, from }: StoryDocument): string {
  const { atLeastMs, atMostMs, oldLeaderWentOn } = writes;
  const old = from === null ? 'the old leader' : oneLine(from);
  const on = oldLeaderWentOn
    ? `${old} may have accepted writes until its PostgreSQL was stopped: what was written there after the change is lost`
    : null;
  if (atLeastMs === null && atMostMs === null) {
    return on ?? 'how long no member accepted writes is not recorded';
  }
  const bounds = [
    ...(atLeastMs === null ? [] : [`at least ${seconds(atLeastMs)}`]),
    ...(atMostMs === null ? [] : [`at most ${seconds(atMostMs)}`]),
  ];
  return `no member accepted writes for ${bounds.join(', ')}${on === null ? '' : `; ${on}`}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

// ---------------------------------------------------------------- what happened, line by line

const SOURCES: Readonly<Record<StorySource, string>> = {
  recording: 'recording',
  etcd: 'etcd',
  history: '/history',
  'patroni log': 'Patroni',
  'postgresql log': 'PostgreSQL',
  'kernel log': 'kernel',
};

const LOGS: ReadonlySet<StorySource> = new Set<StorySource>([
  'patroni log',
  'postgresql log',
  'kernel log',
]);

const ASIDE: ReadonlySet<string> = new Set(['member_answers', 'member_silent']);

function timeLines(lines: readonly LineDocument[], screen: Screen): string[] {
  let day = '';
  return lines.flatMap((line) => {
    const date = line.at?.slice(0, 10) ?? day;
    const heading = date === day ? [] : [`  ${date} (UTC)`];
    day = date;
    const time = line.at === null ? `rev ${line.revision ?? '-'}` : line.at.slice(11, 23);
    // What a member says of another names whose log it is.
    const log = LOGS.has(line.source) && !ASIDE.has(line.code);
    const who = log
      ? `${oneLine(line.member ?? '')} ${SOURCES[line.source]}`
      : SOURCES[line.source];
    const sure = line.sure === 'said' ? '' : `${line.sure}: `;
    const again =
      line.times > 1
        ? ` (${line.times} times${line.until === null ? '' : `, until ${line.until.slice(11, 19)}`})`
        : '';
    const begin = `  ${time.padEnd(12)}  ${who.padEnd(14)}  `;
    return [...heading, ...wrapped(`${sure}${oneLine(line.message)}${again}`, begin, screen)];
  });
}

function sourceLines(sources: ExplainDocument['sources'], screen: Screen): string[] {
  return sources.flatMap(({ source, name, facts, from, to, problem }, at) => {
    const reach =
      from === null
        ? ''
        : `, ${from.replace('T', ' ').slice(0, 19)} to ${(to ?? '').replace('T', ' ').slice(0, 19)}`;
    const count = `${facts} ${facts === 1 ? 'fact' : 'facts'}`;
    const said = problem === null ? `${count}${reach}` : problem;
    const label = at === 0 ? 'Sources' : '';
    const what = name === '' ? SOURCE_NAMES[source] : `${SOURCE_NAMES[source]} ${oneLine(name)}`;
    return wrapped(`${what}: ${oneLine(said)}`, `  ${label.padEnd(7)}  `, screen);
  });
}

const SOURCE_NAMES: Readonly<Record<StorySource | 'logs', string>> = {
  ...SOURCES,
  'patroni log': "Patroni's log",
  'postgresql log': "PostgreSQL's log",
  'kernel log': "the kernel's log",
  etcd: "etcd's history",
  logs: 'log',
};

/** Folded at blanks behind what it begins with. */
function wrapped(text: string, begin: string, { width }: Screen): string[] {
  const indent = cells(begin);
  if (width === null || indent > width / 2) return [`${begin}${text}`.trimEnd()];
  const parts = fold(text, { width: Math.max(20, width - indent), command: NO_COMMAND });
  return parts.map((part, at) =>
    `${at === 0 ? begin : ' '.repeat(indent)}${at === 0 ? part : part.trimStart()}`.trimEnd(),
  );
}

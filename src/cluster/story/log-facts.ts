/** Facts from the messages of one member's logs, by what Patroni 3.0 to 4.1, PostgreSQL 13 to 18 and Linux write. */
import { parseLsn } from '../model/lsn.js';
import type { LogMessage } from './log-lines.js';
import type { FactCode, FactData, StoryFact } from './story-model.js';

/** Most facts that are kept of one member's logs, the newest. */
export const MOST_LOG_FACTS = 5000;

/** Patroni writes at least one line a loop, and loop_wait is 10 s by default; a longer silence is a fact. */
const SILENCE_MS = 15_000;
/** The gap is also one when it is so many times as long as the gaps before it. */
const USUAL_TIMES = 4;

interface Rule {
  /** For PostgreSQL at the beginning of the message: its messages quote what clients sent. */
  text: RegExp;
  what: FactCode;
  message?: (match: RegExpExecArray) => string;
  data?: (match: RegExpExecArray) => FactData;
  /** The member that it is about; default: the one whose log it is. */
  about?: (match: RegExpExecArray) => string | null;
}

const given = (text: string | undefined): string | null =>
  text === undefined || text === 'None' || text === '' ? null : text;

const PATRONI: readonly Rule[] = [
  {
    text: /no action\. I am \((.+?)\), the (?:standby )?leader with the lock/,
    what: 'patroni_leads',
  },
  {
    text: /no action\. I am \(.+?\), a secondary, and following a (?:standby )?leader \((.+?)\)/,
    what: 'patroni_follows',
    data: ([, leader]) => ({ leader: leader ?? null }),
  },
  {
    text: /received (switchover|failover) request with leader=(.*?) candidate=(.*?) scheduled_at=(.*)$/,
    what: 'failover_requested',
    data: ([, , leader, candidate, at]) => ({
      leader: given(leader),
      candidate: given(candidate),
      scheduledAt: given(at?.trim()),
    }),
  },
  {
    // The last two are of the loops in which it is under way.
    text: /(?:switchover|manual failover|failover): demot(?:ing myself|e in progress|e$)/,
    what: 'patroni_demotes',
    message: ([text]) => text,
    data: () => ({ mode: 'requested' }),
  },
  {
    text: /Demoting self \(([\w-]+)\)/,
    what: 'patroni_demotes',
    data: ([, mode]) => ({ mode: mode ?? '' }),
  },
  {
    text: /promoted self to (?:a standby )?leader (?:by acquiring|because [iI] had)/,
    what: 'patroni_promotes',
  },
  { text: /acquired session lock as a leader/, what: 'patroni_promotes' },
  // Replicas ask the old leader before they take its lock.
  {
    text: /Request failed to (\S+): GET .*?(Connection refused|timed out|No route to host|Network is unreachable)/,
    what: 'member_silent',
    about: ([, name]) => name ?? null,
    message: ([, name, how]) => `Patroni on ${name ?? ''} does not answer: ${how ?? ''}`,
    data: ([, , how]) => ({ how: how === 'Connection refused' ? 'refused' : 'timeout' }),
  },
  {
    text: /(?:Primary|Master) \((\S+)\) is still alive/,
    what: 'member_answers',
    about: ([, name]) => name ?? null,
  },
  {
    text: /Got response from (\S+) \S+: (\{.*)/,
    what: 'member_answers',
    about: ([, name]) => name ?? null,
    message: ([, name, body]) => `Patroni on ${name ?? ''} answers: ${answered(body).join(', ')}`,
    data: ([, , body]) => {
      const [role = '', state = ''] = answered(body);
      return { role, state };
    },
  },
  { text: /Leader key released/, what: 'patroni_released' },
  {
    text: /released leader key voluntarily as data dir (?:empty|not accessible)|data directory is not accessible/,
    what: 'data_directory_gone',
  },
  {
    text: /released leader key voluntarily due to the system ID mismatch/,
    what: 'patroni_released',
    data: () => ({ mode: 'system_id' }),
  },
  {
    text: /removed leader lock because postgres is not running/,
    what: 'patroni_released',
    data: () => ({ mode: 'pause' }),
  },
  {
    text: /removed leader key after trying and failing to start postgres/,
    what: 'postgres_start_failed',
    data: () => ({ mode: 'released' }),
  },
  { text: /failed to start postgres/, what: 'postgres_start_failed' },
  {
    text: /Primary crashed\. Failing over|Master crashed\. Failing over|to fail over after a crash/,
    what: 'failover_after_crash',
  },
  {
    text: /Postgresql is not running\.|starting primary after failure|starting master after failure/,
    what: 'postgres_not_running',
  },
  {
    text: /Demoting self because (?:crash recovery|(?:primary|master) startup) is taking too long|because of startup timeout/,
    what: 'postgres_start_timeout',
  },
  { text: /continue to run as a leader because failsafe mode is enabled/, what: 'failsafe_holds' },
  // While it demotes itself it names that in each loop, also where it reaches the DCS again.
  {
    text: /(?<!leader lock during )demot(?:ing|ed) self because DCS is not accessible/,
    what: 'demoted_without_dcs',
  },
  {
    text: /(?<!self because )DCS is not accessible|Error communicating with DCS|is not responding properly|Can not get cluster from dcs/,
    what: 'dcs_unreachable',
  },
  {
    text: /demoted self because failed to update leader lock/,
    what: 'demoted_without_lock',
    data: () => ({ mode: 'update' }),
  },
  {
    text: /demoting self because I do not have the lock and I was a leader|lost leader lock during/i,
    what: 'demoted_without_lock',
  },
  { text: /failed to update leader lock/, what: 'lock_not_updated' },
  {
    text: /(?:Demoting|Not promoting) self because watchdog could not be activated/,
    what: 'watchdog_failed',
  },
  { text: /Configuration requires (?:a )?watchdog, but /, what: 'watchdog_failed' },
  {
    text: /Timeout during postmaster stop, aborting Postgres|Sending SIGKILL to Postmaster and its children/,
    what: 'postgres_stop_forced',
  },
  { text: /because the pre-promote script failed/, what: 'pre_promote_failed' },
  { text: /running pg_rewind from/, what: 'rewound' },
  {
    text: /Local timeline=(\d+) lsn=([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/,
    what: 'wal_end',
    data: ([, timeline, lsn]) => ({ ...positionData(lsn), timeline: Number(timeline) }),
  },
  {
    // Of the last see isReload().
    text: /Using default value thread_stack_size|Patroni global thread_pool_size|^No PostgreSQL configuration items changed, nothing to reload/,
    what: 'patroni_started',
    message: ([text]) => (text.startsWith('No ') ? text : 'Patroni was started'),
  },
  {
    text: /Leader key is not deleted and Postgresql is not stopped due paused state/,
    what: 'patroni_shutdown',
    data: () => ({ mode: 'pause' }),
  },
];

/** Role and state out of GET /patroni, which a log may have cut short. */
function answered(body = ''): string[] {
  const [role, state] = ['role', 'state'].map(
    (name) => new RegExp(`"${name}": ?"([^"]{1,40})"`).exec(body)?.[1] ?? 'unknown',
  );
  return [role ?? '', state ?? ''];
}

function positionData(text: string | undefined): FactData {
  const lsn = parseLsn(text ?? '');
  return lsn === null ? {} : { lsn };
}

const KERNEL: readonly Rule[] = [
  {
    text: /out of memory: Kill(?:ed)? process \d+ \(([^)]*)\)/i,
    what: 'oom_killed',
    message: ([, program]) => `the kernel ended ${program ?? ''}: out of memory`,
    data: ([, program]) => ({ mode: program ?? '' }),
  },
  { text: /^softdog: Initiating (?:system reboot|panic)/, what: 'watchdog_reset' },
  {
    text: /^Linux version \d/,
    what: 'host_started',
    message: () => 'the kernel of the host started',
  },
];

const NO_SPACE = /No space left on device/;

const POSTGRES: readonly Rule[] = [
  {
    text: /^received (fast|immediate|smart) shutdown request/,
    what: 'postgres_stops',
    data: ([, mode]) => ({ mode: mode ?? '' }),
  },
  { text: /^shutting down$/, what: 'postgres_shutting_down' },
  { text: /^database system is shut down/, what: 'postgres_stopped' },
  { text: /^starting PostgreSQL /, what: 'postgres_starts', message: () => 'starting PostgreSQL' },
  {
    text: /^database system was interrupted|^database system was not properly shut down/,
    what: 'postgres_interrupted',
  },
  {
    text: /^(?:server|[a-z ]+) process \(PID \d+\) was terminated by signal (\d+)|^[a-z ]+ \(PID \d+\) was terminated by signal (\d+)/,
    what: 'postgres_child_killed',
  },
  { text: /^could not fork /, what: 'out_of_memory' },
  { text: /^database system is ready to accept connections/, what: 'postgres_accepts_writes' },
  {
    text: /^selected new timeline ID: (\d+)/,
    what: 'postgres_promoted',
    data: ([, timeline]) => ({ timeline: Number(timeline) }),
  },
  {
    text: /^End of WAL reached on timeline (\d+) at ([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/,
    what: 'replica_saw_end',
    data: ([, timeline, lsn]) => ({ ...positionData(lsn), timeline: Number(timeline) }),
  },
  {
    text: /^could not receive data from WAL stream|^terminating walreceiver due to timeout/,
    what: 'replica_lost_primary',
  },
  {
    text: /^invalid record length at ([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/,
    what: 'wal_end',
    data: ([, lsn]) => positionData(lsn),
  },
];

export interface LogFacts {
  add(message: LogMessage): void;
  facts(): StoryFact[];
  /** The members whose Patroni wrote in it, by their own lines; none where they do not name themselves. */
  names(): string[];
}

export interface LogWindow {
  fromMs: number;
  toMs: number;
}

interface Progress {
  member: string;
  window: LogWindow;
  facts: StoryFact[];
  /** Of Patroni's lines: when the last was and what it said, and how long it usually takes to the next. */
  lastMs: number | null;
  lastText: string;
  usualMs: number;
  /**
   * It writes the same line loop after loop. With log.deduplicate_heartbeat_logs it does not, and its silence says
   * nothing.
   */
  isBeating: boolean;
  lastBeat: string | null;
  /** When the last loop ended, if nothing but a reload followed: only then Patroni reloads its configuration. */
  loopMs: number | null;
  /** A reload that the next line of Patroni may show to be a start. */
  reload: StoryFact | null;
  /** A message without a time is taken for one of the time before. */
  timeMs: number | null;
  /** A message of PostgreSQL was read. */
  hasPostgres: boolean;
  /** The first and the last of PostgreSQL in the window; null: none. */
  postgres: { fromMs: number; toMs: number } | null;
  /** A fact of Patroni was told. */
  hasPatroni: boolean;
  /** How its Patroni names itself. */
  names: Set<string>;
}

/** `clean` takes out secrets and what a terminal must not see. */
export function logFacts(
  member: string,
  window: LogWindow,
  clean: (text: string) => string,
): LogFacts {
  const progress: Progress = {
    member,
    window,
    facts: [],
    lastMs: null,
    lastText: '',
    usualMs: SILENCE_MS,
    isBeating: false,
    lastBeat: null,
    loopMs: null,
    reload: null,
    timeMs: null,
    hasPostgres: false,
    postgres: null,
    hasPatroni: false,
    names: new Set(),
  };
  return {
    add: (message) => {
      const atMs = message.atMs ?? progress.timeMs;
      progress.timeMs = atMs;
      if (message.program === 'patroni') settleReload(progress, message.text, atMs);
      if (message.program === 'patroni' && atMs !== null) silence(progress, atMs, message.text);
      if (message.program === 'patroni') nameIn(progress, message.text);
      const isFirst = message.program === 'postgresql' && !progress.hasPostgres;
      progress.hasPostgres ||= isFirst;
      const isBegin = message.program === 'patroni' && !progress.hasPatroni;
      if (atMs !== null && (atMs < window.fromMs || atMs > window.toMs)) return;
      if (message.program === 'postgresql') covers(progress, message.atMs);
      const fact = factOf(member, message, atMs, clean);
      if (fact && isFirst && STARTS.has(fact.what)) fact.data = { ...fact.data, isFirst };
      if (fact?.member === member && isBegin) {
        fact.data = { ...fact.data, isFirst: true };
        progress.hasPatroni = true;
      }
      if (fact && isReload(progress, fact, atMs)) progress.reload = fact;
      else if (fact) keep(progress, fact);
    },
    facts: () => {
      settleReload(progress, '', null);
      return [...ended(progress), ...covered(progress)];
    },
    names: () => [...progress.names],
  };
}

/**
 * Patroni writes this after a reload too, and before 3.3 nothing else of its start. It reloads at the end of a loop, at
 * once; where the loops are not written (log.deduplicate_heartbeat_logs) the version is newer.
 */
function isReload({ loopMs, isBeating }: Progress, fact: StoryFact, atMs: number | null): boolean {
  if (fact.what !== 'patroni_started' || !fact.message.startsWith(NO_CHANGE)) return false;
  return loopMs !== null && (!isBeating || (atMs ?? 0) - loopMs <= AT_ONCE_MS);
}

/** A Patroni that was started looks for its PostgreSQL at once; one that runs does so in its next loop. */
function settleReload(progress: Progress, next: string, nextMs: number | null): void {
  const { reload } = progress;
  progress.reload = null;
  if (reload === null) return;
  const isSoon = (nextMs ?? Infinity) - Date.parse(reload.at ?? '') <= AT_ONCE_MS;
  const isStart = isSoon && FIRST_LOOK.test(next);
  keep(progress, isStart ? reload : { ...reload, what: 'patroni_reloaded' });
}

/** It takes 1 to 200 ms. */
const AT_ONCE_MS = 1000;
const FIRST_LOOK = /^Postgresql is not running\.|^establishing a new patroni /;
const NO_CHANGE = 'No PostgreSQL configuration items changed';

function nameIn({ names }: Progress, text: string): void {
  const found = /^Lock owner: .*; I am (\S+)$|no action\. I am \((.+?)\)/.exec(text);
  const name = found?.[1] ?? found?.[2];
  if (name !== undefined && names.size < MOST_NAMES) names.add(name);
}

const MOST_NAMES = 100;

const STARTS: ReadonlySet<FactCode> = new Set<FactCode>([
  'postgres_starts',
  'postgres_interrupted',
]);

/** Nothing was written for much longer than usual: the process stood still, or there was none. */
function silence(progress: Progress, atMs: number, text: string): void {
  const { lastMs, lastText, member, window } = progress;
  progress.lastMs = atMs;
  progress.lastText = text;
  if (BETWEEN_LOOPS.test(text)) progress.loopMs = atMs;
  else if (!text.startsWith(NO_CHANGE)) progress.loopMs = null;
  if (HEARTBEAT.test(text)) {
    progress.isBeating ||= text === progress.lastBeat;
    progress.lastBeat = text;
  } else if (!LOOP_BEGINS.test(text)) progress.lastBeat = null;
  if (lastMs === null || !progress.isBeating) return;
  const gapMs = atMs - lastMs;
  if (gapMs <= 0) return;
  const isLong = gapMs >= Math.min(SILENCE_MS, Math.max(3000, progress.usualMs * USUAL_TIMES));
  if (!isLong) {
    // Several lines come together: only what is between loops counts.
    if (gapMs > 500)
      progress.usualMs =
        progress.usualMs === SILENCE_MS ? gapMs : progress.usualMs * 0.8 + gapMs * 0.2;
    return;
  }
  if (atMs < window.fromMs || lastMs > window.toMs) return;
  const from = new Date(lastMs).toISOString();
  keep(progress, {
    at: from,
    until: new Date(atMs).toISOString(),
    revision: null,
    source: 'patroni log',
    member,
    what: 'patroni_silent',
    message: `Patroni wrote nothing for ${(gapMs / 1000).toFixed(1)} s`,
    sure: 'seen',
    data: { ms: gapMs, mode: BETWEEN_LOOPS.test(lastText) ? 'between loops' : 'in loop' },
  });
}

const HEARTBEAT = /^(?:PAUSE: )?no action\. /;
const LOOP_BEGINS = /^Lock owner: /;
/** After such a line Patroni waits for its next loop; after another it waits for an answer. */
const BETWEEN_LOOPS = /^(?:PAUSE: )?no action\. |^Loop time exceeded/;

function ended(progress: Progress): StoryFact[] {
  const { lastMs, member, window, facts } = progress;
  if (lastMs === null || lastMs < window.fromMs || lastMs > window.toMs) return facts;
  if (!progress.isBeating) return facts;
  const end: StoryFact = {
    at: new Date(lastMs).toISOString(),
    revision: null,
    source: 'patroni log',
    member,
    what: 'patroni_log_ends',
    message: "the last line of Patroni's log",
    sure: 'seen',
    // How long others went on in the same file.
    data: {
      mode: BETWEEN_LOOPS.test(progress.lastText) ? 'between loops' : 'in loop',
      ms: Math.max(0, (progress.timeMs ?? lastMs) - lastMs),
    },
  };
  return [...facts, end];
}

function covers(progress: Progress, atMs: number | null): void {
  if (atMs === null) return;
  const { fromMs, toMs } = progress.postgres ?? { fromMs: atMs, toMs: atMs };
  progress.postgres = { fromMs: Math.min(fromMs, atMs), toMs: Math.max(toMs, atMs) };
}

/** PostgreSQL went on, also where it wrote nothing that is a fact. */
function covered({ postgres, member }: Progress): StoryFact[] {
  if (postgres === null) return [];
  return [
    {
      at: new Date(postgres.fromMs).toISOString(),
      until: new Date(postgres.toMs).toISOString(),
      revision: null,
      source: 'postgresql log',
      member,
      what: 'postgres_log_covers',
      message: 'the first and the last message of PostgreSQL',
      sure: 'seen',
    },
  ];
}

/** What is said again and again is one fact, with the first and the last time. */
function keep(progress: Progress, fact: StoryFact): void {
  const { facts } = progress;
  const before = REPEATED.has(fact.what) ? lastOf(facts, fact) : undefined;
  if (before) {
    before.times = (before.times ?? 1) + 1;
    if (fact.at !== null) before.until = fact.at;
    return;
  }
  facts.push(fact);
  if (facts.length > MOST_LOG_FACTS) facts.splice(0, facts.length - MOST_LOG_FACTS);
}

const REPEATED: ReadonlySet<FactCode> = new Set<FactCode>([
  'patroni_leads',
  'patroni_follows',
  'dcs_unreachable',
  'failsafe_holds',
  'postgres_not_running',
  'disk_full',
  'wal_end',
  'patroni_demotes',
  'out_of_memory',
  'lock_not_updated',
  'data_directory_gone',
  'patroni_started',
  'patroni_reloaded',
  'postgres_start_failed',
  'watchdog_failed',
  'oom_killed',
]);

/** Facts that others may stand between: how far back the same one is looked for. */
const BACK = 3;
/** After a longer time it is another occasion. */
const TOGETHER_MS = 60_000;

const BY_MESSAGE: ReadonlySet<FactCode> = new Set<FactCode>([
  'wal_end',
  'patroni_demotes',
  'oom_killed',
]);

function lastOf(
  facts: readonly StoryFact[],
  { what, data, message, at }: StoryFact,
): StoryFact | undefined {
  const same = (one: StoryFact): boolean =>
    one.what === what &&
    one.data?.leader === data?.leader &&
    (!BY_MESSAGE.has(what) || one.message === message) &&
    Date.parse(at ?? '') - Date.parse(one.until ?? one.at ?? '') <= TOGETHER_MS;
  return facts
    .slice(what === 'patroni_leads' || what === 'patroni_follows' ? -1 : -BACK)
    .findLast(same);
}

function factOf(
  member: string,
  { program, level, text, sqlstate }: LogMessage,
  atMs: number | null,
  clean: (text: string) => string,
): StoryFact | null {
  const make = (what: FactCode, message: string, data?: FactData): StoryFact => ({
    at: atMs === null ? null : new Date(atMs).toISOString(),
    revision: null,
    source: `${program} log`,
    member,
    what,
    message: clean(message).slice(0, MOST_TEXT),
    sure: 'said',
    ...(data ? { data } : {}),
  });
  if (program === 'postgresql') {
    if (QUOTED.has(level)) return null;
    const isFull = sqlstate === '53100' || NO_SPACE.test(text);
    if (isFull && SERIOUS.has(level) && !FROM_CLIENT.test(text))
      return make('disk_full', `${level}: ${text}`, { mode: level });
    if (sqlstate === '53200' || /^out of memory/.test(text))
      return make('out_of_memory', `${level}: ${text}`, { mode: level });
    if (level === 'PANIC') return make('postgres_panic', `PANIC: ${text}`);
  }
  const rules = { patroni: PATRONI, postgresql: POSTGRES, kernel: KERNEL }[program];
  for (const rule of rules) {
    const match = rule.text.exec(text);
    if (match === null) continue;
    const said = rule.message?.(match) ?? text;
    const about = rule.about?.(match) ?? member;
    const by = about === member ? '' : ` (log of ${member})`;
    return { ...make(rule.what, `${said}${by}`, rule.data?.(match)), member: about };
  }
  return null;
}

/** What PostgreSQL quotes from clients. */
const QUOTED: ReadonlySet<string> = new Set(['STATEMENT', 'QUERY', 'CONTEXT', 'HINT', 'LOCATION']);
/** With log_statement, log_min_duration_statement or pgaudit the rest is what a client sent. */
const FROM_CLIENT = /^(?:statement|execute |parse |bind |fastpath |duration|AUDIT)/;
const SERIOUS: ReadonlySet<string> = new Set(['LOG', 'ERROR', 'FATAL', 'PANIC']);
const MOST_TEXT = 200;

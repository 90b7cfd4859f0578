/**
 * Lines of Patroni's and PostgreSQL's logs, in each of their formats, to messages. The format is told line by line:
 * both programs often write to one file. A message of several lines is one message, as far as MOST_CHARACTERS.
 */

export interface LogMessage {
  program: 'patroni' | 'postgresql' | 'kernel';
  /** Ms since 1970 UTC; null: the line has no time. */
  atMs: number | null;
  /** As written: INFO, LOG, FATAL …; '' when there is none. */
  level: string;
  text: string;
  /** PostgreSQL's error code, where the format has it. */
  sqlstate: string | null;
}

/** Minutes that a clock without a zone is ahead of UTC, at a time that is given as if it were UTC. */
export type ZoneOffset = (ms: number) => number;

/** The rest of a longer message is left out. */
const MOST_CHARACTERS = 65_536;

export interface LogReader {
  /** The messages that this line completes: one at most. */
  add(line: string): LogMessage | null;
}

export function logReader(offset: ZoneOffset, nowMs = Infinity): LogReader {
  /** Of a message in CSV that is not at its end: its beginning, and whether a quote is open. */
  let begun: string | null = null;
  let isOpen = false;
  return {
    add: (raw) => {
      const line = raw.length > MOST_CHARACTERS ? raw.slice(0, MOST_CHARACTERS) : raw;
      if (begun === null) {
        // The second line of a message of PostgreSQL: whatever it says, it is text of that message.
        if (line === '' || line.startsWith('\t')) return null;
        if (line.startsWith('{')) return fromJson(line, offset);
        if (!CSV.test(line)) return fromText(line, offset, nowMs);
      }
      if (quotes(raw) % 2 === 1) isOpen = !isOpen;
      begun = begun === null ? line : `${begun}\n${line}`.slice(0, MOST_CHARACTERS);
      if (isOpen) return null;
      const whole = begun;
      begun = null;
      return fromCsv(whole, offset);
    },
  };
}

function quotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) count += 1;
  return count;
}

// ---------------------------------------------------------------- time

const STAMP =
  /(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z\b|[+-]\d\d(?::?\d\d)?(?!\d)|[A-Z]{3,5}\b))?/;

/** Hours from UTC; a name that has several meanings is left out. */
const ZONES: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  WET: 0,
  CET: 1,
  WEST: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  JST: 9,
  EST: -5,
  EDT: -4,
  PST: -8,
  PDT: -7,
};

/** What the system log writes: the newest such day that is not in the future. */
const SYSLOG = /^(?:<\d+>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) /;
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const DAY_MS = 86_400_000;

function syslogTime(line: string, offset: ZoneOffset, nowMs: number): number | null {
  const [, month = '', day, hour, minute, second] = SYSLOG.exec(line) ?? [];
  const at = MONTHS.indexOf(month);
  if (month === '' || at < 0 || !Number.isFinite(nowMs)) return null;
  const inYear = (year: number): number => {
    const ms = Date.UTC(year, at / 3, Number(day), Number(hour), Number(minute), Number(second));
    return ms - offset(ms) * 60_000;
  };
  const year = new Date(nowMs).getUTCFullYear();
  return inYear(year) <= nowMs + DAY_MS ? inYear(year) : inYear(year - 1);
}

/** Only the beginning of a line is looked at: later a message may speak of other times. */
const PREFIX_CHARACTERS = 160;

function timeOf(line: string, offset: ZoneOffset): number | null {
  const found = STAMP.exec(line.slice(0, PREFIX_CHARACTERS));
  if (found === null) return epochOf(line);
  const [, year, month, day, hour, minute, second, fraction = '0', zone] = found;
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  if (Number.isNaN(ms)) return null;
  return ms + Math.floor(Number(`0.${fraction}`) * 1000) - minutesOf(zone, ms, offset) * 60_000;
}

function minutesOf(zone: string | undefined, ms: number, offset: ZoneOffset): number {
  if (zone === 'Z') return 0;
  const numeric = /^([+-])(\d\d):?(\d\d)?$/.exec(zone ?? '');
  if (numeric) {
    const minutes = Number(numeric[2]) * 60 + Number(numeric[3] ?? 0);
    return numeric[1] === '-' ? -minutes : minutes;
  }
  const hours = ZONES[zone ?? ''];
  return hours === undefined ? offset(ms) : hours * 60;
}

/** PostgreSQL's %n. */
function epochOf(line: string): number | null {
  const found = /^\W{0,3}(1\d{9})\.(\d{3})\b/.exec(line);
  return found ? Number(found[1]) * 1000 + Number(found[2]) : null;
}

// ---------------------------------------------------------------- plain text

/** PostgreSQL writes two blanks after its level, whatever log_line_prefix says. */
const POSTGRES =
  /(?:^|[^\w])(LOG|FATAL|PANIC|ERROR|WARNING|NOTICE|INFO|DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION|DEBUG[1-5]): {2}/;
const PATRONI = /\b(DEBUG|INFO|WARNING|ERROR|CRITICAL|FATAL)\b:?/;

/** Of the kernel, in the system log or as dmesg and journalctl print them, without what stands before. */
const KERNEL =
  /\b(?:(?:Memory cgroup out|Out) of memory: Kill(?:ed)? process |oom-kill:|softdog: |watchdog: watchdog\d+: |Linux version \d).*/;

function fromText(line: string, offset: ZoneOffset, nowMs: number): LogMessage | null {
  const postgres = POSTGRES.exec(line);
  if (postgres && postgres.index < PREFIX_CHARACTERS) {
    return {
      program: 'postgresql',
      atMs: timeOf(line.slice(0, postgres.index), offset),
      level: postgres[1] ?? '',
      text: line.slice(postgres.index + postgres[0].length),
      sqlstate: null,
    };
  }
  const kernel = fromKernel(line, offset, nowMs);
  if (kernel) return kernel;
  const atMs = timeOf(line, offset);
  const level = PATRONI.exec(line.slice(0, PREFIX_CHARACTERS));
  // A line with neither belongs to the message before it, or to another program.
  if (atMs === null && level === null) return null;
  const text =
    level === null ? line : line.slice(level.index + level[0].length).replace(/^[\s:\]|-]+/, '');
  return { program: 'patroni', atMs, level: level?.[1] ?? '', text, sqlstate: null };
}

/** A message of others may quote the kernel: then it has a level, or the quote stands in brackets or behind quotes. */
function fromKernel(line: string, offset: ZoneOffset, nowMs: number): LogMessage | null {
  const found = KERNEL.exec(line);
  const prefix = line.slice(0, found?.index ?? 0);
  if (!found || !KERNEL_PREFIX.test(prefix) || PATRONI.test(prefix)) return null;
  const atMs = timeOf(prefix, offset) ?? syslogTime(prefix, offset, nowMs);
  return { program: 'kernel', atMs, level: '', text: found[0], sqlstate: null };
}

/** A time, a host, `kernel:`, the seconds since the start; each may be missing. */
const KERNEL_PREFIX = /^[\w:.,+<>\- ]{0,100}(?:\[ *\d+\.\d+\] ?)?$/;

// ---------------------------------------------------------------- JSON

const TIME_NAMES = ['timestamp', 'asctime', '@timestamp', 'time', 'ts'];
const TEXT_NAMES = ['message', 'msg', '@message', 'event'];
const LEVEL_NAMES = ['error_severity', 'levelname', 'level', 'severity'];

/** PostgreSQL's jsonlog, and Patroni's log.type json, whose fields can have other names. */
function fromJson(line: string, offset: ZoneOffset): LogMessage | null {
  const values = fieldsOf(line);
  if (values === null) return null;
  const texts = Object.values(values).filter((value): value is string => typeof value === 'string');
  const named = (names: readonly string[]): string | null => {
    const value = names.map((name) => values[name]).find((one) => typeof one === 'string');
    return typeof value === 'string' ? value : null;
  };
  const stamp =
    named(TIME_NAMES) ?? texts.find((text) => /^\d{4}-\d\d-\d\d[T ]\d\d:/.test(text)) ?? '';
  const longest = texts.reduce((most, text) => (text.length > most.length ? text : most), '');
  const sqlstate = values['state_code'];
  return {
    program: typeof values['error_severity'] === 'string' ? 'postgresql' : 'patroni',
    atMs: timeOf(stamp, offset),
    level: named(LEVEL_NAMES) ?? '',
    text: named(TEXT_NAMES) ?? longest,
    sqlstate: typeof sqlstate === 'string' ? sqlstate : null,
  };
}

function fieldsOf(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

// ---------------------------------------------------------------- PostgreSQL's csvlog

const CSV = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [\w+:-]+,(?:"|,|\d)/;
const FIELD = /(?:"((?:[^"]|"")*)"|([^,"]*))(?:,|$)/gy;
/** Of the fields that csvlog has, in order. */
const [SEVERITY, SQLSTATE, MESSAGE, DETAIL] = [11, 12, 13, 14];

function fromCsv(line: string, offset: ZoneOffset): LogMessage | null {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  while (fields.length <= DETAIL && FIELD.lastIndex < line.length) {
    const found = FIELD.exec(line);
    if (found === null) break;
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
  }
  const level = fields[SEVERITY];
  if (level === undefined) return null;
  return {
    program: 'postgresql',
    atMs: timeOf(fields[0] ?? '', offset),
    level,
    text: fields[MESSAGE] ?? '',
    sqlstate: fields[SQLSTATE] ?? null,
  };
}

/** When a change shall take place: ISO 8601 with an offset or an IANA zone, `+30m`, or `now`. */
import { ToolError } from '../../errors.js';

export interface Scheduled {
  /** Milliseconds since the epoch. */
  atMs: number;
  /** The zone that was named; null when an offset or a delay was. */
  zone: string | null;
  /** The offset that was named; null when a zone or a delay was. */
  offsetMs: number | null;
  /** Microseconds beyond those of `atMs`, 0 to 999: Patroni keeps them. */
  micros: number;
}

export interface ScheduleRules {
  nowMs: number;
  /** The user's time zone, as Intl names it. */
  localZone: string;
  /** As patronictl: a time without a zone is local, an invalid time is exit 1, in its words. Otherwise exit 2. */
  naiveIsLocal: boolean;
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(.*)$/;
const OFFSET = /^([+-])(\d\d?)(?::?(\d\d))?$/;
const DELAY = /^\+\s*((?:\d+\s*[dhms]\s*)+)$/i;
const UNIT_MS: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
/** Zones have no offset beyond 14 hours; two days hold every instant a wall time can mean. */
const DAY_MS = 86_400_000;

/** Null: now. ToolError `usage` says what is wrong with the time, in the operator's own terms. */
export function parseSchedule(text: string, rules: ScheduleRules): Scheduled | null {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.toLowerCase() === 'now') return null;
  const when = rules.naiveIsLocal ? inTheirWords(text, rules) : instant(trimmed, rules);
  if (when.atMs <= rules.nowMs) {
    throw wrong('schedule_in_past', `${text} is in the past`, `it is ${utcText(rules.nowMs)} now`);
  }
  return when;
}

/** patronictl's sentence, which scripts look for, above what is wrong. */
function inTheirWords(text: string, rules: ScheduleRules): Scheduled {
  try {
    return instant(text.trim(), rules);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const words = `Unable to parse scheduled timestamp (${text}). It should be in an unambiguous format (e.g. ISO 8601)`;
    const hint = [error.message, error.hint ?? ''].join(': ');
    throw new ToolError('error', words, { code: error.code, hint, cause: error });
  }
}

/** A time with an offset or a zone, or a delay from now, whether it is past or not. ToolError `usage` as above. */
export function instant(text: string, rules: ScheduleRules): Scheduled {
  const delay = DELAY.exec(text);
  if (delay) {
    const atMs = rules.nowMs + delayMs(delay[1] ?? '');
    return { atMs, zone: null, offsetMs: null, micros: 0 };
  }
  const match = TIME.exec(text);
  if (!match) throw unreadable(text);
  const found = inZone(wallTime(match, text), (match[8] ?? '').trim(), text, rules);
  return { ...found, micros: Number((match[7] ?? '').slice(3, 6).padEnd(3, '0')) };
}

function delayMs(text: string): number {
  let sum = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+)\s*([dhms])/gi)) {
    sum += Number(count) * (UNIT_MS[unit.toLowerCase()] ?? 0);
  }
  return sum;
}

/** The wall clock as if it were UTC; refuses the 31st of February. */
function wallTime(match: RegExpExecArray, text: string): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number((part as string | undefined) ?? 0));
  const millis = Number((match[7] ?? '0').slice(0, 3).padEnd(3, '0'));
  const wall = new Date(Date.UTC(year, month - 1, day, hour, minute, second, millis));
  const same =
    wall.getUTCMonth() === month - 1 &&
    wall.getUTCDate() === day &&
    wall.getUTCHours() === hour &&
    wall.getUTCMinutes() === minute &&
    wall.getUTCSeconds() === second;
  if (!same) throw wrong('schedule_unreadable', `${text} does not exist`, EXAMPLES);
  return wall.getTime();
}

type Instant = Omit<Scheduled, 'micros'>;

function inZone(wallMs: number, rest: string, text: string, rules: ScheduleRules): Instant {
  if (/^(z|utc|gmt)$/i.test(rest)) return { atMs: wallMs, zone: null, offsetMs: 0 };
  const offset = OFFSET.exec(rest);
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3] ?? 0);
    const aheadMs = (offset[1] === '-' ? -1 : 1) * minutes * 60_000;
    return { atMs: wallMs - aheadMs, zone: null, offsetMs: aheadMs };
  }
  if (rest === '') {
    if (rules.naiveIsLocal) return instantIn(rules.localZone, wallMs, text);
    throw zoneless(wallMs, text, rules);
  }
  // `10:00+01:00[Europe/Berlin]` says it twice; the zone alone is enough, and both could disagree.
  const named = /^\[?([A-Za-z][\w+-]*(?:\/[\w+-]+)*)\]?$/.exec(rest)?.[1];
  if (named === undefined || !isZone(named)) {
    throw wrong('schedule_zone', `"${rest}" is neither an offset nor an IANA time zone`, EXAMPLES);
  }
  return instantIn(named, wallMs, text);
}

/** The one instant at which the clocks of the zone show this; refuses gaps and doubled hours. */
function instantIn(zone: string, wallMs: number, text: string): Instant {
  const offsets = new Set([-DAY_MS, 0, DAY_MS].map((shift) => offsetMs(zone, wallMs + shift)));
  const instants = [...offsets]
    .map((offset) => wallMs - offset)
    .filter((instant) => instant + offsetMs(zone, instant) === wallMs)
    .sort((a, b) => a - b);
  const [first, second] = instants;
  if (first === undefined) {
    const next = wallMs - Math.min(...offsets);
    const hint = `give ${localText(next, zone)}, or the offset`;
    throw wrong('schedule_gap', `${text} does not exist: the clocks in ${zone} skip it`, hint);
  }
  if (second !== undefined) {
    const hint = `give ${localText(first, zone)} or ${localText(second, zone)}`;
    throw wrong('schedule_twice', `${text} is ambiguous: the clocks in ${zone} are set back`, hint);
  }
  return { atMs: first, zone, offsetMs: null };
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // Abbreviations such as EST or CET are known too, and mean different things to different people.
    return name.includes('/');
  } catch {
    return false;
  }
}

/** What the clocks of the zone are ahead of UTC at an instant. */
function offsetMs(zone: string, atMs: number): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(new Date(atMs));
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  const shown = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  );
  return shown - Math.floor(atMs / 1000) * 1000;
}

/** As it was said, as patronictl repeats it: in the offset or the zone that was named, else in `localZone`. */
export function statedText(when: Scheduled, localZone: string): string {
  const { atMs, zone, offsetMs, micros } = when;
  const text = offsetMs === null ? localText(atMs, zone ?? localZone) : withOffset(atMs, offsetMs);
  const millis = atMs % 1000;
  const isDelay = zone === null && offsetMs === null;
  if (isDelay || (millis === 0 && micros === 0)) return text;
  // Python's isoformat has six digits or none.
  const fraction = String(millis * 1000 + micros).padStart(6, '0');
  return `${text.slice(0, 19)}.${fraction}${text.slice(19)}`;
}

/** 2026-11-21T10:00:00+01:00 */
export function localText(atMs: number, zone: string): string {
  return withOffset(atMs, offsetMs(zone, atMs));
}

function withOffset(atMs: number, offset: number): string {
  const wall = new Date(atMs + offset).toISOString().slice(0, 19);
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number) => String(Math.trunc(value)).padStart(2, '0');
  return `${wall}${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** 2026-11-21T09:00:00Z */
export function utcText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

const EXAMPLES =
  'give e.g. 2026-11-21T10:00+01:00, 2026-11-21T09:00Z, "2026-11-21T10:00 Europe/Berlin", +30m or now';

function unreadable(text: string): ToolError {
  return wrong('schedule_unreadable', `"${text}" is not a valid time`, EXAMPLES);
}

function zoneless(wallMs: number, text: string, { localZone }: ScheduleRules): ToolError {
  const local = localText(wallMs - offsetMs(localZone, wallMs), localZone);
  const hint = `give ${local} if you mean your local time, or ${utcText(wallMs)}`;
  return wrong('schedule_zone', `${text} has neither an offset nor a time zone`, hint);
}

function wrong(code: string, message: string, hint: string): ToolError {
  return new ToolError('usage', message, { code, hint });
}

/** A moment in the past on the command line: `-5m`, `02:15`, or ISO 8601 with an offset or a zone. */
import { instant, localText, utcText } from '../actions/kit/schedule.js';
import { ToolError } from '../errors.js';

const EXAMPLES =
  'give e.g. -5m, -1h30m, 02:15, 02:15:30, 2026-11-21T02:15+01:00 or "2026-11-21T02:15 Europe/Berlin"';

/** ms since 1970. A time of day is that of today in the local zone. ToolError `usage` where it cannot be read, or is not past. */
export function parsePast(
  text: string,
  nowMs: number,
  localZone = Intl.DateTimeFormat().resolvedOptions().timeZone,
): number {
  const atMs = momentMs(text.trim(), nowMs, localZone);
  if (atMs > nowMs) {
    const hint = `it is ${utcText(nowMs)} now`;
    throw new ToolError('usage', `${text} is in the future`, { code: 'time_in_future', hint });
  }
  return atMs;
}

function momentMs(text: string, nowMs: number, localZone: string): number {
  const rules = { nowMs, localZone, naiveIsLocal: false };
  if (text.toLowerCase() === 'now') return nowMs;
  const ago = /^-\s*((?:\d+\s*[dhms]\s*)+)$/i.exec(text)?.[1];
  if (ago !== undefined) return 2 * nowMs - instant(`+${ago}`, rules).atMs;
  if (/^\d\d?:\d\d(?::\d\d)?$/.test(text)) {
    const today = localText(nowMs, localZone).slice(0, 10);
    const time = /^\d:/.test(text) ? `0${text}` : text;
    return instant(`${today}T${time}`, { ...rules, naiveIsLocal: true }).atMs;
  }
  try {
    return instant(text, rules).atMs;
  } catch (error) {
    if (!(error instanceof ToolError) || error.code !== 'schedule_unreadable') throw error;
    throw new ToolError('usage', error.message, { code: 'time_unreadable', hint: EXAMPLES });
  }
}

import { describe, expect, test } from 'vitest';
import { localText, parseSchedule, statedText, utcText } from '../../src/actions/kit/schedule.js';
import { ToolError } from '../../src/errors.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const RULES = { nowMs: NOW, localZone: 'Europe/Berlin', naiveIsLocal: false };

function utc(text: string, rules = RULES): string | null {
  const when = parseSchedule(text, rules);
  return when && utcText(when.atMs);
}

function refusal(text: string, rules = RULES): { ending: string; code: string; hint: string } {
  try {
    parseSchedule(text, rules);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return { ending: error.ending, code: error.code, hint: error.hint ?? '' };
  }
  throw new Error(`${text} was taken`);
}

test.each([
  ['2026-11-21T10:00:30.25+01:00', '2026-11-21T10:00:30.250000+01:00'],
  ['2026-11-21T10:00:30.5 Europe/Lisbon', '2026-11-21T10:00:30.500000+00:00'],
  ['2026-11-21T10:00Z', '2026-11-21T10:00:00+00:00'],
  ['+30m', '2026-03-01T13:30:00+01:00'],
])('%s is repeated as Python writes it', (text, said) => {
  const when = parseSchedule(text, { ...RULES, nowMs: NOW + 7 });
  expect(when && statedText(when, 'Europe/Berlin')).toBe(said);
});

describe('times that are understood', () => {
  test.each([
    ['2026-11-21T10:00+01:00', '2026-11-21T09:00:00Z'],
    ['2026-11-21 10:00:30+0100', '2026-11-21T09:00:30Z'],
    ['2026-11-21T10:00-05', '2026-11-21T15:00:00Z'],
    ['2026-11-21T10:00-03:30', '2026-11-21T13:30:00Z'],
    ['2026-11-21T10:00Z', '2026-11-21T10:00:00Z'],
    ['2026-11-21T10:00 UTC', '2026-11-21T10:00:00Z'],
    ['2026-11-21T10:00 Europe/Berlin', '2026-11-21T09:00:00Z'],
    ['2026-07-21T10:00[Europe/Berlin]', '2026-07-21T08:00:00Z'],
    ['2026-07-21T10:00 America/Argentina/Buenos_Aires', '2026-07-21T13:00:00Z'],
    ['2026-07-21T10:00 Asia/Kathmandu', '2026-07-21T04:15:00Z'],
    ['+30m', '2026-03-01T12:30:00Z'],
    ['+1h30m', '2026-03-01T13:30:00Z'],
    ['+2d', '2026-03-03T12:00:00Z'],
  ])('%s is %s', (text, expected) => {
    expect(utc(text)).toBe(expected);
  });

  test.each(['now', 'NOW', '', ' now '])('"%s" is now', (text) => {
    expect(parseSchedule(text, RULES)).toBeNull();
  });

  test('as patronictl, a time without a zone is local only when that is asked for', () => {
    expect(utc('2026-07-21T10:00', { ...RULES, naiveIsLocal: true })).toBe('2026-07-21T08:00:00Z');
    expect(refusal('2026-07-21T10:00')).toEqual({
      ending: 'usage',
      code: 'schedule_zone',
      hint: 'give 2026-07-21T10:00:00+02:00 if you mean your local time, or 2026-07-21T10:00:00Z',
    });
  });

  test('the hour before and after a change of the clocks', () => {
    expect(utc('2026-03-29T01:59 Europe/Berlin')).toBe('2026-03-29T00:59:00Z');
    expect(utc('2026-03-29T03:00 Europe/Berlin')).toBe('2026-03-29T01:00:00Z');
    expect(utc('2026-10-25T01:59 Europe/Berlin')).toBe('2026-10-24T23:59:00Z');
    expect(utc('2026-10-25T03:00 Europe/Berlin')).toBe('2026-10-25T02:00:00Z');
  });
});

describe('times that are refused, as usage', () => {
  test.each([
    ['2026-03-01T11:59Z', 'schedule_in_past'],
    ['2026-03-01T12:00Z', 'schedule_in_past'],
    ['+0m', 'schedule_in_past'],
    ['2026-02-31T10:00Z', 'schedule_unreadable'],
    ['2026-11-21T25:00Z', 'schedule_unreadable'],
    ['14', 'schedule_unreadable'],
    ['01/02/2027', 'schedule_unreadable'],
    ['10:00 CET', 'schedule_unreadable'],
    ['2026-11-21T10:00 CET', 'schedule_zone'],
    ['2026-11-21T10:00 EST', 'schedule_zone'],
    ['2026-11-21T10:00 Europe/Nowhere', 'schedule_zone'],
    ['2026-03-29T02:30 Europe/Berlin', 'schedule_gap'],
    ['2026-10-25T02:30 Europe/Berlin', 'schedule_twice'],
  ])('%s: %s', (text, code) => {
    expect(refusal(text)).toMatchObject({ ending: 'usage', code });
  });

  test('an hour that comes twice names both', () => {
    expect(refusal('2026-10-25T02:30 Europe/Berlin').hint).toBe(
      'give 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00',
    );
  });

  test('an hour that is skipped names the one the clocks show then', () => {
    expect(refusal('2026-03-29T02:30 Europe/Berlin').hint).toContain('2026-03-29T03:30:00+02:00');
  });
});

test('local text carries its offset, west of Greenwich too', () => {
  expect(localText(NOW, 'America/St_Johns')).toBe('2026-03-01T08:30:00-03:30');
});

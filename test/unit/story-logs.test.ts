/** Logs of Patroni and PostgreSQL in every format, and files as rotation leaves them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, utimesSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { logFacts, type LogWindow } from '../../src/cluster/story/log-facts.js';
import { logReader, type LogMessage } from '../../src/cluster/story/log-lines.js';
import { collectLogs } from '../../src/observe/story/collect-logs.js';
import { logFilesOf, readLines } from '../../src/observe/story/log-files.js';

function messages(...lines: string[]): LogMessage[] {
  const reader = logReader(() => 60, Date.parse('2026-12-01T00:00:00Z'));
  return lines.flatMap((line) => reader.add(line) ?? []);
}

const one = (line: string): unknown[] => {
  const [found] = messages(line);
  const at = typeof found?.atMs === 'number' ? new Date(found.atMs).toISOString() : null;
  return [found?.program, at, found?.level, found?.text];
};

const AT = '2026-11-28T15:21:56.078Z';

describe('a line', () => {
  test.each([
    ['2026-11-28 16:21:56,078 INFO: Lock owner: a', ['patroni', AT, 'INFO', 'Lock owner: a']],
    [
      '2026-11-28 16:21:56,078 - patroni.ha - INFO - Lock owner: a',
      ['patroni', AT, 'INFO', 'Lock owner: a'],
    ],
    [
      'Nov 28 16:21:57 host patroni[1]: 2026-11-28 16:21:56,078 INFO: Lock owner: a',
      ['patroni', AT, 'INFO', 'Lock owner: a'],
    ],
    [
      '{"asctime": "2026-11-28 16:21:56,078", "levelname": "INFO", "message": "Lock owner: a"}',
      ['patroni', AT, 'INFO', 'Lock owner: a'],
    ],
    [
      '2026-11-28 15:21:56.078 UTC [12] LOG:  shutting down',
      ['postgresql', AT, 'LOG', 'shutting down'],
    ],
    ['2026-11-28 16:21:56.078 CET [12] a@b FATAL:  no', ['postgresql', AT, 'FATAL', 'no']],
    ['1795879316.078 [12] LOG:  shutting down', ['postgresql', AT, 'LOG', 'shutting down']],
    ['[12] LOG:  shutting down', ['postgresql', null, 'LOG', 'shutting down']],
    [
      '2026-11-28 15:21:56.078 UTC,"u","d",12,"l",6a,1,"x",2026-11-28 15:00:00 UTC,3/4,0,PANIC,53100,"could ""not"" write",,,,,,,,,"","x",,0',
      ['postgresql', AT, 'PANIC', 'could "not" write'],
    ],
    [
      '{"timestamp":"2026-11-28 15:21:56.078 UTC","pid":1,"error_severity":"LOG","message":"shutting down"}',
      ['postgresql', AT, 'LOG', 'shutting down'],
    ],
    [
      '2026-11-28T15:21:56,078123+00:00 Memory cgroup out of memory: Killed process 7 (postgres) total-vm:1kB',
      ['kernel', AT, '', 'Memory cgroup out of memory: Killed process 7 (postgres) total-vm:1kB'],
    ],
    [
      'Nov 28 16:21:56 db-1 kernel: [ 123.456789] Out of memory: Killed process 7 (postgres) x',
      ['kernel', '2026-11-28T15:21:56.000Z', '', 'Out of memory: Killed process 7 (postgres) x'],
    ],
    [
      'Dec 24 16:21:56 db-1 kernel: softdog: Initiating system reboot',
      ['kernel', '2025-12-24T15:21:56.000Z', '', 'softdog: Initiating system reboot'],
    ],
    [
      '2026-11-28T16:21:56+0100 db-1 kernel: Linux version 6.1.0-13-amd64 (x) #1 SMP',
      ['kernel', '2026-11-28T15:21:56.000Z', '', 'Linux version 6.1.0-13-amd64 (x) #1 SMP'],
    ],
  ])('%s', (line, expected) => {
    expect(one(line)).toEqual(expected);
  });

  test('what quotes the kernel is not of the kernel', () => {
    const quotes = [
      '2026-11-28 16:21:56,078 INFO: Out of memory: Killed process 7 (postgres)',
      "2026-11-28 15:21:56.078 UTC [12] LOG:  statement: select 'Out of memory: Killed process 7 (postgres)'",
      "2026-11-28 16:21:56 db-1 app[7]: 'Out of memory: Killed process 7 (postgres)'",
    ];
    expect(messages(...quotes).map(({ program }) => program)).toEqual([
      'patroni',
      'postgresql',
      'patroni',
    ]);
  });

  test('what a client sent is never taken for a message', () => {
    const facts = logFacts('pg1', { fromMs: -Infinity, toMs: Infinity }, (text) => text);
    const start =
      '2026-11-28 15:21:56.078 UTC,"u","d",12,"l",6a,1,"x",2026-11-28 15:00:00 UTC,3/4,0,LOG,00000,"statement: select';
    for (const message of messages(
      '2026-11-28 15:21:56.078 UTC [12] STATEMENT:  received fast shutdown request',
      "2026-11-28 15:21:56.078 UTC [12] LOG:  statement: select 'received fast shutdown request'",
      '\t2026-11-28 15:21:56.078 UTC [12] LOG:  received fast shutdown request',
      start,
      '2026-11-28 15:21:56.078 UTC [12] LOG:  received fast shutdown request',
      '",,,,,,,,,"","x",,0',
      '2026-11-28 15:22:56.078 UTC [12] LOG:  received smart shutdown request',
    )) {
      facts.add(message);
    }
    expect(facts.facts().map(({ message }) => message)).toEqual([
      'received smart shutdown request',
      'the first and the last message of PostgreSQL',
    ]);
  });
});

describe('facts of a log', () => {
  test('a silence much longer than its loops, and what is said again and again once', () => {
    const facts = logFacts('pg1', { fromMs: -Infinity, toMs: Infinity }, (text) => text);
    const leads = (second: string): string =>
      `2026-11-28 16:21:${second},000 INFO: no action. I am (pg1), the leader with the lock`;
    const seconds = ['10', '12', '14', '16', '18', '45', '47'];
    for (const message of messages(...seconds.map(leads))) facts.add(message);
    const told = facts.facts();
    expect(told.map(({ what, times, message }) => [what, times ?? 1, message])).toEqual([
      ['patroni_leads', 5, 'no action. I am (pg1), the leader with the lock'],
      ['patroni_silent', 1, 'Patroni wrote nothing for 27.0 s'],
      ['patroni_leads', 2, 'no action. I am (pg1), the leader with the lock'],
      ['patroni_log_ends', 1, "the last line of Patroni's log"],
    ]);
  });
});

describe('a log that leaves out repeated heartbeats', () => {
  test('its silence says nothing', () => {
    const facts = logFacts('pg1', { fromMs: -Infinity, toMs: Infinity }, (text) => text);
    for (const message of messages(
      '2026-11-28 16:00:00,000 INFO: no action. I am (pg1), the leader with the lock',
      '2026-11-28 16:20:00,000 INFO: Lock owner: pg1; I am pg1',
      '2026-11-28 16:20:00,100 INFO: Demoting self (immediate-nolock)',
      '2026-11-28 16:20:02,000 INFO: no action. I am (pg1), a secondary, and following a leader (pg2)',
      '2026-11-28 16:40:00,000 INFO: Lock owner: pg2; I am pg1',
    )) {
      facts.add(message);
    }
    expect(facts.facts().map(({ what }) => what)).toEqual([
      'patroni_leads',
      'patroni_demotes',
      'patroni_follows',
    ]);
  });
});

describe('files', () => {
  test('what was rotated away is read first, gzipped or not, and a long line is cut', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'story-'));
    const write = (name: string, text: string | Buffer, age: number): void => {
      writeFileSync(join(folder, name), text);
      utimesSync(join(folder, name), 1_800_000_000 - age, 1_800_000_000 - age);
    };
    write('p.log.2.gz', gzipSync('one\ntwo'), 200);
    write('p.log.1', 'three\r\n', 100);
    write('p.log', `${'x'.repeat(300_000)}\nfour\n`, 0);
    write('p.log.old', 'never', 0);
    const lines: string[] = [];
    const files = await logFilesOf(join(folder, 'p.log'), 0);
    for (const file of files) await readLines(file, (line) => lines.push(line) > 0);
    expect(lines.map((line) => line.slice(0, 5))).toEqual(['one', 'two', 'three', 'xxxxx', 'four']);
    expect((lines[3] ?? '').length).toBeLessThan(200_000);
    expect(await logFilesOf(folder, 1_800_000_000_000 - 50_000)).toEqual([join(folder, 'p.log')]);
  });

  const folder = mkdtempSync(join(tmpdir(), 'patctl-log-'));
  const collected = async (window: LogWindow, limitMs: number | null, lines: string[]) => {
    const path = join(folder, 'c.log');
    writeFileSync(path, `${lines.join('\n')}\n`);
    const { facts, sources } = await collectLogs([{ member: 'pg1', path }], window, limitMs);
    return { facts: facts.map(({ what }) => what), problem: sources[0]?.problem };
  };
  const panic = (at: string): string => `2026-11-28 ${at} UTC [1] PANIC:  no more`;
  const ALL: LogWindow = { fromMs: -Infinity, toMs: Infinity };

  test('logs that no one named are left out where they take too long, and said so', async () => {
    expect(await collected(ALL, -1, [panic('03:00:00')])).toEqual({
      facts: [],
      problem: expect.stringContaining('name its file: --log') as string,
    });
    expect(await collected(ALL, 60_000, [panic('03:00:00')])).toEqual({
      facts: ['postgres_panic', 'postgres_log_covers'],
      problem: null,
    });
  });

  test('a log is left where its lines are later than what is asked for, not at one that only quotes a time', async () => {
    const window = { fromMs: -Infinity, toMs: Date.parse('2026-11-28T04:00:00Z') };
    const later = Array.from({ length: 100 }, () => '2026-11-28 05:00:00 UTC [1] LOG:  later');
    const lines = [later[0] ?? '', panic('03:00:00'), ...later, panic('03:00:01')];
    expect(await collected(window, null, lines)).toEqual({
      facts: ['postgres_panic', 'postgres_log_covers'],
      problem: null,
    });
  });

  test('a gzipped file is known by what is in it, and a folder without a log is said to be one', async () => {
    const zipped = join(folder, 'zipped.log');
    writeFileSync(zipped, gzipSync('one\ntwo\n'));
    const plain = join(folder, 'plain.log.gz');
    writeFileSync(plain, 'three');
    writeFileSync(join(folder, 'short.log'), 'x');
    const lines: string[] = [];
    for (const file of [zipped, plain, join(folder, 'short.log')])
      await readLines(file, (line) => lines.push(line) > 0);
    expect(lines).toEqual(['one', 'two', 'three', 'x']);
    const empty = mkdtempSync(join(folder, 'empty-'));
    const problem = async (): Promise<unknown> => {
      const window = { fromMs: Date.now(), toMs: Infinity };
      const { sources } = await collectLogs([{ member: 'pg1', path: empty }], window, null);
      return sources[0]?.problem;
    };
    expect(await problem()).toBe('no log is in this folder (*.log, *.csv, *.json)');
    writeFileSync(join(empty, 'a.log'), '');
    utimesSync(join(empty, 'a.log'), 1, 1);
    expect(await problem()).toBe('last written long before the change');
  });

  test('a pipe is read as it is', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const lines: string[] = [];
    const written = writeFile(pipe, 'one\ntwo\n');
    for (const file of await logFilesOf(pipe, Date.now()))
      await readLines(file, (line) => lines.push(line) > 0);
    await written;
    expect(lines).toEqual(['one', 'two']);
  });
});

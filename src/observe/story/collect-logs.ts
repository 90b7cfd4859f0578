/** Facts from Patroni's and PostgreSQL's logs: those that are given, and those on this host by Patroni's own file. */
import { logFacts, type LogWindow } from '../../cluster/story/log-facts.js';
import { logReader } from '../../cluster/story/log-lines.js';
import type { SourceRead, StoryFact } from '../../cluster/story/story-model.js';
import { monotonicMs } from '../../clock.js';
import { withoutSecrets } from '../../cluster/configuration/without-secrets.js';
import { errorMessage, ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { Told } from './collect-dcs.js';
import { logFilesOf, readLines } from './log-files.js';

/** `--log MEMBER=FILE`. */
export interface GivenLog {
  member: string;
  path: string;
}

/**
 * All files of a member are read as one log. A file that was named and cannot be read is a ToolError. `limitMs`: for
 * logs that no one named, how long all of them may take; null: they were named.
 */
export async function collectLogs(
  logs: readonly GivenLog[],
  window: LogWindow,
  limitMs: number | null,
): Promise<Told> {
  const facts: StoryFact[] = [];
  const sources: SourceRead[] = [];
  const deadlineMs = limitMs === null ? Infinity : monotonicMs() + limitMs;
  for (const { member, path } of logs) {
    const own = logFacts(member, window, safe);
    const reader = logReader(localOffset, Date.now());
    try {
      const files = await logFilesOf(path, window.fromMs);
      for (const file of files) {
        let beyond = 0;
        await readLines(file, (line) => {
          if (monotonicMs() > deadlineMs) throw new Error(tooLong(limitMs));
          const message = reader.add(line);
          if (message) own.add(message);
          if (message && message.atMs !== null)
            beyond = message.atMs > window.toMs ? beyond + 1 : 0;
          return beyond < SURELY_BEYOND;
        });
      }
      const names = own.names();
      if (names.length > 0 && !names.includes(member)) {
        sources.push(
          read(member, path, [], `not used: it is the log of ${names.map(oneLine).join(', ')}`),
        );
        continue;
      }
      const told = own.facts();
      facts.push(...told);
      sources.push(read(member, path, told, files.length === 0 ? await whyNone(path) : null));
    } catch (error) {
      if (limitMs === null) throw unreadable(path, error);
      // Half of a log would look as if its Patroni had ended.
      sources.push(read(member, path, [], `not read (${errorMessage(error)})`));
    }
  }
  return { facts, sources };
}

/** A text may begin with the time of something else; so many messages in a row do not. */
const SURELY_BEYOND = 100;

const tooLong = (limitMs: number | null): string =>
  `more than ${(limitMs ?? 0) / 1000} s would be needed; name its file: --log`;

async function whyNone(path: string): Promise<string> {
  const all = await logFilesOf(path, -Infinity);
  return all.length === 0
    ? 'no log is in this folder (*.log, *.csv, *.json)'
    : 'last written long before the change';
}

const safe = (text: string): string => oneLine(withoutSecrets(text));

/** Patroni writes the time of its host without a zone: the zone of this machine (TZ) is taken for it. */
function localOffset(ms: number): number {
  const utc = new Date(ms);
  const local = new Date(
    utc.getUTCFullYear(),
    utc.getUTCMonth(),
    utc.getUTCDate(),
    utc.getUTCHours(),
    utc.getUTCMinutes(),
    utc.getUTCSeconds(),
  );
  return Math.round((ms - local.getTime()) / 60_000);
}

function read(
  member: string,
  path: string,
  facts: readonly StoryFact[],
  problem: string | null,
): SourceRead {
  const own = facts.filter(({ what }) => what !== 'postgres_log_covers');
  const times = own.flatMap(({ at, until }) => [at, until ?? at]).filter((at) => at !== null);
  const sorted = times.sort();
  return {
    source: 'logs',
    name: `${path} of ${member}`,
    member,
    facts: own.length,
    from: sorted[0] ?? null,
    to: sorted.at(-1) ?? null,
    problem,
  };
}

function unreadable(path: string, error: unknown): ToolError {
  return new ToolError(
    'error',
    `the log ${oneLine(path)} cannot be read (${errorMessage(error)})`,
    {
      code: 'log_unreadable',
    },
  );
}

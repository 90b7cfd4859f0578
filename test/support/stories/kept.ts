/** Stories that were made on purpose, as files: what etcd and the logs kept of them, and what is true. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { etcdFacts } from '../../../src/cluster/story/etcd-facts.js';
import { explain } from '../../../src/cluster/story/tell-story.js';
import { historyFacts } from '../../../src/cluster/story/history-facts.js';
import type { KeyChange } from '../../../src/cluster/story/key-past-model.js';
import { logFacts } from '../../../src/cluster/story/log-facts.js';
import { logReader } from '../../../src/cluster/story/log-lines.js';
import type { LeaderStory, StoryFact } from '../../../src/cluster/story/story-model.js';
import { parseCluster } from '../../../src/cluster/model/parse-keys.js';

export interface Truth {
  story: string;
  truth: string[];
  from: string;
  to: string | null;
  begun: string;
  over: string;
}

const FOLDER = join(import.meta.dirname, '../../fixtures/stories');

export const keptFile = (set: string, name: string): string => join(FOLDER, set, name);

const linesOf = (set: string, name: string): string[] =>
  gunzipSync(readFileSync(keptFile(set, name)))
    .toString('utf8')
    .split('\n');

export function truthsOf(set: string): Truth[] {
  return JSON.parse(readFileSync(join(FOLDER, set, 'truths.json'), 'utf8')) as Truth[];
}

/** etcd's history, and /history as it was at the end. */
export function keptEtcd(set: string): StoryFact[] {
  const { etcd, history } = keyFacts(linesOf(set, 'keys.jsonl.gz'));
  return [...etcd, ...history];
}

/** Of changes of keys, one as JSON a line. */
export function keyFacts(changes: readonly string[]): Record<'etcd' | 'history', StoryFact[]> {
  const folded = etcdFacts();
  let history = '[]';
  for (const line of changes) {
    if (line === '') continue;
    const change = JSON.parse(line) as KeyChange;
    if (change.name === 'history') history = change.value ?? '[]';
    folded.add(change);
  }
  const kvs = [{ key: '/p/history', value: history, modRevision: '1' }];
  const { history: lines } = parseCluster('x', null, { revision: '1', kvs }, '/p/');
  return { etcd: folded.facts(), history: historyFacts(lines ?? []) };
}

/** One member's logs: of that name Patroni's and PostgreSQL's, and the kernel's; times are in UTC. */
export function keptLogs(set: string, member: string, names = [member]): StoryFact[] {
  return factsOf(
    member,
    names.flatMap((name) => linesOf(set, `${name}.log.gz`)),
  );
}

/** The same of its lines from the first that has this time or a later one, up to the first that is later than that. */
export function keptPart(set: string, member: string, from: string, to: string): StoryFact[] {
  const lines = linesOf(set, `${member}.log.gz`);
  const at = (time: string): number => {
    const stamp = time.replace('T', ' ').slice(0, 23);
    const found = lines.findIndex((line) => /^\d{4}-/.test(line) && line.slice(0, 23) >= stamp);
    return found < 0 ? lines.length : found;
  };
  return factsOf(member, lines.slice(at(from), at(to)));
}

function factsOf(member: string, lines: readonly string[]): StoryFact[] {
  const facts = logFacts(member, { fromMs: -Infinity, toMs: Infinity }, (text) => text);
  const reader = logReader(() => 0);
  for (const line of lines) {
    const message = reader.add(line);
    if (message) facts.add(message);
  }
  return facts.facts();
}

const EVERYTHING = { kind: 'since', from: '2000-01-01T00:00:00Z' } as const;
const told = new WeakMap<StoryFact[], LeaderStory[]>();

/** What is told of it, by the time at which it was made. */
export function verdictIn(facts: StoryFact[], truth: Truth): LeaderStory | null {
  const stories = told.get(facts) ?? explain(facts, EVERYTHING).stories;
  told.set(facts, stories);
  const [begun, over] = [Date.parse(truth.begun) - 1000, Date.parse(truth.over) + 4_000];
  const inTime = stories.find(
    (one) => one.at !== null && Date.parse(one.at) >= begun && Date.parse(one.at) <= over,
  );
  const untimed = stories.find(
    (one) =>
      truth.truth.includes('failsafe') &&
      one.at === null &&
      one.from === truth.from &&
      one.to === truth.to,
  );
  return inTime ?? untimed ?? null;
}

/** What is named of a story where the true cause is not among that. */
export function wrongIn(facts: StoryFact[], truth: Truth): string[] {
  const { cause = null, fits = [] } = verdictIn(facts, truth)?.verdict ?? {};
  const named = cause === null ? fits : [cause];
  const isTrue = named.length === 0 || named.some((one) => truth.truth.includes(one));
  return isTrue ? [] : [`${truth.story}: ${named.join(' ')}`];
}

/** `tsx test/support/stories/table.ts DIR`: what `explain` says of each kept story, by source, against what is true. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

export function keptEtcd(folder: string): StoryFact[] {
  const folded = etcdFacts();
  let history = '[]';
  for (const line of readFileSync(join(folder, 'keys.jsonl'), 'utf8').split('\n')) {
    if (line === '') continue;
    const change = JSON.parse(line) as KeyChange;
    if (change.name === 'history') history = change.value ?? '[]';
    folded.add(change);
  }
  const kvs = [{ key: '/p/history', value: history, modRevision: '1' }];
  const { history: lines } = parseCluster('x', null, { revision: '1', kvs }, '/p/');
  return [...folded.facts(), ...historyFacts(lines ?? [])];
}

export function keptLogs(folders: string[], only?: string): StoryFact[] {
  const names = ['pg1', 'pg2', 'pg3'].filter((name) => only === undefined || name === only);
  return names.flatMap((name) => {
    const window = { fromMs: -Infinity, toMs: Infinity };
    const facts = logFacts(name, window, (text) => text);
    const reader = logReader(() => 0);
    for (const folder of folders) {
      const file = join(folder, `${name}.log`);
      if (!existsSync(file)) continue;
      for (const line of readFileSync(file, 'utf8').split('\n')) {
        const message = reader.add(line);
        if (message) facts.add(message);
      }
    }
    return facts.facts();
  });
}

export function verdictIn(facts: StoryFact[], truth: Truth): LeaderStory | null {
  const { stories } = explain(facts, { kind: 'since', from: '2000-01-01T00:00:00Z' });
  const [begun, over] = [Date.parse(truth.begun) - 1000, Date.parse(truth.over) + 4_000];
  const inTime = stories.find(
    (one) => one.at !== null && Date.parse(one.at) >= begun && Date.parse(one.at) <= over,
  );
  const untimed = stories.find(
    (one) => one.at === null && one.from === truth.from && one.to === truth.to,
  );
  return inTime ?? untimed ?? null;
}

export function judged(story: LeaderStory | null, truth: Truth): string {
  if (story === null) return 'no such change';
  const { cause, fits } = story.verdict;
  if (cause !== null) return truth.truth.includes(cause) ? `right: ${cause}` : `WRONG: ${cause}`;
  if (fits.length === 0) return 'not known';
  return fits.some((one) => truth.truth.includes(one))
    ? `fits ${fits.join(', ')}`
    : `WRONG, fits ${fits.join(', ')}`;
}

if (process.argv[1]?.endsWith('table.ts')) {
  const root = process.argv[2] ?? '/tmp/stories';
  const all = readdirSync(root)
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, 'truth.json')))
    .map((folder) => ({
      folder,
      truth: JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as Truth,
    }))
    .sort((a, b) => (a.truth.begun < b.truth.begun ? -1 : 1));
  const folders = all.map(({ folder }) => folder);
  const last = folders.at(-1) ?? '';
  const etcd = keptEtcd(last);
  const logs = keptLogs(folders);
  for (const { truth } of all) {
    const others = keptLogs(folders).filter(({ member }) => member !== truth.from);
    const old = keptLogs(folders, truth.from);
    console.log(
      [
        truth.story.padEnd(24),
        `etcd: ${judged(verdictIn(etcd, truth), truth)}`,
        `logs: ${judged(verdictIn(logs, truth), truth)}`,
        `old's log: ${judged(verdictIn(old, truth), truth)}`,
        `others' logs: ${judged(verdictIn(others, truth), truth)}`,
        `all: ${judged(verdictIn([...etcd, ...logs], truth), truth)}`,
      ].join('\n   '),
    );
  }
}

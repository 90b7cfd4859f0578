/** `npm run judge-stories -- DIR`: what `explain` says of the stories that main.ts left there, a column a source. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaderStory, StoryFact } from '../../../src/cluster/story/story-model.js';
import { explain } from '../../../src/cluster/story/tell-story.js';
import { collectLogs } from '../../../src/observe/story/collect-logs.js';
import { collectRecording } from '../../../src/observe/story/collect-recording.js';
import { keyFacts, verdictIn, type Truth } from './kept.js';

const DIR = process.argv[2] ?? '/tmp/stories';
const MEMBERS = ['pg1', 'pg2', 'pg3'];

const truths = readdirSync(DIR)
  .map((name) => join(DIR, name, 'truth.json'))
  .filter((file) => existsSync(file))
  .map((file) => JSON.parse(readFileSync(file, 'utf8')) as Truth)
  .sort((a, b) => a.begun.localeCompare(b.begun));

interface Sources {
  recording: StoryFact[];
  etcd: StoryFact[];
  history: StoryFact[];
  /** Of a member: the log of this story alone; 'kernel' beside it. */
  log: (member: string, withKernel?: boolean) => Promise<StoryFact[]>;
}

const EVER = { fromMs: -Infinity, toMs: Infinity };

function sourcesOf({ story }: Truth, recording: StoryFact[]): Sources {
  const folder = join(DIR, story);
  return {
    recording,
    ...keyFacts(readFileSync(join(folder, 'keys.jsonl'), 'utf8').split('\n')),
    log: async (member, withKernel = false) => {
      const names = withKernel ? [member, 'kernel'] : [member];
      const told = await collectLogs(
        names.map((name) => ({ member, path: join(folder, `${name}.log`) })),
        EVER,
        null,
      );
      return told.facts;
    },
  };
}

const others = (truth: Truth): string[] => MEMBERS.filter((name) => name !== truth.from);
const newLeader = ({ from, to }: Truth): string => (to === null || to === from ? from : to);

async function logsOf(
  { log }: Sources,
  members: readonly string[],
  kernelOf?: string,
): Promise<StoryFact[]> {
  const all = await Promise.all(members.map((name) => log(name, name === kernelOf)));
  return all.flat();
}

type Column = [string, (sources: Sources, truth: Truth) => StoryFact[] | Promise<StoryFact[]>];
const COLUMNS: readonly Column[] = [
  ['rec', ({ recording }) => recording],
  ['etcd', ({ etcd, history }) => [...etcd, ...history]],
  ['history', ({ history }) => history],
  ['logs', (sources) => logsOf(sources, MEMBERS)],
  ['old', (sources, { from }) => logsOf(sources, [from])],
  ['new', (sources, truth) => logsOf(sources, [newLeader(truth)])],
  ['others', (sources, truth) => logsOf(sources, others(truth))],
  ['old+kernel', (sources, { from }) => logsOf(sources, [from], from)],
  ['etcd+logs', async (s) => [...s.etcd, ...s.history, ...(await logsOf(s, MEMBERS))]],
  ['etcd+old', async (s, { from }) => [...s.etcd, ...s.history, ...(await logsOf(s, [from]))]],
  ['etcd+new', async (s, t) => [...s.etcd, ...s.history, ...(await logsOf(s, [newLeader(t)]))]],
  ['hist+old', async (s, { from }) => [...s.history, ...(await logsOf(s, [from]))]],
  ['hist+new', async (s, t) => [...s.history, ...(await logsOf(s, [newLeader(t)]))]],
  ['rec+etcd', (s) => [...s.recording, ...s.etcd, ...s.history]],
  ['rec+old', async (s, { from }) => [...s.recording, ...(await logsOf(s, [from]))]],
  ['rec+new', async (s, t) => [...s.recording, ...(await logsOf(s, [newLeader(t)]))]],
  [
    'all',
    async (s, t) => [
      ...s.recording,
      ...s.etcd,
      ...s.history,
      ...(await logsOf(s, MEMBERS, t.from)),
    ],
  ],
];

/** In its time; a member that was down or frozen tells it when it is back, and etcd may have no time of the last. */
function storyOf(facts: StoryFact[], truth: Truth): LeaderStory | null {
  const inTime = verdictIn(facts, truth);
  if (inTime !== null) return inTime;
  const [begunMs, overMs] = [Date.parse(truth.begun), Date.parse(truth.over)];
  const { stories } = explain(facts, { kind: 'since', from: truth.begun });
  const late = stories.find(({ from, to, at }) => {
    const ms = at === null ? overMs : Date.parse(at);
    return from === truth.from && to === truth.to && ms >= begunMs && ms <= overMs + LATE_MS;
  });
  return late ?? null;
}

const LATE_MS = 60_000;

function judged(story: LeaderStory | null, { truth }: Truth): string {
  if (story === null) return 'no change';
  const { cause, fits } = story.verdict;
  const named = cause === null ? fits : [cause];
  if (named.length === 0) return 'not known';
  if (!named.some((one) => truth.includes(one))) return 'WRONG';
  return cause === null ? `fits ${fits.length}` : 'right';
}

const recordingFile = join(DIR, 'recording.jsonl');
const recording = existsSync(recordingFile)
  ? (await collectRecording(recordingFile, null, null)).facts
  : [];
const rows = [['story', ...COLUMNS.map(([name]) => name)]];
const wrong: string[] = [];
for (const truth of truths) {
  const sources = sourcesOf(truth, recording);
  const row = [truth.story];
  for (const [name, facts] of COLUMNS) {
    const told = [...(await facts(sources, truth))];
    const story = storyOf(told, truth);
    const verdict = judged(story, truth);
    row.push(verdict);
    const { cause = null, fits = [], message = '' } = story?.verdict ?? {};
    const isAsked = process.argv.includes(truth.story);
    if (verdict === 'WRONG' || isAsked)
      wrong.push(`${truth.story} from ${name}: ${cause ?? fits.join(' ')}: ${message}`);
  }
  rows.push(row);
}
const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
for (const row of rows) console.log(row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '));
for (const line of wrong) console.log(line);

/** Why the leader changed, made on purpose on one cluster and told by each source alone: never a cause that is not true. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type {
  ExplainDocument,
  StoryDocument,
} from '../../src/cluster/documents/explain-document.js';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PATCTL, runPatctl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';
import { STORIES } from '../support/stories/stories.js';

const folder = mkdtempSync(join(tmpdir(), 'patctl-explain-live-'));
const recording = join(folder, 'recording.jsonl');
/** A switchover comes last: patctl waits until it is over for every source. */
const NAMES = ['patroni-killed', 'failover-by-hand', 'postgres-killed-failover', 'switchover'];

interface Made {
  name: string;
  truth: readonly string[];
  from: string;
  begunMs: number;
  overMs: number;
}

let lab: Lab;
const made: Made[] = [];

beforeAll(async () => {
  lab = await privateCluster();
  const [program = '', ...args] = PATCTL;
  const recorder = spawn(program, [...args, '-c', lab.config, 'record', '-o', recording], {
    stdio: 'ignore',
  });
  const ended = once(recorder, 'exit');
  await eventually('the recording has begun', 20_000, () =>
    readFileSync(recording, 'utf8').includes('"snapshot"'),
  );
  for (const name of NAMES) await make(name);
  recorder.kill('SIGTERM');
  await ended;
});
afterAll(async () => {
  await lab.down();
  rmSync(folder, { recursive: true });
});

async function make(name: string): Promise<void> {
  const story = STORIES.find((one) => one.name === name);
  if (!story) throw new Error(`no story ${name}`);
  const site = { lab, gates: new Map<string, never>() };
  const from = await lab.waitHealthy(60_000);
  if (story.config) {
    const config = JSON.parse((await lab.dcsGet('config')) ?? '{}') as object;
    await lab.dcsPut('config', JSON.stringify({ ...config, ...story.config }));
  }
  // Two loops of an untroubled leader, in which Patroni reads its configuration too.
  await sleep(5_000);
  const begunMs = Date.now();
  await story.run(site, from);
  made.push({ name, truth: story.truth, from, begunMs, overMs: Date.now() });
  await story.repair?.(site, from);
}

/** What is told of each story, by its time; of etcd, which has none for the last, by its order. */
async function told(...args: string[]): Promise<Record<string, string>> {
  const { out, err } = await runPatctl([...args, '--since', '1h', '-f', 'json']);
  if (out === '') throw new Error(err);
  const { stories } = JSON.parse(out) as ExplainDocument;
  return Object.fromEntries(
    made.map((one) => {
      const story = stories.find((candidate) => isOf(candidate, one));
      const { cause, fits } = story?.verdict ?? { cause: null, fits: [] };
      return [one.name, judged(one, cause === null ? fits : [cause], cause !== null)];
    }),
  );
}

function isOf({ at }: StoryDocument, { begunMs, overMs }: Made): boolean {
  const ms = Date.parse(at ?? '');
  return ms >= begunMs - 1000 && ms <= overMs + 4000;
}

function judged({ truth }: Made, named: readonly string[], isSettled: boolean): string {
  if (named.length === 0) return 'not known';
  if (!named.some((cause) => truth.includes(cause))) return `WRONG: ${named.join(' ')}`;
  return isSettled ? 'right' : 'among others';
}

const ofMember = (name: string): string[] => ['--log', `${name}=${lab.member(name).log}`];

test('from a recording alone', async () => {
  const verdicts = await told('explain', '--recording', recording);
  expect(verdicts).toMatchObject({
    switchover: 'right',
    'failover-by-hand': 'right',
    'patroni-killed': 'right',
  });
  // What was seen of a PostgreSQL that is gone for a second depends on when it was looked at.
  expect(verdicts['postgres-killed-failover']).toMatch(/^(?:among others|not known)$/);
});

test("from etcd's history alone", async () => {
  expect(await told('-c', lab.config, 'explain')).toEqual({
    switchover: 'right',
    'failover-by-hand': 'right',
    'postgres-killed-failover': 'among others',
    'patroni-killed': 'among others',
  });
});

test('from the logs alone', async () => {
  const logs = lab.members.flatMap(({ name }) => ofMember(name));
  expect(await told('explain', ...logs)).toEqual({
    switchover: 'right',
    'failover-by-hand': 'right',
    'postgres-killed-failover': 'right',
    'patroni-killed': 'right',
  });
});

test('from everything, on a screen: a verdict for each change, and every source is named', async () => {
  const logs = lab.members.flatMap(({ name }) => ofMember(name));
  const { out, code } = await runPatctl(['-c', lab.config, 'explain', '--since', '1h', ...logs]);
  expect(code).toBe(0);
  expect(out.match(/^ {2}Verdict/gm)?.length).toBeGreaterThanOrEqual(NAMES.length);
  for (const verdict of [/A planned switchover from/, /A manual failover to/]) {
    expect(out).toMatch(verdict);
  }
  expect(out).toMatch(/etcd's history/);
});

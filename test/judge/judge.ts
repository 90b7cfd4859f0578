/** Patroni's decisions beside patctl's over many clusters, and the smallest cluster on which they differ. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { plainer, someCluster, type ClusterSpec } from './clusters.js';
import {
  answersOf,
  caseOf,
  isHidden,
  keysOf,
  questionsOf,
  type Kind,
  type Questions,
} from './decisions.js';

const SCRIPT = path.join(import.meta.dirname, 'patroni-decides.py');

/** As many lines are on their way at once: enough to keep Python at work, few enough for its pipes. */
const AHEAD = 64;

export interface Verdicts {
  race: boolean[];
  gate: boolean[];
  /** Status and text with which a request is refused; null: it goes on. */
  api: ([number | null, string] | null)[];
}

/** One Patroni that decides. */
export class Judge {
  readonly #child;
  readonly #waiting: ((line: string) => void)[] = [];
  #stderr = '';

  constructor(patroniBin: string) {
    this.#child = spawn(path.join(patroniBin, 'python'), ['-u', SCRIPT], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    const lines = createInterface({ input: this.#child.stdout });
    lines.on('line', (line) => this.#waiting.shift()?.(line));
    lines.on('close', () => {
      for (const answer of this.#waiting.splice(0)) answer(JSON.stringify({ error: 'it ended' }));
    });
  }

  async decide(spec: ClusterSpec, questions: Questions): Promise<Verdicts> {
    const answered = new Promise<string>((resolve) => this.#waiting.push(resolve));
    this.#child.stdin.write(`${caseOf(spec, questions)}\n`);
    const found = JSON.parse(await answered) as Verdicts | { error: string; at?: string };
    if ('error' in found)
      throw new Error(`${found.error}\n${found.at ?? ''}${this.#stderr}\n${shown(spec)}`);
    return found;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    await ended;
  }
}

/** Counts by kind; `unknown` where something was kept from patctl, `unsure` where all was shown. */
export interface Tally {
  clusters: number;
  compared: Record<Kind, number>;
  unknown: Record<Kind, number>;
  unsure: Record<Kind, number>;
  mismatches: Mismatch[];
}

interface Compared {
  kind: Kind;
  asked: string;
  patroni: string;
  patctl: string;
  result: 'same' | 'unknown' | 'different';
}

export type Mismatch = Compared & { spec: ClusterSpec };

function compare(spec: ClusterSpec, questions: Questions, verdicts: Verdicts): Compared[] {
  const ours = answersOf(spec, questions);
  const one = (kind: Kind, asked: string, patroni: string, patctl: string): Compared => ({
    kind,
    asked,
    patroni,
    patctl,
    result: patctl === 'unknown' ? 'unknown' : patctl === patroni ? 'same' : 'different',
  });
  const yes = (value: boolean | undefined): string => (value ? 'yes' : 'no');
  return [
    ...ours.race.map(({ name, says }, i) => one('race', name, yes(verdicts.race[i]), says)),
    ...questions.gates.map((asked, i) =>
      one('gate', JSON.stringify(asked), yes(verdicts.gate[i]), ours.gate[i] ?? ''),
    ),
    ...ours.api.map(({ says, status, message }, i) => {
      const refusal = verdicts.api[i] ?? null;
      // Patroni forgets the 400 when a schedule was read before it found the mistake.
      const patroni = refusal === null ? 'yes' : `no ${refusal[0] ?? 400} ${refusal[1]}`;
      const patctl = says === 'no' ? `no ${status ?? ''} ${message}` : says;
      return one('api', JSON.stringify(questions.requests[i]), patroni, patctl);
    }),
  ];
}

/** Runs the seeds `from` to `from + count`; stops collecting mismatches after a few, but counts on. */
export async function compareMany(
  judge: Judge,
  version: string,
  others: readonly string[],
  seeds: { from: number; count: number },
): Promise<Tally> {
  const none = (): Record<Kind, number> => ({ race: 0, gate: 0, api: 0 });
  const tally: Tally = {
    clusters: 0,
    compared: none(),
    unknown: none(),
    unsure: none(),
    mismatches: [],
  };
  const oneCluster = async (seed: number): Promise<void> => {
    const spec = someCluster(seed, version, others);
    const questions = questionsOf(spec, version, seed);
    const verdicts = await judge.decide(spec, questions);
    const hidden = isHidden(spec);
    tally.clusters++;
    for (const found of compare(spec, questions, verdicts)) {
      tally.compared[found.kind]++;
      if (found.result === 'unknown') tally.unknown[found.kind]++;
      const unsure = found.result === 'unknown' && !hidden.something;
      if (unsure) tally.unsure[found.kind]++;
      if ((found.result === 'different' || unsure) && tally.mismatches.length < 50)
        tally.mismatches.push({ ...found, spec });
    }
  };
  let next = seeds.from;
  const worker = async (): Promise<void> => {
    while (next < seeds.from + seeds.count) await oneCluster(next++);
  };
  await Promise.all(Array.from({ length: AHEAD }, worker));
  return tally;
}

/** The plainest cluster on which the two still differ over the same question in the same way. */
export async function smallest(judge: Judge, version: string, start: Mismatch): Promise<Mismatch> {
  let best = start;
  for (let changed = true; changed;) {
    changed = false;
    for (const spec of plainer(best.spec)) {
      const found = await differs(judge, version, spec, start);
      if (found === null) continue;
      best = found;
      changed = true;
      break;
    }
  }
  return best;
}

async function differs(
  judge: Judge,
  version: string,
  spec: ClusterSpec,
  { kind, asked, result }: Mismatch,
): Promise<Mismatch | null> {
  if (result === 'unknown' && isHidden(spec).something) return null;
  const questions = questionsOf(spec, version, null);
  const verdicts = await judge.decide(spec, questions);
  const wrong = compare(spec, questions, verdicts).find(
    (one) => one.kind === kind && one.asked === asked && one.result === result,
  );
  return wrong ? { ...wrong, spec } : null;
}

/** A mismatch as a person reads it: what was asked, both answers, and the bytes. */
export function told({ kind, asked, patroni, patctl, spec }: Mismatch): string {
  return `${kind} ${asked}: Patroni says ${patroni}, patctl says ${patctl}\n${shown(spec)}`;
}

function shown(spec: ClusterSpec): string {
  const keys = keysOf(spec).map(([key, value]) => `  /${key} = ${value}`);
  const bodies = spec.nodes.map(
    ({ name, body, hidden }) =>
      `  ${name} answers ${body ? JSON.stringify(body) : 'nothing'}${hidden ? ' (kept from patctl)' : ''}`,
  );
  return [...keys, ...bodies].join('\n');
}

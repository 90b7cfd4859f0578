/** switchover and failover as a test starts them, and stops in the middle of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { Lab } from './lab/cluster.js';
import { cleanEnv } from './lab/process.js';
import { PATCTL, runPatctl } from './run.js';

export interface Changed {
  code: number | null;
  document: ChangeDocument;
  err: string;
}

/** Longer than any wait of a change that a test asks for. */
const LIMIT_MS = 110_000;

/** Runs it with `--force -f json` and reads the document. */
export async function change(lab: Lab, command: string, ...args: string[]): Promise<Changed> {
  const asked = ['-c', lab.config, command, '--force', '-f', 'json', ...args];
  const run = await runPatctl(asked, { timeoutMs: LIMIT_MS });
  if (run.out === '') throw new Error(run.err);
  return { code: run.code, document: JSON.parse(run.out) as ChangeDocument, err: run.err };
}

export const stepsOf = ({ document }: Changed): string[] => document.steps.map(({ step }) => step);

/** Starts patctl with `--force`, and calls `at` when its JSON progress reaches a step. */
export async function runUntil(
  lab: Lab,
  args: string[],
  step: string,
  at: (kill: (signal: NodeJS.Signals) => void) => void,
): Promise<{ code: number | null; out: string; err: string }> {
  const [command = '', ...first] = PATCTL;
  const child = spawn(
    command,
    [...first, '-c', lab.config, ...args, '--force', '--progress', 'json'],
    { env: cleanEnv('/nonexistent'), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  createInterface({ input: child.stderr }).on('line', (line) => {
    err += `${line}\n`;
    if (line.includes(`"step":"${step}"`)) at((signal) => child.kill(signal));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

/** Names in pg_stat_replication of the leader that stream, sorted. */
export async function streamingMembers(lab: Lab): Promise<string[]> {
  const sql =
    "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1";
  const rows = await lab.psql((await lab.leader()) ?? '', sql);
  return rows.split('\n').filter((name) => name !== '');
}

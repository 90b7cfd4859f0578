/** Runs patctl, and the real patronictl, as a person does: a program with arguments, streams and an exit code. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from './lab/cluster.js';
import { cleanEnv, runProgram, type ProgramResult } from './lab/process.js';

export interface RunOptions {
  /** Added to an environment that is otherwise empty but for PATH, HOME and LANG. */
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
  /** Another copy of the program, which a build beside does not disturb; default: the program under test. */
  program?: string;
  /** SIGKILLed at this limit; default 60 s. */
  timeoutMs?: number;
}

export type RunResult = ProgramResult;

/** The built bundle, which any Node runs. */
export const BUNDLE = fileURLToPath(new URL('../../bin/patctl.cjs', import.meta.url));

/** The program under test: the built bundle in Node, or the executable that PATCTL_PROGRAM names. */
export const PATCTL: readonly string[] = programUnderTest(process.env['PATCTL_PROGRAM']);

/** Program and first arguments of a command line. */
function programUnderTest(executable: string | undefined): string[] {
  if (executable !== undefined && executable !== '') return [resolve(executable)];
  return [process.execPath, BUNDLE];
}

/** No home at all: no ~/.pgpass, no ~/.config of the user that runs the tests. A test may name one in `env`. */
const NO_HOME = '/nonexistent';

/** The built program (`npm run build`), in a clean environment. */
export async function runPatctl(
  args: string[],
  { program, ...options }: RunOptions = {},
): Promise<RunResult> {
  const [command = '', ...first] = program === undefined ? PATCTL : [process.execPath, program];
  return await runClean(command, [...first, ...args], options);
}

/** The real patronictl of this cluster's Patroni version, with its configuration. */
export async function runPatronictl(
  lab: Pick<Lab, 'patronictl' | 'config'>,
  args: string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return await runClean(lab.patronictl, ['-c', lab.config, ...args], options);
}

async function runClean(
  command: string,
  args: string[],
  { env, ...rest }: RunOptions,
): Promise<RunResult> {
  return await runProgram(command, args, { ...rest, env: cleanEnv(NO_HOME, env) });
}

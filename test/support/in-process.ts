/** patctl in the test's own process, where some part of the world has to be another one. */
import { main } from '../../src/main.js';
import type { Context } from '../../src/context.js';
import type { ProcessEnvironment } from '../../src/cli/make-context.js';
import { cleanEnv } from './lab/process.js';

export interface InProcess {
  env?: Record<string, string>;
  resolveSrv?: ProcessEnvironment['resolveSrv'];
  patroni?: Context['patroni'];
}

/** There is no terminal, and no home. */
export async function runInProcess(
  args: string[],
  { env = {}, resolveSrv, patroni }: InProcess,
): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    stdin: process.stdin,
    stderr: process.stderr,
    stdinIsTty: false,
    stdoutIsTty: false,
    stderrIsTty: false,
    outColor: false,
    errColor: false,
    columns: 80,
  };
  const world: ProcessEnvironment = {
    io,
    env: cleanEnv('/nonexistent', env),
    platform: 'linux',
    nodeVersion: '22.0.0',
    arch: 'x64',
    programName: 'patctl',
    signal: new AbortController().signal,
    ...(resolveSrv ? { resolveSrv } : {}),
  };
  const code = await main(args, world, patroni ? { patroni } : {});
  return { code, out, err };
}

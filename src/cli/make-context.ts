/** Makes the Context that commands get: every witness connected when first asked for, closed at the end. */
import type { Config } from '../config/effective.js';
import type { ConfigFiles } from '../config/files.js';
import type { Dcs } from '../dcs/dcs.js';
import type { DcsInputs } from '../dcs/dcs-inputs.js';
import type { ResolveSrv } from '../dcs/etcd3/srv.js';
import { asCalled } from '../output/as-called.js';
import { leaving, type Door } from '../output/door.js';
import type { Io } from '../output/io.js';
import { oneLine } from '../output/text.js';
import type { Patroni } from '../patroni/patroni.js';
import type { Postgres } from '../postgres/postgres.js';
import type { GlobalFlags, Context } from '../context.js';
import { pause, type Clock } from '../clock.js';

/** What run.ts knows of the process. */
export interface ProcessEnvironment {
  io: Io;
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
  nodeVersion: string;
  /** As Node names it: x64, arm64. */
  arch: string;
  /** argv[1]: called as `patronictl` means --compat. */
  programName: string;
  signal: AbortSignal;
  /** As in `Context`; without it no signal comes. */
  holdSignals?: Context['holdSignals'];
  /** Instead of the machine's own DNS. */
  resolveSrv?: ResolveSrv;
  /** Instead of the machine's own files, where the configuration is looked for. */
  configFiles?: ConfigFiles;
}

export const DEFAULT_TIMEOUT_MS = 3000;

const clock: Clock = { nowMs: () => Date.now(), wait: pause };

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Stand-ins for the real witnesses, in tests; and a configuration that has been read already. */
export type Witnesses = Partial<Pick<Context, 'config' | 'dcs' | 'patroni' | 'postgres' | 'clock'>>;

const isPatronictl = (programName: string): boolean =>
  /(^|[\\/])patronictl(\.exe)?$/.test(programName);

/** What a command line without options says. */
export function defaultFlags({
  programName,
}: Pick<ProcessEnvironment, 'programName'>): GlobalFlags {
  return {
    configFile: undefined,
    dcsUrl: undefined,
    insecure: false,
    compat: isPatronictl(programName),
    program: calledAs(programName),
    wayIn: [],
    color: true,
    debug: false,
    quiet: false,
    noInput: false,
    command: '',
    asJson: false,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    login: { username: undefined, database: undefined, password: undefined },
  };
}

/** The streams, with everything that leaves made harmless. */
export function doorOf(
  { io, env, programName }: Pick<ProcessEnvironment, 'io' | 'env' | 'programName'>,
  { color, compat, quiet, noInput }: Pick<GlobalFlags, 'color' | 'compat' | 'quiet' | 'noInput'>,
): Door {
  const typed = (text: string) => (isPatronictl(programName) ? asCalled(text, 'patronictl') : text);
  const must = (text: string) => io.err(leaving(typed(text), compat));
  const wantsColor = color && !env['NO_COLOR'];
  // Not a copy: that would open stdin, which costs start-up.
  const door = Object.create(io, {
    outColor: { get: () => io.outColor && wantsColor },
    errColor: { get: () => io.errColor && wantsColor },
    out: {
      value: (text: string) => {
        door.hasOutput = true;
        io.out(leaving(text, compat));
      },
    },
    err: { value: (text: string) => (quiet ? undefined : must(text)) },
    must: { value: must },
    answers: { value: noInput ? 'none' : compat ? 'stdin' : 'person' },
    asked: { value: false, writable: true },
    hasOutput: { value: false, writable: true },
    data: { value: (text: string) => io.out(text) },
  }) as Door;
  return door;
}

export function makeContext(
  world: ProcessEnvironment,
  flags: GlobalFlags,
  witnesses: Witnesses = {},
): { context: Context; close: () => Promise<void> } {
  const { env } = world;
  const io = doorOf(world, flags);
  const debugged = new Set<string>();
  const config = witnesses.config ?? once(() => readConfig(world, flags));
  let opened: Dcs | undefined;
  const dcsWorld = async (): Promise<DcsInputs> => ({
    config: await config(),
    env,
    home: env['HOME'] ?? '/',
    recording: flags.recording,
    recordedAtMs: await momentOf(flags),
    timeoutMs: flags.timeoutMs,
    resolveSrv: world.resolveSrv,
  });
  const dcs = once(async () => {
    // A recording is read whatever stands in for the DCS.
    if (witnesses.dcs && flags.recording === undefined) return witnesses.dcs();
    const { openDcs } = await import('../dcs/dcs-registry.js');
    return (opened = await openDcs(await dcsWorld()));
  });
  const context: Context = {
    io,
    clock,
    env,
    signal: world.signal,
    holdSignals: world.holdSignals ?? (() => () => undefined),
    flags: Object.freeze({ ...flags, login: Object.freeze({ ...flags.login }) }),
    debug: (line) => {
      if (flags.debug && !debugged.has(line)) io.err(`debug: ${oneLine(line)}\n`);
      debugged.add(line);
    },
    config,
    dcs,
    patroni: once(async (): Promise<Patroni> => {
      const [{ openPatroni }, { patroniOf }] = await Promise.all([
        import('../patroni/rest.js'),
        import('../dcs/dcs-registry.js'),
      ]);
      return patroniOf(await dcsWorld(), dcs, openPatroni((await config()).rest));
    }),
    postgres: once(async (): Promise<Postgres> => {
      const { openPostgres } = await import('../postgres/connect.js');
      return openPostgres((await config()).logins, env, flags.login);
    }),
  };
  const made = Object.freeze({ ...context, ...witnesses, dcs });
  return { context: made, close: async () => opened?.close() };
}

/** --at; null: not given. */
async function momentOf({ recordedAt, recording }: GlobalFlags): Promise<number | null> {
  if (recordedAt === undefined || recording === undefined) return null;
  const { parsePast } = await import('./past-time.js');
  return parsePast(recordedAt, clock.nowMs());
}

/** The name that a shell finds; a script that Node or tsx was given is patctl. */
export function calledAs(programName: string): string {
  const name = programName.replace(/^.*[\\/]/, '');
  return /^[\w-]+$/.test(name) && name !== 'node' ? name : 'patctl';
}

async function readConfig(world: ProcessEnvironment, flags: GlobalFlags): Promise<Config> {
  const { loadConfig } = await import('../config/load.js');
  return loadConfig({
    flags,
    env: world.env,
    home: world.env['HOME'] ?? '/',
    platform: world.platform,
    searches: !flags.compat && flags.recording === undefined,
    files: world.configFiles,
  });
}

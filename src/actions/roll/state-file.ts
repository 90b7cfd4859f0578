/** Where a roll stands, in a file of its own: an interrupted one goes on from there. */
import type { Server } from 'node:net';
import type { RollState } from '../../cluster/preflight/roll-resume.js';
import type { Context } from '../../context.js';
import { errorCode, errorMessage, ToolError } from '../../errors.js';
import { readLimited } from '../../config/read-limited.js';
import { commandLine } from '../../cluster/model/command-line.js';

const VERSION = 1;

export interface StateFile {
  readonly path: string;
  /** Null: there is no unfinished roll. ToolError `error` when the file cannot be read. */
  read(): Promise<RollState | null>;
  /** In the place of what was there, whole or not at all. */
  write(state: RollState): Promise<void>;
  remove(): Promise<void>;
}

interface Named {
  scope: string;
  group: number | null;
}

/** `$XDG_STATE_HOME/patctl/roll-SCOPE.json`, or below ~/.local/state; in which there may be no odd character. */
export async function defaultStatePath({ env }: Context, { scope, group }: Named): Promise<string> {
  const path = await import('node:path');
  const home = env['XDG_STATE_HOME'] || path.join(env['HOME'] || '/', '.local', 'state');
  const name = [scope, ...(group === null ? [] : [`${group}`])].map(encodeURIComponent).join('-');
  return path.join(home, 'patctl', `roll-${name}.json`);
}

export function stateFile(path: string): StateFile {
  return {
    path,
    read: async () => {
      const text = await readLimited(path).catch((error: unknown) => {
        if (errorCode(error) === 'ENOENT') return null;
        throw unusable(path, errorMessage(error));
      });
      return text === null ? null : parseState(path, text.toString('utf8'));
    },
    write: async (state) => {
      const { rename, writeFile } = await import('node:fs/promises');
      const text = JSON.stringify({ schemaVersion: VERSION, ...state }, null, 2);
      try {
        await writeFile(`${path}.new`, `${text}\n`, { mode: 0o600 });
        await rename(`${path}.new`, path);
      } catch (error) {
        throw unusable(path, errorMessage(error));
      }
    },
    remove: async () => {
      const { rm } = await import('node:fs/promises');
      await rm(path, { force: true });
    },
  };
}

/** The folder of the files, made where it is not there. ToolError `error` when nothing can be written there. */
export async function prepareFolder(path: string): Promise<void> {
  const [{ access, constants, mkdir }, { default: paths }] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
  ]);
  const folder = paths.dirname(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw unusable(path, errorMessage(error));
  }
}

function unusable(path: string, reason: string): ToolError {
  return new ToolError('error', `the state file ${path} cannot be used: ${reason}`, {
    code: 'state_file',
    hint: 'give another file with --state FILE',
  });
}

/** Written by patctl itself, so only what must not be misunderstood is looked at. */
function parseState(path: string, text: string): RollState {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw unusable(path, errorMessage(error));
  }
  const state = parsed as (Partial<RollState> & { schemaVersion?: unknown }) | null;
  const isOurs =
    state !== null &&
    typeof state === 'object' &&
    state.schemaVersion === VERSION &&
    typeof state.command === 'string' &&
    [state.members, state.done, state.skipGates].every(isNames) &&
    typeof state.cluster?.scope === 'string' &&
    isNames(state.cluster.members);
  if (!isOurs) throw unusable(path, 'it was not written by this version of patctl');
  return state as RollState;
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/**
 * Keeps a second roll of this state file away for as long as this process lives; the function ends it. The kernel
 * ends it with the process, however that ends. Nothing on systems other than Linux. ToolError `error`.
 */
export async function lockRoll(path: string, cluster: Named): Promise<() => void> {
  const [{ createServer }, { createHash }, { platform }, { default: paths }] = await Promise.all([
    import('node:net'),
    import('node:crypto'),
    import('node:os'),
    import('node:path'),
  ]);
  if (platform() !== 'linux') return () => undefined;
  const digest = createHash('sha256').update(paths.resolve(path)).digest('hex').slice(0, 40);
  const server = createServer();
  server.unref();
  await listening(server, `\0patctl-roll-${digest}`).catch(() => {
    throw new ToolError('error', `a roll of ${cluster.scope} runs on this machine already`, {
      code: 'roll_runs',
      hint: `wait until it has ended, then: ${commandLine(cluster, 'roll', '--resume')}`,
    });
  });
  return () => void server.close();
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(path, done);
  });
}

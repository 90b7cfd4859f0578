/** loadConfig over files that exist in memory only. */
import { loadConfig, type LoadInput } from '../../src/config/load.js';
import type { Config } from '../../src/config/effective.js';
import type { ConfigFiles } from '../../src/config/files.js';
import { ToolError } from '../../src/errors.js';

/** A file's text, or the names in a folder, or an error code of the system. */
export type Entry = string | string[] | { code: string };

export function memoryFiles(entries: Record<string, Entry>): ConfigFiles {
  const fail = (code: string): never => {
    throw Object.assign(new Error(`${code}: made by the test`), { code });
  };
  return {
    readFile: (path) => {
      const entry = entries[path];
      return Promise.resolve().then(() => {
        if (entry === undefined) return fail('ENOENT');
        if (typeof entry === 'string') return entry;
        return fail(Array.isArray(entry) ? 'EISDIR' : entry.code);
      });
    },
    readdir: (path) => {
      const entry = entries[path];
      return Promise.resolve().then(() => (Array.isArray(entry) ? entry : fail('ENOTDIR')));
    },
  };
}

export interface ProcessEnvironment {
  flags?: LoadInput['flags'];
  env?: Record<string, string>;
  files?: Record<string, Entry>;
  platform?: NodeJS.Platform;
  home?: string;
  searches?: boolean;
}

export function load(world: ProcessEnvironment): Promise<Config> {
  return loadConfig({
    flags: world.flags ?? {},
    env: world.env ?? {},
    home: world.home ?? '/home/op',
    platform: world.platform ?? 'linux',
    files: memoryFiles(world.files ?? {}),
    searches: world.searches ?? false,
  });
}

export const FILE = '/etc/patroni.yml';

/** The configuration out of one named file. */
export function loadYaml(text: string, more: ProcessEnvironment = {}): Promise<Config> {
  return load({
    ...more,
    flags: { configFile: FILE, ...more.flags },
    files: { [FILE]: text, ...more.files },
  });
}

/** The ToolError that a load ends with; fails when it ends with none. */
export async function failure(promise: Promise<unknown>): Promise<ToolError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
  throw new Error('expected a ToolError');
}

export function sourceOf(config: Config, key: string): string {
  const row = config.sources.find((source) => source.key === key);
  return row ? `${row.value} < ${row.source}` : 'none';
}

export function hostsOf(config: Config): string {
  return (config.etcd?.endpoints ?? [])
    .map(({ protocol, host, port }) => `${protocol} ${host} ${port}`)
    .join(', ');
}

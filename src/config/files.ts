/** Finds and reads Patroni's file, or a folder of them. */
import { join } from 'node:path';
import { ToolError } from '../errors.js';
import type { Env } from './environment.js';
import { printable } from './printable.js';
import { emptyMap, mergeTrees, type MapTree } from './tree.js';
import { parseYaml } from './parse-yaml.js';

/** The part of node:fs/promises that is needed; tests bring their own. */
export interface ConfigFiles {
  readFile(path: string): Promise<string>;
  readdir(path: string): Promise<string[]>;
}

export interface ConfigPath {
  path: string;
  /** `flag --config-file`, `environment PATRONICTL_CONFIG_FILE`, `default`, or `found` on this machine. */
  from: string;
}

/** Which file to read, whether or not it is there. */
export function configPath(
  flag: string | undefined,
  env: Env,
  home: string,
  platform: NodeJS.Platform,
): ConfigPath {
  if (flag !== undefined) return { path: flag, from: 'flag --config-file' };
  const named = env['PATRONICTL_CONFIG_FILE'];
  if (named) return { path: named, from: 'environment PATRONICTL_CONFIG_FILE' };
  const folder =
    platform === 'darwin'
      ? join(home, 'Library', 'Application Support')
      : (env['XDG_CONFIG_HOME'] || join(home, '.config')).replace(/^~(?=\/|$)/, home);
  return { path: join(folder, 'patroni', 'patronictl.yaml'), from: 'default' };
}

/**
 * Files of Patroni on this machine: the one that its service names, or those in /etc. Only what can be read; sorted.
 */
export async function patroniFiles(env: Env, files: ConfigFiles): Promise<string[]> {
  const service = env['PATRONI_CONFIG_LOCATION'];
  if (service && (await isReadable(service, files))) return [service];
  const names = await files.readdir('/etc/patroni').catch(() => []);
  const below = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  const all = [
    '/etc/patroni.yml',
    '/etc/patroni.yaml',
    ...below.map((name) => join('/etc/patroni', name)),
  ];
  const readable = await Promise.all(all.map((path) => isReadable(path, files)));
  return all.filter((_, at) => readable[at]);
}

function isReadable(path: string, files: ConfigFiles): Promise<boolean> {
  return files.readFile(path).then(
    () => true,
    () => false,
  );
}

/** What the file or folder says; null when only the default path was looked at and nothing is there. */
export async function readConfigFiles(
  where: ConfigPath,
  files: ConfigFiles,
  warnings: string[],
): Promise<MapTree | null> {
  try {
    const text = await files.readFile(where.path);
    return mergeTrees(emptyMap('file'), await parseFile(text, where.path, warnings));
  } catch (error) {
    const code = errorCode(error);
    if (code === null) throw error;
    if (code === 'EISDIR') return readFolder(where.path, files, warnings);
    return noFile(where, code, warnings);
  }
}

async function readFolder(
  folder: string,
  files: ConfigFiles,
  warnings: string[],
): Promise<MapTree> {
  const names = await attempt(folder, () => files.readdir(folder));
  const wanted = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  let tree = emptyMap(`folder ${folder}`);
  if (wanted.length === 0) warnings.push(printable(`folder ${folder}: no *.yml or *.yaml in it`));
  for (const name of wanted) {
    const path = join(folder, name);
    const text = await attempt(path, () => readUnlessFolder(path, files));
    if (text !== null) tree = mergeTrees(tree, await parseFile(text, path, warnings));
  }
  return tree;
}

async function readUnlessFolder(path: string, files: ConfigFiles): Promise<string | null> {
  try {
    return await files.readFile(path);
  } catch (error) {
    if (errorCode(error) === 'EISDIR') return null;
    throw error;
  }
}

async function parseFile(text: string, path: string, warnings: string[]): Promise<MapTree> {
  const label = printable(`file ${path}`);
  if (text.includes('\uFFFD')) warnings.push(`${label}: holds bytes that are not UTF-8`);
  const tree = await parseYaml(text, label, warnings);
  if (tree === null) {
    throw new ToolError('error', `${label}: the file is empty`, { code: 'bad_configuration' });
  }
  return tree;
}

function noFile(where: ConfigPath, code: string, warnings: string[]): null {
  const absent = code === 'ENOENT' || code === 'ENOTDIR';
  if (where.from === 'default' || where.from === 'found') {
    if (!absent) warnings.push(printable(`file ${where.path}: ignored, cannot be read (${code})`));
    return null;
  }
  throw unreadable(where.path, code, `it is named by ${where.from.replace(/^\w+ /, '')}`);
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const code = errorCode(error);
    if (code === null) throw error;
    throw unreadable(path, code);
  }
}

function unreadable(path: string, code: string, hint?: string): ToolError {
  const what =
    code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${code})`;
  return new ToolError('error', printable(`configuration file ${path} ${what}`), {
    code: 'no_configuration',
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The system's word for a failed call; null for any other error. */
function errorCode(error: unknown): string | null {
  if (error instanceof ToolError || !(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

/** Reads the effective configuration: command line over environment over file over default. */
import { readLimited } from './read-limited.js';
import type { Config, MemberUrls, PatctlSection, SourcedValue } from './effective.js';
import { parseDcsUrl, type DcsUrl } from './dcs-url.js';
import { environmentTree, type Env } from './environment.js';
import { findEtcd, type FoundEtcd } from './etcd-settings.js';
import {
  configPath,
  patroniFiles,
  readConfigFiles,
  type ConfigFiles,
  type ConfigPath,
} from './files.js';
import { KEYS, LOCATION_KEYS } from './known-keys.js';
import { isKubeMeant, kubernetesConfig, type KubeFlags } from './kubernetes-settings.js';
import { findMemberUrls } from './member-urls.js';
import { configLogins } from './login-settings.js';
import { printable } from './printable.js';
import { makeReader, type Reader } from './typed-values.js';
import { restSettings } from './rest-settings.js';
import {
  emptyMap,
  lookUp,
  mergeTrees,
  withLeaf,
  withoutEntries,
  wrongValue,
  type MapTree,
} from './tree.js';
import { parseYaml } from './parse-yaml.js';

export interface LoadInput {
  flags: {
    configFile?: string | undefined;
    dcsUrl?: string | undefined;
    rest?: string | undefined;
    kubeContext?: string | undefined;
    kubeNamespace?: string | undefined;
    kubeProxy?: KubeFlags['kubeProxy'];
    kubeLabels?: KubeFlags['kubeLabels'];
    insecure?: boolean | undefined;
    /** Citus group. */
    group?: number | undefined;
  };
  env: Env;
  home: string;
  platform: NodeJS.Platform;
  /** A file of Patroni is looked for where nothing else tells where the DCS is. */
  searches?: boolean;
  /** node:fs/promises when not given. */
  files?: ConfigFiles | undefined;
}

const DEFAULT_NAMESPACE = '/service';
const MASK = '***';

/** The configuration, or a ToolError that names file, line and key. Secrets are in no message. */
export async function loadConfig(input: LoadInput): Promise<Config> {
  const { flags, env } = input;
  const warnings: string[] = [];
  const named = configPath(flags.configFile, env, input.home, input.platform);
  const { path, others } = await searched(named, input);
  const { tree, fileRead, read } = await readTree(path, input, warnings);
  const reader = makeReader(withNewLogins(tree), warnings);
  const memberUrls = findMemberUrls(reader, flags, env);
  const url = memberUrls === null ? readDcsUrl(flags.dcsUrl, env) : null;
  if (url && !url.scheme) {
    warnings.push(`${url.from}: has no scheme and is read as etcd3 (patronictl assumes etcd v2)`);
  }
  const isKube = memberUrls === null && !url && isKubeMeant(flags);
  const etcd = findEtcd(reader, url, warnings, isKube || memberUrls !== null);
  const hasSection =
    memberUrls === null &&
    !url &&
    etcd.settings === null &&
    lookUp(reader.tree, 'kubernetes') !== null;
  const namespace = findNamespace(reader, url);
  const group = findGroup(reader, flags.group, warnings);
  const insecure = findInsecure(reader, flags.insecure === true);
  const routes = configuredRoutes(reader);
  const sources = listSources(reader, etcd, { namespace, insecure, group });
  return {
    scope: reader.text('scope')?.value ?? null,
    namespace: namespace.value,
    group: group === null ? null : Number(group.value),
    etcd: etcd.settings,
    kubernetes: isKube || hasSection ? kubernetesConfig(reader, flags) : null,
    memberUrls,
    rest: restSettings(reader, insecure.value === 'true', warnings),
    logins: configLogins(reader, warnings),
    ...checkSettings(reader),
    ...(routes.length > 0 && { routes }),
    patctl: patctlSection(reader, warnings),
    search: { path: named.path, read, found: path === named ? null : path.path, others },
    sources: [
      {
        key: 'config_file',
        value: printable(path.path),
        source: fileRead ? path.from : `${path.from}, not read`,
      },
      ...(memberUrls === null ? [] : [memberUrlsSource(memberUrls)]),
      ...(await routeSources(routes)),
      ...sources,
      logLevelSource(env, warnings),
      ...libpqSources(env),
    ],
    warnings: warnings.map(printable),
  };
}

function memberUrlsSource({ urls, from }: MemberUrls): SourcedValue {
  return { key: 'patctl.rest', value: printable(urls.join(',')), source: printable(from) };
}

/** Below `patctl:`, besides the limits of `check`. */
const SECTION_KEYS = ['timeout', 'color', 'no_input', 'quiet'] as const;

function patctlSection(reader: Reader, warnings: string[]): PatctlSection {
  const section = lookUp(reader.tree, 'patctl');
  if (section === null || (section.kind === 'scalar' && section.type === 'null')) return {};
  if (section.kind !== 'map') throw wrongValue('patctl', section.from, 'must be a mapping');
  const known = new Set<string>(['check', 'rest', 'routes', ...SECTION_KEYS]);
  for (const [name, { from }] of section.entries) {
    if (!known.has(name)) warnings.push(`${from}: patctl.${name} is unknown and is ignored`);
  }
  const timeout = reader.text('patctl.timeout');
  const [color, noInput, quiet] = (['color', 'no_input', 'quiet'] as const).map((name) =>
    reader.bool(`patctl.${name}`),
  );
  return {
    ...(timeout && { timeout }),
    ...(color && { color }),
    ...(noInput && { noInput }),
    ...(quiet && { quiet }),
  };
}

type ConfiguredRoute = NonNullable<Config['routes']>[number];

/** `patctl.routes.rw` and `patctl.routes.ro`: one text or a list of texts. Commas belong to the text. */
function configuredRoutes({ tree }: Reader): ConfiguredRoute[] {
  const section = lookUp(tree, 'patctl.routes');
  if (section === null || (section.kind === 'scalar' && section.type === 'null')) return [];
  if (section.kind !== 'map') throw wrongValue('patctl.routes', section.from, 'must be a mapping');
  return [...section.entries].flatMap(([kind, value]) => {
    if (kind !== 'rw' && kind !== 'ro') {
      throw wrongValue('patctl.routes', value.from, 'has a key that is neither rw nor ro');
    }
    const items = value.kind === 'list' ? value.items : [value];
    return items.flatMap((item): ConfiguredRoute[] => {
      if (item.kind === 'scalar' && item.type === 'null') return [];
      if (item.kind !== 'scalar' || item.type !== 'text') {
        throw wrongValue(`patctl.routes.${kind}`, item.from, 'must be a text or a list of texts');
      }
      return [{ kind, value: item.text, from: item.from }];
    });
  });
}

/** Without their logins, for `config show`. */
async function routeSources(routes: readonly ConfiguredRoute[]): Promise<SourcedValue[]> {
  if (routes.length === 0) return [];
  const { parseRoute } = await import('../cluster/routes/conninfo.js');
  return routes.map(({ kind, value, from }) => {
    const parsed = parseRoute(kind, value);
    const shown = parsed.ok ? parsed.route.text : `cannot be read: ${parsed.problem}`;
    return { key: `patctl.routes.${kind}`, value: printable(shown), source: printable(from) };
  });
}

/** The only Patroni file on this machine, if no file is named and no other setting locates the DCS. */
async function searched(
  named: ConfigPath,
  input: LoadInput,
): Promise<{ path: ConfigPath; others: string[] }> {
  const nothing = { path: named, others: [] };
  if (input.searches !== true || named.from !== 'default' || isTold(input)) return nothing;
  const files = input.files ?? (await nodeFiles());
  const isThere = await files.readFile(named.path).then(
    () => true,
    () => false,
  );
  if (isThere) return nothing;
  const others = await patroniFiles(input.env, files);
  const [only] = others;
  if (only === undefined || others.length > 1) return { path: named, others };
  return { path: { path: only, from: 'found' }, others };
}

function isTold({ flags, env }: LoadInput): boolean {
  const isSet = /^(DCS_URL|PATRONI_CONFIGURATION|PATRONI_(ETCD3|KUBERNETES)_\w+)$/;
  const byVariable = Object.keys(env).some((name) => isSet.test(name) && env[name]);
  return flags.dcsUrl !== undefined || flags.rest !== undefined || isKubeMeant(flags) || byVariable;
}

/** Names of the limits below `patctl.check`. */
const CHECK_LIMITS = [
  'max_lag',
  'max_pause',
  'min_members',
  'max_absence',
  'max_creating',
  'max_slot_retain',
] as const;
/** Lists of codes there. */
const CHECK_CODES = ['ignore', 'warn', 'critical'] as const;

type CheckSettings = Pick<Config, 'checkLimits' | 'checkCodes' | 'checkUnknown'>;

/** What is below `patctl.check`; only `check` judges codes and unknown keys; the other commands ignore them. */
function checkSettings(reader: Reader): CheckSettings {
  const section = lookUp(reader.tree, 'patctl.check');
  if (section === null || (section.kind === 'scalar' && section.type === 'null')) return {};
  if (section.kind !== 'map') throw wrongValue('patctl.check', section.from, 'must be a mapping');
  const limits = CHECK_LIMITS.flatMap((name) => {
    const read = reader.text(`patctl.check.${name}`);
    return read ? [[name, read] as const] : [];
  });
  const [ignore, warn, critical] = CHECK_CODES.map((name) =>
    (reader.list(`patctl.check.${name}`)?.items ?? []).map(({ value, from }) => ({
      value: value.trim(),
      from,
    })),
  );
  const known = new Set<string>([...CHECK_LIMITS, ...CHECK_CODES]);
  const unknown = [...section.entries].filter(([name]) => !known.has(name));
  return {
    checkLimits: Object.fromEntries(limits),
    checkCodes: { ignore: ignore ?? [], warn: warn ?? [], critical: critical ?? [] },
    checkUnknown: unknown.map(([name, { from }]) => ({ value: printable(name), from })),
  };
}

/** The log level that patronictl would take, by the same three variables. */
export function logLevel(env: Env): string {
  return env['PATRONI_LOG_LEVEL'] || env['PATRONI_LOGLEVEL'] || env['LOGLEVEL'] || 'WARNING';
}

/** File under environment; PATRONI_CONFIGURATION, which counts only without a file, stands alone. */
async function readTree(
  path: ConfigPath,
  input: LoadInput,
  warnings: string[],
): Promise<{ tree: MapTree; fileRead: boolean; read: boolean }> {
  const file = await readConfigFiles(path, input.files ?? (await nodeFiles()), warnings);
  const environment = await environmentTree(input.env, warnings);
  if (file) return { tree: layer(file, environment, warnings), fileRead: true, read: true };
  const text = input.env['PATRONI_CONFIGURATION'];
  const label = 'environment PATRONI_CONFIGURATION';
  const whole = text ? await parseYaml(text, label, warnings) : null;
  if (!whole) return { tree: environment, fileRead: false, read: false };
  if (environment.entries.size > 0) {
    const ignored = [...environment.entries.keys()].join(', ');
    warnings.push(`${label} is set: as in Patroni, the variables for ${ignored} are ignored`);
  }
  return { tree: mergeTrees(emptyMap(label), whole), fileRead: false, read: true };
}

async function nodeFiles(): Promise<ConfigFiles> {
  // Without node:fs/promises and node:util: each costs start-up time.
  const { readdir } = await import('node:fs');
  return {
    readFile: async (path) => (await readLimited(path)).toString('utf8'),
    readdir: (path) =>
      new Promise((resolve, reject) => {
        readdir(path, (error, names) => (error ? reject(error) : resolve(names)));
      }),
  };
}

/** Lays the environment over the file; where etcd is comes from one of the two, never from a mixture. */
function layer(file: MapTree, environment: MapTree, warnings: string[]): MapTree {
  const given = LOCATION_KEYS.filter((name) => lookUp(environment, `etcd3.${name}`) !== null);
  if (given.length === 0) return mergeTrees(file, environment);
  const first = LOCATION_KEYS.findIndex((name) => given.includes(name));
  const stronger = LOCATION_KEYS.slice(0, first).find((name) => {
    return lookUp(file, `etcd3.${name}`) !== null;
  });
  if (stronger) {
    const variable = `PATRONI_ETCD3_${given[0]?.toUpperCase() ?? ''}`;
    warnings.push(
      `environment ${variable}: used; patronictl would use etcd3.${stronger} of the file`,
    );
  }
  return mergeTrees(withoutEntries(file, 'etcd3', LOCATION_KEYS), environment);
}

/** Old files keep the accounts directly below postgresql; Patroni moves them, and so does this. */
function withNewLogins(tree: MapTree): MapTree {
  let result = tree;
  const move = (from: string, to: string): void => {
    const section = lookUp(tree, `postgresql.${from}`);
    if (section?.kind === 'map')
      result = withLeaf(result, `postgresql.authentication.${to}`, section);
  };
  if (!lookUp(tree, 'postgresql.authentication')) {
    move('superuser', 'superuser');
    move('replication', 'replication');
  }
  if (!lookUp(result, 'postgresql.authentication.superuser')) move('pg_rewind', 'superuser');
  return result;
}

function readDcsUrl(flag: string | undefined, env: Env): DcsUrl | null {
  if (flag !== undefined) return parseDcsUrl(flag, 'flag --dcs-url');
  const variable = env['DCS_URL'];
  return variable ? parseDcsUrl(variable, 'environment DCS_URL') : null;
}

function findNamespace(reader: Reader, url: DcsUrl | null): SourcedValue {
  const given = reader.text('namespace');
  const value = url?.namespace ?? given?.value ?? DEFAULT_NAMESPACE;
  const squeezed = `/${value.trim()}/`.replace(/\/+/g, '/');
  const source = url?.namespace ? url.from : (given?.from ?? 'default');
  return { key: 'namespace', value: squeezed === '/' ? '/' : squeezed.slice(0, -1), source };
}

/** Patroni drops a citus section without a database, and with it the group. */
function findGroup(
  reader: Reader,
  flag: number | undefined,
  warnings: string[],
): SourcedValue | null {
  if (flag !== undefined)
    return { key: 'citus.group', value: String(flag), source: 'flag --group' };
  const group = reader.int('citus.group');
  if (!group) return null;
  if (!reader.text('citus.database')) {
    warnings.push(`${group.from}: citus.group is ignored, as Patroni does without citus.database`);
    return null;
  }
  return { key: 'citus.group', value: String(group.value), source: group.from };
}

function findInsecure(reader: Reader, flag: boolean): SourcedValue {
  const given = reader.bool('ctl.insecure');
  if (flag) return { key: 'ctl.insecure', value: 'true', source: 'flag --insecure' };
  return {
    key: 'ctl.insecure',
    value: String(given?.value ?? false),
    source: given?.from ?? 'default',
  };
}

/** Every key that has a value, in the table's order, with what flags and defaults made of it. */
function listSources(
  reader: Reader,
  etcd: FoundEtcd,
  made: { namespace: SourcedValue; insecure: SourcedValue; group: SourcedValue | null },
): SourcedValue[] {
  const row = (key: string, found: { value: string; from: string } | null): SourcedValue | null =>
    found && { key, value: printable(found.value), source: printable(found.from) };
  const special = new Map<string, SourcedValue | null>([
    ['namespace', made.namespace],
    ['ctl.insecure', made.insecure],
    ['citus.group', made.group],
    ...LOCATION_KEYS.map((name) => [`etcd3.${name}`, null] as const),
    ['etcd3.port', null],
    ['etcd3.hosts', row('etcd3.hosts', etcd.hosts)],
    ['etcd3.srv', row('etcd3.srv', etcd.srv)],
    ['etcd3.srv_suffix', row('etcd3.srv_suffix', etcd.srvSuffix)],
    ['etcd3.username', row('etcd3.username', etcd.username)],
    ['etcd3.password', row('etcd3.password', etcd.password)],
  ]);
  return KEYS.flatMap(({ key, type, secret }) => {
    const found = special.has(key)
      ? (special.get(key) ?? null)
      : row(key, readAny(reader, key, type));
    if (!found) return [];
    const hidden = secret || found.value.includes('-----BEGIN');
    return [hidden ? { ...found, value: MASK } : found];
  });
}

function readAny(
  reader: Reader,
  key: string,
  type: (typeof KEYS)[number]['type'],
): { value: string; from: string } | null {
  if (type === 'map') {
    const map = reader.map(key);
    const pairs = Object.entries(map?.entries ?? {}).map(([name, value]) => `${name}=${value}`);
    return map && { value: pairs.join(','), from: map.from };
  }
  const found =
    type === 'bool' ? reader.bool(key) : type === 'int' ? reader.int(key) : reader.text(key);
  return found && { value: String(found.value), from: found.from };
}

/** libpq's variables that make a login, where they are set: they come before the configuration's. */
function libpqSources(env: Env): SourcedValue[] {
  return ['PGUSER', 'PGPASSWORD', 'PGSERVICE', 'PGPASSFILE', 'PGDATABASE'].flatMap((name) => {
    const value = env[name];
    if (value === undefined || value === '') return [];
    const shown = name === 'PGPASSWORD' ? MASK : printable(value);
    return [{ key: name, value: shown, source: `environment ${name}` }];
  });
}

/** Python's names of levels, which are what these variables hold. */
const LOG_LEVELS = 'CRITICAL FATAL ERROR WARN WARNING INFO DEBUG NOTSET'.split(' ');

function logLevelSource(env: Env, warnings: string[]): SourcedValue {
  const variable = ['PATRONI_LOG_LEVEL', 'PATRONI_LOGLEVEL', 'LOGLEVEL'].find((name) => env[name]);
  const source = variable ? `environment ${variable}` : 'default';
  if (!LOG_LEVELS.includes(logLevel(env)))
    warnings.push(`${source}: ${logLevel(env)} is not a log level (patronictl exits)`);
  return { key: 'log.level', value: printable(logLevel(env)), source };
}

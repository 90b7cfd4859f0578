/** The logs of the member on this host, by Patroni's own file. */
import { join } from 'node:path';
import { readLimited } from '../../config/read-limited.js';
import { parseYaml } from '../../config/parse-yaml.js';
import { lookUp, type MapTree } from '../../config/tree.js';
import { access, constants } from 'node:fs/promises';
import type { Cluster } from '../../cluster/model/model.js';
import type { Context } from '../../context.js';
import { ToolError } from '../../errors.js';
import type { GivenLog } from './collect-logs.js';

/** Those that can be read: Patroni's log.dir, and PostgreSQL's log_directory. */
export async function foundLogs(
  context: Context,
  { scope, group, config }: Cluster,
): Promise<GivenLog[]> {
  const { search } = await context.config();
  const paths = [...new Set([search.path, search.found ?? '', ...search.others])];
  const all = await Promise.all(paths.filter((path) => path !== '').map(logsIn));
  const dynamic = config?.raw['postgresql'];
  // Members of another Citus group change their leader by themselves.
  const isOwn = (one: InFile): boolean =>
    one.scope === scope && (group === null || one.group === null || one.group === String(group));
  const wanted = all.flat().filter(isOwn);
  const logs = wanted.flatMap(({ member, patroni, dataDir, directory }) => {
    const folder = directory ?? fromDynamic(dynamic) ?? 'log';
    const postgres = folder.startsWith('/')
      ? folder
      : dataDir === null
        ? null
        : join(dataDir, folder);
    return [patroni, postgres].flatMap((path) => (path === null ? [] : { member, path }));
  });
  const readable = await Promise.all(logs.map(({ path }) => isReadable(path)));
  return logs.filter((_, at) => readable[at]);
}

interface InFile {
  scope: string | null;
  /** citus.group. */
  group: string | null;
  member: string;
  patroni: string | null;
  dataDir: string | null;
  directory: string | null;
}

async function logsIn(path: string): Promise<InFile[]> {
  try {
    const tree = await parseYaml((await readLimited(path)).toString('utf8'), path, []);
    if (tree === null) return [];
    const member = textAt(tree, 'name');
    if (member === null) return [];
    const folder = textAt(tree, 'log.dir');
    return [
      {
        scope: textAt(tree, 'scope'),
        group: textAt(tree, 'citus.group'),
        member,
        patroni: folder === null ? null : join(folder, 'patroni.log'),
        dataDir: textAt(tree, 'postgresql.data_dir'),
        directory: textAt(tree, 'postgresql.parameters.log_directory'),
      },
    ];
  } catch (error) {
    // A file that is not there or not Patroni's names no logs; the configuration itself was read before.
    if (error instanceof ToolError || (error instanceof Error && 'code' in error)) return [];
    throw error;
  }
}

function textAt(tree: MapTree, key: string): string | null {
  const found = lookUp(tree, key);
  return found?.kind === 'scalar' ? found.text : null;
}

function fromDynamic(postgresql: unknown): string | null {
  const parameters = (postgresql as { parameters?: Record<string, unknown> } | undefined)
    ?.parameters;
  const value = parameters?.['log_directory'];
  return typeof value === 'string' ? value : null;
}

function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

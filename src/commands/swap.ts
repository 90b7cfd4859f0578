/** `patctl swap`: a primary cluster and its standby cluster on another site change roles. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { swapSkipProblem } from '../cluster/preflight/swap-plan.js';
import {
  addRouteOption,
  clusterMeant,
  parseCount,
  prettyOrJson,
  scopeOrDefault,
} from '../cli/options.js';
import type { OtherWay } from '../cli/other-site.js';
import type { Run } from '../cli/run-command.js';
import { parseDurationMs, parseSize } from '../cli/units.js';
import type { Context } from '../context.js';
import { ToolError, type Ending } from '../errors.js';
import { PROGRESS_STYLES, type ProgressStyle } from '../output/progress.js';

interface SwapOptions {
  group?: number;
  to?: string;
  toRest?: string;
  toCluster?: string;
  host?: string;
  port?: number;
  primarySlotName?: string;
  maxLag: number;
  skipCheck?: string[];
  dryRun?: boolean;
  force?: boolean;
  yes?: boolean;
  deadline: number;
  progress?: ProgressStyle;
  route?: string[];
}

const DEADLINE_MS = 180_000;
const MAX_LAG_BYTES = 16 * 1024 ** 2;

const MORE = `
The steps, each of which is seen before the next one: this site is demoted and its writes end; its old primary comes
back as a standby and has replayed all of its own WAL; the other site has replayed up to the same position; the other
site is promoted; this site streams from it on the new timeline; every member that streamed before streams again.

If a step fails before the promotion, the swap goes back: this site becomes the primary again. If that cannot be done,
the message says where it stands and which two commands continue. Ctrl-C before the promotion goes back too.
`;

export function swapCommand(run: Run): Command {
  return addRouteOption(new Command('swap'))
    .description('Change the roles of a primary cluster and its standby cluster, losing nothing')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('--to <file>', 'Configuration file of the other site').conflicts('toRest'),
    )
    .option('--to-rest <urls>', 'REST API of members of the other site (http://host:8008[,…])')
    .option('--to-cluster <name>', 'Name of the cluster there (default: the scope of its file)')
    .option(
      '--host <host>',
      'Address from which this site streams afterwards (default: that of the other leader)',
    )
    .option('--port <port>', 'Its port', parsePort)
    .option('--primary-slot-name <slot>', 'Slot there to stream from (default: as the other uses)')
    .option(
      '--max-lag <size>',
      'Maximum lag of the other site (default 16MB)',
      parseSize,
      MAX_LAG_BYTES,
    )
    .option('--skip-check <name>', 'Skip this check (repeatable)', collectCheck)
    .option('--dry-run', 'Show the plan and stop; exit 0 if it would be done, 1 if refused')
    .option('--force', 'Do not ask questions; all checks still apply')
    .option('--yes', 'The same as --force')
    .option(
      '--deadline <time>',
      'Limit of the whole swap (default 3m)',
      parseDurationMs,
      DEADLINE_MS,
    )
    .addOption(
      new Option('--progress <style>', 'Progress on stderr (default text)').choices(
        PROGRESS_STYLES,
      ),
    )
    .addOption(prettyOrJson())
    .addHelpText('after', MORE)
    .action((cluster: string | undefined, options: SwapOptions) =>
      run((given) => swap(given, cluster, options)),
    );
}

async function swap(
  given: Context,
  cluster: string | undefined,
  options: SwapOptions,
): Promise<Ending> {
  const way = otherWay(options);
  const dryRun = options.dryRun === true;
  const { progress } = options;
  const head = { command: 'swap', cluster, dryRun, progress } as const;
  return reportedAsking(given, head, async (context, asking) => {
    const [{ swapSites }, { otherSite, wayOf }] = await Promise.all([
      import('../actions/swap/swap-sites.js'),
      import('../cli/other-site.js'),
    ]);
    const here = { ...(await clusterMeant(context, cluster, options.group)), context };
    const other = otherSite(context, way);
    try {
      const there = await otherMeant(other.context, options.toCluster, here.group);
      return await swapSites(asking, {
        pair: {
          here: { ...here, way: [] },
          there: { ...there, context: other.context, way: wayOf(context, way) },
        },
        request: {
          host: options.host ?? null,
          port: options.port ?? null,
          primarySlotName: options.primarySlotName ?? null,
          maxLagBytes: options.maxLag,
          skipChecks: options.skipCheck ?? [],
        },
        dryRun,
        force: options.force === true || options.yes === true,
        deadlineMs: options.deadline,
        routes: options.route ?? [],
      });
    } finally {
      await other.close();
    }
  });
}

function otherWay({ to, toRest }: SwapOptions): OtherWay {
  if (to !== undefined) return { file: to };
  if (toRest !== undefined) return { rest: toRest };
  throw new ToolError('usage', 'the other site is not named', {
    code: 'no_other_site',
    hint: 'give its configuration file with --to FILE, or a member of it with --to-rest URL',
  });
}

async function otherMeant(
  context: Context,
  name: string | undefined,
  group: number | null,
): Promise<{ scope: string; group: number | null }> {
  return { scope: await scopeOrDefault(context, name), group };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^[0-9]+$/.test(text) && port > 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('expected a port, 1 to 65535.');
}

function collectCheck(name: string, before: string[] = []): string[] {
  const problem = swapSkipProblem([name]);
  if (problem !== null) throw new InvalidArgumentError(problem);
  return [...before, name];
}

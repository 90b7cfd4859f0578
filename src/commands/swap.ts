/** `patctl swap`: a primary cluster and its standby cluster on another site change roles. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { reportedAsking } from '../actions/kit/action-document.js';
import { addRouteOption, clusterMeant, parseCount, prettyOrJson } from '../cli/options.js';
import type { OtherWay } from '../cli/other-site.js';
import type { Run } from '../cli/run-command.js';
import { withOtherSite, workOf, type SwapOptions } from './swap-meant.js';
import { checkSkips, collectText } from './swap-skips.js';
import { parseDurationMs, parseSize } from '../cli/units.js';
import type { Context } from '../context.js';
import { ToolError, type Ending } from '../errors.js';
import { PROGRESS_STYLES } from '../output/progress.js';

const DEADLINE_MS = 180_000;
const MAX_LAG_BYTES = 16 * 1024 ** 2;

const MORE = `
The steps, each of which is seen before the next one: this site is demoted and its writes end; its old primary comes
back as a standby and has replayed all of its own WAL; the other site has replayed up to the same position; the other
site is promoted; this site streams from it on the new timeline; every member that streamed before streams again.

With --to-rest the logins to PostgreSQL of this site are used for the other one too, which has the same roles; where its
REST API demands a login, use --to.

If a step fails before the promotion, the swap goes back: this site becomes the primary again. If that cannot be done,
the message says where it stands and which two commands continue. Ctrl-C before the promotion goes back too.

--from-lost is run at the standby site when the primary site is gone: it shows what was received and how old that is,
promotes this site, and prints what must be true of the old site before it may come back. Name the old site with --to or
--to-rest as well: it is asked whether it still has a primary.

--rejoin is run at the old site once its DCS is back, and names the new one with --to or --to-rest: it writes
standby_cluster before Patroni starts there, or demotes what is a primary again, says which members need pg_rewind or a
reinit, and follows them until they stream.
`;

export function swapCommand(run: Run): Command {
  return addRouteOption(new Command('swap'))
    .description('Change the roles of a primary cluster and its standby cluster, losing nothing')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('--to <file>', 'Configuration file of the other site').conflicts('toRest'),
    )
    .addOption(new Option('--from-lost', 'The primary site is gone: promote this standby site'))
    .addOption(
      new Option(
        '--rejoin',
        'This is the old site: make it a standby of the new one (--to)',
      ).conflicts('fromLost'),
    )
    .option(
      '--accept-data-loss',
      'With --from-lost and --rejoin: continue although commits are lost',
    )
    .option('--confirm-name <cluster>', 'With --from-lost: answer to the question for the name')
    .option('--to-rest <urls>', 'REST API of members of the other site (http://host:8008[,…])')
    .option('--to-cluster <name>', 'Name of the cluster there (default: the scope of its file)')
    .option(
      '--host <host>',
      'Address from which this site streams afterwards (default: that of the other leader)',
    )
    .option('--port <port>', 'Its port', parsePort)
    .option('--primary-slot-name <slot>', 'Slot there to stream from (default: as the other uses)')
    .option('--max-lag <size>', 'Maximum lag of the other site (default 16MB)', parseSize)
    .option('--skip-check <name>', 'Skip this check (repeatable)', collectText)
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
  checkSkips(options);
  const { progress } = options;
  const head = { command: 'swap', cluster, dryRun: options.dryRun === true, progress } as const;
  return reportedAsking(given, head, async (context, asking) => {
    const meant = await clusterMeant(context, cluster, options.group);
    const here = { ...meant, context, way: [] };
    const way = otherWay(options);
    if (options.fromLost === true) {
      const { fromLost } = await import('./swap-from-lost.js');
      return fromLost(asking, { here, way, options });
    }
    if (way === null) throw noOtherSite();
    if (options.rejoin === true) {
      const { rejoin } = await import('./swap-rejoin.js');
      return rejoin(asking, { here, way, options });
    }
    const { swapSites } = await import('../actions/swap/swap-sites.js');
    return withOtherSite({ here, way, options }, (there) =>
      swapSites(asking, {
        pair: { here, there },
        request: {
          host: options.host ?? null,
          port: options.port ?? null,
          primarySlotName: options.primarySlotName ?? null,
          maxLagBytes: options.maxLag ?? MAX_LAG_BYTES,
          skipChecks: options.skipCheck ?? [],
        },
        ...workOf(options),
      }),
    );
  });
}

function otherWay({ to, toRest }: SwapOptions): OtherWay | null {
  if (to !== undefined) return { file: to };
  return toRest === undefined ? null : { rest: toRest };
}

function noOtherSite(): ToolError {
  return new ToolError('usage', 'the other site is not named', {
    code: 'no_other_site',
    hint: 'give its configuration file with --to FILE, or a member of it with --to-rest URL; if this is the standby site and the primary site is gone: --from-lost',
  });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^[0-9]+$/.test(text) && port > 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('expected a port, 1 to 65535.');
}

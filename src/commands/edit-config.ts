/**
 * `patctl edit-config`: changes the dynamic configuration, checked, shown, and only if it did not change in the
 * meantime.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { reported } from '../actions/kit/action-document.js';
import { editConfig } from '../actions/edit-config/change-config.js';
import type { EditRequest } from '../actions/edit-config/edit-request.js';
import { settingPair } from '../cluster/configuration/config-edit.js';
import { CHECK_CODES } from '../cluster/configuration/config-check.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { clusterMeant, parseCount, prettyOrJson } from '../cli/options.js';
import { inputText } from '../cli/read-input.js';
import { parseDurationMs } from '../cli/units.js';
import { ToolError } from '../errors.js';

interface EditOptions {
  group?: number;
  quiet?: boolean;
  set?: string[];
  pg?: string[];
  apply?: string;
  replace?: string;
  force?: boolean;
  yes?: boolean;
  resume?: string;
  check?: boolean;
  dryRun?: boolean;
  skipCheck?: string[];
  wait?: boolean;
  deadline?: number;
}

const each = (value: string, before: string[] = []): string[] => [...before, value];

const SKIPPABLE: readonly string[] = [...CHECK_CODES, 'all'];

/** commander forgets its choices where values are gathered. */
function eachCode(value: string, before: string[] = []): string[] {
  if (SKIPPABLE.includes(value)) return [...before, value];
  throw new InvalidArgumentError(`Allowed choices are ${SKIPPABLE.join(', ')}.`);
}

export function editConfigCommand(run: Run): Command {
  return new Command('edit-config')
    .description('Edit the configuration of the cluster')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('-q, --quiet', 'Do not show changes')
    .option('-s, --set <key=value>', 'Set a value; null removes it (repeatable)', each)
    .option('-p, --pg <name=value>', 'Set a PostgreSQL parameter (repeatable)', each)
    .option('--apply <file>', 'Apply the changes in this YAML file; - is stdin')
    .option('--replace <file>', 'Replace the whole configuration with this YAML file; - is stdin')
    .addOption(new Option('--force', 'Do not ask for confirmation; all checks still apply'))
    .option('--yes', 'The same as --force')
    .option('--resume <file>', 'Resume an edit that was saved')
    .option('--check', 'Check only; show and write nothing')
    .option('--dry-run', 'Show and check the change, write nothing')
    .addOption(
      new Option('--skip-check <code>', 'Write even if this check fails (repeatable)')
        .choices(SKIPPABLE)
        .argParser(eachCode),
    )
    .option('--wait', 'Wait until every member has read it and completed another loop')
    .option('--deadline <time>', 'Limit of --wait (default 2 x loop_wait + 10s)', parseDurationMs)
    .addOption(prettyOrJson())
    .action((cluster: string | undefined, options: EditOptions) =>
      run((given) => {
        const dryRun = options.dryRun === true || options.check === true;
        return reported(
          given,
          { command: 'edit-config', cluster, dryRun },
          async (context, telling) =>
            editConfig(context, telling, await requestOf(context, cluster, options)),
        );
      }),
    );
}

async function requestOf(
  context: Context,
  name: string | undefined,
  options: EditOptions,
): Promise<EditRequest> {
  checkOptions(options);
  // An empty file name is none, as with patronictl: scripts pass empty variables.
  const { apply, replace, set = [], pg = [], resume } = options;
  const file = (path: string | undefined) =>
    path ? { label: path === '-' ? 'stdin' : path, read: () => inputText(context, path) } : null;
  return {
    ...(await clusterMeant(context, name, options.group)),
    quiet: options.quiet === true,
    pairs: [...set, ...pg.map(settingPair)],
    apply: file(apply),
    replace: file(replace),
    resume: resume ?? null,
    checkOnly: options.check === true,
    dryRun: options.dryRun === true,
    skipChecks: options.skipCheck ?? [],
    force: options.force ?? options.yes ?? false,
    stdinIsTaken: apply === '-' || replace === '-',
    wait: options.wait === true,
    deadlineMs: options.deadline ?? null,
  };
}

function checkOptions({ apply, replace, resume, set, pg }: EditOptions): void {
  if (apply === '-' && replace === '-') {
    throw new ToolError('usage', '--apply and --replace cannot both read stdin');
  }
  const isGiven = Boolean(apply) || Boolean(replace) || Boolean(set?.length) || Boolean(pg?.length);
  if (resume !== undefined && isGiven) {
    throw new ToolError('usage', '--resume continues in the editor and takes no other change');
  }
}

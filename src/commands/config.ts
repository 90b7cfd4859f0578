/** `patctl config show`: the effective configuration, with the source of every value. */
import { Command } from 'commander';
import type { SourcedValue } from '../config/effective.js';
import { configRows } from '../config/show.js';
import type { Run } from '../cli/run-command.js';
import type { Ending } from '../errors.js';
import type { Context } from '../context.js';
import { prettyOrJson } from '../cli/options.js';

interface ShowOptions {
  format: 'pretty' | 'json';
}

/** `patctl config show -f json` */
export interface ConfigDocument {
  schemaVersion: 1;
  /** Secrets are masked. */
  settings: SourcedValue[];
  warnings: string[];
}

export function configCommand(run: Run): Command {
  const config = new Command('config').description("Show patctl's own configuration");
  config
    .command('show')
    .description(
      'Print the effective configuration, with the source of every value; secrets are masked',
    )
    .addOption(prettyOrJson())
    .action(({ format }: ShowOptions) => run((context) => show(context, format)));
  return config;
}

async function show(context: Context, format: ShowOptions['format']): Promise<Ending> {
  const config = await context.config();
  const rows = configRows(config);
  if (format === 'json') {
    const document: ConfigDocument = {
      schemaVersion: 1,
      settings: rows,
      warnings: config.warnings,
    };
    context.io.out(`${JSON.stringify(document, null, 2)}\n`);
    return 'ok';
  }
  const { grid } = await import('../output/grid.js');
  const { oneLine } = await import('../output/text.js');
  context.io.out(
    await grid(
      ['Key', 'Value', 'Source'],
      rows.map(({ key, value, source }) => [key, value, source]),
    ),
  );
  for (const warning of config.warnings) context.io.err(`warning: ${oneLine(warning)}\n`);
  return 'ok';
}

/** `patctl check`: whether a cluster is what it claims to be, for monitoring, CI and the first minute. */
import { Command, Option } from 'commander';
import {
  CHECK_EXITS,
  checkDocument,
  isWanted,
  type Overrides,
} from '../cluster/documents/check-document.js';
import { CATALOGUE } from '../cluster/findings/catalogue.js';
import {
  expectationOf,
  parseExpectation,
  type Expectation,
} from '../cluster/findings/expectations.js';
import { DEFAULT_LIMITS, type Limits } from '../cluster/findings/limits.js';
import { viewOf } from '../cluster/roles/view.js';
import { ToolError, errorMessage } from '../errors.js';
import { CHECK_FORMATS, checkText, type CheckFormat } from '../output/check-formats.js';
import { documentAsCalled } from '../output/as-called.js';
import { fitted, screenOf } from '../output/screen.js';
import type { Run } from '../cli/run-command.js';
import type { CheckRequest } from '../observe/settled-check.js';
import type { Context } from '../context.js';
import {
  addRouteOption,
  addWitnessOptions,
  parseCount,
  WIDE,
  scopeOrDefault,
  askingOf,
  type WitnessOptions,
} from '../cli/options.js';
import { parseSize, parseDurationMs } from '../cli/units.js';

interface CheckOptions extends WitnessOptions {
  group?: number;
  format: CheckFormat;
  all?: boolean;
  verbose?: boolean;
  only?: string[];
  ignore?: string[];
  warn?: string[];
  critical?: string[];
  require?: string;
  settle: number;
  maxLag?: number;
  maxPause?: number;
  minMembers?: number;
  maxCreating?: number;
  maxSlotRetain?: number;
  maxAbsence?: number;
  since?: string;
  list?: boolean;
  explain?: string;
  expect?: string;
  writeExpect?: boolean;
  probeRest?: boolean;
  route?: string[];
  wide?: boolean;
}

export function checkCommand(run: Run): Command {
  const command = new Command('check')
    .description(
      'Check that a cluster is what it claims to be: exit 0 ok, 1 warning, 2 critical, 3 unknown',
    )
    .argument('[clusters...]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--all', 'All clusters of the namespace')
    .addOption(
      new Option('-f, --format <format>', 'Output format').choices(CHECK_FORMATS).default('pretty'),
    )
    .option('-v, --verbose', 'List the checks that were skipped, with the reason')
    .option('--only <code...>', 'Run only this check (repeatable)')
    .option('--ignore <code...>', 'Skip this check (repeatable)')
    .option('--warn <code...>', 'Report this finding as a warning (repeatable)')
    .option('--critical <code...>', 'Report this finding as critical (repeatable)')
    .addOption(
      new Option('--require <witness>', 'Exit 3 if this witness did not answer').choices(['sql']),
    )
    .option(
      '--settle <n>',
      'Confirm findings with N further readings, loop_wait apart',
      parseCount,
      2,
    );
  addLimits(command)
    .option(
      '--probe-rest',
      'Test whether the REST API accepts unauthenticated writes (changes nothing)',
    )
    .option(
      '--expect <file>',
      'YAML file with the expected state of the cluster; see docs/findings.md',
    )
    .option('--write-expect', 'Print an expectations file made from the current state')
    .option('--wide', WIDE)
    .option('--list', 'List all findings')
    .option('--explain <code>', 'Explain a finding and what to do about it');
  return addWitnessOptions(addRouteOption(command)).action(
    (names: string[], options: CheckOptions) =>
      run(async (context) => {
        try {
          return await answer(context, names, options);
        } catch (error) {
          throw await asUnknown(context, error, names, options);
        }
      }),
  );
}

function addLimits(command: Command): Command {
  return command
    .option('--max-lag <size>', 'Limit of catching_up (default maximum_lag_on_failover)', parseSize)
    .option(
      '--max-pause <time>',
      'Maximum time in maintenance mode before it is critical',
      parseDurationMs,
    )
    .option('--min-members <n>', 'Report critical if fewer members answer (default 1)', parseCount)
    .option(
      '--max-creating <time>',
      'Maximum time to create a replica (default 6h)',
      parseDurationMs,
    )
    .option(
      '--max-absence <time>',
      'Maximum time for which a member that left is reported (default 24h)',
      parseDurationMs,
    )
    .option('--since <file>', 'Report members that this earlier snapshot has and that left since')
    .option(
      '--max-slot-retain <size>',
      'Maximum WAL that an inactive slot may retain (default 1GiB)',
      parseSize,
    );
}

async function answer(context: Context, names: string[], options: CheckOptions): Promise<number> {
  if (options.list === true || options.explain !== undefined) {
    await printCatalogue(context, options);
    return CHECK_EXITS.ok;
  }
  if (options.writeExpect === true) {
    await writeExpect(context, names, options);
    return CHECK_EXITS.ok;
  }
  return check(context, names, options);
}

async function check(context: Context, names: string[], options: CheckOptions): Promise<number> {
  const overrides = await overridesOf(context, options);
  const { checkClusters } = await import('../observe/settled-check.js');
  const clusters = await checkClusters(
    context,
    await requestOf(context, names, options, overrides),
  );
  const screen = screenOf(context, options.wide);
  const document = documentAsCalled(checkDocument(clusters), screen.command);
  const codes = CATALOGUE.filter(({ code }) => isWanted(code, overrides));
  const texts = { screen, verbose: options.verbose ?? false, codes };
  context.io.out(await checkText(options.format, document, texts));
  return document.exit;
}

/**
 * Whatever keeps `check` from looking is unknown to monitoring: exit 3, and stdout says so in the formats that programs
 * read. A wrong command line too: elsewhere that is 2, which here would be an alarm for a cluster that was not checked.
 */
async function asUnknown(
  context: Context,
  error: unknown,
  names: readonly string[],
  { format, all, group }: CheckOptions,
): Promise<unknown> {
  if (!(error instanceof ToolError) || error.ending === 'interrupted') return error;
  const { checkFailedText } = await import('../output/check-failed.js');
  const isNamed = all === true || names.length > 0;
  const meant = isNamed
    ? names
    : await scopeOrDefault(context, undefined).then((one) => [one], none);
  const text = checkFailedText(format, error.message, { names: meant, group: group ?? null });
  if (text !== '') context.io.out(text);
  if (error.ending === 'unreachable') return error;
  const { code, hint, evidence, message } = error;
  const options = { code, evidence, cause: error, ...(hint === undefined ? {} : { hint }) };
  return new ToolError('unreachable', message, options);
}

const none = (): string[] => [];

/** What the flags and the configuration file (`patctl.check`) make of the severities; a flag wins. */
async function overridesOf(context: Context, options: CheckOptions): Promise<Overrides> {
  const { only = [], ignore = [], warn = [], critical = [] } = options;
  const known = new Set(CATALOGUE.map(({ code }) => code));
  const wrong = [...only, ...ignore, ...warn, ...critical].filter((code) => !known.has(code));
  if (wrong.length > 0) throw unknownFinding(wrong.join(', '));
  const { checkCodes, checkUnknown = [] } = await context.config();
  const [nothing] = checkUnknown;
  if (nothing !== undefined) {
    throw new ToolError(
      'usage',
      `${nothing.from}: patctl.check.${nothing.value} is not a known setting`,
      {
        hint: 'allowed are limits, and lists of codes under ignore, warn and critical',
      },
    );
  }
  const given = new Set([...only, ...ignore, ...warn, ...critical]);
  const configured = (name: 'ignore' | 'warn' | 'critical'): string[] =>
    (checkCodes?.[name] ?? []).flatMap(({ value, from }) => {
      if (!known.has(value)) throw unknownFinding(value, `${from}: patctl.check.${name}: `);
      return given.has(value) ? [] : [value];
    });
  return {
    only,
    ignore: [...ignore, ...configured('ignore')],
    warn: [...warn, ...configured('warn')],
    critical: [...critical, ...configured('critical')],
    requireSql: options.require === 'sql',
  };
}

function unknownFinding(code: string, where = ''): ToolError {
  return new ToolError('usage', `${where}unknown finding ${code}`, {
    code: 'unknown_finding',
    hint: 'list all findings: patctl check --list',
  });
}

/** Flags, then the configuration file (`patctl.check`), then the defaults. */
async function limitsOf(context: Context, options: CheckOptions): Promise<Limits> {
  const { checkLimits = {} } = await context.config();
  const from = (name: string, parse: (text: string) => number): number | undefined => {
    const found = checkLimits[name];
    if (found === undefined) return undefined;
    try {
      return parse(found.value);
    } catch (error) {
      const why = errorMessage(error);
      throw new ToolError('usage', `${found.from}: patctl.check.${name}: ${why}`);
    }
  };
  const defaults = DEFAULT_LIMITS;
  return {
    ...defaults,
    maxLagBytes: options.maxLag ?? from('max_lag', parseSize) ?? defaults.maxLagBytes,
    maxPauseMs: options.maxPause ?? from('max_pause', parseDurationMs) ?? defaults.maxPauseMs,
    minMembers: options.minMembers ?? from('min_members', parseCount) ?? defaults.minMembers,
    maxCreatingMs:
      options.maxCreating ?? from('max_creating', parseDurationMs) ?? defaults.maxCreatingMs,
    maxAbsenceMs:
      options.maxAbsence ?? from('max_absence', parseDurationMs) ?? defaults.maxAbsenceMs,
    maxSlotRetainBytes:
      options.maxSlotRetain ?? from('max_slot_retain', parseSize) ?? defaults.maxSlotRetainBytes,
  };
}

async function requestOf(
  context: Context,
  names: string[],
  options: CheckOptions,
  overrides: Overrides,
): Promise<CheckRequest> {
  const { group } = await context.config();
  const named = names.length > 0 ? names : null;
  return {
    scopes: options.all ? null : (named ?? [await scopeOrDefault(context, undefined)]),
    group: options.group ?? group,
    asked: askingOf(options),
    since: options.since ?? null,
    probeRest: options.probeRest ?? false,
    routes: await routesToAsk(context, names, options),
    limits: await limitsOf(context, options),
    overrides,
    settle: options.snapshot === undefined ? options.settle : 0,
    expectation: options.expect === undefined ? null : await readExpect(options.expect),
  };
}

/** Null: none is given and none is configured, so nothing of it is loaded. */
async function routesToAsk(
  context: Context,
  names: readonly string[],
  { route = [], all, group }: CheckOptions,
): Promise<CheckRequest['routes']> {
  const { routes = [] } = await context.config();
  if (route.length === 0 && routes.length === 0) return null;
  if (route.length > 0 && (all === true || names.length > 1)) {
    throw new ToolError('usage', '--route needs one cluster: the one to which it leads', {
      hint: 'name one cluster, or write the routes of each into its own configuration file (patctl.routes)',
    });
  }
  const { routesMeant } = await import('../observe/ask-routes.js');
  return routesMeant(context, route, group ?? null);
}

async function readExpect(file: string): Promise<Expectation> {
  const [{ readLimited }, { parse }] = await Promise.all([
    import('../config/read-limited.js'),
    import('yaml'),
  ]);
  let problem: string;
  try {
    const read = parseExpectation(parse((await readLimited(file)).toString('utf8')));
    if (read.ok) return read.expectation;
    problem = read.problem;
  } catch (error) {
    problem = errorMessage(error);
  }
  throw new ToolError('usage', `${file} cannot be read: ${problem}`, {
    code: 'expectation_unreadable',
    hint: 'print a file to start from: patctl check --write-expect',
  });
}

async function writeExpect(
  context: Context,
  names: string[],
  options: CheckOptions,
): Promise<void> {
  const asked = askingOf(options);
  const scope = await scopeOrDefault(context, names[0]);
  const { group } = await context.config();
  const [{ readSnapshotSettled }, { stringify }] = await Promise.all([
    import('../observe/read-snapshot.js'),
    import('yaml'),
  ]);
  const snapshot = await readSnapshotSettled(context, {
    scope,
    group: options.group ?? group,
    ...asked,
  });
  // What YAML 1.1 would read as something else is quoted: other tools may rewrite the file.
  context.io.out(stringify(expectationOf(viewOf(snapshot)), { version: '1.1' }));
}

async function printCatalogue(
  context: Context,
  { list, explain, format, wide }: CheckOptions,
): Promise<void> {
  const { pageText } = await import('../cluster/findings/pages.js');
  if (explain !== undefined) {
    const page = pageText(explain);
    if (page === null) throw unknownFinding(explain);
    return context.io.out(fitted(page, screenOf(context, wide)));
  }
  if (!list) return;
  const rows = CATALOGUE.map(({ code, group, severity, needs, title }) => ({
    code,
    group,
    severity: [...severity],
    needs,
    title,
  }));
  if (format === 'json') return context.io.out(`${JSON.stringify(rows, null, 2)}\n`);
  const { grid } = await import('../output/grid.js');
  const cells = rows.map((row) => [row.code, row.severity.join(', '), row.needs, row.title]);
  context.io.out(
    await grid(['Code', 'Severity', 'Needs', 'What'], cells, [], {
      screen: screenOf(context, wide),
      narrowings: [{ below: ['What'] }, { below: ['Needs'] }],
    }),
  );
}

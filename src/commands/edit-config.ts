/** `patctl edit-config`: changes the dynamic configuration, checked, shown, and only if nobody else did in the meantime. */
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  patched,
  readPair,
  rebased,
  settingPair,
  threeWay,
  withValue,
} from '../cluster/configuration/config-edit.js';
import {
  CHECK_CODES,
  checkConfig,
  newProblems,
  type ConfigProblem,
} from '../cluster/configuration/config-check.js';
import { restartSettings, settingsIn } from '../cluster/configuration/config-settings.js';
import type { Cluster, JsonObject } from '../cluster/model/model.js';
import {
  currentOf,
  documentJson,
  documentOf,
  documentText,
  isEqual,
  looksSame,
  plainObject,
  readDocument,
  readYaml,
  type Current,
  type Document,
} from '../actions/edit-config/document.js';
import { inputText } from '../cli/read-input.js';
import { ToolError, type Ending } from '../errors.js';
import { readCluster } from '../actions/kit/choose-members.js';
import { oneLine } from '../output/text.js';
import { pythonText, type Value } from '../output/value.js';
import type { Finish } from '../cli/finish.js';
import type { Context } from '../context.js';
import { parseCount, scopeOrDefault } from '../cli/options.js';
import { parseDurationMs } from '../cli/units.js';
import { noConfig, readableConfig } from './show-config.js';

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

/** A loop in which it is read and one more, and some time to apply it and to answer. */
const TAKE_LOOPS = 2;
const SPARE_MS = 10_000;

const each = (value: string, before: string[] = []): string[] => [...before, value];

const SKIPPABLE: readonly string[] = [...CHECK_CODES, 'all'];

/** commander forgets its choices where values are gathered. */
function eachCode(value: string, before: string[] = []): string[] {
  if (SKIPPABLE.includes(value)) return [...before, value];
  throw new InvalidArgumentError(`Allowed choices are ${SKIPPABLE.join(', ')}.`);
}

export function editConfigCommand(context: Context, finish: Finish): Command {
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
    .action(async (cluster: string | undefined, options: EditOptions) =>
      finish(await editConfig(context, cluster, withoutEmpty(options))),
    );
}

async function editConfig(
  context: Context,
  name: string | undefined,
  options: EditOptions,
): Promise<Ending> {
  checkOptions(options);
  const scope = await scopeOrDefault(context, name);
  const { group } = await context.config();
  const cluster = await readCluster(context, scope, options.group ?? group);
  // A configuration that cannot be read can be replaced, and nothing else.
  if (options.replace === undefined) readableConfig(cluster);
  const current = currentOf(cluster);
  if (!current) throw noConfig(cluster);
  const edit = await takeEdit(context, options, scope, current);
  const work = { cluster, current, edit };
  const wrote = await carryOut(context, options, work).catch(async (error: unknown) => {
    throw edit.file === null ? error : await kept(error, edit.file);
  });
  if (options.dryRun && edit.file !== null) {
    const { resumeHint } = await import('../actions/edit-config/editor.js');
    context.io.err(`${resumeHint(edit.file)}\n`);
  } else await edit.discard();
  if (wrote && options.wait) await waited(context, options, work);
  return 'ok';
}

/** An empty file name is none, as with patronictl: scripts pass empty variables. */
function withoutEmpty({ apply, replace, ...rest }: EditOptions): EditOptions {
  return { ...rest, ...(apply ? { apply } : {}), ...(replace ? { replace } : {}) };
}

function checkOptions({ apply, replace, resume, set, pg }: EditOptions): void {
  if (apply === '-' && replace === '-') {
    throw new ToolError('usage', '--apply and --replace cannot both read stdin');
  }
  const named = apply ?? replace ?? set?.[0] ?? pg?.[0];
  if (resume !== undefined && named !== undefined) {
    throw new ToolError('usage', '--resume continues in the editor and takes no other change');
  }
}

// ---------------------------------------------------------------- what is to be

interface Edit {
  document: Document;
  /** What the difference shows: an editor's text as it was typed. */
  text: string;
  /** Where the editor's text lies; null without an editor. */
  file: string | null;
  discard: () => Promise<void>;
}

async function takeEdit(
  context: Context,
  options: EditOptions,
  scope: string,
  current: Current,
): Promise<Edit> {
  const { apply, replace, set = [], pg = [], resume, check } = options;
  let document: Document | null = check ? current.document : null;
  if (replace !== undefined) {
    document = patched<Value>(new Map(), await fileDocument(context, replace), looksSame);
  }
  if (apply !== undefined) {
    const patch = await fileDocument(context, apply);
    document = patched(document ?? current.document, patch, looksSame);
  }
  for (const pair of [...set, ...pg.map(settingPair)]) {
    document = await withPair(document ?? current.document, pair);
  }
  if (document) {
    return { document, text: documentText(document), file: null, discard: () => Promise.resolve() };
  }
  return inEditor(context, scope, current, resume);
}

async function withPair(document: Document, pair: string): Promise<Document> {
  const read = readPair(pair);
  if (!read) {
    throw new ToolError('usage', 'Invalid parameter setting: expected KEY=VALUE', {
      code: 'bad_pair',
    });
  }
  const label = `the value of ${oneLine(read.path.join('.'))}`;
  return withValue(document, read.path, await readYaml(read.value, label));
}

async function fileDocument(context: Context, file: string): Promise<Document> {
  return readDocument(await inputText(context, file), file === '-' ? 'stdin' : file);
}

async function inEditor(
  context: Context,
  scope: string,
  current: Current,
  resume: string | undefined,
): Promise<Edit> {
  const { edit, discardEdit, resumeHint } = await import('../actions/edit-config/editor.js');
  const base = documentJson(current.document);
  const text = resume === undefined ? current.text : await resumedText(resume, current);
  const edited = await edit(context, scope, { text, base });
  if (resume !== undefined && resume !== edited.path) await discardEdit(resume);
  try {
    const document = await readDocument(edited.text, edited.path);
    return { document, text: edited.text, file: edited.path, discard: edited.discard };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError('error', error.message, {
      code: 'broken_edit',
      hint: resumeHint(edited.path),
    });
  }
}

/** A kept edit on top of what the configuration has become since. */
async function resumedText(file: string, current: Current): Promise<string> {
  const { keptEdit } = await import('../actions/edit-config/editor.js');
  const { text, base } = await keptEdit(file);
  const then = documentOf(base);
  if (!then || isEqual(then, current.document)) return text;
  const mine = await readDocument(text, file).catch(() => null);
  const merged = mine && rebased(then, current.document, mine, looksSame);
  if (merged) return documentText(merged);
  throw new ToolError('error', 'the configuration has changed since this edit began', {
    code: 'concurrent_change',
    hint: `${file} is kept; start again with edit-config`,
    evidence: mine ? threeWayEvidence(then, current.document, mine) : [],
  });
}

async function kept(error: unknown, file: string): Promise<unknown> {
  if (!(error instanceof ToolError)) return error;
  const { resumeHint } = await import('../actions/edit-config/editor.js');
  const { ending, message, code, evidence, hint } = error;
  const both = [hint, resumeHint(file)].filter((line) => line !== undefined).join('\n');
  return new ToolError(ending, message, { code, evidence, hint: both, cause: error });
}

// ---------------------------------------------------------------- show, check, ask, write

interface Work {
  cluster: Cluster;
  current: Current;
  edit: Edit;
}

/** True when it was written. */
async function carryOut(context: Context, options: EditOptions, work: Work): Promise<boolean> {
  const { current, edit } = work;
  const { quiet, check, dryRun, apply, replace } = options;
  const force = options.force ?? options.yes ?? false;
  const { io } = context;
  const problems = judge(work);
  if (check) {
    for (const problem of problems) io.out(`${problemLine(problem)}\n`);
    if (problems.length === 0) io.out('No problems found\n');
    refuse(problems, options.skipCheck);
    return false;
  }
  if (isEqual(current.document, edit.document)) {
    if (!quiet) io.out('Not changed\n');
    return false;
  }
  if (!quiet) {
    const { diffText } = await import('../output/unified.js');
    io.out(await diffText(current.text, edit.text, io.outColor));
  }
  for (const problem of problems) io.err(`${problemLine(problem)}\n`);
  refuse(problems, options.skipCheck);
  sayRestarts(context, work);
  if (dryRun) {
    io.err('dry run: nothing was written\n');
    return false;
  }
  if (!force) await consent(context, apply === '-' || replace === '-');
  await write(context, work);
  io.out('Configuration changed\n');
  return true;
}

function judge({ current, edit }: Work): ConfigProblem[] {
  const before = checkConfig(plainObject(current.document));
  return newProblems(checkConfig(plainObject(edit.document)), before);
}

function problemLine({ level, code, message }: ConfigProblem): string {
  return oneLine(`${level}: ${message} [${code}]`);
}

function refuse(problems: readonly ConfigProblem[], skipped: readonly string[] = []): void {
  const errors = problems.filter(
    ({ level, code }) => level === 'error' && !skipped.includes(code) && !skipped.includes('all'),
  );
  if (errors.length === 0) return;
  const codes = [...new Set(errors.map(({ code }) => code))];
  throw new ToolError('error', 'the configuration failed the checks; nothing was written', {
    code: 'config_refused',
    hint: `correct it, or write it anyway with ${codes.map((code) => `--skip-check ${code}`).join(' ')}`,
    evidence: errors.map(({ key, message }) => ({ witness: 'check', subject: key, said: message })),
  });
}

function sayRestarts(context: Context, { cluster, current, edit }: Work): void {
  const names = restartSettings(plainObject(current.document), plainObject(edit.document));
  if (names.length === 0) return;
  const members = cluster.members.map(({ name }) => name).join(', ');
  context.io.err(oneLine(`note: ${names.join(', ')}: needs a restart of ${members}`) + '\n');
}

async function consent(context: Context, stdinIsTaken: boolean): Promise<void> {
  const { io, flags } = context;
  if (stdinIsTaken || !io.stdinIsTty || !io.stderrIsTty) {
    if (flags.compat && stdinIsTaken) io.out('Use --force option to apply changes\n');
    throw new ToolError('usage', 'nothing was written: the change must be confirmed', {
      code: 'no_terminal',
      hint: 'give --force to apply the changes without confirmation',
    });
  }
  const { openAsker } = await import('../output/ask.js');
  const asker = openAsker(context);
  try {
    if (await asker.confirm('Apply these changes?')) return;
  } finally {
    asker.close();
  }
  throw new ToolError('error', 'declined; nothing was written', { code: 'declined' });
}

/** Once, and only if the key is still what was edited. */
async function write(context: Context, { cluster, current, edit }: Work): Promise<void> {
  const dcs = await context.dcs();
  const outcome = await dcs.writeConfig(cluster, documentJson(edit.document));
  if (outcome.done) return;
  const theirs = documentOf(outcome.current ?? '');
  const evidence = theirs ? threeWayEvidence(current.document, theirs, edit.document) : [];
  throw new ToolError('error', 'Config modification aborted due to concurrent changes', {
    code: 'concurrent_change',
    evidence,
    hint: theirs
      ? 'nothing was written; see what changed in the meantime (patctl show-config) and try again'
      : 'the config key was deleted or made unreadable in the meantime; nothing was written',
  });
}

/** Key by key: what it was, what it has become, what this edit wants. */
function threeWayEvidence(base: Document, theirs: Document, mine: Document): ToolError['evidence'] {
  const show = (value: Value | undefined) =>
    value === undefined ? 'absent' : pythonText(value).slice(0, 200);
  return threeWay(base, theirs, mine, looksSame).map((one) => {
    const [was, other, own] = [one.base, one.theirs, one.mine].map((node) => show(node as Value));
    const now = other === was ? '' : `, is now ${other ?? ''}`;
    const wanted = own === was ? '' : `, this edit sets ${own ?? ''}`;
    const clash = one.clash ? ' (clash)' : '';
    return {
      witness: 'DCS',
      subject: one.path.join('.'),
      said: `was ${was ?? ''}${now}${wanted}${clash}`,
    };
  });
}

/** The settings of PostgreSQL that this edit wrote. */
function changedSettings(before: Document, after: Document): JsonObject {
  const [old, now] = [settingsIn(plainObject(before)), settingsIn(plainObject(after))];
  return Object.fromEntries(
    Object.entries(now).filter(
      ([name, value]) => JSON.stringify(old[name]) !== JSON.stringify(value),
    ),
  );
}

async function waited(
  context: Context,
  options: EditOptions,
  { cluster, current, edit }: Work,
): Promise<void> {
  const { refuseUntaken, seenInForce, waitTaken } = await import('../actions/edit-config/taken.js');
  const after = plainObject(edit.document);
  refuseUntaken(checkConfig(after));
  // A longer loop_wait counts from the loop on in which it is read.
  const loops = [cluster.config?.loopWaitSeconds, after['loop_wait']].map((one) =>
    typeof one === 'number' ? one : 10,
  );
  const limitMs = options.deadline ?? TAKE_LOOPS * Math.max(...loops) * 1000 + SPARE_MS;
  const taken = await waitTaken(context, cluster, after, limitMs);
  await seenInForce(context, cluster, taken, changedSettings(current.document, edit.document));
  context.io.err(`taken by ${taken.map(({ name }) => oneLine(name)).join(', ')}\n`);
  const pending = taken.filter((one) => one.pending !== null);
  if (pending.length === 0) return;
  const settings = [...new Set(pending.flatMap((one) => one.pending ?? []))].join(', ');
  const whom = pending.map(({ name }) => name).join(', ');
  context.io.err(`${oneLine(`a restart is pending on ${whom}${settings && `: ${settings}`}`)}\n`);
}

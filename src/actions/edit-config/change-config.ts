/** Changes the dynamic configuration: taken, shown, checked, asked about, and written once. */
import { loopTimes } from '../../cluster/model/loop-times.js';
import { readConfig } from '../../cluster/model/parse-keys.js';
import { commandLine } from '../../cluster/model/command-line.js';
import {
  checkConfig,
  newProblems,
  type ConfigProblem,
} from '../../cluster/configuration/config-check.js';
import { restartSettings, settingsIn } from '../../cluster/configuration/config-settings.js';
import type { Cluster, JsonObject } from '../../cluster/model/model.js';
import { ToolError, type Ending } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { Context } from '../../context.js';
import { readCluster } from '../../observe/read-keys.js';
import { questionsBeside } from '../kit/action-document.js';
import type { ConfigurationChange, Show, Tell, Telling } from '../kit/report.js';
import { configurationChanges } from './configuration-changes.js';
import {
  currentOf,
  documentJson,
  documentOf,
  isEqual,
  plainObject,
  type Current,
  type Document,
} from './document.js';
import type { EditRequest } from './edit-request.js';
import { valuesOf, documentWithoutSecrets } from './hidden-secrets.js';
import { noConfig, readableConfig } from './readable-config.js';
import { lookForCritical } from '../kit/critical-findings.js';
import { kept, takeEdit, type Edit } from './take-edit.js';
import { threeWayEvidence } from './three-way.js';

/** A loop in which it is read and one more, and some time to apply it and to answer. */
const TAKE_LOOPS = 2;
const SPARE_MS = 10_000;

/** Shows the difference and tells how it ended; every ending but ok is thrown. */
export async function editConfig(
  context: Context,
  telling: Pick<Telling, 'tell' | 'show'>,
  request: EditRequest,
): Promise<Ending> {
  const { tell, show } = telling;
  tell({ kind: 'cluster', scope: request.scope });
  tell({ kind: 'changed', changed: false });
  const cluster = await readCluster(context, request.scope, request.group);
  // A configuration that cannot be read can be replaced, and nothing else.
  if (request.replace === null) readableConfig(cluster);
  const current = currentOf(cluster);
  if (!current) throw noConfig(cluster);
  const { work, wrote } = await tried(context, request, { cluster, current, tell, show });
  const { edit } = work;
  if (request.dryRun && edit.file !== null) {
    const { resumeHint } = await import('./editor.js');
    tell({ kind: 'note', text: resumeHint(edit.file) });
  } else await edit.discard();
  if (wrote && request.wait) await waited(context, request, work);
  return 'ok';
}

/** Takes the edit and carries it out; one that is refused may be edited again. */
async function tried(
  context: Context,
  request: EditRequest,
  given: Omit<Work, 'edit'>,
): Promise<{ work: Work; wrote: boolean }> {
  const edit = await takeEdit(context, request, given.current);
  const work = { ...given, edit };
  const { file } = edit;
  try {
    return { work, wrote: await carryOut(context, request, work) };
  } catch (error) {
    if (file === null) throw error;
    const { wantsToEditAgain } = await import('./edit-again.js');
    const again = await wantsToEditAgain(context, error, request.force);
    if (again) return tried(context, { ...request, resume: file }, given);
    throw await kept(error, file);
  }
}

interface Work {
  cluster: Cluster;
  current: Current;
  edit: Edit;
  tell: Tell;
  show: Show;
}

/** True when it was written. */
async function carryOut(context: Context, request: EditRequest, work: Work): Promise<boolean> {
  const { current, edit, tell } = work;
  const { quiet, checkOnly, dryRun, force, skipChecks, stdinIsTaken } = request;
  const problems = judge(context, work);
  const configuration = changeOf(work, problems);
  tell({ kind: 'configuration', configuration });
  if (checkOnly) {
    for (const problem of problems) tell({ kind: 'line', text: problemLine(problem) });
    if (problems.length === 0) tell({ kind: 'line', text: 'No problems found' });
    refuse(problems, skipChecks);
    return false;
  }
  if (isEqual(current.document, edit.document)) {
    if (!quiet) tell({ kind: 'line', text: 'Not changed' });
    return false;
  }
  if (!quiet) await showDifference(work, problems);
  for (const problem of problems) tell({ kind: 'note', text: problemLine(problem) });
  refuse(problems, skipChecks);
  tellRestarts(work);
  if (dryRun) {
    tell({ kind: 'note', text: 'dry run: nothing was written' });
    return false;
  }
  await tellGuard(context, tell);
  if (!force && !(await consent(context, work, stdinIsTaken))) return false;
  await write(context, work, configuration);
  tell({ kind: 'line', text: 'Configuration changed' });
  return true;
}

async function showDifference(
  { current, edit, show }: Work,
  problems: readonly ConfigProblem[],
): Promise<void> {
  const keys = problems.filter(({ code }) => code === 'secret').map(({ key }) => key);
  const secrets = valuesOf(plainObject(edit.document), new Set(keys));
  const text = (shown: string): string => documentWithoutSecrets(shown, secrets);
  await show({ kind: 'difference', before: text(current.text), after: text(edit.text) });
}

function changeOf(
  { current, edit }: Work,
  problems: readonly ConfigProblem[],
): ConfigurationChange {
  const [before, after] = [plainObject(current.document), plainObject(edit.document)];
  return {
    changes: configurationChanges(before, after),
    problems: problems.map(({ level, code, key, message }) => ({ level, code, key, message })),
    needRestart: restartSettings(before, after),
    written: false,
  };
}

/** As patronictl, what Patroni takes, adjusts or ignores is a warning; what it cannot use at all stays an error. */
function judge({ flags }: Context, { current, edit }: Work): ConfigProblem[] {
  const before = checkConfig(plainObject(current.document));
  const problems = newProblems(checkConfig(plainObject(edit.document)), before);
  if (!flags.compat) return problems;
  return problems.map((problem) =>
    problem.effect === 'rejected' ? problem : { ...problem, level: 'warning' },
  );
}

function problemLine({ level, code, message }: ConfigProblem): string {
  return oneLine(`${level}: ${message} [${code}]`);
}

function refuse(problems: readonly ConfigProblem[], skipped: readonly string[]): void {
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

function tellRestarts({ cluster, current, edit, tell }: Work): void {
  const names = restartSettings(plainObject(current.document), plainObject(edit.document));
  if (names.length === 0) return;
  const members = cluster.members.map(({ name }) => name).join(', ');
  tell({ kind: 'note', text: `note: ${names.join(', ')}: needs a restart of ${members}` });
}

/** If no revision is compared, the user must know it before the change is sent. */
async function tellGuard(context: Context, tell: Tell): Promise<void> {
  const { weakGuard } = await context.dcs();
  if (weakGuard === undefined) return;
  const text = `note: the guard is weaker than with the DCS; a concurrent change may be overwritten: ${weakGuard}`;
  tell({ kind: 'note', text, notWith: 'compat' });
}

/** False: declined, which is not an error in patronictl. */
async function consent(
  context: Context,
  { cluster, tell }: Work,
  stdinIsTaken: boolean,
): Promise<boolean> {
  const { flags } = context;
  const { needAnswers, withAsker } = await import('../../output/ask.js');
  const message = 'nothing was written: the change must be confirmed';
  const hint = 'give --force to apply the changes without confirmation';
  if (stdinIsTaken) {
    if (flags.compat) tell({ kind: 'line', text: 'Use --force option to apply changes' });
    const why = `${message}, and stdin holds the change`;
    throw new ToolError('usage', why, { code: 'no_terminal', hint });
  }
  needAnswers(context, message, hint);
  const beside = questionsBeside(context);
  const agreed = await withAsker(beside, async (asker) => {
    await lookForCritical(context, asker, cluster);
    return asker.confirm('Apply these changes?');
  });
  if (agreed) return true;
  if (flags.compat) return false;
  throw new ToolError('error', 'declined; nothing was written', { code: 'declined' });
}

/** Once, and only if the key is still what was edited. */
async function write(
  context: Context,
  { cluster, current, edit, tell }: Work,
  configuration: ConfigurationChange,
): Promise<void> {
  const dcs = await context.dcs();
  tell({ kind: 'changed', changed: null });
  const outcome = await dcs.writeConfig(cluster, documentJson(edit.document));
  tell({ kind: 'changed', changed: outcome.done });
  if (outcome.done) {
    tell({ kind: 'configuration', configuration: { ...configuration, written: true } });
    tell({ kind: 'seen', evidence: [{ witness: 'DCS', subject: '/config', said: 'written' }] });
    return;
  }
  const theirs = documentOf(outcome.current ?? '');
  const evidence = theirs ? threeWayEvidence(current.document, theirs, edit.document) : [];
  throw new ToolError('error', 'Config modification aborted due to concurrent changes', {
    code: 'concurrent_change',
    evidence,
    hint: theirs
      ? `nothing was written; try again when you have seen what changed in the meantime: ${commandLine(cluster, 'show-config')}`
      : 'the config key was deleted or made unreadable in the meantime; nothing was written',
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
  { deadlineMs }: EditRequest,
  { cluster, current, edit, tell }: Work,
): Promise<void> {
  const { refuseUntaken, seenInForce, takenLines, waitTaken } = await import('./taken.js');
  const after = plainObject(edit.document);
  refuseUntaken(checkConfig(after));
  // A longer loop_wait counts from the loop on in which it is read.
  const loops = [loopTimes(cluster.config), readConfig(after)].map((one) => one.loopWaitSeconds);
  const limitMs = deadlineMs ?? TAKE_LOOPS * Math.max(...loops) * 1000 + SPARE_MS;
  const { group } = cluster;
  for (const { name } of cluster.members) {
    tell({
      kind: 'member',
      group,
      outcome: {
        member: name,
        ending: 'unconfirmed',
        said: 'has not taken it yet',
        changed: null,
      },
    });
  }
  const taken = await waitTaken(context, cluster, after, { limitMs, tell });
  for (const { name, pending } of taken) {
    const waits = pending === null ? '' : `; a restart is pending for ${pending.join(', ')}`;
    const said = `has read it and completed another loop${waits}`;
    const evidence = [{ witness: 'REST', subject: name, said }];
    tell({ kind: 'member', group, outcome: { member: name, ending: 'ok', said, evidence } });
  }
  const written = changedSettings(current.document, edit.document);
  const untold = await seenInForce(context, cluster, { taken, written, tell });
  for (const text of takenLines(taken, untold)) tell({ kind: 'note', text });
  const pending = taken.filter((one) => one.pending !== null);
  if (pending.length === 0) return;
  const settings = [...new Set(pending.flatMap((one) => one.pending ?? []))].join(', ');
  const names = pending.map(({ name }) => name).join(', ');
  const text = `a restart is pending on ${names}${settings && `: ${settings}`}`;
  tell({ kind: 'note', text });
}

/** A dynamic configuration that stands in the DCS, against what Patroni and PostgreSQL make of it. */
import { commandLine } from '../model/command-line.js';
import { checkConfig, type ConfigProblem } from '../configuration/config-check.js';
import { settingsIn } from '../configuration/config-settings.js';
import type { DynamicConfig, Finding, JsonValue, Witnessed } from '../model/model.js';
import { plural } from '../model/words.js';
import type { MemberView, View } from '../roles/view.js';
import { isInForce } from './configuration.js';

/** So many problems are shown one by one; the rest is counted. */
const MOST_SHOWN = 20;

/** The problems of one reading, which four findings share. */
const judged = new WeakMap<DynamicConfig, ConfigProblem[]>();

function problemsOf({ snapshot }: View): ConfigProblem[] {
  const { config } = snapshot.cluster;
  if (!config || config.unreadable) return [];
  const known = judged.get(config);
  if (known) return known;
  const found = checkConfig(config.raw);
  judged.set(config, found);
  return found;
}

/** Patroni throws the whole configuration away, or its loop fails on it. */
export function configRejected(view: View): Finding[] {
  const { cluster } = view.snapshot;
  const whole = cluster.config?.unreadable
    ? cluster.problems
        .filter(({ key, partly }) => !partly && key.endsWith('/config'))
        .map(({ problem }) => `/config ${problem}`)
    : [];
  const rejected = problemsOf(view).filter(({ effect }) => effect === 'rejected');
  const said = [...whole, ...rejected.map(({ message }) => message)];
  if (said.length === 0) return [];
  return [
    {
      code: 'config_rejected',
      severity: 'critical',
      members: [],
      message: `the dynamic configuration is not in force: ${said[0] ?? ''}${andMore(said.length - 1)}`,
      evidence: [
        ...said.slice(0, MOST_SHOWN).map(dcsSays),
        ...view.members.flatMap((one) => inForceOn(one, settingsIn(cluster.config?.raw ?? {}))),
      ],
      next: cluster.config?.unreadable
        ? `write a complete one: ${commandLine(cluster, 'edit-config', '--replace', 'FILE')}`
        : correct(view, `correct ${rejected[0]?.key ?? 'it'}`),
    },
  ];
}

function andMore(count: number): string {
  return count > 0 ? `, and ${plural(count, 'more problem')}` : '';
}

function dcsSays(said: string): Witnessed {
  return { witness: 'DCS', subject: '/config', said };
}

/** What each server runs with where that is not what is written; of a server that was not asked, that it was not. */
function inForceOn(one: MemberView, written: Record<string, JsonValue>): Witnessed[] {
  if (one.member === null) return [];
  const subject = `${one.name} pg_settings`;
  if (!one.sql.ok) {
    return [{ witness: 'SQL', subject, said: 'was not read, so the values in force are unknown' }];
  }
  const { settings } = one.sql.value;
  const compared = Object.entries(written).flatMap(([name, wanted]) => {
    const setting = settings[name];
    const same = setting ? isInForce(name, wanted, setting) : null;
    return setting && same !== null ? [{ name, wanted, value: setting.value, same }] : [];
  });
  const differ = compared.filter(({ same }) => !same);
  if (differ.length > 0) {
    const said = differ
      .slice(0, MOST_SHOWN)
      .map(({ name, value, wanted }) => `${name} = ${value}, written ${JSON.stringify(wanted)}`)
      .join('; ');
    return [{ witness: 'SQL', subject, said }];
  }
  const connections = settings['max_connections']?.value;
  const said =
    compared.length > 0
      ? `${plural(compared.length, 'setting')} in force as written`
      : connections === undefined
        ? 'nothing to compare'
        : `max_connections = ${connections}, nothing readable is written`;
  return [{ witness: 'SQL', subject, said }];
}

/** Values that do nothing, or that Patroni replaces by others. */
export function configIgnored(view: View): Finding[] {
  const found = problemsOf(view).filter(isNotInForce);
  const shown = found.slice(0, MOST_SHOWN).map((problem): Finding => ({
    code: 'config_ignored',
    severity: isCritical(problem) ? 'critical' : 'warning',
    members: [],
    message: `not in force as written: ${problem.message}`,
    evidence: [dcsSays(problem.message), ...settingSeen(view, problem.key)],
    next: correct(view, `correct ${problem.key}`),
  }));
  return [...shown, ...theRest(view, 'config_ignored', found.length, 'more value is not in force')];
}

const OTHER_FINDINGS: readonly ConfigProblem['code'][] = [
  'unknown_key',
  'slots',
  'timing',
  'secret',
];

function isNotInForce({ code, effect }: ConfigProblem): boolean {
  if (effect === 'rejected' || OTHER_FINDINGS.includes(code)) return false;
  return effect !== 'taken' || code === 'wrong_type';
}

/** A setting that was meant to be on is not in force; one at the wrong place only is harmless here. */
function isCritical({ code, level, effect, key }: ConfigProblem): boolean {
  if (code === 'ignored') return key === 'standby_cluster';
  return level === 'error' && effect === 'ignored' && code !== 'sync_names';
}

const PARAMETERS = 'postgresql.parameters.';

function settingSeen({ members }: View, key: string): Witnessed[] {
  if (!key.startsWith(PARAMETERS)) return [];
  const name = key.slice(PARAMETERS.length);
  return members.flatMap(({ name: member, sql }): Witnessed[] => {
    const setting = sql.ok ? sql.value.settings[name] : undefined;
    if (!setting) return [];
    return [
      { witness: 'SQL', subject: `${member} pg_settings`, said: `${name} = ${setting.value}` },
    ];
  });
}

/** What to change, and the command that opens the editor. */
function correct({ snapshot }: View, what: string): string {
  return `${what}: ${commandLine(snapshot.cluster, 'edit-config')}`;
}

function theRest(view: View, code: string, count: number, what: string): Finding[] {
  const more = count - MOST_SHOWN;
  if (more <= 0) return [];
  const said = plural(more, what);
  const next = `list all of them: ${commandLine(view.snapshot.cluster, 'edit-config', '--check')}`;
  return [
    { code, severity: 'warning', members: [], message: said, evidence: [dcsSays(said)], next },
  ];
}

/** Permanent slots that are not created, and slots that are not left alone. */
export function slotsMisconfigured(view: View): Finding[] {
  const found = problemsOf(view).filter(
    ({ code, effect }) => code === 'slots' && effect !== 'rejected',
  );
  const [first] = found;
  if (!first) return [];
  return [
    {
      code: 'slots_misconfigured',
      severity: 'warning',
      members: [],
      message: `${first.message}${andMore(found.length - 1)}`,
      evidence: found.slice(0, MOST_SHOWN).map(({ message }) => dcsSays(message)),
      next: correct(view, `correct ${first.key}`),
    },
  ];
}

/** Keys and settings that neither Patroni nor PostgreSQL reads: a name may be misspelt. */
export function configUnknownKey(view: View): Finding[] {
  const found = problemsOf(view).filter(
    ({ code, key, meant }) => code === 'unknown_key' && (meant !== undefined || !isOwnSection(key)),
  );
  const shown = found.slice(0, MOST_SHOWN).map(({ key, meant }): Finding => ({
    code: 'config_unknown_key',
    severity: 'warning',
    members: [],
    message: `the dynamic configuration has ${key}, which Patroni does not know${meant === undefined ? '' : `: did you mean ${meant}?`}`,
    evidence: [dcsSays(`has the key ${key}`)],
    next:
      meant === undefined ? correct(view, `remove ${key}`) : correct(view, `rename it to ${meant}`),
  }));
  return [...shown, ...theRest(view, 'config_unknown_key', found.length, 'more unknown key')];
}

/** Below `postgresql` there may be sections of custom replica methods, and settings of another PostgreSQL. */
function isOwnSection(key: string): boolean {
  return key.startsWith('postgresql.');
}

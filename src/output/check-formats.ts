/** A check's document in every format: for people, programs, CI and monitoring. */
import { plural } from '../cluster/model/words.js';
import type { CheckDocument, CheckedCluster } from '../cluster/documents/check-document.js';
import type { CheckedRoute } from '../cluster/findings/route-findings.js';
import type { Finding } from '../cluster/model/model.js';
import { findingLines } from './findings.js';
import { fitted, type Screen } from './screen.js';
import { oneLine } from './text.js';

export const CHECK_FORMATS = [
  'pretty',
  'json',
  'junit',
  'tap',
  'github',
  'nagios',
  'prometheus',
] as const;
export type CheckFormat = (typeof CHECK_FORMATS)[number];

export interface CheckTexts {
  screen: Screen;
  verbose: boolean;
  /** Codes that were looked for, for the formats that list what passed. */
  codes: readonly { code: string; title: string }[];
}

export async function checkText(
  format: CheckFormat,
  document: CheckDocument,
  texts: CheckTexts,
): Promise<string> {
  switch (format) {
    case 'pretty':
      return pretty(document, texts);
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`;
    case 'junit':
      return junit(document, texts);
    case 'tap':
      return tap(document, texts);
    case 'github':
      return github(document);
    case 'nagios':
      return nagios(document);
    case 'prometheus':
      return prometheus(document, texts);
  }
}

function title({ cluster, group }: CheckedCluster): string {
  return oneLine(group === null ? cluster : `${cluster} group ${group}`);
}

function summary(one: CheckedCluster): string {
  const replicas = one.members.filter(({ observedRole }) => observedRole === 'replica').length;
  const about = `${one.leader === null ? 'no leader' : `${one.leader} leads`}, ${plural(one.members.length, 'member')}, ${plural(replicas, 'replica')}`;
  const counted = (['critical', 'unknown', 'warning', 'info'] as const)
    .map((severity) => ({
      severity,
      n: one.findings.filter((f) => f.severity === severity).length,
    }))
    .filter(({ n }) => n > 0)
    .map(({ severity, n }) => `${n} ${severity}`);
  const found = counted.length === 0 ? ', nothing found' : `: ${counted.join(', ')}`;
  return oneLine(`${about}${found}${one.lacking === null ? '' : `; ${one.lacking}`}`);
}

// ---------------------------------------------------------------- people

async function pretty(
  { clusters }: CheckDocument,
  { screen, verbose }: CheckTexts,
): Promise<string> {
  const parts = clusters.map(async (one) => {
    const lines = [`${one.status.toUpperCase()} ${title(one)}: ${summary(one)}\n`];
    lines.push(await findingLines(one.findings, { verbose: true, screen }));
    for (const { finding, of } of one.consequences) {
      lines.push(`  follows from ${of}: ${oneLine(finding.message)} [${finding.code}]\n`);
    }
    for (const finding of one.transient) {
      lines.push(`  transient: ${oneLine(finding.message)} [${finding.code}]\n`);
    }
    lines.push(...one.routes.map(routeLine), skippedLines(one, verbose));
    return lines.join('');
  });
  return fitted((await Promise.all(parts)).join('\n'), screen);
}

function routeLine({ route, leadsTo, codes }: CheckedRoute): string {
  const where = leadsTo.length === 0 ? 'no server that is known' : leadsTo.join(', ');
  const found = codes.length === 0 ? '' : ` [${codes.join(', ')}]`;
  return `  ${oneLine(`route ${route} leads to ${where}${found}`)}\n`;
}

const ON_REQUEST: readonly string[] = ['--probe-rest', '--route'];

/** The checks that were skipped, a line for each reason; those that run only on request with -v only. */
function skippedLines({ unknown }: CheckedCluster, verbose: boolean): string {
  const byReason = new Map<string, string[]>();
  for (const { code, needs, reason } of unknown) {
    if (ON_REQUEST.includes(needs) && !verbose && /^needs --/.test(reason)) continue;
    byReason.set(reason, [...(byReason.get(reason) ?? []), code]);
  }
  return [...byReason]
    .map(([reason, codes]) => {
      const names = codes.map(oneLine).join(', ');
      return `  ${plural(codes.length, 'check')} skipped: ${names} (${oneLine(reason)})\n`;
    })
    .join('');
}

// ---------------------------------------------------------------- CI

/** A text in an attribute or an element. */
export function xml(text: string): string {
  return oneLine(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function details({ severity, evidence, next }: Finding, partOf: string | null = null): string[] {
  const facts = evidence.map(({ witness, subject, said }) => `${witness} ${subject}: ${said}`);
  const whole = partOf === null ? [] : [`part of: ${partOf}`];
  return [`severity: ${severity}`, ...whole, ...facts, `next: ${next}`].map(oneLine);
}

function junit({ clusters }: CheckDocument, { codes }: CheckTexts): string {
  const suites = clusters.map((one) => {
    const cases = [...junitLacking(one), ...codes.map(({ code }) => junitCase(one, code))];
    const found = codes.filter(({ code }) => failing(one, code).length > 0).length;
    const failures = found + (one.lacking === null ? 0 : 1);
    const skipped = codes.filter(({ code }) => isSkipped(one, code)).length;
    return `  <testsuite name="${xml(title(one))}" tests="${cases.length}" failures="${failures}" skipped="${skipped}" timestamp="${one.takenAt}">\n${cases.join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="patctl check">\n${suites.join('')}</testsuites>\n`;
}

/** In the formats that list what was tried: the witness of --require. */
const REQUIRED = 'required_witness';

/** Found, with the code of the finding it is part of where it was folded into one. */
interface Found {
  finding: Finding;
  partOf: string | null;
}

/** What of a code was found, part of another finding or not: to an alert on this code it is there. */
function foundOf(one: CheckedCluster, code: string): Found[] {
  const alone = one.findings.map((finding): Found => ({ finding, partOf: null }));
  const folded = one.consequences.map(({ finding, of }): Found => ({ finding, partOf: of }));
  return [...alone, ...folded].filter(({ finding }) => finding.code === code);
}

function failing(one: CheckedCluster, code: string): Found[] {
  return foundOf(one, code).filter(({ finding }) => finding.severity !== 'info');
}

function isSkipped(one: CheckedCluster, code: string): boolean {
  return failing(one, code).length === 0 && one.unknown.some((unlooked) => unlooked.code === code);
}

/** A witness that is required and missing is a failure of its own. */
function junitLacking(one: CheckedCluster): string[] {
  if (one.lacking === null) return [];
  const head = `    <testcase classname="${xml(title(one))}" name="${REQUIRED}">`;
  const failure = `      <failure type="unknown" message="${xml(one.lacking)}"/>`;
  return [`${head}\n${failure}\n    </testcase>\n`];
}

function junitCase(one: CheckedCluster, code: string): string {
  const head = `    <testcase classname="${xml(title(one))}" name="${code}"`;
  const found = failing(one, code);
  if (found.length > 0) {
    const failures = found.map(
      ({ finding, partOf }) =>
        `      <failure type="${finding.severity}" message="${xml(finding.message)}">${details(finding, partOf).map(xml).join('\n')}</failure>\n`,
    );
    return `${head}>\n${failures.join('')}    </testcase>\n`;
  }
  const reason = one.unknown.find((unlooked) => unlooked.code === code)?.reason;
  if (reason === undefined) return `${head}/>\n`;
  return `${head}>\n      <skipped message="${xml(reason)}"/>\n    </testcase>\n`;
}

/** TAP version 14: a finding is `not ok`, what could not be looked for is skipped. */
function tap({ clusters }: CheckDocument, { codes }: CheckTexts): string {
  const lines: string[] = [];
  for (const one of clusters) {
    lines.push(...tapLacking(one, lines));
    for (const { code } of codes) {
      const name = `${title(one)} ${code}`.replaceAll('#', '\\#');
      const found = failing(one, code);
      const skip = one.unknown.find((unlooked) => unlooked.code === code);
      const number = () => countPoints(lines) + 1;
      if (found.length === 0) {
        const reason = skip ? ` # SKIP ${oneLine(skip.reason)}` : '';
        lines.push(`ok ${number()} - ${name}${reason}`);
        continue;
      }
      for (const { finding, partOf } of found) {
        lines.push(`not ok ${number()} - ${name}`, '  ---');
        lines.push(`  message: ${JSON.stringify(oneLine(finding.message))}`);
        lines.push(`  severity: ${finding.severity}`);
        if (partOf !== null) lines.push(`  part_of: ${partOf}`);
        lines.push(`  evidence:`);
        for (const fact of details(finding).slice(1)) lines.push(`    - ${JSON.stringify(fact)}`);
        lines.push('  ...');
      }
    }
  }
  return ['TAP version 14', `1..${countPoints(lines)}`, ...lines, ''].join('\n');
}

function countPoints(lines: readonly string[]): number {
  return lines.filter((line) => /^(not )?ok /.test(line)).length;
}

function tapLacking(one: CheckedCluster, before: readonly string[]): string[] {
  if (one.lacking === null) return [];
  const point = `not ok ${countPoints(before) + 1} - ${title(one).replaceAll('#', '\\#')} ${REQUIRED}`;
  const message = `  message: ${JSON.stringify(oneLine(one.lacking))}`;
  return [point, '  ---', message, '  severity: unknown', '  ...'];
}

/** Annotations of GitHub's workflows: error, warning, notice. */
function github({ clusters }: CheckDocument): string {
  const level = {
    critical: 'error',
    unknown: 'error',
    warning: 'warning',
    info: 'notice',
  } as const;
  const lines = clusters.flatMap((one) =>
    one.findings.map((finding) => {
      const message = [finding.message, ...details(finding).slice(1)].map(annotation).join('%0A');
      const heading = property(`${title(one)}: ${finding.code}`);
      return `::${level[finding.severity]} title=${heading}::${message}\n`;
    }),
  );
  const lacking = clusters.flatMap((one) =>
    one.lacking === null
      ? []
      : [`::error title=${property(`${title(one)}: ${REQUIRED}`)}::${annotation(one.lacking)}\n`],
  );
  const closing = clusters.map(
    (one) => `${one.status.toUpperCase()} ${title(one)}: ${summary(one)}\n`,
  );
  return [...lines, ...lacking, ...closing].join('');
}

function annotation(text: string): string {
  return oneLine(text).replaceAll('%', '%25');
}

function property(text: string): string {
  return oneLine(text).replaceAll('%', '%25').replaceAll(':', '%3A').replaceAll(',', '%2C');
}

// ---------------------------------------------------------------- monitoring

/** One line, then perfdata: bytes as B, counts without a unit. */
function nagios({ clusters, status }: CheckDocument): string {
  const words = clusters.map((one) => {
    const [first] = one.findings;
    const bad = one.findings.filter(({ severity }) => severity !== 'info');
    const more = bad.length > 1 ? ` (and ${bad.length - 1} more)` : '';
    const said =
      first !== undefined && bad.length > 0
        ? `${first.message} [${first.code}]${more}${one.lacking === null ? '' : `; ${one.lacking}`}`
        : summary(one);
    return `${title(one)}: ${said}`;
  });
  const perfdata = clusters.flatMap((one) => perf(one, clusters.length > 1));
  const text = words.join('; ').replaceAll('|', '/');
  return `PATCTL ${status.toUpperCase()} - ${oneLine(text)} | ${perfdata.join(' ')}\n`;
}

function perf(one: CheckedCluster, several: boolean): string[] {
  const label = (name: string) =>
    `'${oneLine(`${several ? `${title(one)}_` : ''}${name}`).replaceAll(/['=|]/g, '_')}'`;
  const count = (severity: Finding['severity']) =>
    one.findings.filter((finding) => finding.severity === severity).length;
  return [
    `${label('members')}=${one.members.length};;;0`,
    `${label('critical')}=${count('critical')};;;0`,
    `${label('warning')}=${count('warning')};;;0`,
    ...one.members
      .filter(({ lagBytes, name }) => lagBytes !== null && name !== one.leader)
      .map(({ name, lagBytes }) => `${label(`${name}_lag`)}=${lagBytes ?? 0}B;;;0`),
  ];
}

/** For node_exporter's textfile collector. */
function prometheus({ clusters }: CheckDocument, { codes }: CheckTexts): string {
  const metrics: { name: string; help: string; samples: string[] }[] = [
    {
      name: 'patctl_check_status',
      help: '0 ok, 1 warning, 2 critical, 3 unknown',
      samples: clusters.map((one) =>
        sample(
          'patctl_check_status',
          one,
          {},
          { ok: 0, warning: 1, critical: 2, unknown: 3 }[one.status],
        ),
      ),
    },
    {
      name: 'patctl_check_finding',
      help: 'Number of this finding, including those that are part of another one; NaN when its check was skipped',
      samples: clusters.flatMap((one) =>
        codes.map(({ code }) => {
          const found = foundOf(one, code);
          const value = isSkipped(one, code) && found.length === 0 ? NaN : found.length;
          return sample('patctl_check_finding', one, { code }, value);
        }),
      ),
    },
    {
      name: 'patctl_check_finding_severity',
      help: 'Worst of this finding: 0 none or info, 1 warning, 2 critical, 3 unknown; NaN when its check was skipped',
      samples: clusters.flatMap((one) =>
        codes.map(({ code }) =>
          sample('patctl_check_finding_severity', one, { code }, severityValue(one, code)),
        ),
      ),
    },
    {
      name: 'patctl_member_lag_bytes',
      help: "Bytes behind the leader's position in the same reading; NaN when unknown",
      samples: clusters.flatMap((one) =>
        one.members.map(({ name, lagBytes }) =>
          sample('patctl_member_lag_bytes', one, { member: name }, lagBytes ?? NaN),
        ),
      ),
    },
    {
      name: 'patctl_check_timestamp_seconds',
      help: 'Time at which the cluster was read',
      samples: clusters.map((one) =>
        sample('patctl_check_timestamp_seconds', one, {}, Date.parse(one.takenAt) / 1000),
      ),
    },
  ];
  return metrics
    .map(
      ({ name, help, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${samples.map((line) => `${line}\n`).join('')}`,
    )
    .join('');
}

function severityValue(one: CheckedCluster, code: string): number {
  if (isSkipped(one, code)) return NaN;
  const rank = { info: 0, warning: 1, unknown: 2, critical: 3 };
  const [worst] = foundOf(one, code).sort(
    (a, b) => rank[b.finding.severity] - rank[a.finding.severity],
  );
  return { none: 0, info: 0, warning: 1, critical: 2, unknown: 3 }[
    worst?.finding.severity ?? 'none'
  ];
}

function sample(
  name: string,
  { cluster, group }: CheckedCluster,
  labels: Record<string, string>,
  value: number,
): string {
  const all = { cluster, ...(group === null ? {} : { group: String(group) }), ...labels };
  const text = Object.entries(all).map(([key, label]) => `${key}="${labelText(label)}"`);
  return `${name}{${text.join(',')}} ${Number.isNaN(value) ? 'NaN' : value}`;
}

/** The value of a label between its quotes. */
export function labelText(text: string): string {
  return oneLine(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}

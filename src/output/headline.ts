/** The first line of `status`. */
import type { StatusDocument, StatusSummary } from '../cluster/documents/status-document.js';
import { worstFirst } from '../cluster/findings/find.js';
import { commandLine } from '../cluster/model/command-line.js';
import type { Severity } from '../cluster/model/model.js';
import { plural } from '../cluster/model/words.js';
import { doubtText } from '../cluster/roles/unverified.js';
import { severityWord } from './findings.js';
import { asCalled } from './as-called.js';
import { type Screen } from './screen.js';
import { oneLine } from './text.js';

/**
 * The first line: the worst that is found, and what to do about it; or why nothing can be said; or that all is well.
 */
export async function headline(document: StatusDocument, screen: Screen): Promise<string> {
  const { severity, said, next } = worstOf(document);
  const name =
    document.group === null ? document.cluster : `${document.cluster} group ${document.group}`;
  const step = next === null ? '' : `; next: ${asCalled(next, screen.command)}`;
  return `${await severityWord(severity, screen.color)} ${oneLine(`${name}: ${said}${step}`)}\n`;
}

/** The worst that is found, in words; `next` null: there is nothing to do. */
export function worstOf(document: StatusSummary): {
  severity: Severity | 'ok';
  said: string;
  next: string | null;
} {
  const { doubts, leader, members, problems, witnesses } = document;
  const [worst, ...others] = worstFirst([...document.findings, ...document.further]);
  const look = commandLine({ scope: document.cluster, group: document.group }, 'check', '-v');
  const why = `see which checks were skipped, and why: ${look}`;
  const isBad = worst && worst.severity !== 'info';
  if (isBad && (worst.severity !== 'warning' || doubts.length + problems.length === 0)) {
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    return {
      severity: worst.severity,
      said: `${worst.message} [${worst.code}]${more}`,
      next: worst.next,
    };
  }
  const unread = problems.find(({ partly }) => partly !== true);
  if (unread)
    return {
      severity: 'unknown',
      said: `${unread.key} cannot be read: ${unread.problem}`,
      next: why,
    };
  if (witnesses.verify === 'off')
    return {
      severity: 'unknown',
      said: 'no member was asked, so no claim was checked (--verify off)',
      next: why,
    };
  const [doubt] = doubts;
  const isUnsure = members.some(({ verdict, departed }) => verdict === 'unknown' && !departed);
  if (doubt && isUnsure) return { severity: 'unknown', said: doubtText(doubt), next: why };
  if (isBad)
    return { severity: worst.severity, said: `${worst.message} [${worst.code}]`, next: worst.next };
  const replicas = members.filter(({ observedRole }) => observedRole === 'replica').length;
  const leads = leader.name === null ? 'no leader' : `${leader.name} leads`;
  return {
    severity: 'ok',
    said: `${leads}, ${plural(replicas, 'replica')}, nothing is wrong`,
    next: null,
  };
}

/** Findings that appeared and that went. What follows from another finding is not an event of its own. */
import { list } from '../findings/evidence.js';
import type { Looked } from '../findings/find.js';
import type { Finding } from '../model/model.js';
import { event, type Looking, type NewEvent } from './event-kit.js';

export function findingEvents(a: Looking, b: Looking): NewEvent[] {
  const [was, is] = [a.looked.findings, b.looked.findings];
  return [
    ...is.flatMap((finding) => appeared(finding, was)),
    ...was.flatMap((finding) => gone(finding, b.looked)),
  ];
}

/** What a finding is about: its members, or '' for the cluster. */
function subjects({ members }: Finding): string[] {
  return members.length === 0 ? [''] : members;
}

function isAbout(found: readonly Finding[], code: string, subject: string): boolean {
  return found.some((one) => one.code === code && subjects(one).includes(subject));
}

/** It is new, of another severity, or about one member more. */
function appeared(finding: Finding, was: readonly Finding[]): NewEvent[] {
  const { code, severity, message, evidence, members } = finding;
  const same = was.filter((one) => one.severity === severity);
  if (subjects(finding).every((subject) => isAbout(same, code, subject))) return [];
  return [event({ code: 'finding_appeared', severity, members, message, evidence, finding: code })];
}

/** For each of its members: not found any more, part of another finding, or unknown because a witness is silent. */
function gone({ code, members, ...rest }: Finding, now: Looked): NewEvent[] {
  const left = subjects({ code, members, ...rest }).filter(
    (subject) => !isAbout(now.findings, code, subject),
  );
  if (left.length === 0) return [];
  const names = left.filter((name) => name !== '');
  const about = names.length === 0 ? '' : ` (${list(names)})`;
  const part = now.consequences.find(
    ({ finding }) => finding.code === code && left.some((one) => subjects(finding).includes(one)),
  );
  const unknown = now.unlooked.find(
    (one) =>
      one.code === code &&
      (one.members.length === 0 ||
        names.length === 0 ||
        one.members.some((name) => names.includes(name))),
  );
  const shared = { code: 'finding_gone' as const, members: names, evidence: [], finding: code };
  if (part !== undefined) {
    return [event({ ...shared, message: `${code}${about} is now part of ${part.of}` })];
  }
  if (unknown !== undefined) {
    const message = `${code}${about} is unknown now: ${unknown.reason}`;
    return [event({ ...shared, severity: 'unknown', message })];
  }
  return [event({ ...shared, message: `${code}${about} is no longer found` })];
}

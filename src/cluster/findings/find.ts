/** Runs the catalogue over a snapshot: what is found, what follows from it, and what is unknown. */
import type { Finding, Severity, SilenceKind } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import { remembered } from '../model/remembered.js';
import { CATALOGUE, type Check, type Need } from './catalogue.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { silence } from './evidence.js';
import { routesUnlooked } from './route-findings.js';

export const SEVERITIES: readonly Severity[] = ['critical', 'unknown', 'warning', 'info'];

export function worstFirst(found: readonly Finding[]): Finding[] {
  return [...found].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** What makes a claim of the DCS false, worst first; none when --verify off left nothing to compare. */
export function findings(view: View): Finding[] {
  if (view.snapshot.verify === 'off') return [];
  const claims = CATALOGUE.filter(
    ({ claim, applies }) => claim === true && (applies?.(view) ?? true),
  );
  return worstFirst(claims.flatMap((check) => foundBy(check, view, DEFAULT_LIMITS)));
}

const foundBefore = new WeakMap<View, Map<Check, readonly Finding[]>>();

/** What one check finds. A check of claims is asked for by `findings` and by `look`: one look at a view has to do. */
function foundBy(check: Check, view: View, limits: Limits): readonly Finding[] {
  if (limits !== DEFAULT_LIMITS || check.claim !== true) return check.find(view, limits);
  const found = remembered(foundBefore, view, () => new Map<Check, readonly Finding[]>());
  return remembered(found, check, () => check.find(view, limits));
}

/** A finding that could not be looked for, and why. */
export interface Unlooked {
  code: string;
  needs: Need;
  /** Members that did not answer; empty: none was asked. */
  members: string[];
  reason: string;
}

export interface Looked {
  /** Worst first. */
  findings: Finding[];
  /** Findings that only say again what the code in `of` says. */
  consequences: { finding: Finding; of: string }[];
  unlooked: Unlooked[];
}

type Wanted = (code: string) => boolean;

/** Everything in the catalogue, of which `wanted` says yes. */
export function look(view: View, limits: Limits, wanted: Wanted): Looked {
  const { checks, all } = searched(view, limits, wanted);
  return {
    ...told(all),
    unlooked: checks
      .filter((check) => !isFoundAnyway(check, all))
      .flatMap((check) => unlooked(check, view, limits)),
  };
}

/** The findings of `look`, without what could not be looked for, which costs as much again. */
export function foundIn(view: View, limits: Limits, wanted: Wanted): Finding[] {
  return told(searched(view, limits, wanted).all).findings;
}

function searched(
  view: View,
  limits: Limits,
  wanted: Wanted,
): { checks: Check[]; all: readonly Finding[] } {
  const checks = CATALOGUE.filter(({ code, applies }) => wanted(code) && (applies?.(view) ?? true));
  return { checks, all: checks.flatMap((check) => foundBy(check, view, limits)) };
}

function told(all: readonly Finding[]): Pick<Looked, 'findings' | 'consequences'> {
  // A cause counts even where only the consequence was asked for, but then it must not hide it.
  const possible = new Map<string, readonly Finding[]>();
  const causes = (code: string): readonly Finding[] =>
    remembered(possible, code, () => possibleCauses(code, all));
  const judged = all.map((finding) => ({ finding, of: causeOf(finding, causes(finding.code)) }));
  return {
    findings: worstFirst(judged.filter(({ of }) => of === null).map(({ finding }) => finding)),
    consequences: judged.flatMap(({ finding, of }) => (of === null ? [] : [{ finding, of }])),
  };
}

/** Already found by another witness than the one it needs. */
function isFoundAnyway({ code, needs }: Check, all: readonly Finding[]): boolean {
  return needs.startsWith('SQL') && all.some((finding) => finding.code === code);
}

/** Findings that explain the findings of this code where they concern the same. */
function possibleCauses(code: string, all: readonly Finding[]): Finding[] {
  const follows = CATALOGUE.find((check) => check.code === code)?.follows ?? [];
  return follows.length === 0 ? [] : all.filter((other) => follows.includes(other.code));
}

/** The code of a finding that explains this one: no less severe, and about the same members or the cluster. */
function causeOf(finding: Finding, causes: readonly Finding[]): string | null {
  const cause = causes.find(
    (other) =>
      SEVERITIES.indexOf(other.severity) <= SEVERITIES.indexOf(finding.severity) &&
      concernsSame(other, finding),
  );
  return cause?.code ?? null;
}

/** A cause at the leader concerns every member that a consequence about the cluster or its standbys names. */
function concernsSame(cause: Finding, consequence: Finding): boolean {
  if (cause.members.length === 0 || consequence.members.length === 0) return true;
  if (cause.code === 'sync_names_overridden') return true;
  return cause.members.some((name) => consequence.members.includes(name));
}

// ---------------------------------------------------------------- what is unknown

function unlooked(check: Check, view: View, limits: Limits): Unlooked[] {
  const { code, needs, untold } = check;
  const missing = missingClaim(check, view) ?? missingWitness(check, view);
  if (missing !== null) return [{ code, needs, ...missing }];
  const members = untold?.members(view, limits) ?? [];
  if (untold === undefined || members.length === 0) return [];
  return [{ code, needs, members, reason: untold.reason }];
}

/** A key that this way to the cluster does not have. */
function missingClaim(
  { claims = [] }: Check,
  view: View,
): { members: string[]; reason: string } | null {
  const { cannotTell } = view.snapshot.cluster;
  const [key] = claims.filter((claim) => cannotTell?.[claim] !== undefined);
  if (key === undefined) return null;
  return { members: [], reason: `${key} is unknown: ${cannotTell?.[key] ?? ''}` };
}

function missingWitness(
  { code, needs }: Check,
  view: View,
): { members: string[]; reason: string } | null {
  const here = view.members.filter(({ member }) => member !== null);
  switch (needs) {
    case 'DCS':
      return null;
    case 'REST or SQL':
      return silentOnes(here.filter(({ witness }) => witness === null));
    case 'REST':
      // One that was asked and does not answer at all is what these findings are about.
      return silentOnes(here.filter(({ rest }) => !rest.ok && UNASKED.includes(rest.kind)));
    case 'SQL on the leader':
      if (view.leader === null) return { members: [], reason: 'there is no leader to ask' };
      return silentOnes([view.leader].filter(({ sql }) => !sql.ok));
    case 'SQL on every member':
      return silentOnes(here.filter(({ sql }) => !sql.ok));
    case '--probe-rest':
      return view.snapshot.openRest === undefined
        ? { members: [], reason: 'needs --probe-rest' }
        : null;
    case '--route': {
      const reason = routesUnlooked(code, view);
      return reason === null ? null : { members: [], reason };
    }
    case 'TLS':
      return view.snapshot.certificates === undefined
        ? { members: [], reason: 'certificates were not checked' }
        : null;
  }
}

const UNASKED: readonly SilenceKind[] = ['off', 'no_address', 'denied', 'invalid'];

function silentOnes(silent: MemberView[]): { members: string[]; reason: string } | null {
  const [first] = silent;
  if (first === undefined) return null;
  return { members: silent.map(({ name }) => name), reason: why(first) };
}

function why(one: MemberView): string {
  const said = silence(one);
  const isRestFine = one.rest.ok || one.rest.kind === 'off';
  if (isRestFine && !one.sql.ok && one.sql.kind === 'off') return 'no SQL login';
  return said === 'not asked' ? 'not asked' : `${one.name}: ${said}`;
}

/** Events of single members: what each was observed to be, whether it answers and streams, its timeline. */
import { roleSeen, list } from '../findings/evidence.js';
import type { Reading, Witnessed } from '../model/model.js';
import { remembered } from '../model/remembered.js';
import type { MemberView, ObservedRole } from '../roles/view.js';
import { event, inBoth, type Looking, type NewEvent } from './event-kit.js';

export function memberEvents(a: Looking, b: Looking): NewEvent[] {
  const both = inBoth(a, b);
  return [
    ...both.flatMap(([was, is]) => [
      ...silence(was, is),
      ...role(was, is),
      ...state(was, is),
      ...streaming(was, is),
    ]),
    ...timelines(both),
  ];
}

// ---------------------------------------------------------------- role and state

/** Roles that a witness saw; one that none saw has not changed. */
const SEEN: readonly ObservedRole[] = ['primary', 'standby leader', 'replica', 'not running'];

function role(was: MemberView, is: MemberView): NewEvent[] {
  const [from, to] = [was.observed, is.observed];
  if (from === to || !SEEN.includes(from) || !SEEN.includes(to)) return [];
  const grave = [from, to].some((one) => one === 'primary' || one === 'not running');
  return [
    event({
      code: 'role_changed',
      severity: grave ? 'warning' : 'info',
      members: [is.name],
      message: `${is.name} is now ${roleWords(to)}; it was ${roleWords(from)}`,
      evidence: [roleSeen(is)],
    }),
  ];
}

function roleWords(observed: ObservedRole): string {
  return observed === 'not running' ? 'not running' : `a ${observed}`;
}

interface State {
  state: string;
  said: Witnessed;
  revision: string | null;
}

/** Patroni's word now; where its REST API is silent, what its key says. */
function stateOf({ name, rest, member }: MemberView, witness: 'REST' | 'DCS'): State | null {
  if (witness === 'REST') {
    if (!rest.ok) return null;
    const { state } = rest.value;
    return {
      state,
      said: { witness, subject: name, said: `state ${state}` },
      revision: null,
    };
  }
  if (member === null) return null;
  const { state, modRevision } = member;
  return {
    state,
    said: { witness, subject: `/members/${name}`, said: `state ${state}` },
    revision: modRevision,
  };
}

function state(was: MemberView, is: MemberView): NewEvent[] {
  const witness = is.rest.ok ? 'REST' : 'DCS';
  const [from, to] = [stateOf(was, witness), stateOf(is, witness)];
  if (from === null || to === null || from.state === to.state) return [];
  return [
    event({
      code: 'state_changed',
      severity: /fail|crash/.test(to.state) ? 'warning' : 'info',
      revision: to.revision,
      members: [is.name],
      message: `the state of ${is.name} changed from ${from.state || 'unknown'} to ${to.state || 'unknown'}`,
      evidence: [to.said],
    }),
  ];
}

// ---------------------------------------------------------------- silence

const WITNESSES = [
  { key: 'rest', witness: 'REST', words: 'the REST API' },
  { key: 'sql', witness: 'SQL', words: 'PostgreSQL' },
] as const;

function silence(was: MemberView, is: MemberView): NewEvent[] {
  const silent = WITNESSES.filter(({ key }) => was[key].ok && isSilent(is[key]));
  const heard = WITNESSES.filter(({ key }) => isSilent(was[key]) && is[key].ok);
  const { name } = is;
  return [
    ...(silent.length === 0
      ? []
      : [
          event({
            code: 'member_silent',
            severity: 'warning',
            members: [name],
            message: `${name} stopped answering: ${reasonsOf(is, silent)}`,
            evidence: silent.map(({ key, witness }) => ({
              witness,
              subject: name,
              said: reasonOf(is[key]),
            })),
          }),
        ]),
    ...(heard.length === 0
      ? []
      : [
          event({
            code: 'member_answers',
            members: [name],
            message: `${name} answers again: ${heard.map(({ words }) => words).join(' and ')}`,
            evidence: [roleSeen(is)],
          }),
        ]),
  ];
}

type AskedWitness = (typeof WITNESSES)[number];

/** Two witnesses may be silent for one reason. */
function reasonsOf(is: MemberView, silent: readonly AskedWitness[]): string {
  const reasons = new Set(silent.map(({ key }) => reasonOf(is[key])));
  const [only] = reasons;
  if (reasons.size === 1 && only !== undefined)
    return `${silent.map(({ words }) => words).join(' and ')}: ${only}`;
  return silent.map(({ key, words }) => `${words}: ${reasonOf(is[key])}`).join('; ');
}

/** It was asked, and did not tell anything. */
function isSilent(reading: Reading<unknown>): boolean {
  return !reading.ok && reading.kind !== 'off' && reading.kind !== 'no_address';
}

function reasonOf(reading: Reading<unknown>): string {
  return reading.ok ? '' : reading.reason;
}

// ---------------------------------------------------------------- streaming

/** Whether it receives WAL by streaming, by the walsender's row or its own word; null: not known, or not a standby. */
function isStreaming({ observed, row, rows, sql, rest, syncState }: MemberView): boolean | null {
  if (observed === 'primary') return null;
  if (rows.some(({ state }) => state === 'streaming')) return true;
  if (sql.ok) return sql.value.walReceiver?.status === 'streaming';
  if (rest.ok && rest.value.replicationState !== null)
    return rest.value.replicationState === 'streaming';
  return row !== null || syncState === 'absent' ? false : null;
}

function streaming(was: MemberView, is: MemberView): NewEvent[] {
  const [from, to] = [isStreaming(was), isStreaming(is)];
  if (from === null || to === null || from === to) return [];
  const { name, row } = is;
  const upstream = row?.upstream ?? null;
  const said: Witnessed =
    row === null
      ? {
          witness: is.sql.ok ? 'SQL' : 'REST',
          subject: name,
          said: to ? 'streaming' : 'not streaming, and no walsender serves it',
        }
      : { witness: row.witness, subject: row.upstream, said: `walsender of ${name}: ${row.state}` };
  return [
    event({
      code: to ? 'streaming_started' : 'streaming_stopped',
      severity: to ? 'info' : 'warning',
      members: [name],
      message: to
        ? `${name} streams${upstream === null ? '' : ` from ${upstream}`}`
        : `${name} no longer streams`,
      evidence: [said],
    }),
  ];
}

// ---------------------------------------------------------------- timelines

/** Members that went from one timeline to the same other one are one event. */
function timelines(both: readonly [MemberView, MemberView][]): NewEvent[] {
  const groups = new Map<string, { from: number; to: number; members: MemberView[] }>();
  for (const [was, is] of both) {
    const [from, to] = [was.timeline, is.timeline];
    if (from === null || to === null || from === to) continue;
    // A control file may be behind: only a higher timeline is surely another one.
    if (to < from && (is.timelineIsLeast || was.witness !== is.witness)) continue;
    remembered(groups, `${from} ${to}`, () => ({ from, to, members: [] })).members.push(is);
  }
  return [...groups.values()].map(({ from, to, members }) => {
    const names = members.map(({ name }) => name);
    return event({
      code: 'timeline_changed',
      members: names,
      message: `${list(names)}: timeline ${to}, before ${from}`,
      evidence: members.map(roleSeen),
    });
  });
}

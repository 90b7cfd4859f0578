/**
 * Every next step of a finding and of a plan, on clusters that are broken in many ways: docs/next-steps.md has each
 * with its evidence, and each command in it is one that can be taken where it is advised.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/cluster/findings/catalogue.js';
import { look } from '../../src/cluster/findings/find.js';
import { DEFAULT_LIMITS } from '../../src/cluster/findings/limits.js';
import type { Snapshot, Witnessed } from '../../src/cluster/model/model.js';
import { CANDIDATE_CHECKS } from '../../src/cluster/preflight/all-checks.js';
import { planOf } from '../../src/cluster/preflight/plan.js';
import type { ChangeRequest } from '../../src/cluster/preflight/plan-model.js';
import { viewOf } from '../../src/cluster/roles/view.js';
import { brokenWorlds, GROUP, SCOPE } from '../support/broken-worlds.js';
import { commandsIn, refusalOf, type Typed } from '../support/typed-commands.js';
import { REQUEST } from './plan-support.js';

interface Advice {
  title: string;
  snapshot: Snapshot;
  /** The code of a finding, or the name of a check. */
  from: string;
  next: string;
  evidence: readonly Witnessed[];
}

/** With a limit, so that a pause may be too long. */
const LIMITS = { ...DEFAULT_LIMITS, maxPauseMs: 3_600_000 };

/** Said of several readings, of an expectation in a file, and of the routes of clients: no cluster alone shows them. */
const OF_MORE_THAN_A_CLUSTER = /^(unstable|expectation_failed|.*route_.*)$/;

const REQUESTS: readonly Partial<ChangeRequest>[] = [
  { kind: 'switchover', leader: 'pg3', scheduledAt: '2026-11-20T00:00:00Z' },
  { kind: 'switchover', candidate: 'pg2' },
  { kind: 'failover' },
  { kind: 'failover', candidate: 'pg2' },
];

const HEAD = `# Next steps

What findings and plans advise, and the witnesses that the advice is derived from. test/unit/next-steps-table.test.ts
writes this table (\`vitest -u\`) from the clusters in test/support/broken-worlds.ts, each broken in one way, in every
synchronous mode. The same test tries each command: the program takes it, with the cluster and its group; a member that
is named exists and is one that can be meant. Hints of errors are tried in every run of test/commands.

| Finding, or check of a plan | Next step | Derived from |
|---|---|---|
`;

const WORLDS = brokenWorlds();
let all: Advice[] = [];

beforeAll(() => {
  all = WORLDS.flatMap(({ title, snapshot }) => advised(title, snapshot));
});

function advised(title: string, snapshot: Snapshot): Advice[] {
  const looked = look(viewOf(snapshot), LIMITS, () => true);
  const found = [...looked.findings, ...looked.consequences.map(({ finding }) => finding)];
  const plans = REQUESTS.map((request) => planOf(snapshot, null, { ...REQUEST, ...request }));
  return [
    ...found.map(({ code, next, evidence }) => ({ title, snapshot, from: code, next, evidence })),
    ...plans.flatMap(({ checks }) =>
      checks.flatMap(({ name, next, evidence }) =>
        next === null ? [] : [{ title, snapshot, from: `plan ${name}`, next, evidence }],
      ),
    ),
  ];
}

/** Names and addresses do not make another next step. */
function alike(next: string): string {
  return next
    .replaceAll("'it'\\''s 15/main' --group 2", 'CLUSTER')
    .replace(/\bpg\d+\b/g, 'MEMBER')
    .replace(/\b(?:10|127)\.[\d.]+:\d+/g, 'HOST:PORT')
    .replace(/MEMBER(?:,? (?:and |or )?MEMBER)+/g, 'MEMBERS')
    .replace(/(?<=; or: )patctl failover CLUSTER --candidate MEMBER; or: /g, '')
    .replaceAll('patctl', '`patctl')
    .replace(/`(patctl[^;`]*)/g, '`$1`');
}

/** Which witness said what kind of thing: `SQL MEMBER`, `DCS /sync`. */
function sources(evidence: readonly Witnessed[]): string {
  const said = evidence.map(({ witness, subject }) => `${witness} ${alike(subject)}`);
  return [...new Set(said)].sort().join(', ') || 'what was asked for';
}

/** Commands whose first argument is a member, before the cluster. */
const TAKES_MEMBER = new Set(['retire', 'why-not']);

describe('the table of next steps', () => {
  test('has each of them, with what it is derived from', async () => {
    const rows = new Map<string, Set<string>>();
    for (const { from, next, evidence } of all) {
      const key = `| ${from} | ${alike(next)} |`;
      const from_ = sources(evidence).split(', ');
      rows.set(key, new Set([...(rows.get(key) ?? []), ...from_]));
    }
    const lines = [...rows].map(([key, seen]) => `${key} ${[...seen].sort().join(', ')} |`).sort();
    await expect(`${HEAD}${lines.join('\n')}\n`).toMatchFileSnapshot('../../docs/next-steps.md');
  });
});

test('every finding has a row', () => {
  const known = new Set(all.map(({ from }) => from));
  const missing = CATALOGUE.map(({ code }) => code).filter((code) => !known.has(code));
  expect(missing.filter((code) => !OF_MORE_THAN_A_CLUSTER.test(code))).toEqual([]);
});

describe('each command in it', () => {
  type TypedAdvice = Advice & Typed;
  let typed: TypedAdvice[] = [];
  beforeAll(() => {
    typed = all.flatMap((advice) =>
      commandsIn(advice.next).map((command) => ({ ...advice, ...command })),
    );
  });

  test('is one that the program takes, with the cluster and its group', async () => {
    expect(typed.length).toBeGreaterThan(500);
    const once = new Map(typed.map((one) => [`${one.from}: ${one.line}`, one.words]));
    for (const [where, words] of once) {
      expect(await refusalOf(words), where).toBeNull();
      expect(words[TAKES_MEMBER.has(words[0] ?? '') ? 2 : 1], where).toBe(SCOPE);
      expect(words.join(' '), where).toContain(` --group ${GROUP}`);
    }
  });

  test('stands where it can be found: nothing of the program is named in other places', () => {
    const misplaced = all.filter(
      ({ next }) => next.split(/\bpatctl (?=[a-z])/).length - 1 !== commandsIn(next).length,
    );
    expect(misplaced.map(({ from, next }) => `${from}: ${next}`)).toEqual([]);
  });

  test('promotes no member that Patroni would refuse', () => {
    const failovers = typed.filter(({ words }) => words[0] === 'failover');
    expect(failovers.length).toBeGreaterThan(20);
    for (const { title, from, snapshot, words } of failovers) {
      const candidate = words[words.indexOf('--candidate') + 1] ?? '';
      const request = { ...REQUEST, kind: 'failover', candidate, allowDataLoss: true } as const;
      const against = planOf(snapshot, null, request).checks.filter(
        ({ name, result }) => name in CANDIDATE_CHECKS && result === 'refused',
      );
      // What it streams from, and how far behind it is: it may be the best that is left.
      const known = against.filter(({ name }) => !/_lag$|_streams$|^replay/.test(name));
      expect(known, `${title}: ${from}: ${candidate}`).toEqual([]);
    }
  });

  test('copies and restarts members that are there, and whose Patroni answers or has to first', () => {
    const VERBS = ['reinit', 'restart'];
    for (const { title, next, snapshot, words } of typed) {
      const [verb = '', , , , member] = words;
      if (!VERBS.includes(verb) || member === undefined || member.startsWith('-')) continue;
      const reading = snapshot.members.find(({ name }) => name === member);
      expect(reading, `${title}: ${member}`).toBeDefined();
      const isSilent = reading?.rest.ok === false && reading.rest.kind !== 'off';
      if (isSilent) expect(next, title).toContain(`${member} answers again`);
    }
  });

  test('resumes what is paused, and clears what is requested', () => {
    for (const { title, snapshot, words } of typed) {
      const { config, failover } = snapshot.cluster;
      if (words[0] === 'resume') expect(config?.pause, title).toBe(true);
      if (words[0] === 'flush' && words.includes('switchover')) {
        expect(failover, title).not.toBeNull();
        expect(words.includes('--stuck'), title).toBe(failover?.scheduledAt === null);
      }
    }
  });
});

test('no next step names a member that is not there', () => {
  for (const { title, from, snapshot, next, evidence } of all) {
    const { cluster } = snapshot;
    const known = new Set([
      ...snapshot.members.map(({ name }) => name),
      ...cluster.members.map(({ name }) => name),
      ...(cluster.sync?.standbys ?? []),
      ...(cluster.history ?? []).map(({ newLeader }) => newLeader),
      ...snapshot.departed.map(({ name }) => name),
      ...(snapshot.expectedMembers ?? []),
      cluster.leaderName,
      // Of members that left, the evidence tells.
      ...evidence.flatMap(({ subject, said }) => `${subject} ${said}`.match(/\bpg\d\b/g) ?? []),
    ]);
    const strange = [...next.matchAll(/\bpg\d\b/g)].filter(([name]) => !known.has(name));
    if (strange.length > 0) expect(strange, `${title}: ${from}: ${next}`).toEqual([]);
  }
});

/** What a person does to a cluster with patctl, and whether the exit code was true by what the judge saw. */
import type { Cast } from './faults.js';
import type { Facts } from './facts.js';
import { primariesOf } from './holds.js';

/** One run of an acting command. */
export interface Ran {
  /** null: it had to be killed at its limit. */
  code: number | null;
  err: string;
  before: Facts;
  /** The moments from its start to 1.5 s after its end. */
  moments: Facts[];
  /** The last of them. */
  after: Facts;
}

export interface Act {
  kind: string;
  /** Whether a healthy cluster is right to be refused. */
  isRefused?(ran: Ran, cast: Cast): boolean;
  args(cast: Cast): string[];
  /** Why the ending was wrong; null if it was right, or unknown. */
  wrong(ran: Ran, cast: Cast): string | null;
}

const SCOPE = ({ site }: Cast): string => site.lab.scope;
const LIMIT = ['--deadline', '40s'];

/** Nothing was done, said 1 to 3. */
const saysNothingDone = ({ code }: Ran): boolean => code === 1 || code === 2 || code === 3;

// ---------------------------------------------------------------- a change of leader

const change =
  (target: (cast: Cast) => string | null) =>
  (ran: Ran, cast: Cast): string | null => {
    const { before, after, code } = ran;
    const wanted = target(cast);
    const leader = after.leader;
    const isNew = leader !== null && leader !== before.leader;
    const isAsAsked = isNew && (wanted === null || leader === wanted);
    const leads = (facts: Facts) =>
      facts.standbyCluster || primariesOf(facts).includes(facts.leader ?? '');
    if (!after.dcs || !before.dcs) return null;
    if (code === 0 && !isAsAsked) return `0, and the leader is ${leader ?? 'none'}`;
    if (code === 0 && !leads(after)) return `0, and ${leader ?? 'none'} is not a primary`;
    if (code === 6 && (!isNew || leader === wanted))
      return `6, and the leader is ${leader ?? 'none'}`;
    if (code === 4 && isAsAsked && isWhole(after)) return '4, and all is as it was asked for';
    return null;
  };

/** Every member answers, and all but the leader stream from it. */
function isWhole(facts: Facts): boolean {
  const head = facts.members.get(facts.leader ?? '') ?? null;
  const names = [...facts.members.keys()].filter((name) => name !== facts.leader);
  return (
    head !== null &&
    names.every((name) => head.rows.some((row) => row.name === name && row.state === 'streaming'))
  );
}

const noTarget = (): null => null;

// ---------------------------------------------------------------- one member

const renewed =
  (who: (cast: Cast) => string) =>
  (ran: Ran, cast: Cast): string | null => {
    const name = who(cast);
    const startOf = (facts: Facts) => facts.members.get(name)?.started ?? null;
    const before = startOf(ran.before);
    const after = startOf(ran.after);
    const wasRenewed = after !== null && after !== before;
    if (ran.code === 0 && !wasRenewed) return `0, and ${name} was not started again`;
    return null;
  };

/** A restart that PostgreSQL shows although nothing was done, as it is said. */
const renewedOrLeft =
  (who: (cast: Cast) => string) =>
  (ran: Ran, cast: Cast): string | null => {
    const wrong = renewed(who)(ran, cast);
    if (wrong !== null || !saysNothingDone(ran)) return wrong;
    const name = who(cast);
    // Where leadership moves or its Patroni is silent, Patroni may start PostgreSQL for reasons of its own.
    const isQuiet = ran.moments.every(
      ({ leader, patroni }) =>
        leader === ran.before.leader && (patroni.get(name) ?? null) === 'running',
    );
    if (!isQuiet) return null;
    const start = ran.before.members.get(name)?.started;
    const other = ran.moments.find(({ members }) => {
      const one = members.get(name) ?? null;
      return start !== undefined && one !== null && one.started !== start;
    });
    return other === undefined || ran.before.patroni.get(name) === null
      ? null
      : `${ran.code}, and ${name} was started again`;
  };

// ---------------------------------------------------------------- the configuration

const configHas =
  (test: (config: Record<string, unknown>) => boolean, words: string) =>
  ({ code, after }: Ran): string | null => {
    if (!after.dcs || code !== 0) return null;
    const config = JSON.parse(after.config ?? '{}') as Record<string, unknown>;
    return test(config) ? null : `0, and the configuration is not ${words}`;
  };

const replica = ({ replica: name }: Cast): string => name;
const leader = ({ leader: name }: Cast): string => name;

/** A healthy cluster carries each of them out: there they have to end with 0. */
export const ACTS: readonly Act[] = [
  {
    kind: 'switchover',
    args: (cast) => ['switchover', SCOPE(cast), '--force', ...LIMIT],
    isRefused: ({ before, code }) =>
      code === 1 &&
      [...before.members.keys()].every(
        (name) => name === before.leader || before.nofailover.includes(name),
      ),
    wrong: change(noTarget),
  },
  {
    kind: 'switchover to a named member',
    args: (cast) => ['switchover', SCOPE(cast), '--candidate', cast.standby, '--force', ...LIMIT],
    isRefused: ({ before, code }, { standby }) => code === 1 && before.nofailover.includes(standby),
    wrong: change(({ standby }) => standby),
  },
  {
    kind: 'failover',
    args: (cast) => ['failover', SCOPE(cast), '--candidate', cast.standby, '--force', ...LIMIT],
    wrong: change(({ standby }) => standby),
  },
  {
    kind: 'restart of a replica',
    args: (cast) => [
      'restart',
      SCOPE(cast),
      cast.replica,
      '--force',
      '--wait',
      '--deadline',
      '40s',
    ],
    wrong: renewedOrLeft(replica),
  },
  {
    kind: 'restart of the leader',
    args: (cast) => ['restart', SCOPE(cast), cast.leader, '--force', '--wait', '--deadline', '40s'],
    wrong: renewedOrLeft(leader),
  },
  {
    kind: 'rolling restart',
    args: (cast) => ['restart', SCOPE(cast), '--rolling', '--force', '--deadline', '40s'],
    wrong: (ran, cast) => renewed(leader)(ran, cast) ?? renewed(replica)(ran, cast),
  },
  {
    kind: 'rolling restart with a switchover',
    args: (cast) => [
      ...['restart', SCOPE(cast), '--rolling', '--switchover', '--force', '--deadline', '40s'],
    ],
    // A lowered parameter that standbys must not exceed: the primary restarts first, where it is.
    isRefused: ({ before, code }, { leader: name }) =>
      code === 1 && (before.members.get(name)?.pending ?? 0) > 0,
    wrong: (ran, cast) => renewed(leader)(ran, cast) ?? renewed(replica)(ran, cast),
  },
  {
    kind: 'reinit',
    args: (cast) => ['reinit', SCOPE(cast), cast.replica, '--force', '--wait', '--deadline', '40s'],
    wrong: renewed(replica),
  },
  {
    kind: 'pause',
    args: (cast) => ['pause', SCOPE(cast), '--wait', '--idempotent', ...LIMIT],
    wrong: configHas((config) => config['pause'] === true, 'paused'),
  },
  {
    kind: 'resume',
    args: (cast) => ['resume', SCOPE(cast), '--wait', '--idempotent', ...LIMIT],
    wrong: configHas((config) => config['pause'] !== true, 'resumed'),
  },
  {
    kind: 'edit-config',
    args: (cast) => [
      ...['edit-config', SCOPE(cast), '-p', `work_mem=${4 + cast.dice.below(8)}MB`],
      ...['--force', '--wait'],
    ],
    wrong: configHas(
      (config) => JSON.stringify(config['postgresql'] ?? {}).includes('work_mem'),
      'edited',
    ),
  },
  {
    kind: 'reload',
    args: (cast) => ['reload', SCOPE(cast), '--force'],
    wrong: () => null,
  },
];

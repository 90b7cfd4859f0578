/** What Patroni does after members are lost, in its order, and how long each step may take. */
import { isListed } from '../model/member-names.js';
import type { Forecast, ForecastFacts, LossOutcome, LossStep } from './loss-model.js';
import { clusterRules, modeOf, quorumActive, voterNames } from './vote-rules.js';

/** How long Patroni waits for the answer of a member whose host is gone. */
const SILENT_MEMBER_SECONDS = 2;

export function lossSteps(
  facts: ForecastFacts,
  outcome: LossOutcome & Pick<Forecast, 'writes'>,
): LossStep[] {
  if (outcome.lost.length === 0 && !outcome.leaderLost) return [];
  return outcome.leaderLost ? stepsOfRace(facts, outcome) : stepsOfLeader(facts, outcome);
}

/** The lock is renewed once a loop, so it expires within ttl of the loss, and not much earlier. */
function stepsOfRace(
  facts: ForecastFacts,
  { heirs, leadership, writes }: LossOutcome & Pick<Forecast, 'writes'>,
): LossStep[] {
  const { input, ttlSeconds: ttl, loopWaitSeconds: loop } = facts;
  const isFree = input.leader === null;
  const from = isFree ? 0 : Math.max(ttl - loop, 0);
  const at = isFree ? 0 : ttl;
  const steps: LossStep[] = isFree
    ? []
    : [
        {
          where: 'lock',
          what: `${input.leader}'s lock and member key expire (ttl)`,
          fromSeconds: from,
          toSeconds: at,
        },
      ];
  const to = at + loop + SILENT_MEMBER_SECONDS;
  const winners = heirs.filter(({ mayWin }) => mayWin !== 'no');
  if (leadership === 'none' || winners.length === 0) {
    const what = 'no member takes the free lock until members come back';
    return [...steps, { where: 'race', what, fromSeconds: from, toSeconds: null }];
  }
  const names = winners.map(({ name, counted, needed }) =>
    needed === 0 ? name : `${name} (${counted} of ${needed} votes)`,
  );
  const takes = `${names.join(' or ')} takes the lock and is promoted`;
  steps.push({ where: 'race', what: takes, fromSeconds: from, toSeconds: to });
  if (modeOf(input, clusterRules(input)) === 'off' || input.standbyCluster) return steps;
  const later = to + 2 * loop;
  steps.push(
    {
      where: '/sync',
      what: 'the new leader writes /sync in its own name, without standbys',
      fromSeconds: from,
      toSeconds: later,
    },
    writes === 'wait'
      ? {
          where: 'commits',
          what: 'commits wait until a standby streams (synchronous_mode_strict)',
          fromSeconds: from,
          toSeconds: null,
        }
      : {
          where: 'standby names',
          what: 'synchronous_standby_names, then /sync, name the standbys that stream from it',
          fromSeconds: from,
          toSeconds: later,
        },
  );
  return steps;
}

function stepsOfLeader(
  facts: ForecastFacts,
  { lost, writes }: LossOutcome & Pick<Forecast, 'writes'>,
): LossStep[] {
  const { input, ttlSeconds: ttl, loopWaitSeconds: loop } = facts;
  const voters = voterNames(input).filter((name) => isListed(lost, name));
  const keys: LossStep = {
    where: 'members',
    what: `the member ${lost.length === 1 ? 'key' : 'keys'} of ${lost.join(', ')} expire${lost.length === 1 ? 's' : ''} (ttl)`,
    fromSeconds: Math.max(ttl - loop, 0),
    toSeconds: ttl,
  };
  const failsafe: LossStep[] =
    input.failsafeMembers !== null && lost.some((name) => input.failsafeMembers?.includes(name))
      ? [
          {
            where: '/failsafe',
            what: 'until the leader has written it without them, the loss of the DCS makes it demote itself',
            fromSeconds: 0,
            toSeconds: ttl + loop,
          },
        ]
      : [];
  const isSync = modeOf(input, clusterRules(input)) !== 'off' && !input.standbyCluster;
  if (!isSync || voters.length === 0) return [...failsafe, keys];
  const waits: LossStep[] =
    writes === 'pause' || writes === 'wait'
      ? [
          {
            where: 'commits',
            what: 'commits wait; a host that vanishes keeps its walsender for wal_sender_timeout more',
            fromSeconds: 0,
            toSeconds: writes === 'wait' ? null : loop + SILENT_MEMBER_SECONDS,
          },
        ]
      : [];
  return [...failsafe, ...waits, ...syncSteps(facts, voters), keys];
}

/** What raises numsync + quorum is written first [QuorumStateResolver]; mode on takes a standby out of /sync first. */
function syncSteps({ input, loopWaitSeconds: loop }: ForecastFacts, gone: string[]): LossStep[] {
  const isAll = gone.length === voterNames(input).length;
  const namesFirst = quorumActive(input) && input.quorum > 0 && !isAll;
  const to = loop + SILENT_MEMBER_SECONDS;
  const sync: LossStep = {
    where: '/sync',
    what: `the leader takes ${gone.join(', ')} out of /sync`,
    fromSeconds: 0,
    toSeconds: to,
  };
  const names: LossStep = {
    where: 'standby names',
    what: `the leader takes ${gone.join(', ')} out of synchronous_standby_names`,
    fromSeconds: 0,
    toSeconds: to,
  };
  return namesFirst ? [names, sync] : [sync, names];
}

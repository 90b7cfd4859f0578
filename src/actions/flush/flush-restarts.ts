/** Withdraws the restarts that are scheduled on some members. */
import type { RoleFilter } from '../../cluster/select-members.js';
import type { Ending } from '../../errors.js';
import { needConsent } from '../../output/ask.js';
import type { Context } from '../../context.js';
import { chooseMembers, confirmAction, type MembersMeant } from '../kit/choose-members.js';
import type { AskAndTell } from '../kit/report.js';
import { conclude, type MemberOutcome } from '../kit/results.js';
import { flushRestart } from '../restart/scheduled-restart.js';

export interface FlushRestartsRequest extends MembersMeant {
  readonly role: RoleFilter;
}

/** Tells patronictl's line for each member; every ending but ok is thrown. */
export async function flushRestarts(
  context: Context,
  asking: AskAndTell,
  request: FlushRestartsRequest,
): Promise<Ending> {
  const { asker, tell } = asking;
  const { scope, force } = request;
  if (!force) needConsent(context, 'flush', 'give --force');
  const { members } = await chooseMembers(context, asking, { ...request, action: 'flush' });
  tell({ kind: 'chosen', members });
  await confirmAction(asker, 'flush', members, force);
  const outcomes: MemberOutcome[] = [];
  for (const { cluster, member } of members) {
    if (member.scheduledRestart === null) {
      tell({ kind: 'line', text: `No scheduled restart for member ${member.name}` });
      tell({ kind: 'member', group: cluster.group, outcome: nothingScheduled(member.name) });
      continue;
    }
    const outcome = await flushRestart(context, scope, member, tell);
    outcomes.push(outcome);
    tell({ kind: 'member', group: cluster.group, outcome });
  }
  return conclude('flush restart', outcomes);
}

function nothingScheduled(member: string): MemberOutcome {
  const said = 'no restart is scheduled';
  const evidence = [{ witness: 'DCS', subject: `/members/${member}`, said }];
  return { member, ending: 'ok', said, changed: false, evidence };
}

/** The switchover of a rolling change: like any other, with its checks and its proof. */
import { ToolError } from '../../errors.js';
import type { Context } from '../../context.js';
import type { ChangeResult } from '../switchover/change.js';
import type { Telling } from '../kit/report.js';

export interface LeaderMove {
  readonly scope: string;
  readonly group: number | null;
  readonly from: string;
  /** `auto`: the best member. */
  readonly candidate: string;
  /** --route, as given; none: those of the configuration. */
  readonly routes: readonly string[];
}

/** Tells it as switchover does, and returns the new leader. Every ending but ok is thrown. */
export async function moveLeader(
  context: Context,
  { scope, group, from, candidate, routes }: LeaderMove,
  { tell, changeTalk }: Telling,
): Promise<string> {
  const [{ changeLeader }, { changeDocument, orThrow }, { PLAIN_CHANGE }] = await Promise.all([
    import('../switchover/change-leader.js'),
    import('../switchover/conclusion.js'),
    import('../switchover/change.js'),
  ]);
  const kind = 'switchover';
  const about = { kind, scope, group, leader: from, candidate, routes } as const;
  const change = { ...PLAIN_CHANGE, ...about };
  const talk = await changeTalk();
  const result = await changeLeader(context, change, { asker: null, ...talk });
  tell({ kind: 'switchover', document: changeDocument(result) });
  talk.on({ kind: 'ended', result });
  orThrow(result.conclusion);
  return newLeader(result);
}

function newLeader({ progress, plan }: ChangeResult): string {
  const name = progress?.newLeader ?? plan.candidate;
  if (name !== null) return name;
  throw new ToolError('unconfirmed', 'the new leader was not seen', { code: 'no_new_leader' });
}

/** What the members say of what has not come about once the lock has moved. */
import { roleSeen, rowSeen, syncKeySays } from '../../cluster/findings/evidence.js';
import type { Snapshot } from '../../cluster/model/model.js';
import {
  leadsSince,
  awaitedStreams,
  type Progress,
} from '../../cluster/progress/change-outcome.js';
import { viewOf, type MemberView, type View } from '../../cluster/roles/view.js';
import type { Evidence } from '../../errors.js';

/** The state of a new leader that does not lead; otherwise of every member that does not stream; otherwise of /sync. */
export function missingSaid(now: Snapshot, progress: Progress): Evidence[] {
  const view = viewOf(now);
  const { newLeader } = progress;
  if (leadsSince(progress) === null) return newLeader === null ? [] : saidOf(view, newLeader, true);
  const missing = awaitedStreams(progress);
  if (missing.length > 0) return missing.flatMap((name) => saidOf(view, name, false));
  const standbys = view.members.filter(({ name, departed }) => !departed && name !== newLeader);
  return [syncKeySays(now.cluster), ...standbys.map((one) => rowSeen(one, view))];
}

function saidOf(view: View, name: string, leads: boolean): Evidence[] {
  const one = view.members.find((member) => member.name === name);
  if (!one) return [{ witness: 'DCS', subject: `/members/${name}`, said: 'no such key' }];
  const row = leads ? [] : [rowSeen(one, view)];
  return [roleSeen(one), ...patroniSays(one), ...receiverSays(one), ...row];
}

function patroniSays({ name, rest }: MemberView): Evidence[] {
  if (!rest.ok) return [];
  const { state, replicationState } = rest.value;
  const streams = replicationState === null ? '' : `, replication ${replicationState}`;
  return [{ witness: 'REST', subject: name, said: `state ${state || 'unknown'}${streams}` }];
}

function receiverSays({ name, sql }: MemberView): Evidence[] {
  if (!sql.ok || !sql.value.inRecovery) return [];
  const { walReceiver } = sql.value;
  const from =
    walReceiver === null
      ? ''
      : ` from ${walReceiver.senderHost ?? '?'}:${walReceiver.senderPort ?? '?'}`;
  const said =
    walReceiver === null
      ? 'no WAL receiver runs'
      : `its WAL receiver is ${walReceiver.status}${from}`;
  return [{ witness: 'SQL', subject: name, said }];
}

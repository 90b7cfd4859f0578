/** Whether Patroni of a leader would take a change from here: refused only after the demotion, it would cost an outage. */
import type { RestTaken } from '../../cluster/preflight/swap-model.js';
import { isContentRefused, probeChange } from '../../observe/probe-change.js';
import { isRecorded } from '../../observe/read-snapshot.js';
import { isRefusal } from '../kit/after-answer.js';
import { configAnswerWords } from '../kit/member-request.js';
import type { LiveSite } from './pair.js';

export async function restTaken({
  context,
  view: { leader },
}: LiveSite): Promise<RestTaken | null> {
  const apiUrl = leader?.member?.apiUrl ?? null;
  if (apiUrl === null || (await isRecorded(context))) return null;
  const outcome = await probeChange(context, apiUrl);
  const said = configAnswerWords(outcome);
  if (isContentRefused(outcome)) return { taken: true, lacks: null, said };
  if (outcome.kind !== 'answered' || !isRefusal(outcome.answer.status))
    return { taken: null, lacks: null, said };
  return { taken: false, lacks: lackOf(outcome.answer), said };
}

/** By the texts of Patroni. */
function lackOf({ status, body }: { status: number; body: string }): RestTaken['lacks'] {
  if (status === 401) return 'login';
  if (status !== 403) return null;
  return body.includes('client certificate required') ? 'certificate' : 'address';
}

/** Whether Patroni of a leader would take a change from here: refused only after the demotion, it would cost an outage. */
import type { RestTaken } from '../../cluster/preflight/swap-model.js';
import { configAnswerWords } from '../kit/member-request.js';
import type { LiveSite } from './pair.js';

/** A PATCH of /config without content changes nothing: Patroni refuses its sender (401, 403), or its content. */
export async function restTaken({
  context,
  view: { leader },
}: LiveSite): Promise<RestTaken | null> {
  const apiUrl = leader?.member?.apiUrl ?? null;
  if (apiUrl === null || (await context.dcs()).recorded !== undefined) return null;
  const patroni = await context.patroni();
  const outcome = await patroni.call('PATCH', apiUrl, '/config', null, context.flags.timeoutMs);
  const status = outcome.kind === 'answered' ? outcome.answer.status : 0;
  const taken =
    status === 401 || status === 403 ? false : status === 400 || status === 411 ? true : null;
  return { taken, said: configAnswerWords(outcome) };
}

/** What to do next, and why Patroni said no: the words behind a verdict. */
import type { Plan } from '../cluster/plan.js';
import { argumentOf } from '../cluster/preflight/context.js';
import type { Evidence } from '../errors.js';

/** The cluster of a plan as a command to be typed names it. */
export function planArgument({ cluster, group }: Plan): string {
  return argumentOf({ scope: cluster, group });
}

/** The next step for the operator; undefined when there is nothing to say. */
export function nextStep(code: string, plan: Plan): string | undefined {
  const { kind } = plan;
  const cluster = planArgument(plan);
  const look = `look with: patctl status ${cluster}`;
  switch (code) {
    case 'done':
    case 'accepted':
      return undefined;
    case 'rest_login_wanted':
      return 'Patroni wants a login: set ctl.authentication or restapi.authentication, or PATRONI_RESTAPI_USERNAME and _PASSWORD';
    case 'rest_forbidden':
      return 'Patroni does not let us: restapi.allowlist, or a client certificate (ctl.certfile) is wanted';
    case 'diverted':
      return `${plan.candidate ?? 'the candidate'} could not take over when it came to it; ${look}`;
    case 'still_pending':
      return `the request may still be carried out${byResume(plan)}; ${look}; withdraw it with: patctl flush ${cluster} switchover --stuck`;
    case 'still_stopping':
      return `the ${kind} goes on by itself; ${holdersAdvice(plan) ?? look}`;
    case 'no_leader':
    case 'no_trace':
      return `do not repeat it before you know how it stands; ${look}`;
    default:
      return look;
  }
}

/** What a pause left undone, its end does. */
function byResume({ checks }: Plan): string {
  const isPaused = checks.some(({ name }) => name === 'paused_needs_candidate');
  return isPaused ? ', at the latest when the cluster is resumed' : '';
}

/** The commands that free a shutdown from its logical clients, on the host: no login is possible any more. */
function holdersAdvice(plan: Plan): string | null {
  if (plan.logical.length === 0) return null;
  const pids = plan.logical.map(({ pid }) => pid).join(' ');
  return `on the host of ${plan.leader ?? 'the leader'}: kill -TERM ${pids}`;
}

/** Whom the shutdown waits for. */
export function holdersText(plan: Plan, stoppingMs: number): string {
  const who = plan.logical.map(({ pid, applicationName, clientAddr, slotName }) => {
    const from = clientAddr === null ? 'a local socket' : clientAddr;
    return `${applicationName || 'a client'} (pid ${pid}, from ${from}, slot ${slotName ?? '?'})`;
  });
  const since = `${plan.leader ?? 'the leader'} has been stopping for ${Math.round(stoppingMs / 1000)} s`;
  if (who.length === 0) return `${since}; a clean shutdown waits for every walsender and archiving`;
  return `${since}; it waits for ${who.join(', ')}; ${holdersAdvice(plan) ?? ''}`;
}

/** Everything a fresh plan has against the request: the reasons Patroni does not give. */
export function reasons(plan: Plan): Evidence[] {
  return plan.checks
    .filter(({ result }) => result !== 'ok' && result !== 'warning')
    .flatMap(({ name, said, evidence }) => [
      { witness: 'check', subject: name, said },
      ...evidence.map((one): Evidence => ({ ...one })),
    ]);
}

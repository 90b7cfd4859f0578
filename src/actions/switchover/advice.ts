/** What to do next, and why Patroni said no: the words behind a verdict. */
import type { Plan } from '../../cluster/preflight/plan-model.js';
import { argumentOf } from '../../cluster/model/command-line.js';
import type { Holder } from '../../cluster/preflight/holders.js';
import type { Evidence } from '../../errors.js';

/** The cluster of a plan as a command to be typed names it. */
export function planArgument({ cluster, group }: Plan): string {
  return argumentOf({ scope: cluster, group });
}

const NOTHING_SEEN = { holders: [], silent: [] };

/** The next step for the operator; undefined when there is nothing to say. */
export function nextStep(
  code: string,
  plan: Plan,
  { holders, silent }: { holders: readonly Holder[]; silent: readonly string[] } = NOTHING_SEEN,
): string | undefined {
  const { kind } = plan;
  const cluster = planArgument(plan);
  const look = `check with: patctl status ${cluster}`;
  switch (code) {
    case 'done':
    case 'accepted':
      return undefined;
    case 'rest_login_wanted':
      return 'Patroni requires a login: set ctl.authentication or restapi.authentication, or PATRONI_RESTAPI_USERNAME and _PASSWORD';
    case 'rest_forbidden':
      return 'Patroni denied access: check restapi.allowlist, or set a client certificate (ctl.certfile)';
    case 'diverted':
      return `${plan.candidate ?? 'the candidate'} could not take over when the leader stepped down; ${look}`;
    case 'still_pending':
      return `the request may still be carried out${byResume(plan)}; ${look}; withdraw it with: patctl flush ${cluster} switchover --stuck`;
    case 'still_stopping':
      return `the ${kind} continues by itself; ${holdersAdvice(plan.leader, holders) ?? look}`;
    case 'not_healthy':
      return silent.length === 0 ? look : `start Patroni on ${silent.join(', ')}; ${look}`;
    case 'routes_wrong':
      return `the cluster itself is healthy; see where the routes lead: patctl check ${cluster}`;
    case 'routes_unknown':
      return `give a login that the route accepts, or leave the routes out: --wait healthy; ${look}`;
    case 'no_leader':
    case 'no_trace':
      return `do not repeat it before you know the outcome; ${look}`;
    default:
      return look;
  }
}

/** What was not done because of the pause is done when it ends. */
function byResume({ checks }: Plan): string {
  const isPaused = checks.some(({ name }) => name === 'paused_needs_candidate');
  return isPaused ? ', at the latest when the cluster is resumed' : '';
}

/** The command that frees a shutdown from its logical clients, on the host: no login is possible any more. */
function holdersAdvice(leader: string | null, holders: readonly Holder[]): string | null {
  const pids = holders.filter(({ kind }) => kind === 'logical').map(({ pid }) => pid);
  if (pids.length === 0) return null;
  return `on the host of ${leader ?? 'the leader'}: kill -TERM ${pids.join(' ')}`;
}

/** The clients that the shutdown waits for, as far as earlier readings showed which are stalled. */
export function holdersText(
  leader: string | null,
  holders: readonly Holder[],
  stoppingMs: number,
  nowMs: number,
): string {
  const since = `${leader ?? 'the leader'} has been stopping for ${Math.round(stoppingMs / 1000)} s`;
  if (holders.length === 0)
    return `${since}; a clean shutdown waits for every walsender and archiving`;
  const who = holders.map((holder) => holderText(holder, nowMs)).join(', ');
  const advice = holdersAdvice(leader, holders);
  return `${since}; it waits for ${who}${advice === null ? '' : `; ${advice}`}`;
}

function holderText(holder: Holder, nowMs: number): string {
  const { kind, applicationName, pid, clientAddr, slotName, stillSinceMs, timeoutMs } = holder;
  const what = kind === 'logical' ? 'client' : 'standby';
  const still = Math.max(0, Math.round((nowMs - stillSinceMs) / 1000));
  const end =
    kind === 'physical' && timeoutMs !== null
      ? `, given up after ${Math.round(timeoutMs / 1000)} s of silence`
      : '';
  const facts = `pid ${pid}, from ${clientAddr ?? 'a local socket'}, slot ${slotName ?? 'none'}`;
  return `${applicationName || `a ${what}`} (${facts}, no confirmation for ${still} s${end})`;
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

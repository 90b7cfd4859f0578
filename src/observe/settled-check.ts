/** The readings of `patctl check`: first one, then more until what is found has settled. */
import { loopWaitMs } from '../cluster/model/loop-times.js';
import {
  checkedCluster,
  isWanted,
  overridden,
  persisting,
  unstable,
  wantsAnother,
  type CheckedCluster,
  type Overrides,
} from '../cluster/documents/check-document.js';
import {
  expectationFailed,
  expectedMembers,
  type Expectation,
} from '../cluster/findings/expectations.js';
import { look, type Looked } from '../cluster/findings/find.js';
import type { Limits } from '../cluster/findings/limits.js';
import { comesBackBySteps } from '../cluster/findings/settling.js';
import { stateLookMs } from '../cluster/findings/states.js';
import { logicalLookMs } from '../cluster/findings/switchover-readiness.js';
import type { Cluster, EarlierSnapshot, Finding, Snapshot } from '../cluster/model/model.js';
import { earlierOf } from '../cluster/roles/absent.js';
import { viewOf } from '../cluster/roles/view.js';
import type { Context } from '../context.js';
import { ToolError } from '../errors.js';
import { withCertificates, withPauseAge } from './extra-evidence.js';
import type { MeantRoutes } from './ask-routes.js';
import { isContentRefused, probeChange } from './probe-change.js';
import { isRecorded, readFleet, readSnapshotOnce, readSnapshotsSettled } from './read-snapshot.js';
import type { SnapshotRequest } from './read-snapshot.js';

export interface CheckRequest extends Rules {
  /** null: every cluster of the namespace. */
  scopes: readonly string[] | null;
  group: number | null;
  /** Which witnesses are asked, and how. */
  asked: Omit<SnapshotRequest, 'scope' | 'group'>;
  /** A recording of an earlier time: its members that are gone are reported. */
  since: string | null;
  /** Test whether the REST API takes writes without a login; nothing changes. */
  probeRest: boolean;
  /** Null: none is known. */
  routes: MeantRoutes | null;
}

interface Rules {
  limits: Limits;
  overrides: Overrides;
  /** How many further readings confirm a finding. */
  settle: number;
  expectation: Expectation | null;
}

/** Reads one cluster again. */
type Again = () => Promise<Snapshot>;

/**
 * Every cluster of the request with its findings, read side by side. ToolError `unreachable` when the DCS does not
 * answer, `interrupted` when the signal ends it between two readings.
 */
export async function checkClusters(
  context: Context,
  request: CheckRequest,
): Promise<CheckedCluster[]> {
  const first = await readFirst(context, request);
  return Promise.all(
    first.map(async (read) => {
      const { scope, group } = read.cluster;
      const again = async () =>
        routed(
          context,
          await readSnapshotOnce(context, { scope, group, ...request.asked }),
          request,
        );
      return settled(context, await withExtras(context, read, request), again, request);
    }),
  );
}

async function readFirst(
  context: Context,
  { scopes, group, asked }: CheckRequest,
): Promise<Snapshot[]> {
  if (scopes === null) return readFleet(context, asked);
  const read = await Promise.all(
    scopes.map((scope) => readSnapshotsSettled(context, { scope, group, ...asked })),
  );
  return read.flat();
}

/** With the evidence that only some findings need. */
async function withExtras(
  context: Context,
  read: Snapshot,
  { limits, overrides, since, probeRest, routes }: CheckRequest,
): Promise<Snapshot> {
  const { scope, group } = read.cluster;
  let snapshot = read;
  if (isWanted('cert_expiring', overrides)) snapshot = await withCertificates(context, snapshot);
  if (probeRest) snapshot = await withOpenRest(context, snapshot);
  if (limits.maxPauseMs !== null && isWanted('paused_too_long', overrides))
    snapshot = await withPauseAge(context, snapshot);
  snapshot = await routed(context, snapshot, { routes });
  if (since === null) return snapshot;
  return { ...snapshot, earlier: await readEarlier(since, scope, group) };
}

/** With what answers through its routes, at every reading again. */
async function routed(
  context: Context,
  snapshot: Snapshot,
  { routes }: Pick<CheckRequest, 'routes'>,
): Promise<Snapshot> {
  if (routes === null) return snapshot;
  const { withRoutes } = await import('./ask-routes.js');
  return withRoutes(context, snapshot, routes);
}

/** Members that refuse an empty PATCH because of its content, not because of its sender. */
async function withOpenRest(context: Context, snapshot: Snapshot): Promise<Snapshot> {
  const { rest } = await context.config();
  // With our own credentials nothing is learnt about access without credentials.
  if (rest.username !== null || rest.certfile !== null) return snapshot;
  if (await isRecorded(context)) return snapshot;
  const open = await Promise.all(
    snapshot.cluster.members.map(async ({ name, apiUrl }) => {
      if (apiUrl === null) return [];
      return isContentRefused(await probeChange(context, apiUrl)) ? [name] : [];
    }),
  );
  return { ...snapshot, openRest: open.flat() };
}

/** A cluster in motion is not an alarm: each finding must be found again, even one that began late. */
async function settled(
  context: Context,
  first: Snapshot,
  again: Again,
  rules: Rules,
): Promise<CheckedCluster> {
  let snapshot = first;
  const readings = [lookAt(first, rules)];
  for (;;) {
    const waitMs = nextWaitMs(snapshot, readings, rules);
    if (waitMs === null) break;
    await context.clock.wait(waitMs, context.signal);
    if (context.signal.aborted)
      throw new ToolError('interrupted', 'interrupted while reading again');
    // These do not change between two readings.
    const { certificates = null, openRest = null, pausedSince = null, earlier = null } = first;
    const found = {
      ...(certificates && { certificates }),
      ...(openRest && { openRest }),
      ...(pausedSince !== null && { pausedSince }),
      ...(earlier && { earlier }),
    };
    snapshot = { ...(await again()), previous: first, ...found };
    readings.push(lookAt(snapshot, rules));
  }
  const { looked, transient } = persisting(
    withUnstable(readings, rules.overrides, snapshot.cluster),
  );
  return checkedCluster(viewOf(snapshot), looked, transient, readings.length, rules.overrides);
}

/** The last reading with what only all of them together show. */
function withUnstable(readings: Looked[], overrides: Overrides, cluster: Cluster): Looked[] {
  const last = readings.at(-1);
  const found = isWanted('unstable', overrides) ? unstable(readings, cluster) : [];
  if (last === undefined || found.length === 0) return readings;
  const all = { ...last, findings: [...last.findings, ...found] };
  return [...readings.slice(0, -1), overridden(all, overrides)];
}

/** Further readings for what Patroni restores over several loops once the primary has started. */
const SYNC_RETURNS = 3;

/** When to read again; null when it has settled (see `wantsAnother`), or when it was watched for long enough. */
function nextWaitMs(snapshot: Snapshot, readings: Looked[], { settle, overrides }: Rules) {
  if (settle === 0) return null;
  const view = viewOf(snapshot);
  const { findings = [] } = readings.at(-1) ?? {};
  const times = 1 + settle + (comesBackBySteps(findings, view) ? SYNC_RETURNS : 0);
  const more = wantsAnother(readings, times, settle);
  const loopMs = more ? loopWaitMs(snapshot.cluster) : 0;
  const stateMs = isWanted('member_state', overrides) ? (stateLookMs(view) ?? 0) : 0;
  const logicalMs = isWanted('logical_walsender_stuck', overrides) ? (logicalLookMs(view) ?? 0) : 0;
  return Math.max(loopMs, logicalMs, more ? stateMs : 0) || null;
}

function lookAt(snapshot: Snapshot, { limits, overrides, expectation }: Rules): Looked {
  const wanted = (code: string) => isWanted(code, overrides);
  if (expectation === null) return overridden(look(viewOf(snapshot), limits, wanted), overrides);
  const view = viewOf({ ...snapshot, expectedMembers: expectedMembers(expectation) });
  const looked = look(view, limits, wanted);
  const failed = wanted('expectation_failed') ? expectationFailed(view, expectation) : [];
  // An expected member without a key is `member_missing`, if that is checked.
  const missing = looked.findings.filter(({ code }) => code === 'member_missing');
  const isSaid = ({ members }: Finding) =>
    missing.some((other) => other.members.some((name) => members.includes(name)));
  const findings = [...looked.findings, ...failed.filter((one) => !isSaid(one))];
  return overridden({ ...looked, findings }, overrides);
}

/** The members in an earlier recording of the cluster. */
async function readEarlier(
  file: string,
  scope: string,
  group: number | null,
): Promise<EarlierSnapshot> {
  const { readRecording } = await import('../dcs/recording/read-recording.js');
  const only = (await readRecording(file)).find(
    ({ cluster }) => cluster.scope === scope && cluster.group === group,
  );
  if (only === undefined) throw new ToolError('usage', `${file} holds no snapshot of ${scope}`);
  return earlierOf(only);
}

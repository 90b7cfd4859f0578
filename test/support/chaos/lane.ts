/** One cluster that is broken, looked at, and made whole again, round by round. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.js';
import { ACTS, type Act, type Ran } from './acts.js';
import { startBeside, type Beside, type Incident, type Report } from './beside.js';
import type { Dice } from './dice.js';
import { FAULTS, type Cast, type Fault, type Trouble } from './faults.js';
import { primariesOf, told } from './holds.js';
import { startJudge, type Declared, type Judge } from './judge.js';
import { repair } from './repair.js';
import type { Site } from './shapes.js';
import { startWriter, type Commit, type Writer } from './writer.js';

export interface Figures {
  /** Time during which the cluster was broken and looked at. */
  ms: number;
  /** Faults and acts that came about, by kind. */
  events: Record<string, number>;
  /** Faults that could not be brought about, with the reason. */
  skipped: string[];
  /** Members asked by SQL. */
  readings: number;
  /** Acknowledged. */
  commits: number;
  /** Of these, those that were gone after a change of leader. */
  lost: number;
  /** Acting commands by exit code. */
  endings: Record<string, number>;
  /** Reading commands by exit code. */
  runs: Record<string, number>;
  /** Reading and acting commands during which the machine stalled: their words prove nothing. */
  unjudged: number;
  /** What `quorum` said of the leader's loss, and what came of it. */
  promises: Record<string, number>;
  incidents: Incident[];
}

export interface LaneOptions {
  dice: Dice;
  /** Milliseconds since 1970. */
  endsAt: number;
  stop: AbortSignal;
  log: (line: object) => void;
  /** Only kinds of faults that this matches. */
  only: RegExp;
  /** Nothing is broken: planned actions alone. */
  isPlanned: boolean;
}

interface Lane extends LaneOptions {
  site: Site;
  figures: Figures;
  judge: Judge;
  writer: Writer | null;
  beside: Beside;
  report: Report;
  /** What runs now, for the reader of an incident. */
  during: string;
  /** A fault and acts whose turn has not come. */
  faults: Fault[];
  acts: Act[];
  /** Truths of the fault that is on. */
  declared: Declared[];
  config: string;
}

const HOLD_MS = 12_000;
/** A check that began when the fault had lasted for its grace is waited for so long. */
const CHECK_LIMIT_MS = 25_000;
const SEEN_AFTER_MS = 6_000;
const ACT_LIMIT_MS = 150_000;
const LEADER_LIMIT_MS = 20_000;
const NEW_LEADER_MS = 45_000;
const QUIET_MS = 2_500;
/** What a repair may take when the time is over: commits can only be counted in a whole cluster. */
const LAST_REPAIR_MS = 30_000;
const ACT_IN_TROUBLE_PERCENT = 50;
const PLANNED_ACT_PERCENT = 80;

export const count = (where: Record<string, number>, what: string, by = 1): void => {
  where[what] = (where[what] ?? 0) + by;
};

/** Breaks the cluster until the time is over; false when it could not be made whole again. */
export async function breakCluster(
  site: Site,
  figures: Figures,
  options: LaneOptions,
): Promise<boolean> {
  const startedAt = Date.now();
  const judge = await startJudge(site.lab);
  const writer = site.shape.isStandby === true ? null : startWriter(site.lab, judge);
  let during = 'nothing';
  const report: Report = (incident) => {
    const whole = { at: new Date().toISOString(), shape: site.shape.name, during, ...incident };
    figures.incidents.push(whole);
    options.log(whole);
  };
  const beside = startBeside(site, judge, report);
  const lane: Lane = {
    ...options,
    site,
    figures,
    judge,
    writer,
    beside,
    report,
    get during() {
      return during;
    },
    set during(words) {
      during = words;
    },
    faults: [],
    acts: [],
    declared: [],
    config: await eventually('etcd answers', LEADER_LIMIT_MS, () => judge.latest().config),
  };
  try {
    let isWhole = true;
    while (isWhole && !isOver(lane)) {
      isWhole = await oneRound(lane).catch((error: unknown) => {
        options.log({
          at: new Date().toISOString(),
          shape: site.shape.name,
          during,
          gaveUp: String(error),
        });
        return false;
      });
    }
    return isWhole;
  } finally {
    await Promise.all([beside.stop(), writer?.stop()]);
    await judge.stop();
    figures.ms += Date.now() - startedAt;
    figures.readings += judge.readings();
    figures.commits += writer?.count() ?? 0;
    figures.unjudged += beside.unjudged();
    for (const [what, times] of beside.runs) count(figures.runs, what, times);
  }
}

const isOver = ({ endsAt, stop }: LaneOptions): boolean => stop.aborted || Date.now() > endsAt;

/** A fault with perhaps an act in it, its repair, and perhaps a planned act. */
async function oneRound(lane: Lane): Promise<boolean> {
  const { dice, isPlanned } = lane;
  if (!isPlanned) {
    await breakOnce(lane);
    if (!(await makeWhole(lane))) return false;
  }
  if (isOver(lane) || !(isPlanned || dice.percent(PLANNED_ACT_PERCENT))) return true;
  await sleep(QUIET_MS);
  const cast = await castOf(lane);
  lane.during = 'nothing';
  await act(lane, cast, nextAct(lane), true);
  return await makeWhole(lane);
}

// ---------------------------------------------------------------- members and faults

async function castOf({ site, dice, judge }: Lane): Promise<Cast> {
  const { leader, standbys } = await eventually('there is a leader', LEADER_LIMIT_MS, () => {
    const now = judge.latest();
    return now.leader === null ? null : { leader: now.leader, standbys: now.standbys };
  });
  const replicas = site.lab.members.map(({ name }) => name).filter((name) => name !== leader);
  const inSync = replicas.filter((name) => standbys.includes(name));
  const standby = dice.pick(inSync.length > 0 ? inSync : replicas);
  return { site, dice, leader, replica: dice.pick(replicas), standby };
}

/** Every kind comes before one comes again. */
function nextFault(lane: Lane): Fault {
  if (lane.faults.length === 0) {
    const fitting = FAULTS.filter(
      ({ kind, fits }) => lane.only.test(kind) && (fits?.(lane.site) ?? true),
    );
    lane.faults = lane.dice.shuffled(fitting);
  }
  return lane.faults.pop() ?? lane.dice.pick(FAULTS);
}

function nextAct(lane: Lane): Act {
  if (lane.acts.length === 0) lane.acts = lane.dice.shuffled(ACTS);
  return lane.acts.pop() ?? lane.dice.pick(ACTS);
}

// ---------------------------------------------------------------- a fault

async function breakOnce(lane: Lane): Promise<void> {
  const { judge, dice, beside, figures, log } = lane;
  const fault = nextFault(lane);
  const cast = await castOf(lane);
  const withAct = dice.percent(ACT_IN_TROUBLE_PERCENT) ? nextAct(lane) : null;
  const actAfterMs = dice.below(8_000);
  const began = Date.now();
  lane.during = fault.kind;
  const trouble = await brought(lane, fault, cast);
  if (trouble === null) return;
  count(figures.events, fault.kind);
  log({ at: new Date().toISOString(), shape: lane.site.shape.name, fault: fault.kind, ...trouble });
  lane.declared = (trouble.truths ?? []).map((truth) => judge.declare(truth));
  const proof = fault.losesLeader === true ? proveLoss(lane, cast, began) : Promise.resolve();
  if (withAct !== null) {
    await sleep(actAfterMs);
    await act(lane, cast, withAct, false);
  }
  const holdMs = fault.holdMs ?? HOLD_MS;
  await sleep(Math.max(0, began + holdMs - Date.now()));
  await proof;
  await eventually(
    'check has looked',
    CHECK_LIMIT_MS,
    () => beside.checkedSince(began + SEEN_AFTER_MS) > 0,
  ).catch(() => undefined);
  judge.beginAnew();
  for (const one of lane.declared) one.mending();
  await trouble.undo?.().catch((error: unknown) => log({ undo: fault.kind, error: String(error) }));
}

/** null where it could not be brought about. */
async function brought(lane: Lane, fault: Fault, cast: Cast): Promise<Trouble | null> {
  try {
    return await fault.begin(cast);
  } catch (error) {
    lane.figures.skipped.push(`${lane.site.shape.name}: ${fault.kind}: ${String(error)}`);
    lane.log({ skipped: fault.kind, error: String(error) });
    return null;
  }
}

/** Puts to the proof what `quorum` said last before the leader was lost. */
async function proveLoss(lane: Lane, { leader, site }: Cast, began: number): Promise<void> {
  const { judge, beside, figures, report } = lane;
  const said = beside.promised(began - 2_000);
  if (said === null || said.leader !== leader || said.at < began - 30_000) return;
  const isThere = await eventually('another leads', NEW_LEADER_MS, () => {
    const now = judge.latest();
    const follows = site.shape.isStandby === true ? now.leader : primariesOf(now)[0];
    return now.leader !== null && now.leader !== leader && follows !== undefined;
  }).catch(() => false);
  count(
    figures.promises,
    `survives the leader's loss: ${said.survives}, ${isThere ? 'another led' : 'none led'}`,
  );
  // No member takes over in a paused cluster, and one of the acts may have paused it.
  if (!isThere && judge.latest().paused) return;
  if (judge.stalledBetween(said.at, Date.now())) {
    figures.unjudged += 1;
    return;
  }
  const isWrong = (said.survives === 'yes' && !isThere) || (said.survives === 'no' && isThere);
  if (!isWrong) return;
  report({
    what: 'broken promise',
    command: 'quorum',
    code: 0,
    about: `${leader} lost: survives ${said.survives}, ${isThere ? 'another led' : 'none led'}`,
    judge: told(judge.latest()),
    said: JSON.stringify(said),
  });
}

// ---------------------------------------------------------------- an act

async function act(lane: Lane, cast: Cast, what: Act, isPlanned: boolean): Promise<void> {
  const { judge, figures, report, site, log } = lane;
  const args = what.args(cast);
  const before = judge.latest();
  const start = Date.now();
  if (isPlanned) lane.during = what.kind;
  const run = await site.patctl(args, ACT_LIMIT_MS);
  const end = Date.now();
  await sleep(1_500);
  const ran: Ran = {
    code: run.code,
    err: run.err,
    before,
    moments: judge.between(start, end + 1_500),
    after: judge.latest(),
  };
  count(figures.events, `patctl ${what.kind}`);
  count(figures.endings, `${args[0] ?? ''} ${run.code ?? 'killed'}`);
  const command = args.join(' ');
  log({
    at: new Date().toISOString(),
    shape: site.shape.name,
    command,
    code: run.code,
    during: lane.during,
    ms: Math.round(run.ms),
    ...(run.code !== 0 && { err: run.err }),
  });
  if (judge.stalledBetween(start, end + 1_500) && ran.code !== null) {
    figures.unjudged += 1;
    return;
  }
  const wrong = wrongEnding(ran, what, cast, isPlanned);
  if (wrong === null) return;
  const said = `${run.err}\n${run.out}`.slice(-3_000);
  report({
    what: 'wrong ending',
    command,
    code: run.code,
    about: wrong,
    judge: told(ran.after),
    said,
  });
}

function wrongEnding(ran: Ran, what: Act, cast: Cast, isPlanned: boolean): string | null {
  if (ran.code === null) return 'it did not end';
  if (/fault in patctl/.test(ran.err)) return 'patctl itself failed';
  const wrong = what.wrong(ran, cast);
  if (wrong !== null) return wrong;
  if (!isPlanned || ran.code === 0 || !answersAll(ran) || what.isRefused?.(ran, cast)) return null;
  return `${ran.code} in a healthy cluster`;
}

/** On a busy machine a member may be silent for a moment, or late: an ending that says so is right. */
function answersAll({ before, moments }: Ran): boolean {
  return [before, ...moments].every(
    ({ dcs, members, patroni, slow }) =>
      dcs &&
      slow.size === 0 &&
      [...members].every(([name, sql]) => sql !== null && (patroni.get(name) ?? null) !== null),
  );
}

// ---------------------------------------------------------------- whole again

/** false when the cluster has to be given up. */
async function makeWhole(lane: Lane): Promise<boolean> {
  const { site, writer, report, judge, during } = lane;
  lane.during = `after ${during.replace(/^after /, '')}`;
  judge.beginAnew();
  const leftMs = Math.max(0, lane.endsAt - Date.now());
  const leader = await repair(site, lane.config, lane.log, leftMs + LAST_REPAIR_MS);
  for (const one of lane.declared.splice(0)) one.gone();
  // Where the time is over, a cluster that is not whole yet says nothing.
  if (leader === null && isOver(lane)) return false;
  if (leader === null) {
    report({
      what: 'no repair',
      command: '',
      code: null,
      about: during,
      judge: told(judge.latest()),
      said: '',
    });
    return false;
  }
  const lost = (await writer?.lost(leader).catch(() => [])) ?? [];
  if (lost.length > 0) judgeLoss(lane, lost, during);
  return true;
}

/** Commits that are gone, and what patctl had promised of them. */
function judgeLoss(
  { figures, beside, report, judge, log }: Lane,
  lost: Commit[],
  during: string,
): void {
  figures.lost += lost.length;
  const first = lost[0]?.at ?? 0;
  const last = lost.at(-1)?.at ?? 0;
  const promised = beside.promised(last);
  log({ lost: lost.length, during, first, last, promised });
  if (promised?.dataLoss !== 'none') return;
  report({
    what: 'lost commits',
    command: 'quorum',
    code: 0,
    about: `${lost.length} commits of ${lost[0]?.on ?? ''}, ${new Date(first).toISOString()} to ${new Date(last).toISOString()}`,
    judge: told(judge.latest()),
    said: JSON.stringify(promised),
  });
}

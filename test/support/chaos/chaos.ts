/** Live clusters of every shape broken on purpose, patctl run beside, and what it said held against SQL. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Owner } from '../lab/lock.js';
import type { Incident } from './beside.js';
import { diceOf } from './dice.js';
import { breakCluster, type Figures } from './lane.js';
import { openSite, SHAPES, type Shape } from './shapes.js';

export interface ChaosOptions {
  minutes: number;
  seed: number;
  /** Names of shapes; each gets its share of the time. */
  shapes: readonly string[];
  /** Clusters at the same time. */
  lanes: number;
  only: RegExp;
  isPlanned: boolean;
  owner: Owner;
  /** The patctl that is put to the test. */
  program: string;
  stop: AbortSignal;
  log: (line: object) => void;
}

export interface Summary extends Omit<Figures, 'incidents'> {
  seed: number;
  minutes: number;
  shapes: string[];
  total: { events: number; kinds: number; incidents: Record<string, number> };
  incidents: Incident[];
}

/** Time that is left for taking a cluster down and starting the next. */
const CHANGE_MS = 25_000;

/** Runs for that time, and has taken every cluster down when it is over. */
export async function runChaos(options: ChaosOptions): Promise<Summary> {
  const shapes = options.shapes.map(shapeNamed);
  const figures: Figures = {
    events: {},
    skipped: [],
    readings: 0,
    commits: 0,
    lost: 0,
    endings: {},
    runs: {},
    promises: {},
    incidents: [],
  };
  const startedAt = Date.now();
  const endsAt = startedAt + options.minutes * 60_000;
  const lanes = Math.min(options.lanes, shapes.length);
  const queues = Array.from({ length: lanes }, (_, lane) =>
    shapes.filter((_shape, at) => at % lanes === lane),
  );
  await Promise.all(queues.map((queue) => runLane(queue, startedAt, endsAt, figures, options)));
  return summaryOf(figures, options, (Date.now() - startedAt) / 60_000);
}

function shapeNamed(name: string): Shape {
  const found = SHAPES.find((shape) => shape.name === name);
  if (found === undefined)
    throw new Error(`no shape ${name}: ${SHAPES.map((one) => one.name).join(', ')}`);
  return found;
}

/** One shape after the other, each for its share of the time. */
async function runLane(
  queue: Shape[],
  startedAt: number,
  endsAt: number,
  figures: Figures,
  options: ChaosOptions,
): Promise<void> {
  const shareMs = (endsAt - startedAt) / queue.length;
  for (const [at, shape] of queue.entries()) {
    const shapeEndsAt = startedAt + shareMs * (at + 1) - CHANGE_MS;
    const seed = options.seed * 100 + SHAPES.indexOf(shape);
    const dice = diceOf(seed);
    for (let turn = 1; Date.now() < shapeEndsAt && !options.stop.aborted; turn += 1) {
      const scope = `chaos-${shape.name}-${options.owner.pid}-${turn}`;
      const site = await openSite(shape, scope, options).catch((error: unknown) => {
        options.log({ notStarted: scope, error: String(error) });
        return null;
      });
      if (site === null) continue;
      try {
        const lane = { ...options, dice, endsAt: shapeEndsAt };
        await breakCluster(site, figures, lane);
      } finally {
        await site.close();
      }
      await sleep(100);
    }
  }
}

function summaryOf(figures: Figures, options: ChaosOptions, minutes: number): Summary {
  const incidents: Record<string, number> = {};
  for (const { what } of figures.incidents) incidents[what] = (incidents[what] ?? 0) + 1;
  const events = Object.values(figures.events).reduce((sum, times) => sum + times, 0);
  return {
    seed: options.seed,
    minutes: Math.round(minutes * 10) / 10,
    shapes: [...options.shapes],
    total: { events, kinds: Object.keys(figures.events).length, incidents },
    ...figures,
  };
}

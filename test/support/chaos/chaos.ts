/** Live clusters of every shape broken on purpose, patctl run beside, and what it said held against SQL. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Owner } from '../lab/lock.js';
import { diceOf } from './dice.js';
import { breakCluster, count, type Figures } from './lane.js';
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

interface Counted extends Figures {
  minutes: number;
  total: { events: number; kinds: number; runs: number; incidents: Record<string, number> };
}

/** Over all shapes, and of each. */
export interface Summary extends Counted {
  seed: number;
  shapes: Record<string, Counted>;
}

/** Time that is left for taking a cluster down and starting the next. */
const CHANGE_MS = 25_000;

/** Runs for that time, and has taken every cluster down when it is over. */
export async function runChaos(options: ChaosOptions): Promise<Summary> {
  const shapes = options.shapes.map(shapeNamed);
  const byShape = new Map(shapes.map((shape) => [shape, noFigures()]));
  const startedAt = Date.now();
  const endsAt = startedAt + options.minutes * 60_000;
  const lanes = Math.min(options.lanes, shapes.length);
  const queues = Array.from({ length: lanes }, (_, lane) =>
    shapes.filter((_shape, at) => at % lanes === lane),
  );
  await Promise.all(queues.map((queue) => runLane(queue, startedAt, endsAt, byShape, options)));
  return summaryOf(byShape, options, Date.now() - startedAt);
}

const noFigures = (): Figures => ({
  ms: 0,
  events: {},
  skipped: [],
  readings: 0,
  commits: 0,
  lost: 0,
  endings: {},
  runs: {},
  unjudged: 0,
  promises: {},
  incidents: [],
});

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
  byShape: Map<Shape, Figures>,
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
        await breakCluster(site, byShape.get(shape) ?? noFigures(), lane);
      } finally {
        await site.close();
      }
      await sleep(100);
    }
  }
}

function summaryOf(byShape: Map<Shape, Figures>, { seed }: ChaosOptions, tookMs: number): Summary {
  const shapes = [...byShape].map(([{ name }, figures]) => {
    // They stand in one list, each with its shape.
    return [name, counts({ ...figures, incidents: [] }, figures.incidents)] as const;
  });
  const all = [...byShape.values()].reduce(added, noFigures());
  return { seed, ...counts({ ...all, ms: tookMs }), shapes: Object.fromEntries(shapes) };
}

function added(a: Figures, b: Figures): Figures {
  const sum = (one: Record<string, number>, other: Record<string, number>) => {
    const both = { ...one };
    for (const [what, times] of Object.entries(other)) count(both, what, times);
    return both;
  };
  return {
    ms: a.ms + b.ms,
    events: sum(a.events, b.events),
    skipped: [...a.skipped, ...b.skipped],
    readings: a.readings + b.readings,
    commits: a.commits + b.commits,
    lost: a.lost + b.lost,
    endings: sum(a.endings, b.endings),
    runs: sum(a.runs, b.runs),
    unjudged: a.unjudged + b.unjudged,
    promises: sum(a.promises, b.promises),
    incidents: [...a.incidents, ...b.incidents],
  };
}

function counts(figures: Figures, counted = figures.incidents): Counted {
  const incidents: Record<string, number> = {};
  for (const { what } of counted) count(incidents, what);
  const total = (of: Record<string, number>) =>
    Object.values(of).reduce((sum, times) => sum + times, 0);
  return {
    minutes: Math.round(figures.ms / 6_000) / 10,
    total: {
      events: total(figures.events),
      kinds: Object.keys(figures.events).length,
      runs: total(figures.runs),
      incidents,
    },
    ...figures,
  };
}

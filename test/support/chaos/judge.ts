/** Asks every member by SQL, every Patroni and etcd twice a second, and remembers what held from when to when. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab/cluster.js';
import { askKeys, askMember, askPatroni, SLOW_MS, type Facts, type KeyFacts } from './facts.js';
import { truthsIn, type Truth } from './truths.js';

export const TICK_MS = 500;
const TURN_MS = 100;
/** A turn that comes so late is the machine's doing: patctl and Patroni may have had none either. */
const STALL_MS = 700;
/** Moments that are kept: what is older than the longest command was judged long ago. */
const KEPT_MS = 300_000;

/** A truth, and since when it has held without a gap. */
export interface Held {
  truth: Truth;
  since: number;
}

/** `mending`: it need not be reported any more; `gone`: it must not be reported. */
export interface Declared {
  mending: () => void;
  gone: () => void;
}

export interface Judge {
  /** How often a member was asked by SQL. */
  readings(): number;
  latest(): Facts;
  /** Moments between two times, both ends included. */
  between(from: number, to: number): Facts[];
  /** Whether the machine stalled between two times: what was seen then proves nothing. */
  stalledBetween(from: number, to: number): boolean;
  /** What holds now. */
  held(): Held[];
  /** Something is mended now: what holds from here on counts from here on. */
  beginAnew(): void;
  /** What holds now, or is being mended: a finding of it is not false. */
  near(): Truth[];
  /** A truth that only the fault's author knows. */
  declare(truth: Truth): Declared;
  stop(): Promise<void>;
}

/** Begins to ask, and resolves when every member was asked once. */
export async function startJudge(lab: Lab): Promise<Judge> {
  const names = lab.members.map(({ name }) => name);
  const members = new Map<string, Awaited<ReturnType<typeof askMember>>>();
  const patroni = new Map<string, string | null>();
  const tookMs = { sql: new Map<string, number>(), rest: new Map<string, number>() };
  const stalls: { from: number; to: number }[] = [];
  let keys: KeyFacts = await askKeys(lab);
  let readings = 0;
  let isOver = false;
  const lastTold = new Map<string, string>();
  const moments: Facts[] = [];
  const since = new Map<string, Held>();
  const declared = new Set<Truth>();
  const inRepair = new Set<Truth>();

  const every = async (ms: number, ask: () => Promise<void>): Promise<void> => {
    while (!isOver) {
      const next = Date.now() + ms;
      await ask();
      await sleep(Math.max(0, next - Date.now()));
    }
  };
  const askOne = async (name: string): Promise<void> => {
    const start = Date.now();
    const said = await askMember(lab, name);
    tookMs.sql.set(name, Date.now() - start);
    readings += 1;
    members.set(name, said);
  };
  const askRest = async (name: string): Promise<void> => {
    const start = Date.now();
    const state = await askPatroni(lab, name);
    tookMs.rest.set(name, Date.now() - start);
    patroni.set(name, state);
  };
  const watchTurns = async (): Promise<void> => {
    while (!isOver) {
      const from = Date.now();
      await sleep(TURN_MS);
      const to = Date.now();
      if (to - from - TURN_MS > STALL_MS) stalls.push({ from, to });
      while ((stalls[0]?.to ?? to) < to - KEPT_MS) stalls.shift();
    }
  };
  const stalledBetween = (from: number, to: number): boolean =>
    stalls.some((stall) => stall.from <= to && stall.to >= from);
  const slowOnes = (): string[] =>
    Object.values(tookMs).flatMap((took) =>
      names.filter((name) => (took.get(name) ?? 0) > SLOW_MS),
    );
  const remember = (keysMs: number): void => {
    const at = Date.now();
    // An etcd that does not answer at all is seen by patctl too; one that answers late is not.
    if (keys.dcs && keysMs > SLOW_MS) stalls.push({ from: at - keysMs, to: at });
    for (const [name, state] of keys.told) lastTold.set(name, state);
    const facts = {
      at,
      ...keys,
      told: new Map(lastTold),
      members: new Map(members),
      patroni: new Map(patroni),
      slow: new Set(slowOnes()),
    };
    moments.push(facts);
    while ((moments[0]?.at ?? at) < at - KEPT_MS) moments.shift();
    const isSo = ({ holds }: Truth): boolean => holds?.(facts) ?? true;
    const now = [...truthsIn(facts), ...[...declared].filter(isSo)];
    for (const what of [...since.keys()]) {
      if (!now.some((truth) => truth.what === what)) since.delete(what);
    }
    for (const truth of now) {
      // How long it may last is a matter of the state that it is in now.
      since.set(truth.what, { truth, since: since.get(truth.what)?.since ?? at });
    }
  };
  await Promise.all(names.flatMap((name) => [askOne(name), askRest(name)]));
  remember(0);
  const loops = [
    watchTurns(),
    ...names.map((name) => every(TICK_MS, () => askOne(name))),
    ...names.map((name) => every(TICK_MS, () => askRest(name))),
    every(TICK_MS, async () => {
      const start = Date.now();
      keys = await askKeys(lab);
      remember(Date.now() - start);
    }),
  ];
  return {
    readings: () => readings,
    latest: () => moments.at(-1) as Facts,
    between: (from, to) => moments.filter(({ at }) => at >= from && at <= to),
    stalledBetween,
    held: () => [...since.values()],
    beginAnew: () => since.clear(),
    near: () => [...[...since.values()].map(({ truth }) => truth), ...inRepair],
    declare: (truth) => {
      declared.add(truth);
      const mending = (): void => {
        declared.delete(truth);
        inRepair.add(truth);
      };
      return { mending, gone: () => void inRepair.delete(truth) };
    },
    stop: async () => {
      isOver = true;
      await Promise.all(loops);
    },
  };
}

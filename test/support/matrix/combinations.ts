/** The combinations of versions on which patctl is proven: `npm test -- matrix` runs them all. */
import {
  ETCD,
  NODE,
  POSTGRES,
  type EtcdSeries,
  type NodeMajor,
  type PgMajor,
} from '../programs/catalogue.js';

export interface Combination {
  /** As `npm test -- matrix NAME` takes it. */
  name: string;
  patroni: string;
  pg: PgMajor;
  etcd: EtcdSeries;
  node: NodeMajor;
}

/** Of every line that people run, the newest release that PyPI has; oldest first. */
export const PATRONI = ['3.0.4', '3.1.2', '3.2.2', '3.3.11', '4.0.11', '4.1.5'] as const;

const USUAL = { patroni: '4.1.5', pg: '15', etcd: '3.4', node: '20' } as const;

/** What varies alone varies against the usual versions of the rest; the newest and the oldest come together. */
const ALL: readonly Combination[] = [
  { ...USUAL, name: 'newest', pg: '18', etcd: '3.6', node: '26' },
  { ...USUAL, name: 'oldest', patroni: '3.0.4', pg: '13' },
  ...keys(POSTGRES).map((pg) => ({ ...USUAL, name: `postgresql-${pg}`, pg })),
  ...PATRONI.map((patroni) => ({ ...USUAL, name: `patroni-${patroni}`, patroni })),
  ...keys(ETCD).map((etcd) => ({ ...USUAL, name: `etcd-${etcd}`, etcd })),
  ...keys(NODE).map((node) => ({ ...USUAL, name: `node-${node}`, node })),
];

export const COMBINATIONS: readonly Combination[] = ALL.filter(isFirst);

/** Rows that would run the same versions again are the row that is there already. */
function isFirst(one: Combination, at: number, all: readonly Combination[]): boolean {
  const versions = ({ patroni, pg, etcd, node }: Combination): string =>
    [patroni, pg, etcd, node].join();
  return all.findIndex((other) => versions(other) === versions(one)) === at;
}

function keys<T extends string>(record: Record<T, unknown>): T[] {
  return Object.keys(record) as T[];
}

/** What CI runs: the newest of each, the oldest of each, and one more that turns with the day. */
export function partOfDay(day: Date): Combination[] {
  const [newest, oldest, ...rest] = COMBINATIONS;
  const number = Math.floor(day.getTime() / 86_400_000);
  return [newest, oldest, rest[number % rest.length]].filter((one) => one !== undefined);
}

/** `all`, names with commas between them, or nothing: the part of that day. */
export function combinationsOf(wanted: string | undefined, day: Date): readonly Combination[] {
  if (wanted === undefined || wanted === '') return partOfDay(day);
  if (wanted === 'all') return COMBINATIONS;
  return wanted.split(',').map((name) => {
    const found = COMBINATIONS.find((one) => one.name === name);
    if (found !== undefined) return found;
    const names = COMBINATIONS.map((one) => one.name).join(', ');
    throw new Error(`no combination ${name}; there are ${names}`);
  });
}

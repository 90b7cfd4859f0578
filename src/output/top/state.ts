/** What `top` knows and where the reader is in it; `update` makes the next state of this one. Pure. */
import { statusDocument, type StatusDocument } from '../../cluster/documents/status-document.js';
import type { ClusterEvent } from '../../cluster/events/event-model.js';
import type { Snapshot } from '../../cluster/model/model.js';
import { actionOf, type OpenedCommand } from './actions.js';
import type { FleetRow } from './fleet-row.js';
import { ordered } from './fleet-row.js';
import type { Key } from './keys.js';
import { withSample, type Sample } from './sparkline.js';

/** A cluster that is read all the time. */
export interface Pane {
  readonly scope: string;
  /** Citus group; null outside Citus, or the only one. */
  readonly group: number | null;
  /** Its namespace of Kubernetes, where the fleet found it; absent: the one that is configured. */
  readonly place?: string | undefined;
  /** The last reading; null: none yet. */
  readonly look: LastReading | null;
  /** Why the last reading failed, and when; null: it did not. */
  readonly trouble: { readonly atMs: number; readonly reason: string } | null;
  /** Oldest first. */
  readonly events: readonly ClusterEvent[];
  /** By the name of the member. */
  readonly lags: Readonly<Record<string, readonly Sample[]>>;
}

export interface LastReading {
  readonly atMs: number;
  readonly snapshot: Snapshot;
  readonly document: StatusDocument;
}

/** Every cluster of the namespace, for --all. */
export interface FleetPane {
  /** Worst first. */
  readonly rows: readonly FleetRow[];
  /** Clusters that the DCS has; null: it was not read yet. */
  readonly count: number | null;
  /** Every one of them was read at least once. */
  readonly isWhole: boolean;
  /** Why the DCS could not be read the last time. */
  readonly trouble: { readonly atMs: number; readonly reason: string } | null;
  /** When the DCS last answered; null: it never did. */
  readonly readMs: number | null;
  /** Of the row that the pointer is at. */
  readonly chosen: string | null;
  readonly filter: string;
}

export type Page = 'fleet' | 'cluster' | 'member' | 'action' | 'help';

export interface TopState {
  /** Clusters that are followed. */
  readonly panes: readonly Pane[];
  /** Which of them is shown. */
  readonly at: number;
  /** null without --all. */
  readonly fleet: FleetPane | null;
  readonly page: Page;
  /** The page that Esc leads back to from help. */
  readonly before: Page;
  /** The member that the pointer is at; null: the first one. */
  readonly chosen: string | null;
  /** Lines that the page of a member or of help is moved up by. */
  readonly scroll: number;
  readonly filter: string;
  /** The filter is being typed. */
  readonly typing: boolean;
  /** Whether the acting keys are there. */
  readonly acts: boolean;
  /** What is asked on the page `action`. */
  readonly action: OpenedCommand | null;
  /** What the reader wants of the program around: it is done, and then taken away with `granted`. */
  readonly wish: Wish | null;
  readonly everyMs: number;
  /** How the next command begins, for a cluster at this place: `patctl -c demo.yml`. */
  readonly command: (place: string | undefined) => string;
  /** Codes that the configuration has `check` ignore. */
  readonly ignored: readonly string[];
}

export type Wish =
  { readonly kind: 'quit' } | { readonly kind: 'run'; readonly action: OpenedCommand };

export type TopInput =
  | {
      readonly kind: 'look';
      readonly pane: PaneName;
      readonly atMs: number;
      readonly snapshot: Snapshot;
      readonly events: readonly ClusterEvent[];
      /** Why the claims in it are older than the rest; null: they are not. */
      readonly stale: string | null;
    }
  | {
      readonly kind: 'trouble';
      readonly pane: PaneName;
      readonly atMs: number;
      readonly reason: string;
      readonly events: readonly ClusterEvent[];
    }
  /** Rows that were read, and the names of all clusters that are there; null: as before. */
  | {
      readonly kind: 'fleet';
      readonly rows: readonly FleetRow[];
      readonly names: ReadonlySet<string> | null;
    }
  | { readonly kind: 'fleet trouble'; readonly atMs: number; readonly reason: string | null }
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'granted' };

export type PaneName = Pick<Pane, 'scope' | 'group' | 'place'>;

/** Events of one cluster that are kept. */
const MOST_EVENTS = 500;
/** Rows that Page Up and Page Down move the pointer by, and lines of a page. */
const PAGE = 10;

/** A cluster that is not read yet. */
export function newPane({ scope, group, place }: PaneName): Pane {
  return { scope, group, place, look: null, trouble: null, events: [], lags: {} };
}

/** The pane that is shown; undefined on the page of the fleet. */
export function shownPane({ panes, at }: TopState): Pane | undefined {
  return panes[at];
}

/** How a command for the cluster that is shown begins. */
export function commandHere(state: TopState): string {
  return state.command(shownPane(state)?.place);
}

/** What is to be read: these clusters, or null: the fleet. */
export function followedPanes({ panes, fleet }: TopState): readonly Pane[] | null {
  return fleet !== null && panes.length === 0 ? null : panes;
}

export function isSamePane(a: PaneName, b: PaneName): boolean {
  return a.scope === b.scope && a.group === b.group && a.place === b.place;
}

/** The members of the pane as they are listed: those that match the filter. */
export function listedMembers({ look }: Pane, filter: string): StatusDocument['members'] {
  const members = look?.document.members ?? [];
  return members.filter((one) =>
    matches(filter, one.name, one.observedRole, one.state, one.syncState, one.verdict, one.host),
  );
}

/** Whether what was typed behind / stands in one of the texts, whatever the case. */
export function matches(filter: string, ...texts: readonly (string | null)[]): boolean {
  const wanted = filter.trim().toLowerCase();
  return wanted === '' || texts.some((text) => text?.toLowerCase().includes(wanted));
}

/** The member that the pointer is at; null: there is none. */
export function chosenMember(state: TopState): StatusDocument['members'][number] | null {
  const pane = shownPane(state);
  if (pane === undefined) return null;
  const listed = listedMembers(pane, state.filter);
  return listed.find(({ name }) => name === state.chosen) ?? listed[0] ?? null;
}

export function listedRows({ rows, filter }: FleetPane): readonly FleetRow[] {
  return rows.filter((row) => matches(filter, row.name, row.severity, row.said, row.leader));
}

export function chosenRow(fleet: FleetPane): FleetRow | null {
  const listed = listedRows(fleet);
  return listed.find(({ name }) => name === fleet.chosen) ?? listed[0] ?? null;
}

/** The state after what has come. */
export function update(state: TopState, input: TopInput): TopState {
  switch (input.kind) {
    case 'look': {
      const { pane: name, atMs, snapshot, events, stale } = input;
      const document = statusDocument(snapshot, state.ignored);
      return withPane(state, name, (pane) => ({
        ...pane,
        look: { atMs, snapshot, document },
        trouble: stale === null ? null : { atMs, reason: stale },
        events: [...pane.events, ...events].slice(-MOST_EVENTS),
        lags: lagsWith(pane.lags, document, atMs),
      }));
    }
    case 'trouble': {
      const { pane: name, atMs, reason, events } = input;
      return withPane(state, name, (pane) => ({
        ...pane,
        trouble: { atMs, reason },
        events: [...pane.events, ...events].slice(-MOST_EVENTS),
      }));
    }
    case 'fleet': {
      const { fleet } = state;
      if (fleet === null) return state;
      const { rows, names } = input;
      const came = new Set(rows.map(({ name }) => name));
      const kept = fleet.rows.filter(({ name }) => !came.has(name));
      const present = [...kept, ...rows].filter(({ name }) => names?.has(name) !== false);
      const count = names?.size ?? fleet.count;
      const isWhole = fleet.isWhole || (count !== null && present.length >= count);
      return { ...state, fleet: { ...fleet, rows: ordered(present), count, isWhole } };
    }
    case 'fleet trouble': {
      const { fleet } = state;
      if (fleet === null) return state;
      const { atMs, reason } = input;
      const heard =
        reason === null ? { trouble: null, readMs: atMs } : { trouble: { atMs, reason } };
      return { ...state, fleet: { ...fleet, ...heard } };
    }
    case 'granted':
      return { ...state, wish: null };
    case 'key':
      return state.typing ? typed(state, input.key) : pressed(state, input.key);
  }
}

function withPane(state: TopState, name: PaneName, change: (pane: Pane) => Pane): TopState {
  return {
    ...state,
    panes: state.panes.map((pane) => (isSamePane(pane, name) ? change(pane) : pane)),
  };
}

function lagsWith(lags: Pane['lags'], { members }: StatusDocument, atMs: number): Pane['lags'] {
  return Object.fromEntries(
    members.map(({ name, lagBytes }) => [name, withSample(lags[name] ?? [], { atMs, lagBytes })]),
  );
}

// ---------------------------------------------------------------- keys

/** While the filter is typed every character belongs to it; the pointer still moves. */
function typed(state: TopState, key: Key): TopState {
  const filter = state.page === 'fleet' ? (state.fleet?.filter ?? '') : state.filter;
  if (key === 'ctrl-c') return { ...state, wish: { kind: 'quit' } };
  if (key === 'enter') return { ...state, typing: false };
  if (key === 'esc') return { ...withFilter(state, ''), typing: false };
  if (key === 'backspace') return withFilter(state, Array.from(filter).slice(0, -1).join(''));
  if (key === 'up' || key === 'down') return moved(state, key === 'up' ? -1 : 1);
  return Array.from(key).length === 1 ? withFilter(state, filter + key) : state;
}

function withFilter(state: TopState, filter: string): TopState {
  if (state.page !== 'fleet' || state.fleet === null) return { ...state, filter };
  return { ...state, fleet: { ...state.fleet, filter } };
}

const MOVES: Readonly<Record<Key, number>> = {
  up: -1,
  k: -1,
  down: 1,
  j: 1,
  pageup: -PAGE,
  pagedown: PAGE,
  home: -Infinity,
  end: Infinity,
};

function pressed(state: TopState, key: Key): TopState {
  if (key === 'ctrl-c' || key === 'q') return { ...state, wish: { kind: 'quit' } };
  const move = MOVES[key];
  if (state.page === 'action') return answered(state, key);
  if (key === '?' && state.page !== 'help')
    return { ...state, page: 'help', before: state.page, scroll: 0 };
  if (state.page === 'help')
    return move === undefined ? { ...state, page: state.before, scroll: 0 } : scrolled(state, move);
  if (state.page === 'member') {
    if (key === 'esc' || key === 'enter' || key === 'left')
      return { ...state, page: 'cluster', scroll: 0 };
    return move === undefined ? acted(state, key) : scrolled(state, move);
  }
  if (key === '/') return { ...state, typing: true };
  if (move !== undefined) return moved(state, move);
  return state.page === 'fleet' ? inFleet(state, key) : inCluster(state, key);
}

function inFleet(state: TopState, key: Key): TopState {
  const row = state.fleet && chosenRow(state.fleet);
  if (key === 'esc') return withFilter(state, '');
  if (key !== 'enter' || !row) return state;
  return { ...state, page: 'cluster', panes: [newPane(row)], at: 0, chosen: null, filter: '' };
}

function inCluster(state: TopState, key: Key): TopState {
  const count = state.panes.length;
  if (key === 'enter') return chosenMember(state) ? { ...state, page: 'member', scroll: 0 } : state;
  if (key === 'tab') return { ...state, at: (state.at + 1) % count, chosen: null };
  if (key === 'backtab') return { ...state, at: (state.at + count - 1) % count, chosen: null };
  if (key === 'esc' && state.filter !== '') return { ...state, filter: '' };
  if (key === 'esc' && state.fleet !== null) return { ...state, page: 'fleet', panes: [], at: 0 };
  return acted(state, key);
}

/** s, f, r, R, p and e: the command line is shown, and asked for, before anything is done. */
function acted(state: TopState, key: Key): TopState {
  const pane = shownPane(state);
  if (!state.acts || pane === undefined || pane.look === null) return state;
  const action = actionOf(key, pane.look.document, chosenMember(state), commandHere(state));
  if (action === null) return state;
  return { ...state, page: 'action', before: state.page, action: { ...action, place: pane.place } };
}

function answered(state: TopState, key: Key): TopState {
  const back: TopState = { ...state, page: state.before, action: null };
  if (key === 'esc' || key === 'n') return back;
  if (key !== 'enter' || state.action === null || state.action.args === null) return state;
  return { ...back, wish: { kind: 'run', action: state.action } };
}

function scrolled(state: TopState, move: number): TopState {
  // How long the page is `draw` alone knows: what lies beyond its end is taken back with `settled`.
  const scroll = Math.min(Math.max(state.scroll + move, 0), MOST_SCROLL);
  return { ...state, scroll };
}

const MOST_SCROLL = 10_000;

/** The state once it was drawn: a page is moved up no farther than to its end, or the next key would do nothing. */
export function settled(state: TopState, mostScroll: number): TopState {
  return state.scroll <= mostScroll ? state : { ...state, scroll: mostScroll };
}

function moved(state: TopState, move: number): TopState {
  if (state.page === 'fleet' && state.fleet !== null) {
    const chosen = neighbour(
      listedRows(state.fleet).map(({ name }) => name),
      chosenRow(state.fleet)?.name,
      move,
    );
    return { ...state, fleet: { ...state.fleet, chosen } };
  }
  const pane = shownPane(state);
  if (pane === undefined) return state;
  const names = listedMembers(pane, state.filter).map(({ name }) => name);
  return { ...state, chosen: neighbour(names, chosenMember(state)?.name, move) };
}

function neighbour(
  names: readonly string[],
  from: string | undefined,
  move: number,
): string | null {
  const at = Math.max(names.indexOf(from ?? ''), 0) + move;
  return names[Math.min(Math.max(at, 0), names.length - 1)] ?? null;
}

/** Follows one cluster look by look, and tells in the end what a report shows of it. */
import type { ClusterEvent } from '../events/event-model.js';
import { cleaned } from '../configuration/without-secrets.js';
import { look } from '../findings/find.js';
import { DEFAULT_LIMITS } from '../findings/limits.js';
import type { HistoryLine, JsonObject, Snapshot } from '../model/model.js';
import { plural } from '../model/words.js';
import { viewOf } from '../roles/view.js';
import { historyFacts } from '../story/history-facts.js';
import { recordingFacts } from '../story/recording-facts.js';
import type { StoryFact } from '../story/story-model.js';
import { explain } from '../story/tell-story.js';
import { changedPairs, configPairs } from './config-changes.js';
import { openBands } from './finding-bands.js';
import { keepEvents } from './kept-events.js';
import { laneState } from './lane-state.js';
import { openLags } from './member-lag.js';
import type { ClusterStory, ConfigChange, LaneState, SeenLeaderChange } from './report-model.js';
import { openOutages, writesSeen } from './seen-outages.js';
import { openSpans } from './spans.js';

/** What there is room for: the page of a day stays below some MB, whatever happened. */
const MOST = {
  members: 60,
  spans: 400,
  outages: 200,
  changes: 100,
  bands: 80,
  /** Of each severity. */
  events: 500,
  configChanges: 200,
  bins: 480,
  runs: 200,
} as const;

/** What one look may take, from the first question to the last answer. */
const LONGEST_LOOK_MS = 3000;

export interface Story {
  /** `atMs`: when it had been read. `previous` of the snapshot is what some findings compare it with. */
  look(snapshot: Snapshot, atMs: number): void;
  /** The last look again: nothing had changed in between. */
  again(atMs: number): void;
  event(event: ClusterEvent): void;
  /** Each look is told in which something changed, and the cluster is looked at so often. */
  every(intervalMs: number): void;
  /** The recorder ended, or was ended: nothing is known until the next look. */
  close(atMs: number | null): void;
  /** Without secrets; null: there was no look. */
  told(): ClusterStory | null;
}

export function openStory(): Story {
  const parts = openParts();
  let last: { snapshot: Snapshot; atMs: number } | null = null;
  let isClosed = false;
  let holdMs: number | null = null;
  let fromMs = 0;
  let looks = 0;
  const close = (atMs: number | null): void => {
    if (last === null || isClosed) return;
    const endMs = Math.max(last.atMs, atMs ?? 0);
    for (const each of [parts.lanes, parts.runs, parts.bands, parts.lags]) each.close(endMs);
    parts.outages.close();
    isClosed = true;
  };
  const take = (snapshot: Snapshot, atMs: number): void => {
    if (last === null) fromMs = atMs;
    looks += 1;
    takeLook(parts, snapshot, atMs, isClosed ? null : holdMs);
    last = { snapshot, atMs };
    isClosed = false;
  };
  return {
    look: (snapshot, atMs) => {
      // Not `again`: what changed while the DCS was silent is seen at the next look, and not how it came about.
      parts.facts.snapshot(timeOf(atMs), snapshot);
      take(snapshot, atMs);
    },
    again: (atMs) => {
      if (last !== null) take(last.snapshot, atMs);
    },
    every: (intervalMs) => {
      holdMs = intervalMs + LONGEST_LOOK_MS;
    },
    event: (event) => {
      parts.facts.event(event);
      parts.events.add(event);
    },
    close,
    told: () => {
      close(null);
      if (last === null) return null;
      const toMs = parts.runs.spansOf('').at(-1)?.toMs ?? last.atMs;
      const story = toldOf(parts, { fromMs, toMs, looks, last: last.snapshot });
      // What members and clients of the DCS wrote may hold a secret anywhere.
      return cleaned(story) as ClusterStory;
    },
  };
}

type Parts = ReturnType<typeof openParts>;

/** What is followed from look to look; each knows what there was no room for. */
function openParts() {
  return {
    lanes: openSpans<LaneState>(MOST.members, MOST.spans),
    runs: openSpans<'recorded'>(1, MOST.runs),
    lags: openLags(MOST.members, MOST.bins),
    outages: openOutages(MOST.outages),
    bands: openBands(MOST.bands, MOST.spans),
    events: keepEvents(MOST.events),
    config: followConfig(),
    facts: recordingFacts(),
  };
}

/** `holdMs`: see `Outages.see`. */
function takeLook(parts: Parts, snapshot: Snapshot, atMs: number, holdMs: number | null): void {
  const view = viewOf(snapshot);
  parts.runs.see('', 'recorded', atMs);
  const states = new Map(view.members.map((one) => [one.name, laneState(one, view)]));
  for (const name of new Set([...parts.lanes.keys(), ...states.keys()])) {
    parts.lanes.see(name, states.get(name) ?? null, atMs);
  }
  parts.lags.see(view, atMs);
  const isVerified = snapshot.verify !== 'off';
  parts.bands.see(isVerified ? look(view, DEFAULT_LIMITS, () => true).findings : [], atMs);
  const askedMs = Date.parse(snapshot.takenAt);
  const seen = writesSeen(view, Number.isNaN(askedMs) ? atMs : askedMs, atMs);
  if (seen === null) parts.outages.close();
  else parts.outages.see(seen, holdMs);
  parts.config.see(snapshot, atMs);
}

/** The parts as they are at the end. */
function toldOf(
  { lanes, runs, lags, outages, bands, events, config, facts }: Parts,
  seen: Pick<ClusterStory, 'fromMs' | 'toMs' | 'looks' | 'last'>,
): ClusterStory {
  const { scope, group, history } = seen.last.cluster;
  const { changes, areAll } = leaderChanges(facts.facts(), history ?? [], timeOf(seen.fromMs));
  return {
    scope,
    group,
    ...seen,
    runs: runs.spansOf(''),
    lanes: lanes.keys().map((member) => ({ member, spans: lanes.spansOf(member) })),
    changes,
    lags: lags.lags(),
    outages: outages.outages(),
    bands: bands.bands(),
    events: events.events(),
    leftOutEvents: events.leftOut(),
    config: config.pairs(),
    configChanges: config.changes(),
    leftOut: [
      ...without(lanes.leftOut(), 'change', 'of the role of a member'),
      ...(areAll ? [] : ['why the leader changed earlier']),
      ...without(lags.leftOut(), 'member', 'in the pictures of lag'),
      ...without(outages.leftOut(), 'write outage', ''),
      ...without(bands.leftOut(), 'time', 'in which something was found'),
      ...without(config.leftOut(), 'change', 'of the configuration'),
    ],
  };
}

function timeOf(ms: number): string {
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString();
}

/** Troubles that changed no leader are in the findings and events. */
function leaderChanges(
  recorded: readonly StoryFact[],
  history: readonly HistoryLine[],
  from: string,
): { changes: SeenLeaderChange[]; areAll: boolean } {
  const { stories } = explain([...recorded, ...historyFacts(history)], { kind: 'since', from });
  const all = stories.filter((story) => story.to !== null && story.to !== story.from);
  const changes = all.slice(-MOST.changes).map((story) => ({
    ms: story.at === null ? null : Date.parse(story.at),
    from: story.from,
    to: story.to,
    verdict: story.verdict.message,
    missing: story.verdict.missing,
  }));
  return { changes, areAll: changes.length === all.length };
}

function without(count: number, what: string, of: string): string[] {
  return count === 0 ? [] : [`${plural(count, what)} ${of}`.trim()];
}

/** The keys of /config, and what was changed in it. */
function followConfig() {
  const changes: ConfigChange[] = [];
  let leftOut = 0;
  let before: { raw: JsonObject; text: string; shown: JsonObject } | null = null;
  const shownOf = (shown: JsonObject, key: string): string | null =>
    configPairs(shown).find((pair) => pair.key === key)?.value ?? null;
  return {
    see: ({ cluster }: Snapshot, ms: number): void => {
      // Without the key the last one that was read stays: a DCS that is silent changes nothing.
      if (cluster.config === null || cluster.config.unreadable) return;
      const { raw } = cluster.config;
      const text = JSON.stringify(raw);
      if (text === before?.text) return;
      const shown = cleaned(raw) as JsonObject;
      for (const { key, ...values } of before === null ? [] : changedPairs(before.raw, raw)) {
        changes.push({
          ms,
          key,
          before: values.before === null ? null : shownOf(before?.shown ?? {}, key),
          after: values.after === null ? null : shownOf(shown, key),
        });
      }
      while (changes.length > MOST.configChanges) {
        changes.shift();
        leftOut += 1;
      }
      before = { raw, text, shown };
    },
    pairs: () => (before === null ? [] : configPairs(before.shown)),
    changes: () => changes,
    leftOut: () => leftOut,
  };
}

/** What a report tells of clusters: out of a recording, in memory that does not grow with it, or of one moment. */
import type { ClusterEvent } from '../cluster/events/event-model.js';
import type { Snapshot } from '../cluster/model/model.js';
import { openStory, type Story } from '../cluster/report/cluster-story.js';
import type { ClusterStory } from '../cluster/report/report-model.js';
import { readRecord } from '../dcs/recording/read-record.js';
import { ToolError } from '../errors.js';

/** Empty scopes: every cluster; a null group: every Citus group of it. */
export interface ClustersMeant {
  scopes: readonly string[];
  group: number | null;
}

/** ToolError `unknown_cluster` when the recording has nothing of a cluster that is named. */
export async function storiesOfRecording(
  file: string,
  meant: ClustersMeant,
): Promise<ClusterStory[]> {
  const stories = new Map<string, Story>();
  const others = new Set<string>();
  const found = new Set<string>();
  let intervalMs = 0;
  const storyOf = (scope: string, group: number | null): Story | null => {
    if (!isMeant(scope, group, meant)) {
      if (others.size < MOST_NAMED) others.add(scope);
      return null;
    }
    found.add(scope);
    const key = JSON.stringify([scope, group]);
    const story = stories.get(key) ?? openStory();
    stories.set(key, story);
    story.every(intervalMs);
    return story;
  };
  for await (const line of readRecord(file)) {
    const atMs = Date.parse(line.at);
    if (line.kind === 'snapshot') storyOf(line.scope, line.group)?.look(line.snapshot, atMs);
    else if (line.kind === 'event') takeEvent(storyOf(line.scope, line.group), line.event, atMs);
    else if (line.kind === 'start') intervalMs = line.intervalMs;
    else for (const story of stories.values()) story.close(atMs);
  }
  const absent = meant.scopes.find((scope) => !found.has(scope));
  const told = toldOf([...stories.values()]);
  if (absent !== undefined) throw notRecorded(file, `no cluster "${absent}"`, [...others]);
  if (told.length === 0) throw notRecorded(file, nothingOf([...found], meant), [...others]);
  return told;
}

/** While the DCS is silent nothing is known of the cluster; when it answers again, all that did not change is so. */
function takeEvent(story: Story | null, event: ClusterEvent, atMs: number): void {
  story?.event(event);
  if (event.code === 'dcs_silent') story?.close(atMs);
  if (event.code === 'dcs_answers') story?.again(atMs);
}

const MOST_NAMED = 20;

function isMeant(scope: string, group: number | null, meant: ClustersMeant): boolean {
  if (meant.scopes.length > 0 && !meant.scopes.includes(scope)) return false;
  return meant.group === null || meant.group === group;
}

/** Events of silence alone are not a reading. */
function nothingOf(found: string[], { group }: ClustersMeant): string {
  if (found.length > 0)
    return `no reading of ${found.join(', ')}: the DCS did not answer while it was recorded`;
  return group === null ? 'no cluster' : `no cluster with Citus group ${group}`;
}

function notRecorded(file: string, what: string, others: string[]): ToolError {
  return new ToolError('error', `${file} has ${what}`, {
    code: 'unknown_cluster',
    ...(others.length > 0 && { hint: `it has: ${others.join(', ')}` }),
  });
}

/** One look at each. */
export function storiesOfMoment(snapshots: readonly Snapshot[]): ClusterStory[] {
  const stories = snapshots.map((snapshot) => {
    const story = openStory();
    story.look(snapshot, Date.parse(snapshot.takenAt));
    return story;
  });
  return toldOf(stories);
}

function toldOf(stories: readonly Story[]): ClusterStory[] {
  return stories.flatMap((story) => story.told() ?? []);
}

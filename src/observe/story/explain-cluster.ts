/** Collects what every source knows of a cluster's past, and explains it. */
import { storyDocument, type ExplainDocument } from '../../cluster/documents/explain-document.js';
import type { LogWindow } from '../../cluster/story/log-facts.js';
import type { SourceRead, StoryFact, StoryRequest } from '../../cluster/story/story-model.js';
import { explain } from '../../cluster/story/tell-story.js';
import type { Context } from '../../context.js';
import { ToolError } from '../../errors.js';
import { readCluster } from '../read-keys.js';
import { collectDcs, type Told } from './collect-dcs.js';
import { collectLogs, type GivenLog } from './collect-logs.js';

export interface ExplainRequest {
  scope: string | null;
  group: number | null;
  request: StoryRequest;
  logs: readonly GivenLog[];
  recording: string | null;
}

export async function explainCluster(
  context: Context,
  { scope, group, request, logs, recording }: ExplainRequest,
): Promise<ExplainDocument> {
  const told: Told[] = [];
  if (recording !== null) {
    const { collectRecording } = await import('./collect-recording.js');
    told.push(await collectRecording(recording, scope, group));
  } else {
    told.push(await fromDcs(context, scope, group, logs.length > 0));
  }
  const window = windowOf(
    request,
    told.flatMap(({ facts }) => facts),
  );
  if (logs.length > 0) told.push(await collectLogs(logs, window, null));
  else if (recording === null) told.push(await onThisHost(context, scope, group, window));
  const { stories, known } = explain(
    told.flatMap(({ facts }) => facts),
    request,
  );
  return {
    schemaVersion: 1,
    cluster: scope,
    group,
    sources: told.flatMap(({ sources }) => sources),
    known,
    stories: stories.map(storyDocument),
  };
}

/** With logs at hand a DCS that does not answer is one source less. */
async function fromDcs(
  context: Context,
  scope: string | null,
  group: number | null,
  hasLogs: boolean,
): Promise<Told> {
  try {
    if (scope === null) throw new ToolError('usage', 'no cluster is named');
    return await collectDcs(context, await readCluster(context, scope, group));
  } catch (error) {
    if (!hasLogs || !(error instanceof ToolError)) throw error;
    const problem = error.message;
    const source: SourceRead = {
      source: 'etcd',
      name: '',
      member: null,
      facts: 0,
      from: null,
      to: null,
      problem,
    };
    return { facts: [], sources: [source] };
  }
}

async function onThisHost(
  context: Context,
  scope: string | null,
  group: number | null,
  window: LogWindow,
): Promise<Told> {
  if (scope === null) return { facts: [], sources: [] };
  const { foundLogs } = await import('./found-logs.js');
  const cluster = await readCluster(context, scope, group);
  return collectLogs(await foundLogs(context, cluster), window, FOUND_LIMIT_MS);
}

/** Logs that no one named may be very long. */
const FOUND_LIMIT_MS = 30_000;

/** What came before the time that is asked for may be its cause. */
const LEAD_MS = 15 * 60_000;

/** `facts`: what the other sources tell, so that years of logs are not read for one change. */
function windowOf(request: StoryRequest, facts: readonly StoryFact[]): LogWindow {
  if (request.kind === 'since')
    return { fromMs: Date.parse(request.from) - LEAD_MS, toMs: Infinity };
  if (request.kind === 'at') {
    const at = Date.parse(request.at);
    return { fromMs: at - 2 * LEAD_MS, toMs: at + 2 * LEAD_MS };
  }
  const [change] = explain(facts, request).stories;
  const at = change ? Date.parse(change.at ?? '') : NaN;
  if (Number.isNaN(at)) return { fromMs: -Infinity, toMs: Infinity };
  const toMs = request.kind === 'timeline' ? at + 2 * LEAD_MS : Infinity;
  return { fromMs: at - 2 * LEAD_MS, toMs };
}

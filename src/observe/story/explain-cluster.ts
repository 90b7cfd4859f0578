/** Collects what every source knows of a cluster's past, and explains it. */
import { storyDocument, type ExplainDocument } from '../../cluster/documents/explain-document.js';
import type { Cluster } from '../../cluster/model/model.js';
import { explain } from '../../cluster/story/tell-story.js';
import type { StoryRequest } from '../../cluster/story/story-model.js';
import type { Context } from '../../context.js';
import { collectDcs } from './collect-dcs.js';

export interface ExplainRequest {
  cluster: Cluster;
  request: StoryRequest;
}

export async function explainCluster(
  context: Context,
  { cluster, request }: ExplainRequest,
): Promise<ExplainDocument> {
  const { scope, group } = cluster;
  const { facts, sources } = await collectDcs(context, cluster);
  const { stories, known } = explain(facts, request);
  return {
    schemaVersion: 1,
    cluster: scope,
    group,
    sources,
    known,
    stories: stories.map(storyDocument),
  };
}

/** A site was told to become a primary cluster: followed until a member of it is a primary on a new timeline. */
import type { Member } from '../../cluster/model/model.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import type { Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import type { Tell } from '../kit/report.js';
import { until } from '../kit/until.js';
import { lookAt, siteCluster, standingOf, standingSaid, type LiveSite } from './pair.js';

const LOOK_MS = 250;

export interface NewPrimary {
  name: string;
  timeline: number;
}

interface Promoting {
  /** The leader that was asked. */
  asked: Member;
  /** The timeline that ends; null: unknown. */
  before: number | null;
  atMs: number;
  tell: Tell;
}

/** At the limit: what was seen last. ToolError at Ctrl-C. */
export async function newPrimary(
  site: LiveSite,
  { asked, before, atMs, tell }: Promoting,
): Promise<NewPrimary | Evidence[]> {
  const { context, label } = site;
  let seen: Evidence[] = [];
  const limit = {
    ...{ atMs, everyMs: LOOK_MS, tell },
    goesOn: `${label} was told to become a primary cluster; see: ${siteCommand(site, 'list')}`,
    awaits: () =>
      `${seen[0]?.subject ?? memberOf(site, asked.name)} to become a primary (${seen[0]?.said ?? 'not looked at yet'})`,
  };
  const done = await until(context, limit, async (): Promise<NewPrimary | null> => {
    const now = await clusterNow(context, siteCluster(site));
    const leader = now?.members.find(({ name }) => name === now.leaderName) ?? asked;
    const standing = standingOf(await lookAt(site, leader));
    seen = [standingSaid(memberOf(site, leader.name), standing)];
    const { role, timeline } = standing;
    if (role !== 'primary' || timeline === null) return null;
    return before !== null && timeline <= before ? null : { name: leader.name, timeline };
  });
  return done ?? seen;
}

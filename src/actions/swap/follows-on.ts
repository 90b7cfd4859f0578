/** After the promotion: this site streams from the new primary on its timeline, and every member of both streams again. */
import type { Member } from '../../cluster/model/model.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { clusterNow } from '../../observe/read-keys.js';
import { until } from '../kit/until.js';
import type { SwapUnderway } from './underway.js';
import { siteCluster, leaderOf, lookAt, standingOf, standingSaid, type LiveSite } from './pair.js';

const LOOK_MS = 400;

/** Members that streamed before, by site. */
export interface Followers {
  here: string[];
  there: string[];
}

/** ToolError `failed` (not_following) names the members that do not at the deadline. */
export async function followsOn(
  underway: SwapUnderway,
  followers: Followers,
  timeline: number,
): Promise<void> {
  const { pair, record, atMs } = underway;
  const { here, there } = pair;
  const old = leaderOf(here).name;
  let missing: Evidence[] = [];
  const limit = {
    tell: record.tell,
    atMs,
    everyMs: LOOK_MS,
    goesOn: `${there.label} is the primary`,
    awaits: () => missing.map(({ subject, said }) => `${subject} (${said})`).join(', '),
  };
  const done = await until(here.context, limit, async () => {
    const [mine, its] = await Promise.all([
      lacking(here, [...new Set([old, ...followers.here])], { timeline, leader: 'streams' }),
      lacking(there, followers.there, { timeline, leader: 'primary' }),
    ]);
    if (mine.length === 0)
      record.once(
        'follows',
        memberOf(here, old),
        `${here.label} streams from ${there.label} on timeline ${timeline}`,
      );
    missing = [...mine, ...its];
    return missing.length === 0 ? true : null;
  });
  if (done)
    return record.step('streaming', memberOf(there, null), 'every member of both sites streams');
  const names = missing.map(({ subject }) => subject).join(', ');
  throw new ToolError(
    'failed',
    `${there.label} is the primary, but not every member follows: ${names}`,
    {
      code: 'not_following',
      evidence: missing,
      hint: `see why: ${siteCommand(here, 'check')}; and: ${siteCommand(there, 'check')}`,
    },
  );
}

interface Following {
  timeline: number;
  /** What the leader of the site has to be; a primary does not stream. */
  leader: 'streams' | 'primary';
}

/** Those that were not seen to stream on this timeline. A DCS that does not answer shows none of them. */
export async function lacking(
  site: LiveSite,
  names: readonly string[],
  { timeline, leader }: Following,
): Promise<Evidence[]> {
  const now = await clusterNow(site.context, siteCluster(site));
  if (now === null) return names.map((name) => unread(site, name));
  const wanted = names.filter((name) => leader === 'streams' || name !== now.leaderName);
  const looks = wanted.map(async (name): Promise<Evidence | null> => {
    const member = now.members.find((one) => one.name === name);
    return member === undefined ? gone(site, name) : await lacks(site, member, timeline);
  });
  return (await Promise.all(looks)).filter((one) => one !== null);
}

function unread(site: LiveSite, name: string): Evidence {
  return { witness: 'DCS', subject: memberOf(site, name), said: 'the DCS could not be read' };
}

function gone(site: LiveSite, name: string): Evidence {
  return { witness: 'DCS', subject: memberOf(site, name), said: 'has no member key' };
}

async function lacks(site: LiveSite, member: Member, timeline: number): Promise<Evidence | null> {
  const standing = standingOf(await lookAt(site, member));
  if (standing.role === 'standby' && standing.streams && standing.timeline === timeline)
    return null;
  const on = standing.timeline === null ? '' : `, on timeline ${standing.timeline}`;
  const seen = standingSaid(memberOf(site, member.name), standing);
  return { ...seen, said: `${seen.said}${on}` };
}

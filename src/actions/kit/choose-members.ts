/** What every acting command begins with: the cluster by name, the members that are meant. */
import {
  membersOfRole,
  selectMembers,
  type RoleFilter,
  type Selected,
} from '../../cluster/select-members.js';
import { ToolError } from '../../errors.js';
import type { Asker } from '../../output/ask.js';
import type { Cluster, Snapshot } from '../../cluster/model/model.js';
import type { Menu } from '../../output/menu.js';
import type { Context } from '../../context.js';
import { lookForCritical } from './critical-findings.js';
import type { AskAndTell } from './report.js';

/** The cluster, or each of its Citus groups when none is named. ToolError when the DCS has nothing of it. */
export async function readClusters(
  context: Context,
  scope: string,
  group: number | null,
): Promise<Cluster[]> {
  const clusters = await (await context.dcs()).read({ scope, group });
  if (clusters.length > 0) return clusters;
  const { unknownCluster } = await import('../../observe/read-snapshot.js');
  throw await unknownCluster(context, scope, group);
}

/** The one cluster that is named; with Citus the group has to be named too. */
export async function readCluster(
  context: Context,
  scope: string,
  group: number | null,
): Promise<Cluster> {
  const clusters = await readClusters(context, scope, group);
  const [only] = clusters;
  if (clusters.length === 1 && only) return only;
  throw groupWanted(clusters);
}

/** patronictl's words, and which groups there are. */
export function groupWanted(clusters: readonly Cluster[]): ToolError {
  return new ToolError('error', 'For Citus clusters the --group must me specified', {
    code: 'group_wanted',
    hint: `groups: ${clusters.map((one) => one.group ?? 'none').join(', ')}`,
  });
}

/** The same cluster as it is now, or null when it cannot be read at the moment. */
export async function reread(context: Context, cluster: Cluster): Promise<Cluster | null> {
  try {
    const clusters = await readClusters(context, cluster.scope, cluster.group);
    return clusters.find(({ group }) => group === cluster.group) ?? null;
  } catch (error) {
    if (error instanceof ToolError) return null;
    throw error;
  }
}

export interface MemberChoice {
  scope: string;
  group: number | null;
  role: RoleFilter;
  names: readonly string[];
  /** reload, restart, reinitialize, flush: goes into the question. */
  action: string;
  force: boolean;
  /** Not asked which one of them, where none is named. */
  takesAll?: boolean;
}

export interface Chosen {
  clusters: Cluster[];
  members: Selected[];
}

/**
 * patronictl's first steps: read, show the table, find the members. `reinitialize` requires names: it asks when none
 * is given, and with --force selects no member.
 */
export async function chooseMembers(
  context: Context,
  { asker, show }: Pick<AskAndTell, 'asker' | 'show'>,
  choice: MemberChoice,
): Promise<Chosen> {
  const { scope, group, action } = choice;
  const clusters = await readClusters(context, scope, group);
  const everybody = select(clusters, choice, choice.names);
  await show({ kind: 'members', scope, clusters, group });
  const snapshots = choice.force ? [] : await lookForCritical(context, asker, choice);
  const given = { clusters, members: everybody };
  if (choice.names.length > 0) return given;
  if (action === 'reinitialize') {
    if (choice.force) {
      throw new ToolError('usage', 'give the members to reinitialize', { code: 'no_member_named' });
    }
    if (asker.menu) return { clusters, members: [await chosenOf(asker.menu, given, snapshots)] };
    const name = await askMember(asker, everybody, action);
    return { clusters, members: select(clusters, choice, [name]) };
  }
  if (action !== 'restart' || !asker.menu || choice.takesAll || everybody.length < 2) return given;
  const { ALL, allRow, memberRows } = await import('./member-rows.js');
  const rows = [allRow(everybody), ...memberRows(everybody, snapshots)];
  const at = Number(await asker.menu.choose('Which member do you want to restart?', rows, ALL));
  const only = everybody[at];
  return only === undefined ? given : { clusters, members: [only] };
}

/** The member that a person points at; the pointer begins at one that does not stream. */
async function chosenOf(
  menu: Menu,
  { members }: Chosen,
  snapshots: readonly Snapshot[],
): Promise<Selected> {
  const { memberRows, firstToRebuild } = await import('./member-rows.js');
  const rows = memberRows(members, snapshots);
  const question = 'Which member do you want to reinitialize?';
  const chosen = members[Number(await menu.choose(question, rows, firstToRebuild(members)))];
  if (chosen === undefined) throw new Error('the menu answered with a row that it did not have');
  return chosen;
}

/** patronictl accepts any text, and fails where it is not a member. */
async function askMember(
  asker: Asker,
  everybody: readonly Selected[],
  action: string,
): Promise<string> {
  const known = everybody.map(({ member }) => member.name).join(', ');
  const name = await asker.text(`Which member do you want to ${action} [${known}]?`, '');
  if (everybody.some(({ member }) => member.name === name)) return name;
  throw new ToolError('error', `${name} is not a member of cluster`, {
    code: 'no_such_member',
    hint: `members: ${known}`,
  });
}

function select(
  clusters: readonly Cluster[],
  { role, action }: MemberChoice,
  names: readonly string[],
): Selected[] {
  // patronictl writes an option's value in Python's quotes, and its own constant without.
  const shown = action === 'reinitialize' ? role : `'${role}'`;
  const selection = selectMembers(clusters, role, names, shown);
  if (selection.ok) return selection.members;
  const { words, code, hint } = selection;
  throw new ToolError('error', words, { code, hint });
}

/** The last question before it is done, in patronictl's words. Throws when the answer is no. */
export async function confirmAction(
  asker: Asker,
  action: string,
  members: readonly Selected[],
  force: boolean,
): Promise<void> {
  if (force) return;
  const names = members.map(({ member }) => member.name).join(', ');
  if (await asker.confirm(`Are you sure you want to ${action} members ${names}?`)) return;
  throw new ToolError('error', `Aborted ${action}`, { code: 'declined' });
}

/** One member to connect to: by name, by role, or the leader. */
export interface WhichMember {
  role?: RoleFilter;
  member?: string;
}

/** The members that fit, the best first. */
export function suitableMembers(
  clusters: readonly Cluster[],
  { role, member }: WhichMember,
): Selected[] {
  if (member === undefined) return membersOfRole(clusters, role ?? 'leader');
  return membersOfRole(clusters, 'any').filter((one) => one.member.name === member);
}

/** No member fits: the error names those that exist. */
export function noSuchMember(
  clusters: readonly Cluster[],
  { role, member }: WhichMember,
): ToolError {
  const wanted = member === undefined ? `has the role ${role ?? 'leader'}` : `is named "${member}"`;
  const all = membersOfRole(clusters, 'any').map(({ cluster, member: { name } }) =>
    name === cluster.leaderName ? `${name} (leader)` : name,
  );
  return new ToolError('error', `Can not find a suitable member: no member ${wanted}`, {
    code: 'no_suitable_member',
    hint: all.length === 0 ? 'the DCS lists no members' : `members: ${all.join(', ')}`,
  });
}

/** What every acting command begins with: the members that are meant. */
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
import { readClusters } from '../../observe/read-keys.js';
import { lookForCritical } from './critical-findings.js';
import type { AskAndTell } from './report.js';

/** The members that an action is requested for. */
export interface MembersMeant {
  readonly scope: string;
  /** Citus group; null: all of them. */
  readonly group: number | null;
  /** Empty: every member with the role. */
  readonly names: readonly string[];
  /** Nothing is asked. */
  readonly force: boolean;
}

export interface MemberChoice extends MembersMeant {
  readonly role: RoleFilter;
  /** reload, restart, reinitialize, flush: goes into the question. */
  readonly action: string;
  /** Not asked which one of them, where none is named. */
  readonly takesAll?: boolean;
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

/** `patctl leader` and `patctl members`: answers of one line, for scripts. */
import { Command, Option } from 'commander';
import type { Witnessed } from '../cluster/model/model.js';
import { viewOf, type MemberView, type View } from '../cluster/roles/view.js';
import { roleSeen } from '../cluster/findings/evidence.js';
import { ToolError, type Ending } from '../errors.js';
import { oneLine } from '../output/text.js';
import type { Run } from '../cli/run-command.js';
import type { Context } from '../context.js';
import { orCannotTell } from '../cli/cannot-tell.js';
import {
  addWitnessOptions,
  parseCount,
  snapshotMeant,
  type WitnessOptions,
} from '../cli/options.js';

interface LeaderOptions extends WitnessOptions {
  group?: number;
}

interface LeaderOnlyOptions extends LeaderOptions {
  standby?: boolean;
}

const ROLES = ['any', 'leader', 'primary', 'replica', 'sync', 'standby-leader'] as const;

interface MembersOptions extends LeaderOptions {
  role: (typeof ROLES)[number];
}

export function leaderCommand(run: Run): Command {
  const command = new Command('leader')
    .description(
      'Print the leader if it is a primary: exit 1 if there is none, 4 if the claim is false',
    )
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .option('--standby', 'Also accept the standby leader of a standby cluster');
  return addWitnessOptions(command).action(
    (cluster: string | undefined, options: LeaderOnlyOptions) =>
      run((context) => leader(context, cluster, options)),
  );
}

export function membersCommand(run: Run): Command {
  const command = new Command('members')
    .description('Print member names, one per line, filtered by observed role')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(
      new Option('-r, --role <role>', 'Only members with this observed role')
        .choices(ROLES)
        .default('any'),
    );
  return addWitnessOptions(command).action((cluster: string | undefined, options: MembersOptions) =>
    run((context) => members(context, cluster, options)),
  );
}

async function readView(
  context: Context,
  cluster: string | undefined,
  options: LeaderOptions,
): Promise<View> {
  return viewOf(await orCannotTell(snapshotMeant(context, cluster, options)));
}

async function leader(
  context: Context,
  cluster: string | undefined,
  options: LeaderOnlyOptions,
): Promise<Ending> {
  const view = await readView(context, cluster, options);
  const { leaderName, config } = view.snapshot.cluster;
  if (leaderName === null) {
    const primaries = view.primaries.map(({ name }) => name).join(', ');
    throw new ToolError(
      primaries === '' ? 'error' : 'failed',
      primaries === ''
        ? 'no leader'
        : `no member holds the leader key, but ${primaries} is a primary`,
      { code: primaries === '' ? 'no_leader' : 'primary_without_lock' },
    );
  }
  const unverified = view.snapshot.verify === 'off';
  const observed = view.leader?.observed;
  if (unverified || observed === 'primary' || observed === 'standby leader') {
    const others = view.primaries.filter(({ name }) => name !== leaderName);
    if (others.length > 0) throw falseClaim(view, `${others[0]?.name ?? ''} is also a primary`);
    const isStandby = unverified ? config?.standbyCluster : observed === 'standby leader';
    if (isStandby && options.standby !== true) throw noPrimary(leaderName);
    context.io.out(`${oneLine(leaderName)}\n`);
    return 'ok';
  }
  if (observed === 'unreachable' || observed === 'unknown') {
    throw new ToolError('unreachable', `${leaderName} holds the leader key but does not answer`, {
      code: 'leader_unreachable',
    });
  }
  throw falseClaim(view, `${leaderName} holds the leader key but is ${observed ?? 'no member'}`);
}

/** Scripts write to the member that `leader` names: a standby leader takes no writes. */
function noPrimary(name: string): ToolError {
  return new ToolError('error', `no member is a primary: ${name} is a standby leader`, {
    code: 'standby_leader',
    hint: 'this is a standby cluster; --standby prints its standby leader',
  });
}

function falseClaim(view: View, message: string): ToolError {
  return new ToolError('failed', message, { code: 'false_claim', evidence: seenOf(view) });
}

function seenOf({ members }: View): Witnessed[] {
  return members.map(roleSeen);
}

async function members(
  context: Context,
  cluster: string | undefined,
  options: MembersOptions,
): Promise<Ending> {
  const view = await readView(context, cluster, options);
  // A primary counts wherever it is: one that has left the DCS accepts writes anyway.
  const names = view.members
    .filter((one) => one.member !== null || options.role === 'primary')
    .filter((one) => hasRole(one, view, options.role))
    .map(({ name }) => oneLine(name));
  context.io.out(names.map((name) => `${name}\n`).join(''));
  if (options.role === 'primary' && names.length > 1)
    throw falseClaim(view, `${names.join(' and ')} are both primaries`);
  const untold = untoldIn(view, options.role);
  if (untold.length === 0) return 'ok';
  // With --role primary the one that is not heard may be it; of other roles some are printed.
  const said = `unknown whether it is one of them: ${untold.map(oneLine).join(', ')}`;
  if (names.length === 0)
    throw new ToolError('unreachable', said, { code: 'cannot_tell', evidence: seenOf(view) });
  context.io.err(`${said}\n`);
  return 'ok';
}

/** Members of which no witness tells whether they have the role. */
function untoldIn(view: View, role: MembersOptions['role']): string[] {
  if (role === 'any' || role === 'leader') return [];
  return view.members
    .filter(({ member }) => member !== null || role === 'primary')
    .filter(({ member, observed, syncState }) =>
      role === 'sync'
        ? syncState === 'unknown'
        : observed === 'unknown' || (member !== null && observed === 'unreachable'),
    )
    .map(({ name }) => name);
}

function hasRole(one: MemberView, view: View, role: MembersOptions['role']): boolean {
  switch (role) {
    case 'any':
      return true;
    case 'leader':
      return one.name === view.snapshot.cluster.leaderName;
    case 'primary':
      return one.observed === 'primary';
    case 'standby-leader':
      return one.observed === 'standby leader';
    case 'replica':
      return one.observed === 'replica';
    case 'sync':
      return one.syncState === 'sync' || one.syncState === 'quorum';
  }
}

/** Every command: how it is called, what it does, and where it is made. */
import type { MakeCommand } from '../cli/run-command.js';

/** The headings of `--help`, in their order. */
export const GROUPS = {
  look: 'Look at clusters:',
  judge: 'Judge them:',
  change: 'Change them:',
  configure: 'Configure:',
  script: 'For scripts:',
} as const;

export interface ListedCommand {
  usage: string;
  group: keyof typeof GROUPS;
  /** As the command says itself; `--help` lists it without loading the command. */
  summary: string;
  load(): Promise<MakeCommand>;
}

/** In the order of `--help`. */
export const COMMANDS: readonly ListedCommand[] = [
  {
    usage: 'list [options] [clusters...]',
    group: 'look',
    summary: 'List the members of a cluster with claimed and observed roles',
    load: async () => (await import('./list.js')).listCommand,
  },
  {
    usage: 'topology [options] [clusters...]',
    group: 'look',
    summary: 'List the members as a tree by actual streaming replication',
    load: async () => (await import('./list.js')).topologyCommand,
  },
  {
    usage: 'status [options] [cluster]',
    group: 'look',
    summary: 'Show everything known about one cluster on one screen',
    load: async () => (await import('./status.js')).statusCommand,
  },
  {
    usage: 'top [options] [clusters...]',
    group: 'look',
    summary: 'Show clusters on a full screen as they change: members, findings and events',
    load: async () => (await import('./top.js')).topCommand,
  },
  {
    usage: 'check [options] [clusters...]',
    group: 'judge',
    summary:
      'Check that a cluster is what it claims to be: exit 0 ok, 1 warning, 2 critical, 3 unknown',
    load: async () => (await import('./check.js')).checkCommand,
  },
  {
    usage: 'wait [options] [cluster]',
    group: 'script',
    summary: 'Wait until a condition holds; exit 0 when it does, 5 at the limit',
    load: async () => (await import('./wait.js')).waitCommand,
  },
  {
    usage: 'ready [options] <member>',
    group: 'script',
    summary: 'Check that a member can serve reads: exit 0 ready, 1 not ready, 3 unknown',
    load: async () => (await import('./ready.js')).readyCommand,
  },
  {
    usage: 'snapshot [options] [clusters...]',
    group: 'look',
    summary: 'Record what all witnesses report, without secrets, for --snapshot FILE',
    load: async () => (await import('./snapshot.js')).snapshotCommand,
  },
  {
    usage: 'record [options] [clusters...]',
    group: 'look',
    summary: 'Record what happens in clusters, line by line, until it is ended',
    load: async () => (await import('./record.js')).recordCommand,
  },
  {
    usage: 'report [options] [clusters...]',
    group: 'look',
    summary: 'Write one page of HTML on what a recording holds, or on what is there now',
    load: async () => (await import('./write-report.js')).reportCommand,
  },
  {
    usage: 'leader [options] [cluster]',
    group: 'script',
    summary:
      'Print the leader if it is a primary: exit 1 if there is none, 4 if the claim is false',
    load: async () => (await import('./leader.js')).leaderCommand,
  },
  {
    usage: 'members [options] [cluster]',
    group: 'script',
    summary: 'Print member names, one per line, filtered by observed role',
    load: async () => (await import('./leader.js')).membersCommand,
  },
  {
    usage: 'quorum [options] [cluster]',
    group: 'judge',
    summary: 'Show which members could take over, their votes, and how many losses are survived',
    load: async () => (await import('./quorum.js')).quorumCommand,
  },
  {
    usage: 'why-not [options] <member> [cluster]',
    group: 'judge',
    summary: "Show Patroni's checks for one member: exit 0 if it could be promoted, 1 if not",
    load: async () => (await import('./why-not.js')).whyNotCommand,
  },
  {
    usage: 'switchover [options] [cluster]',
    group: 'change',
    summary: 'Switch over to a replica and verify the outcome',
    load: async () => (await import('./switchover.js')).switchoverCommand,
  },
  {
    usage: 'failover [options] [cluster]',
    group: 'change',
    summary: 'Fail over to a named replica and verify the outcome',
    load: async () => (await import('./failover.js')).failoverCommand,
  },
  {
    usage: 'flush [options] <cluster> [members...]',
    group: 'change',
    summary: 'Discard scheduled restarts, or the scheduled switchover',
    load: async () => (await import('./flush.js')).flushCommand,
  },
  {
    usage: 'pause [options] [cluster] [command...]',
    group: 'change',
    summary: 'Disable auto failover',
    load: async () => (await import('./pause.js')).pauseCommand,
  },
  {
    usage: 'resume [options] [cluster]',
    group: 'change',
    summary: 'Resume auto failover',
    load: async () => (await import('./pause.js')).resumeCommand,
  },
  {
    usage: 'restart [options] <cluster> [members...]',
    group: 'change',
    summary: 'Restart PostgreSQL on the members of a cluster',
    load: async () => (await import('./restart.js')).restartCommand,
  },
  {
    usage: 'roll [options] [cluster]',
    group: 'change',
    summary: 'Run a command for each member, one at a time: replicas, switchover, old leader',
    load: async () => (await import('./roll.js')).rollCommand,
  },
  {
    usage: 'reload [options] <cluster> [members...]',
    group: 'change',
    summary: 'Reload the configuration of the members of a cluster',
    load: async () => (await import('./reload.js')).reloadCommand,
  },
  {
    usage: 'reinit [options] <cluster> [members...]',
    group: 'change',
    summary: 'Reinitialize replicas: delete their data and copy it again',
    load: async () => (await import('./reinit.js')).reinitCommand,
  },
  {
    usage: 'retire [options] <member> [cluster]',
    group: 'change',
    summary: 'Take a member out for good: wait until it is stopped, then remove what it leaves',
    load: async () => (await import('./retire.js')).retireCommand,
  },
  {
    usage: 'remove [options] <cluster>',
    group: 'change',
    summary: 'Remove a cluster from the DCS',
    load: async () => (await import('./remove.js')).removeCommand,
  },
  {
    usage: 'swap [options] [cluster]',
    group: 'change',
    summary: 'Change the roles of a primary cluster and its standby cluster, losing nothing',
    load: async () => (await import('./swap.js')).swapCommand,
  },
  {
    usage: 'demote-cluster [options] [cluster]',
    group: 'change',
    summary: 'Demote cluster to a standby cluster',
    load: async () => (await import('./demote-cluster.js')).demoteClusterCommand,
  },
  {
    usage: 'promote-cluster [options] [cluster]',
    group: 'change',
    summary: 'Promote cluster, make it run standalone',
    load: async () => (await import('./promote-cluster.js')).promoteClusterCommand,
  },
  {
    usage: 'history [options] [cluster]',
    group: 'look',
    summary: 'Show the history of failovers and switchovers',
    load: async () => (await import('./history.js')).historyCommand,
  },
  {
    usage: 'explain [options] [cluster]',
    group: 'look',
    summary: 'Explain why the leader changed: what happened, why, and what may have been lost',
    load: async () => (await import('./explain.js')).explainCommand,
  },
  {
    usage: 'show-config [options] [cluster]',
    group: 'configure',
    summary: 'Show the configuration of the cluster',
    load: async () => (await import('./show-config.js')).showConfigCommand,
  },
  {
    usage: 'edit-config [options] [cluster]',
    group: 'configure',
    summary: 'Edit the configuration of the cluster',
    load: async () => (await import('./edit-config.js')).editConfigCommand,
  },
  {
    usage: 'version [options] [cluster] [members...]',
    group: 'look',
    summary: "Show the version of patctl, and of each member's Patroni and PostgreSQL",
    load: async () => (await import('./version.js')).versionCommand,
  },
  {
    usage: 'dsn [options] [cluster]',
    group: 'script',
    summary: 'Print the host and port of a member (default: the leader)',
    load: async () => (await import('./dsn.js')).dsnCommand,
  },
  {
    usage: 'query [options] [cluster]',
    group: 'script',
    summary: 'Run SQL on a member (default: the leader)',
    load: async () => (await import('./query.js')).queryCommand,
  },
  {
    usage: 'config',
    group: 'configure',
    summary: "Show patctl's own configuration",
    load: async () => (await import('./config.js')).configCommand,
  },
  {
    usage: 'completion <shell> [words...]',
    group: 'script',
    summary: 'Print the completion script of a shell',
    load: async () => (await import('./completion.js')).completionCommand,
  },
];

export function nameOf({ usage }: ListedCommand): string {
  return usage.replace(/ .*/, '');
}

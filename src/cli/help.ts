/** What `--help` says of a command besides its options: examples, and how it can end. */
import type { Command, Option } from 'commander';
import { ENDINGS, type Ending } from '../errors.js';

export interface CommandHelp {
  /** Command line and what it is for. */
  examples: [line: string, meaning: string][];
  /** By its endings; a text where it has codes of its own. */
  ends: Ends | string;
}

/** What a command ends with, and what that means for it; every code that is left out it cannot end with. */
export type Ends = Readonly<Partial<Record<Ending, string>>>;

/** Codes that mean the same for many commands. */
const NO_CLUSTER = 'there is no such cluster, or it cannot be read';
const READS = {
  error: NO_CLUSTER,
  usage: 'the command line is wrong',
  unreachable: 'the DCS did not answer',
} as const satisfies Ends;
const OPENED =
  'a signal ended top and the command that a key had opened: the code is that of the command';
const ACTS = {
  ...READS,
  error: 'nothing was changed: there is no such cluster or member, it was refused, or declined',
  unreachable: 'nothing was sent: the DCS, or every member that could do it, did not answer',
  unconfirmed: 'sent, but the outcome was not seen; look before you try again',
  interrupted: 'interrupted; the message says what was already sent',
} as const satisfies Ends;
const MOVES = {
  ...ACTS,
  error: 'nothing was changed: refused by a check or by Patroni, declined, or a wrong name',
  failed: 'Patroni accepted it, and it failed or a member is not in its previous state',
  unconfirmed: 'sent, but the outcome was not seen within --deadline',
  diverted: 'another member than the named one became the leader',
} as const satisfies Ends;

const HELP: Record<string, CommandHelp> = {
  list: {
    examples: [
      ['patctl list', 'the configured cluster, every claim checked'],
      ['patctl list demo -e -f json', 'with tags and pending restarts, for a program'],
      ['patctl list --all --strict', 'every cluster; exit 4 if a claim is false'],
      ['patctl --compat list', 'byte for byte what patronictl prints'],
    ],
    ends: {
      ok: 'the members were listed',
      ...READS,
      failed: 'with --strict: a claim is false or cannot be checked',
    },
  },
  topology: {
    examples: [['patctl topology demo', 'the actual streaming replication']],
    ends: {
      ok: 'the members were listed',
      ...READS,
      failed: 'with --strict: a claim is false or cannot be checked',
    },
  },
  status: {
    examples: [['patctl status demo -f json', 'everything that is known, as one document']],
    ends: {
      ok: 'the cluster was shown',
      ...READS,
      failed: 'with --strict: a claim is false or cannot be checked',
    },
  },
  top: {
    examples: [
      ['patctl top', 'the configured cluster; ? shows the keys'],
      ['patctl top demo sales', 'two clusters: Tab changes between them'],
      ['patctl top --all', 'every cluster, worst first; Enter goes into one'],
      ['patctl top demo --plain', 'lines as things happen, for a screen reader or a log'],
    ],
    ends: {
      ok: 'ended by q, Ctrl-C or a signal',
      ...READS,
      failed: OPENED,
      unconfirmed: OPENED,
      diverted: OPENED,
      interrupted: OPENED,
    },
  },
  check: {
    examples: [
      ['patctl check demo', 'for a monitoring system'],
      ['patctl check --list', 'the findings that it knows'],
    ],
    ends: 'The codes of monitoring systems: 0 ok, 1 warning, 2 critical, 3 unknown.',
  },
  wait: {
    examples: [
      [
        'patctl wait demo --for healthy',
        'until every member streams, none is far behind, and nothing critical is found',
      ],
    ],
    ends: {
      ok: 'every condition holds',
      ...READS,
      error: 'the cluster cannot be read, or the configuration cannot be used',
      unreachable: 'the DCS did not answer the first time',
      unconfirmed: 'a condition does not hold yet at --deadline',
      interrupted: 'interrupted before every condition held',
    },
  },
  ready: {
    examples: [
      ['patctl ready pg2 --max-lag 1MB', 'is it close enough to the leader to serve reads?'],
    ],
    ends: {
      ok: 'the member can serve reads',
      error: 'it is not ready; the reason is printed',
      usage: 'the command line is wrong',
      unreachable: 'unknown: the member, the leader or the DCS did not answer',
    },
  },
  snapshot: {
    examples: [['patctl snapshot demo -o demo.json', 'what every witness said, to look at later']],
    ends: {
      ok: 'the recording was written',
      ...READS,
      error: 'there is no such cluster, or the file cannot be written',
    },
  },
  record: {
    examples: [
      ['patctl record demo -o demo.jsonl', 'until Ctrl-C, or as a service'],
      ['patctl record demo --for 1h', 'on stdout, for an hour'],
      ['patctl status demo --snapshot demo.jsonl --at 02:15', 'the cluster as it was then'],
    ],
    ends: {
      ok: 'recorded until --for, SIGTERM or SIGINT, or until stdout was closed',
      error: 'there is no such cluster, or the file cannot be written, or was not written whole',
      usage: 'the command line is wrong',
    },
  },
  report: {
    examples: [
      [
        'patctl report --recording night.jsonl -o night.html',
        'what happened, as a page to be mailed',
      ],
      ['patctl report demo -o demo.html', 'the cluster as it is now'],
    ],
    ends: {
      ok: 'the page was written',
      ...READS,
      error: 'there is no such cluster, or a file cannot be read or written',
    },
  },
  leader: {
    examples: [['patctl leader demo', 'its name, if it is a primary']],
    ends: {
      ok: 'the name was printed',
      error: 'there is no leader, only a standby leader, or no such cluster',
      usage: 'the command line is wrong',
      unreachable: 'unknown: the DCS or the leader did not answer',
      failed: 'the leader key is false: its holder is not a primary, or another member is one',
    },
  },
  members: {
    examples: [['patctl members demo -r replica', 'names, a line each']],
    ends: {
      ok: 'the names were printed, or no member matches',
      error: 'there is no such cluster',
      usage: 'the command line is wrong',
      unreachable:
        'the DCS did not answer or cannot be read, or no member matches and one may that does not answer',
      failed: 'with --role primary: more than one member is a primary',
    },
  },
  quorum: {
    examples: [
      ['patctl quorum demo', 'the votes, and how many members can be lost'],
      [
        'patctl quorum demo --lose pg1 --lose pg3',
        'which member leads after that, and whether writes continue',
      ],
      ['patctl quorum demo --lose tag:zone=b', 'the same for all members of a zone'],
      ['patctl quorum demo --lose-any 2', 'the worst loss of two members'],
    ],
    ends: { ok: 'the votes were shown', ...READS },
  },
  'why-not': {
    examples: [['patctl why-not pg3 demo', 'what keeps it from becoming the leader']],
    ends: {
      ok: 'the member could be promoted',
      ...READS,
      error: 'it could not be promoted, or there is no such member',
      unreachable: 'unknown: the DCS did not answer, or a check cannot be decided',
    },
  },
  switchover: {
    examples: [
      ['patctl switchover demo --candidate pg2', 'shows the plan, asks, proves the outcome'],
      ['patctl switchover demo --candidate pg2 --dry-run', 'only the plan'],
      ['patctl switchover demo --force --scheduled 2027-01-31T03:00+01:00', 'at a set time'],
    ],
    ends: {
      ok: 'a new leader was verified, a schedule was set, or --dry-run refuses nothing',
      ...MOVES,
    },
  },
  failover: {
    examples: [['patctl failover demo --candidate pg2', 'when there is no healthy leader']],
    ends: { ok: 'a new leader was verified, or --dry-run refuses nothing', ...MOVES },
  },
  flush: {
    examples: [
      ['patctl flush demo switchover --force', 'cancel a scheduled switchover'],
      ['patctl flush demo pg2 restart --force', 'cancel a scheduled restart'],
    ],
    ends: {
      ok: 'discarded, or nothing was scheduled',
      ...ACTS,
      failed: 'some members were done, others not',
    },
  },
  pause: {
    examples: [
      ['patctl pause demo --wait --idempotent', 'maintenance mode, acknowledged by all'],
      ['patctl pause demo --while --max 1h -- ./patch.sh', 'only while a command runs'],
    ],
    ends: {
      ok: 'paused; with --wait, acknowledged by all members',
      ...ACTS,
      failed: 'it was set, but was reverted in the meantime; with --while: see below',
      unconfirmed: 'sent, but not seen in the DCS, or not acknowledged within --deadline',
    },
  },
  resume: {
    examples: [['patctl resume demo --wait', 'end maintenance mode, acknowledged by all']],
    ends: {
      ok: 'not paused; with --wait, acknowledged by all members',
      ...ACTS,
      failed: 'it was set, but was reverted in the meantime',
      unconfirmed: 'sent, but not seen in the DCS, or not acknowledged within --deadline',
    },
  },
  restart: {
    examples: [
      ['patctl restart demo pg2 --wait', 'one member, until it runs and streams'],
      ['patctl restart demo --rolling --pending', 'all that need it, one at a time'],
      ['patctl restart demo --rolling --dry-run', 'only the plan'],
    ],
    ends: {
      ok: 'every member was restarted, or scheduled, or needs no restart',
      ...ACTS,
      failed: 'a restart failed, a member is not back, or only some members were done',
      diverted: 'with --switchover: another member than the named one became the leader',
    },
  },
  roll: {
    examples: [
      ['patctl roll demo --exec "ssh {host} /root/patch" --dry-run', 'the order and the gates'],
      ['patctl roll demo --exec "ssh {host} systemctl restart patroni"', 'each member in turn'],
      ['patctl roll demo --resume', 'continue where it stopped'],
    ],
    ends: {
      ok: 'COMMAND was run for every member and each is back, or --dry-run refuses nothing',
      ...MOVES,
      error: 'nothing was changed: a gate stayed closed, refused, declined, or a wrong name',
      failed: 'COMMAND failed, a member is not back, or it stopped after some members were done',
      unconfirmed: 'the outcome of the switchover was not seen; look before you go on',
    },
  },
  reload: {
    examples: [['patctl reload demo --force --wait', 'wait until the settings are applied']],
    ends: {
      ok: 'every member accepted it; with --wait, applied it',
      ...ACTS,
      failed: 'some members were done, others not',
      unconfirmed: 'the answer was lost, or a member did not apply it within --deadline',
    },
  },
  reinit: {
    examples: [['patctl reinit demo pg3 --wait', 'a new copy, until it streams']],
    ends: {
      ok: 'every member accepted it; with --wait, streams again',
      ...ACTS,
      failed: 'the copy failed, or only some members were done',
      unconfirmed: 'the answer was lost, or a member does not stream within --deadline',
    },
  },
  retire: {
    examples: [
      ['patctl retire pg3 demo --dry-run', 'what the cluster would be without it'],
      ['patctl retire pg3 demo', 'says what to stop on its host, waits, removes its slot'],
    ],
    ends: {
      ok: 'the member is gone and its slot removed, or --dry-run refuses nothing',
      ...ACTS,
      error: 'nothing was changed: the cluster needs the member, declined, or a wrong name',
      failed: 'the member is gone, and its replication slot is still there',
      unconfirmed: 'the member was not stopped within --deadline; nothing was changed',
    },
  },
  swap: {
    examples: [
      [
        'patctl swap demo --to /etc/patroni/west.yml --dry-run',
        'every check, and what would be done',
      ],
      [
        'patctl swap demo --to /etc/patroni/west.yml',
        'asks, then moves the primary to the other site',
      ],
      ['patctl swap demo --to-rest http://west1:8008 --force', 'by a member of the other site'],
      [
        'patctl swap west --from-lost --to /etc/patroni/demo.yml --accept-data-loss',
        'at the standby site, when the primary site is gone: asks for the name of the cluster',
      ],
      [
        'patctl swap demo --rejoin --to /etc/patroni/west.yml --accept-data-loss',
        'at the old site, before its Patroni starts: makes it a standby of the new one',
      ],
    ],
    ends: {
      ok: 'the roles are changed and every member follows, or --dry-run refuses nothing',
      ...ACTS,
      error: 'nothing was changed: refused by a check or by Patroni, declined, or a wrong name',
      failed: 'it went back or could not, or it is done and a member does not follow',
      unconfirmed: 'a change was sent, and its outcome was not seen in time',
      interrupted: 'interrupted; the message says which site is the primary',
    },
  },
  remove: {
    examples: [
      ['patctl remove demo', 'asks for the cluster name, a confirmation and the leader'],
      ['patctl remove demo --confirm-name demo --confirm-leader pg1 --yes', 'without questions'],
    ],
    ends: { ok: 'the keys were removed', ...ACTS, failed: 'only some keys were removed' },
  },
  'demote-cluster': {
    examples: [['patctl demote-cluster demo --host db.elsewhere --port 5432', 'make it a standby']],
    ends: {
      ok: 'the cluster is a standby cluster, and every member streams',
      ...ACTS,
      failed: 'it was set, but the cluster does not reach that state',
      unconfirmed: 'sent, but the outcome was not seen within --deadline',
    },
  },
  'promote-cluster': {
    examples: [['patctl promote-cluster demo', 'make it a primary cluster again']],
    ends: {
      ok: 'the leader is a primary, and every member streams',
      ...ACTS,
      failed: 'it was set, but the cluster does not reach that state',
      unconfirmed: 'sent, but the outcome was not seen within --deadline',
    },
  },
  history: {
    examples: [['patctl history demo -f json', 'typed rows, null for unknown values']],
    ends: { ok: 'the history was shown', ...READS },
  },
  explain: {
    examples: [
      ['patctl explain demo', 'the last change of leader, step by step, with a verdict'],
      ['patctl explain demo --since 12h', 'every change of the last 12 hours'],
      [
        'patctl explain demo --timeline 4 -f json',
        'the change that ended timeline 4, for a program',
      ],
    ],
    ends: {
      ...READS,
      ok: 'a change was explained, even if its cause is unknown',
      error: 'no change of leader is recorded that fits, or a log or the cluster cannot be read',
    },
  },
  'show-config': {
    examples: [['patctl show-config demo', 'YAML, keys sorted']],
    ends: {
      ok: 'the configuration was shown',
      ...READS,
      error: 'there is no such cluster, or no configuration that can be read',
    },
  },
  'edit-config': {
    examples: [
      ['patctl edit-config demo', 'edit in $EDITOR, then confirm the difference'],
      [
        'patctl edit-config demo -s ttl=30 -p work_mem=8MB --force --wait',
        'wait until all members have applied it',
      ],
      ['patctl edit-config demo -s pause=null --dry-run', 'null removes; nothing is written'],
      ['patctl edit-config demo --replace all.yaml --check', 'check only: would it be accepted?'],
    ],
    ends: {
      ok: 'written, unchanged, or --dry-run or --check found no error',
      ...ACTS,
      error: 'nothing was written: a check failed, it changed in the meantime, or declined',
      failed: 'with --wait: written, but a member cannot use it or a setting is not in force',
      unconfirmed:
        'the answer to the write was lost, or not every member applied it within --deadline',
    },
  },
  version: {
    examples: [['patctl version demo', "every member's Patroni and PostgreSQL"]],
    ends: {
      ok: 'the versions were printed',
      ...READS,
      error: 'there is no such cluster or member',
    },
  },
  dsn: {
    examples: [['psql "$(patctl dsn demo -r replica)"', 'connect to a replica']],
    ends: {
      ok: 'host and port were printed',
      ...READS,
      error: 'there is no such cluster, or no member with this role',
      unreachable: 'unknown: the DCS did not answer, or cannot be read',
    },
  },
  query: {
    examples: [
      ['patctl query demo -U postgres -c "select now()"', 'on the leader'],
      [
        'patctl query demo -r replica -W -c "select pg_last_wal_replay_lsn()"',
        'once more every 2 seconds',
      ],
      ['patctl query demo -f report.sql --format csv', 'large results are streamed'],
    ],
    ends: {
      ok: 'the statement was executed',
      ...READS,
      error: 'SQL error, no login, or no member with this role',
      unreachable: 'the DCS or every such member did not answer',
      unconfirmed: 'the answer was lost: the statement may have been executed',
      interrupted: 'interrupted; the statement was cancelled',
    },
  },
  completion: {
    examples: [
      ['source <(patctl completion bash)', 'for this shell'],
      ['patctl completion zsh > ~/.zsh/_patctl', 'where zsh looks for it'],
      ['patctl completion fish > ~/.config/fish/completions/patctl.fish', 'for fish'],
    ],
    ends: { ok: 'the script or the words were printed', usage: 'the command line is wrong' },
  },
  config: {
    examples: [['patctl config show', 'where each value comes from; secrets are masked']],
    ends: {
      ok: 'the configuration was shown',
      error: 'the configuration cannot be used',
      usage: 'the command line is wrong',
    },
  },
};

/** Examples and endings of a command; none for one that is not in the table. */
export function helpOf(name: string): CommandHelp | null {
  return Object.hasOwn(HELP, name) ? (HELP[name] ?? null) : null;
}

/** Puts them below the options of the command, and of the commands below it. */
export function withHelp(command: Command): Command {
  for (const one of [command, ...command.commands]) one.options.forEach(nameDefault);
  const help = helpOf(command.name());
  if (help)
    for (const one of [command, ...command.commands]) one.addHelpText('after', () => text(help));
  return command;
}

/** The text already says `(default 2m)`; the value in milliseconds would repeat it. */
function nameDefault(option: Option): void {
  const [said, value] = / \(default ([^)]+)\)$/.exec(option.description) ?? [];
  if (said === undefined || value === undefined || option.defaultValue === undefined) return;
  option.description = option.description.slice(0, -said.length);
  option.defaultValueDescription = value;
}

function text({ examples, ends }: CommandHelp): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ${line.padEnd(width)}  # ${meaning}`);
  return `\nExamples:\n${lines.join('\n')}\n\nExit codes:\n${endLines(ends).join('\n')}\n`;
}

function endLines(ends: CommandHelp['ends']): string[] {
  if (typeof ends === 'string') return [`  ${ends}`];
  return entries(ends).map(([exit, , meaning]) => `  ${String(exit).padStart(3)}  ${meaning}`);
}

/** [exit code, ending, what it means for this command], by code. */
export function entries(ends: Ends): [exit: number, name: Ending, meaning: string][] {
  return (Object.keys(ENDINGS) as Ending[]).flatMap((name) => {
    const meaning = ends[name];
    return meaning === undefined ? [] : [[ENDINGS[name].exit, name, meaning]];
  });
}

/** What `--help` says of a command besides its options: examples, and how it can end. */
import type { Command, Option } from 'commander';
import { ENDINGS, type Ending } from '../errors.js';

export interface CommandHelp {
  /** Command line and what it is for. */
  examples: [line: string, meaning: string][];
  /** The endings of the one table that it can have; a text where it has codes of its own. */
  ends: readonly Ending[] | string;
}

const LOOKS: readonly Ending[] = ['ok', 'error', 'usage', 'unreachable'];
const STRICT: readonly Ending[] = [...LOOKS, 'failed'];
const CHANGES: readonly Ending[] = [...LOOKS, 'failed', 'unconfirmed', 'interrupted'];
const SWITCHES: readonly Ending[] = [...LOOKS, 'failed', 'unconfirmed', 'diverted', 'interrupted'];

const HELP: Record<string, CommandHelp> = {
  list: {
    examples: [
      ['patctl list', 'the configured cluster, every claim checked'],
      ['patctl list demo -e -f json', 'with tags and pending restarts, for a program'],
      ['patctl list --all --strict', 'every cluster; exit 4 if a claim is false'],
      ['patctl --compat list', 'byte for byte what patronictl prints'],
    ],
    ends: STRICT,
  },
  topology: {
    examples: [['patctl topology demo', 'the actual streaming replication']],
    ends: STRICT,
  },
  status: {
    examples: [['patctl status demo -f json', 'everything that is known, as one document']],
    ends: STRICT,
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
        'until every member streams and nothing critical is found',
      ],
    ],
    ends: [...LOOKS, 'unconfirmed', 'interrupted'],
  },
  ready: {
    examples: [
      ['patctl ready pg2 --max-lag 1MB', 'is it close enough to the leader to serve reads?'],
    ],
    ends: LOOKS,
  },
  snapshot: {
    examples: [['patctl snapshot demo -o demo.json', 'what every witness said, to look at later']],
    ends: LOOKS,
  },
  leader: {
    examples: [['patctl leader demo', 'its name, if it is a primary']],
    ends: STRICT,
  },
  members: { examples: [['patctl members demo -r replica', 'names, a line each']], ends: STRICT },
  quorum: {
    examples: [
      ['patctl quorum demo', 'the votes, and how many members can be lost'],
      [
        'patctl quorum demo --lose pg1 --lose pg3',
        'who leads after that, and whether writes go on',
      ],
      ['patctl quorum demo --lose tag:zone=b', 'the same for all members of a zone'],
      ['patctl quorum demo --lose-any 2', 'the worst loss of two members'],
    ],
    ends: LOOKS,
  },
  'why-not': {
    examples: [['patctl why-not pg3 demo', 'what keeps it from becoming the leader']],
    ends: LOOKS,
  },
  switchover: {
    examples: [
      ['patctl switchover demo --candidate pg2', 'shows the plan, asks, proves the outcome'],
      ['patctl switchover demo --candidate pg2 --dry-run', 'only the plan'],
      ['patctl switchover demo --force --scheduled 2027-01-31T03:00+01:00', 'at a set time'],
    ],
    ends: SWITCHES,
  },
  failover: {
    examples: [['patctl failover demo --candidate pg2', 'when there is no healthy leader']],
    ends: SWITCHES,
  },
  flush: {
    examples: [
      ['patctl flush demo switchover --force', 'cancel a scheduled switchover'],
      ['patctl flush demo pg2 restart --force', 'cancel a scheduled restart'],
    ],
    ends: CHANGES,
  },
  pause: {
    examples: [['patctl pause demo --wait --idempotent', 'maintenance mode, acknowledged by all']],
    ends: CHANGES,
  },
  resume: {
    examples: [['patctl resume demo --wait', 'end maintenance mode, acknowledged by all']],
    ends: CHANGES,
  },
  restart: {
    examples: [
      ['patctl restart demo pg2 --wait', 'one member, until it runs and streams'],
      ['patctl restart demo --rolling --pending', 'all that need it, one at a time'],
      ['patctl restart demo --rolling --dry-run', 'only the plan'],
    ],
    ends: CHANGES,
  },
  reload: {
    examples: [['patctl reload demo --force --wait', 'wait until the settings are applied']],
    ends: CHANGES,
  },
  reinit: {
    examples: [['patctl reinit demo pg3 --wait', 'a new copy, until it streams']],
    ends: CHANGES,
  },
  remove: {
    examples: [
      ['patctl remove demo', 'asks for the cluster name, a confirmation and the leader'],
      ['patctl remove demo --confirm-name demo --confirm-leader pg1 --yes', 'without questions'],
    ],
    ends: CHANGES,
  },
  'demote-cluster': {
    examples: [['patctl demote-cluster demo --host db.elsewhere --port 5432', 'make it a standby']],
    ends: CHANGES,
  },
  'promote-cluster': {
    examples: [['patctl promote-cluster demo', 'make it a primary cluster again']],
    ends: CHANGES,
  },
  history: {
    examples: [['patctl history demo -f json', 'typed rows, null for unknown values']],
    ends: LOOKS,
  },
  'show-config': { examples: [['patctl show-config demo', 'YAML, keys sorted']], ends: LOOKS },
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
    ends: [...LOOKS, 'unconfirmed', 'interrupted'],
  },
  version: {
    examples: [['patctl version demo', "every member's Patroni and PostgreSQL"]],
    ends: LOOKS,
  },
  dsn: {
    examples: [['psql "$(patctl dsn demo -r replica)"', 'connect to a replica']],
    ends: LOOKS,
  },
  query: {
    examples: [
      ['patctl query demo -U postgres -c "select now()"', 'on the leader'],
      ['patctl query demo -r replica -W -c "select pg_last_wal_replay_lsn()"', 'again and again'],
      ['patctl query demo -f report.sql --format csv', 'large results are streamed'],
    ],
    ends: [...LOOKS, 'unconfirmed', 'interrupted'],
  },
  completion: {
    examples: [
      ['source <(patctl completion bash)', 'for this shell'],
      ['patctl completion zsh > ~/.zsh/_patctl', 'where zsh looks for it'],
      ['patctl completion fish > ~/.config/fish/completions/patctl.fish', 'for fish'],
    ],
    ends: ['ok', 'usage'],
  },
  config: {
    examples: [['patctl config show', 'where each value comes from; secrets are masked']],
    ends: ['ok', 'error', 'usage'],
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

/** `(default 2m)` is what the value in milliseconds is called; said once is enough. */
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
  return ends.map(
    (name) => `  ${String(ENDINGS[name].exit).padStart(3)}  ${ENDINGS[name].meaning}`,
  );
}

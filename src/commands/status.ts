/** `patctl status`: the whole truth about one cluster on one screen. */
import { Command } from 'commander';
import {
  statusDocument,
  type StatusDocument,
  type StatusMember,
} from '../cluster/documents/status-document.js';
import { isMismatch } from '../cluster/roles/verdict.js';
import { worstFirst } from '../cluster/findings/find.js';
import type { Ending } from '../errors.js';
import { headline } from '../output/headline.js';
import type { Narrowing } from '../output/fit.js';
import { documentAsCalled } from '../output/as-called.js';
import { fitted, screenOf, type Screen } from '../output/screen.js';
import type { Run } from '../cli/run-command.js';
import { bytes } from '../output/bytes.js';
import type { Context } from '../context.js';
import {
  addWitnessOptions,
  STRICT,
  WIDE,
  parseCount,
  prettyOrJson,
  snapshotMeant,
  type WitnessOptions,
} from '../cli/options.js';

interface StatusOptions extends WitnessOptions {
  group?: number;
  format: 'pretty' | 'json';
  strict?: boolean;
  wide?: boolean;
}

export function statusCommand(run: Run): Command {
  const command = new Command('status')
    .description('Show everything known about one cluster on one screen')
    .argument('[cluster]')
    .option('--group <number>', 'Citus group', parseCount)
    .addOption(prettyOrJson())
    .option('--strict', STRICT)
    .option('--wide', WIDE);
  return addWitnessOptions(command).action((cluster: string | undefined, options: StatusOptions) =>
    run((context) => status(context, cluster, options)),
  );
}

async function status(
  context: Context,
  cluster: string | undefined,
  options: StatusOptions,
): Promise<Ending> {
  const snapshot = await snapshotMeant(context, cluster, options);
  const { checkCodes } = await context.config();
  const ignored = (checkCodes?.ignore ?? []).map(({ value }) => value);
  const screen = screenOf(context, options.wide);
  const document = documentAsCalled(statusDocument(snapshot, ignored), screen.command);
  context.io.out(
    options.format === 'json'
      ? `${JSON.stringify(document, null, 2)}\n`
      : await statusScreen(document, screen),
  );
  const { findings, members } = document;
  const isUnchecked = members.some(({ verdict, departed }) => verdict === 'unknown' && !departed);
  return options.strict && (isUnchecked || findings.some(isMismatch)) ? 'failed' : 'ok';
}

async function statusScreen(document: StatusDocument, screen: Screen): Promise<string> {
  const { grid } = await import('../output/grid.js');
  const { doubtLines, findingLines, problemLines } = await import('../output/findings.js');
  const { oneLine } = await import('../output/text.js');
  const { statusLines } = await import('../output/status-lines.js');
  const streams = document.replication;
  const all = worstFirst([...document.findings, ...document.further]);
  const said = [
    await findingLines(all, { verbose: true, screen }),
    doubtLines(document.doubts),
    problemLines(document.problems),
  ].join('');
  const parts = [
    await headline(document, screen),
    said === '' ? '' : `\nFindings\n${said}`,
    '\n',
    statusLines(document)
      .map((line) => `${oneLine(line)}\n`)
      .join(''),
    '\nMembers\n',
    await grid(MEMBER_HEAD, document.members.map(memberCells), ['TL', 'Lag', 'Replay lag'], {
      screen,
      narrowings: MEMBER_NARROWINGS,
    }),
    '\nReplication\n',
    streams.length === 0
      ? '  no walsenders\n'
      : await grid(STREAM_HEAD, streams.map(streamCells), ['Lag'], {
          screen,
          narrowings: STREAM_NARROWINGS,
        }),
  ];
  return fitted(parts.join(''), screen);
}

const MEMBER_NARROWINGS: readonly Narrowing[] = [
  { drop: ['LSN'] },
  { below: ['Verdict'] },
  'headers',
  { below: ['By', 'Sync'] },
  { below: ['Host'] },
];

const STREAM_NARROWINGS: readonly Narrowing[] = [
  { drop: ['Sent', 'Write', 'Flush', 'Replay'] },
  'headers',
  { below: ['Slot', 'By'] },
  { below: ['Last reply', 'Sync'] },
];

const MEMBER_HEAD = [
  'Member',
  'Host',
  'DCS says',
  'Seen as',
  'By',
  'State',
  'TL',
  'LSN',
  'Lag',
  'Replay lag',
  'Sync',
  'Verdict',
];

function memberCells(one: StatusMember): (string | number | null)[] {
  return [
    one.name,
    one.host === null ? '' : `${one.host}:${one.port ?? '?'}`,
    one.claimedRole ?? 'left the DCS',
    one.observedRole,
    one.witness ?? '-',
    one.state,
    one.timeline,
    one.lsn,
    bytes(one.lagBytes),
    bytes(one.replayLagBytes),
    one.syncState,
    one.verdict,
  ];
}

const STREAM_HEAD = [
  'From',
  'To',
  'State',
  'Sync',
  'Sent',
  'Write',
  'Flush',
  'Replay',
  'Lag',
  'Replay lag',
  'Last reply',
  'Slot',
  'By',
];

function streamCells(row: StatusDocument['replication'][number]): (string | number | null)[] {
  return [
    row.upstream,
    row.applicationName + (row.slotType === 'logical' ? ' (logical)' : ''),
    row.state,
    row.syncState,
    row.sentLsn,
    row.writeLsn,
    row.flushLsn,
    row.replayLsn,
    bytes(row.lagBytes),
    row.replayLagMs === null ? '' : `${Math.round(row.replayLagMs)} ms`,
    row.replyAgeMs === null ? '' : `${(row.replyAgeMs / 1000).toFixed(1)} s ago`,
    row.slotName,
    row.witness,
  ];
}

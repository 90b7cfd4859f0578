/** What the screen shows and what the keys do. Pure. */
import { fold, NO_COMMAND } from '../screen.js';
import type { Sheet } from './sheet.js';
import { scrolledLines } from './scroll.js';
import type { TopState } from './state.js';

export function helpPage({ scroll, acts, fleet }: TopState, sheet: Sheet): string[] {
  const lines = [
    'Keys',
    '  j k Up Down         choose a member or a cluster, or scroll; also Page Up, Page Down, Home, End',
    ...(fleet === null
      ? []
      : ['  Enter               show the cluster; Esc goes back to all of them']),
    '  Enter               show everything that is known of the member; Esc goes back',
    '  Tab                 show the next cluster; Shift-Tab shows the previous one',
    '  /                   show only what contains a text; Esc removes the filter',
    '  Ctrl-L              draw the whole screen again',
    '  Ctrl-Z              stop patctl; fg continues it',
    '  q Ctrl-C            quit',
    ...(acts
      ? [
          '  s f                 switchover or failover, to the chosen replica',
          '  r R                 restart or reinitialize the chosen member',
          '  p                   pause, or resume',
          '  e                   edit the dynamic configuration',
          '                      Each shows its command line first, and nothing is sent before Enter.',
        ]
      : ['  --read-only: there are no keys that change anything.']),
    '',
    'Members',
    '  Seen as             the role that SQL or REST shows; DCS says: the role that the DCS claims',
    '  Lag                 WAL that the leader has and the member has not received, in bytes',
    '  Delay               replay_lag of its walsender: how long the last WAL took until it was replayed',
    '  5 min               Lag over time, newest right, each bar the largest of its time:',
    '                      ▁ below 64 KiB, ▂ below 1 MiB, ▃ below 8 MiB, ▄ below 64 MiB, ▅ below 512 MiB,',
    '                      ▆ below 4 GiB, ▇ below 32 GiB, █ above; ? unknown, blank not read',
    '  Sync                what pg_stat_replication says of it',
    '  Verdict             ok: claim and observation agree; otherwise the codes of the findings',
    '',
    'Times are UTC. An event has the time of the reading that showed it: it happened after the reading before.',
  ];
  const folded = lines.flatMap((line) => fold(line, { width: sheet.width, command: NO_COMMAND }));
  const painted = folded.map((line) =>
    /^(?:Keys|Members)$/.test(line) ? sheet.paint('head', line) : line,
  );
  return scrolledLines(painted, scroll, sheet);
}

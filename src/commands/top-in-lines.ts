/** `patctl top --plain`, and where there is no terminal: lines, for screen readers, pipes and logs. */
import type { Context } from '../context.js';
import type { Ending } from '../errors.js';
import { untilNobodyReads } from '../output/io.js';
import { fleetLines, paneLines } from '../output/top/plain-lines.js';
import { followedPanes, update, type TopInput, type TopState } from '../output/top/state.js';
import { openReadings, type TopRequest } from './top-readings.js';

/** Prints what happens until a signal, or until its reader has closed the output. Throws what the first reading of a cluster fails with. */
export async function topInLines(
  context: Context,
  first: TopState,
  reading: TopRequest,
): Promise<Ending> {
  const { io } = context;
  let state = first;
  const signal = untilNobodyReads(context);
  await new Promise<void>((resolve, reject) => {
    const take = (input: TopInput): void => {
      const before = state;
      state = update(state, input);
      for (const line of newLines(before, state)) io.out(`${line}\n`);
    };
    const readings = openReadings(context, reading, first.ignored, {
      take,
      fail: (error) => {
        readings.stop();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    });
    const end = (): void => {
      readings.stop();
      resolve();
    };
    signal.addEventListener('abort', end);
    if (signal.aborted) return end();
    readings.follow(followedPanes(state));
  });
  return 'ok';
}

function newLines(before: TopState, { panes, fleet, command }: TopState): string[] {
  const ofFleet = before.fleet && fleet ? fleetLines(before.fleet, fleet) : [];
  return [
    ...ofFleet,
    ...panes.flatMap((pane, at) => {
      const old = before.panes[at];
      return old === undefined || old === pane ? [] : paneLines(old, pane, command(pane.place));
    }),
  ];
}

/** What a person must know before the first question is answered. */
import type { Finding, Snapshot } from '../../cluster/model/model.js';
import { ToolError } from '../../errors.js';
import type { Asker } from '../../output/ask.js';
import type { Context } from '../../context.js';

/** Prints the critical findings of these snapshots where the questions are asked. */
export async function sayCritical(
  context: Context,
  asker: Asker,
  snapshots: readonly Snapshot[],
): Promise<void> {
  const [{ look }, { DEFAULT_LIMITS }, { viewOf }, { findingLines }, { errorScreen, fitted }] =
    await Promise.all([
      import('../../cluster/findings/find.js'),
      import('../../cluster/findings/limits.js'),
      import('../../cluster/roles/view.js'),
      import('../../output/findings.js'),
      import('../../output/screen.js'),
    ]);
  const critical = snapshots.flatMap((snapshot): Finding[] =>
    look(viewOf(snapshot), DEFAULT_LIMITS, () => true).findings.filter(
      ({ severity }) => severity === 'critical',
    ),
  );
  const screen = errorScreen(context);
  const lines = await findingLines(critical, { verbose: false, screen });
  if (lines !== '') asker.say(fitted(lines, screen));
}

/**
 * The same for an action that has read only the DCS: all witnesses are asked. Nothing as patronictl, and where no
 * person is asked. What cannot be read now does not keep a person from acting.
 */
export async function lookForCritical(
  context: Context,
  asker: Asker,
  { scope, group }: { scope: string; group: number | null },
): Promise<Snapshot[]> {
  if (asker.menu === null || !context.io.stdinIsTty) return [];
  const { PLAIN_ASKING, readSnapshotsOnce } = await import('../../observe/read-snapshot.js');
  try {
    const snapshots = await readSnapshotsOnce(context, { scope, group, ...PLAIN_ASKING });
    await sayCritical(context, asker, snapshots);
    return snapshots;
  } catch (error) {
    if (error instanceof ToolError) return [];
    throw error;
  }
}

/** After an edit that was refused, a person at a terminal may continue with it instead of starting again. */
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { Context } from '../../context.js';

/** Says what is wrong with the edit and asks; false where no person is there, with --force, and as patronictl. */
export async function wantsToEditAgain(
  context: Context,
  error: unknown,
  force: boolean,
): Promise<boolean> {
  const { io } = context;
  const isOpen = !force && io.answers === 'person' && io.stdinIsTty;
  if (!isOpen || !(error instanceof ToolError) || !AGAIN.has(error.code)) return false;
  const said = error.evidence.map((fact) => `  ${fact.subject}: ${fact.said}`);
  for (const line of [error.message, ...said]) io.must(`${oneLine(line)}\n`);
  const { withAsker } = await import('../../output/ask.js');
  return withAsker(context, (asker) => asker.confirm('Edit again?'));
}

/** What another edit can mend. */
const AGAIN = new Set(['config_refused', 'broken_edit', 'bad_configuration']);

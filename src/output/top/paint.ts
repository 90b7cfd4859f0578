/** How `top` colours its texts: what a text is, not which colour it has. */
import type { Severity } from '../../cluster/model/model.js';
import { styled } from '../door.js';

export type Tone = Severity | 'ok' | 'head' | 'dim' | 'chosen';
export type Paint = (tone: Tone, text: string) => string;

/** Without colour: a pointer and words say everything. */
export const noPaint: Paint = (_, text) => text;

/** With colour; loads chalk. */
export async function colourPaint(): Promise<Paint> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const styles: Record<Tone, (text: string) => string> = {
    ok: chalk.green,
    critical: chalk.red.bold,
    unknown: chalk.magenta,
    warning: chalk.yellow,
    info: chalk.cyan,
    head: chalk.bold,
    dim: chalk.dim,
    chosen: chalk.inverse,
  };
  return (tone, text) => (text === '' ? '' : styled(styles[tone], text));
}

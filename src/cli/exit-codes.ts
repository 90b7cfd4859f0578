import { ENDINGS } from '../errors.js';

/** The table of exit codes for `--help`. */
export function exitCodesHelp(): string {
  const rows = Object.entries(ENDINGS).map(
    ([name, { exit, meaning }]) => `  ${String(exit).padStart(3)}  ${name.padEnd(12)} ${meaning}`,
  );
  return `\nExit codes:\n${rows.join('\n')}\n`;
}

/** Findings as lines below a table. */
import type { ChalkInstance } from 'chalk';
import { doubtText, type Doubt } from '../cluster/roles/unverified.js';
import type { Finding, ParseProblem, Severity } from '../cluster/model/model.js';
import { styled } from './door.js';
import { oneLine } from './text.js';

export interface FindingLines {
  /** Evidence and next step too. */
  verbose: boolean;
  color: boolean;
}

/** One line a finding: severity, message, code; with `verbose` the evidence and the next step below it. */
export async function findingLines(
  found: readonly Finding[],
  { verbose, color }: FindingLines,
): Promise<string> {
  if (found.length === 0) return '';
  const paint = await painter(color);
  return found
    .map((finding) => {
      const { severity, message, code, evidence, next } = finding;
      const head = `${paint(severity)} ${oneLine(message)} [${code}]\n`;
      if (!verbose) {
        const said = evidence.map((fact) => `${fact.witness} ${fact.subject}: ${fact.said}`);
        return `${head}  ${oneLine(said.join('; '))}\n`;
      }
      const facts = evidence.map(
        (fact) => `    ${fact.witness.padEnd(4)} ${oneLine(`${fact.subject}: ${fact.said}`)}\n`,
      );
      return `${head}${facts.join('')}    next ${oneLine(next)}\n`;
    })
    .join('');
}

/** Why something is unknown, a line a reason. */
export function doubtLines(doubts: readonly Doubt[]): string {
  return doubts.map((doubt) => `unknown: ${oneLine(doubtText(doubt))}\n`).join('');
}

/** What in the DCS could not be read, a line a problem. */
export function problemLines(problems: readonly ParseProblem[]): string {
  return problems
    .map(({ key, problem }) => `unreadable: ${oneLine(`${key}: ${problem}`)}\n`)
    .join('');
}

async function painter(color: boolean): Promise<(severity: Severity) => string> {
  const word = (severity: Severity) => `${severity.toUpperCase()}:`;
  if (!color) return word;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const paint: Record<Severity, ChalkInstance> = {
    critical: chalk.red.bold,
    unknown: chalk.magenta,
    warning: chalk.yellow,
    info: chalk.cyan,
  };
  return (severity) => styled(paint[severity], word(severity));
}

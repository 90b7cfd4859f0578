/** Findings as lines below a table. */
import type { ChalkInstance } from 'chalk';
import { doubtText, type Doubt } from '../cluster/roles/unverified.js';
import type { Finding, ParseProblem, Severity } from '../cluster/model/model.js';
import { styled } from './door.js';
import { asCalled } from './as-called.js';
import { type Screen } from './screen.js';
import { oneLine } from './text.js';

export interface FindingLines {
  /** Evidence and next step too. */
  verbose: boolean;
  screen: Screen;
}

/** A finding: severity, message, code; below it the evidence, with `verbose` a line a witness, and the next step. */
export async function findingLines(
  found: readonly Finding[],
  { verbose, screen }: FindingLines,
): Promise<string> {
  if (found.length === 0) return '';
  const paint = await painter(screen.color);
  return found
    .map((finding) => {
      const { severity, message, code, evidence, next } = finding;
      const head = `${paint(severity)} ${oneLine(message)} [${code}]\n`;
      const step = oneLine(asCalled(next, screen.command));
      if (!verbose) {
        const said = evidence.map((fact) => `${fact.witness} ${fact.subject}: ${fact.said}`);
        return `${head}  ${oneLine(said.join('; '))}\n  next ${step}\n`;
      }
      const facts = evidence.map(
        (fact) => `    ${fact.witness.padEnd(4)} ${oneLine(`${fact.subject}: ${fact.said}`)}\n`,
      );
      return `${head}${facts.join('')}    next ${step}\n`;
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

/** `CRITICAL` or `OK` in its colour. */
export async function severityWord(severity: Severity | 'ok', color: boolean): Promise<string> {
  return (await painter(color))(severity).replace(':', '');
}

async function painter(color: boolean): Promise<(severity: Severity | 'ok') => string> {
  const word = (severity: Severity | 'ok') => `${severity.toUpperCase()}:`;
  if (!color) return word;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const paint: Record<Severity | 'ok', ChalkInstance> = {
    ok: chalk.green,
    critical: chalk.red.bold,
    unknown: chalk.magenta,
    warning: chalk.yellow,
    info: chalk.cyan,
  };
  return (severity) => styled(paint[severity], word(severity));
}

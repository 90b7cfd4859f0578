/** Unified differences as Python's difflib chooses and prints them: patronictl's are compared byte for byte. */
import { styled } from './door.js';
import { plain } from './text.js';

/** Lines without line feeds; none when the texts are equal. */
export function unifiedDiff(before: string, after: string): string[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  const hunks = hunksOf(a, b);
  if (hunks.length === 0) return [];
  return ['--- ', '+++ ', ...hunks.flatMap((hunk) => hunkLines(hunk, a, b))];
}

/** The lines with their line feeds; with colour on request. */
export async function diffText(before: string, after: string, color: boolean): Promise<string> {
  const lines = unifiedDiff(before, after).map(plain);
  if (!color) return lines.map((line) => `${line}\n`).join('');
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const paint = (line: string): string => {
    if (line.startsWith('---') || line.startsWith('+++')) return styled(chalk.bold, line);
    if (line.startsWith('@@')) return styled(chalk.cyan, line);
    if (line.startsWith('-')) return styled(chalk.red, line);
    return line.startsWith('+') ? styled(chalk.green, line) : line;
  };
  return lines.map((line) => `${paint(line)}\n`).join('');
}

function linesOf(text: string): string[] {
  return text.replace(/\n+$/, '').split('\n');
}

/** Lines of a that stand in b, as runs. */
interface Match {
  a: number;
  b: number;
  size: number;
}
interface Step {
  same: boolean;
  a: [number, number];
  b: [number, number];
}

const CONTEXT = 3;
/** From this length on, repeated lines are not landmarks. */
const LONG = 200;

function landmarks(b: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  b.forEach((line, at) => {
    const known = places.get(line);
    if (known) known.push(at);
    else places.set(line, [at]);
  });
  if (b.length < LONG) return places;
  const often = Math.floor(b.length / 100) + 1;
  return new Map([...places].filter(([, at]) => at.length <= often));
}

interface Window {
  a: [number, number];
  b: [number, number];
}

function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, number[]>,
  { a: [aLow, aHigh], b: [bLow, bHigh] }: Window,
): Match {
  const best: Match = { a: aLow, b: bLow, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = aLow; i < aHigh; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i] ?? '') ?? []) {
      if (j < bLow || j >= bHigh) continue;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) Object.assign(best, { a: i - size + 1, b: j - size + 1, size });
    }
    lengths = next;
  }
  // Lines that are not landmarks still belong to the run beside them.
  while (best.a > aLow && best.b > bLow && a[best.a - 1] === b[best.b - 1]) {
    Object.assign(best, { a: best.a - 1, b: best.b - 1, size: best.size + 1 });
  }
  while (
    best.a + best.size < aHigh &&
    best.b + best.size < bHigh &&
    a[best.a + best.size] === b[best.b + best.size]
  ) {
    best.size++;
  }
  return best;
}

/** Every run, in order; runs that touch are one. The last one is the empty end. */
function matches(a: readonly string[], b: readonly string[]): Match[] {
  const places = landmarks(b);
  const open: Window[] = [{ a: [0, a.length], b: [0, b.length] }];
  const found: Match[] = [];
  for (let window = open.pop(); window; window = open.pop()) {
    const match = longestMatch(a, b, places, window);
    if (match.size === 0) continue;
    found.push(match);
    const { a: inA, b: inB } = window;
    const [endA, endB] = [match.a + match.size, match.b + match.size];
    if (inA[0] < match.a && inB[0] < match.b) {
      open.push({ a: [inA[0], match.a], b: [inB[0], match.b] });
    }
    if (endA < inA[1] && endB < inB[1]) open.push({ a: [endA, inA[1]], b: [endB, inB[1]] });
  }
  found.sort((x, y) => x.a - y.a || x.b - y.b);
  const joined: Match[] = [];
  for (const match of found) {
    const last = joined.at(-1);
    if (last && last.a + last.size === match.a && last.b + last.size === match.b) {
      last.size += match.size;
    } else joined.push({ ...match });
  }
  return [...joined, { a: a.length, b: b.length, size: 0 }];
}

function stepsOf(a: readonly string[], b: readonly string[]): Step[] {
  const steps: Step[] = [];
  let [atA, atB] = [0, 0];
  for (const match of matches(a, b)) {
    if (atA < match.a || atB < match.b) {
      steps.push({ same: false, a: [atA, match.a], b: [atB, match.b] });
    }
    [atA, atB] = [match.a + match.size, match.b + match.size];
    if (match.size > 0) steps.push({ same: true, a: [match.a, atA], b: [match.b, atB] });
  }
  return steps;
}

/** Changes with three lines around them; far apart they are hunks of their own. */
function hunksOf(a: readonly string[], b: readonly string[]): Step[][] {
  const steps = stepsOf(a, b);
  if (!steps.some(({ same }) => !same)) return [];
  const hunks: Step[][] = [];
  let hunk: Step[] = [];
  steps.forEach((step, at) => {
    if (!step.same) return void hunk.push(step);
    const [first, last] = [at === 0, at === steps.length - 1];
    const size = step.a[1] - step.a[0];
    if (first) hunk.push(tail(step));
    else if (last) hunk.push(head(step));
    else if (size <= 2 * CONTEXT) hunk.push(step);
    else {
      hunks.push([...hunk, head(step)]);
      hunk = [tail(step)];
    }
  });
  return [...hunks, hunk];
}

function head(step: Step): Step {
  const cut = ([low, high]: [number, number]): [number, number] => [
    low,
    Math.min(high, low + CONTEXT),
  ];
  return { same: true, a: cut(step.a), b: cut(step.b) };
}

function tail(step: Step): Step {
  const cut = ([low, high]: [number, number]): [number, number] => [
    Math.max(low, high - CONTEXT),
    high,
  ];
  return { same: true, a: cut(step.a), b: cut(step.b) };
}

function hunkLines(hunk: readonly Step[], a: readonly string[], b: readonly string[]): string[] {
  const span = (side: 'a' | 'b') => place(hunk[0]?.[side][0] ?? 0, hunk.at(-1)?.[side][1] ?? 0);
  const lines = hunk.flatMap((step) => {
    if (step.same) return a.slice(...step.a).map((line) => ` ${line}`);
    return [
      ...a.slice(...step.a).map((line) => `-${line}`),
      ...b.slice(...step.b).map((line) => `+${line}`),
    ];
  });
  return [`@@ -${span('a')} +${span('b')} @@`, ...lines];
}

function place(low: number, high: number): string {
  const length = high - low;
  if (length === 1) return String(low + 1);
  return `${length === 0 ? low : low + 1},${length}`;
}

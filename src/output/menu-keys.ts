/** Questions that are answered key by key, made with inquirer's own kit. Loaded only where one is asked. */
import {
  createPrompt,
  isDownKey,
  isEnterKey,
  isTabKey,
  isUpKey,
  useEffect,
  useKeypress,
  useState,
} from '@inquirer/core';
import { Chalk } from 'chalk';
import {
  checkedLines,
  matching,
  menuLines,
  pointerAt,
  shownName,
  type Checked,
  type MenuRow,
  type PaintedLine,
  type Size,
} from './menu-screen.js';
import { upTo } from './screen.js';
import { displayWidth } from './width.js';

interface Shown {
  readonly question: string;
  /** Asked for again at each key: a window changes its size. */
  readonly size: () => Size;
  readonly color: boolean;
}

interface Choice extends Shown {
  readonly rows: readonly MenuRow[];
  readonly first: string | null;
}

/** A list with a pointer. What is typed narrows it, and where nothing matches Enter does nothing. */
export const chooseByKeys = createPrompt<string, Choice>((config, done) => {
  const { question, rows, first, size, color } = config;
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(pointerAt(rows, first));
  const [chosen, setChosen] = useState<MenuRow | null>(null);
  useContinue();
  const found = matching(rows, typed);
  useKeypress((key, line) => {
    // readline has already handled the key: the line is put back as it was.
    const keep = (text: string) => {
      line.clearLine(0);
      line.write(text);
    };
    const move = moveOf(key);
    if (isEnterKey(key)) {
      const row = found[at];
      if (row === undefined) return keep(typed);
      setChosen(row);
      done(row.value);
    } else if (move !== 0) {
      keep(typed);
      setAt(Math.min(Math.max(at + move, 0), Math.max(found.length - 1, 0)));
    } else if (isTabKey(key)) {
      const name = found[at] === undefined ? typed : shownName(found[at].name);
      keep(name);
      setTyped(name);
      setAt(0);
    } else if (line.line !== typed) {
      setTyped(line.line);
      const then = matching(rows, line.line);
      setAt(line.line.trim() === '' ? pointerAt(then, first) : 0);
    }
  });
  const { columns } = size();
  const paint = painter(color);
  if (chosen !== null) return finalLine(paint, question, shownName(chosen.name), columns);
  return [
    `${paint.mark('?')} ${question} ${typed}`,
    painted(menuLines(question, rows, { typed, at }, size()), paint),
  ];
});

interface CheckedText extends Shown {
  readonly fallback: string;
  readonly example: string;
  readonly check: (typed: string) => Checked;
}

/** A text, and below it what it means. A problem is said at Enter, and the text stays to be corrected. */
export const checkedText = createPrompt<string, CheckedText>((config, done) => {
  const { question, fallback, example, check, size, color } = config;
  const [typed, setTyped] = useState('');
  const [entered, setEntered] = useState(false);
  const [isDone, setDone] = useState(false);
  useContinue();
  useKeypress((key, line) => {
    if (isEnterKey(key)) {
      const answer = typed.trim() || fallback;
      if ('understood' in check(answer)) {
        setDone(true);
        setTyped(answer);
        return done(answer);
      }
      line.clearLine(0);
      line.write(typed);
      setEntered(true);
    } else if (moveOf(key) !== 0 || isTabKey(key)) {
      line.clearLine(0);
      line.write(typed);
    } else if (line.line !== typed) {
      setTyped(line.line);
      setEntered(false);
    }
  });
  const paint = painter(color);
  if (isDone) return finalLine(paint, question, typed, size().columns);
  const state = { typed, checked: check(typed.trim() || fallback), entered, example };
  return [
    `${paint.mark('?')} ${question} [${fallback}] ${typed}`,
    painted(checkedLines(state, size()), paint),
  ];
});

/** After Ctrl-Z and fg: readline reads nothing until it is told to, and the shell has written below the question. */
function useContinue(): void {
  const [, drawAgain] = useState(0);
  useEffect((line) => {
    let times = 0;
    line.on('SIGCONT', () => {
      line.resume();
      times += 1;
      drawAgain(times);
    });
  }, []);
}

/** Rows that a key moves the pointer by. */
function moveOf(key: { name: string; ctrl: boolean; shift: boolean }): number {
  if (isUpKey(key)) return -1;
  if (isDownKey(key)) return 1;
  if (key.name === 'pageup') return -10;
  return key.name === 'pagedown' ? 10 : 0;
}

/** What stays on the screen of a question: one line. */
function finalLine(paint: Paint, question: string, answer: string, columns: number): string {
  const room = columns - displayWidth(`? ${question}  `);
  const shown = displayWidth(answer) > room ? `${upTo(answer, Math.max(room - 1, 1))}~` : answer;
  return `${paint.mark('?')} ${question} ${paint.pointed(shown)}`;
}

type Paint = Record<PaintedLine['kind'] | 'mark', (text: string) => string>;

function painter(color: boolean): Paint {
  const chalk = new Chalk({ level: color ? 1 : 0 });
  return {
    mark: chalk.bold,
    row: (text) => text,
    pointed: chalk.cyan,
    detail: chalk.yellow,
    problem: chalk.red,
    help: chalk.dim,
  };
}

function painted(lines: readonly PaintedLine[], paint: Paint): string {
  return lines.map(({ kind, text }) => paint[kind](text)).join('\n');
}

/** Tables of the page: semantic, readable on a narrow screen, where each row becomes a card. */
import type { Severity } from '../../cluster/model/model.js';
import { tag, type Attributes, type Content, type Element } from './markup.js';
import { limited, timeText } from './plain-words.js';

export interface PageCell {
  content: Content;
  class?: string;
}

export interface PageRow {
  cells: (Content | PageCell)[];
  attributes?: Attributes;
}

interface TableParts {
  id?: string;
  caption: string;
  headers: string[];
  rows: readonly PageRow[];
}

/** The first cell of a row is its heading. */
export function table({ id, caption, headers, rows }: TableParts): Element {
  const head = headers.map((header) => tag('th', { scope: 'col' }, header));
  return tag(
    'table',
    { id: id ?? null, class: 'cards' },
    tag('caption', {}, caption),
    tag('thead', {}, tag('tr', {}, head)),
    tag(
      'tbody',
      {},
      rows.map(({ cells, attributes = {} }) => tag('tr', attributes, cellsOf(cells, headers))),
    ),
  );
}

function cellsOf(cells: PageRow['cells'], headers: readonly string[]): Element[] {
  return cells.map((cell, at) => {
    const { content, class: name = null } = isCell(cell) ? cell : { content: cell };
    return at === 0
      ? tag('th', { scope: 'row', class: name }, content)
      : tag('td', { 'data-label': headers[at] ?? '', class: name }, content);
  });
}

function isCell(cell: Content | PageCell): cell is PageCell {
  return typeof cell === 'object' && cell !== null && 'content' in cell && !('name' in cell);
}

/** A moment, on one line. */
export function timeCell(ms: number): PageCell {
  return { content: timeText(ms), class: 'tight plain' };
}

/** Any other text from outside: a line may end anywhere in it. */
export function textElement(text: string): Element {
  return tag('span', { class: 'any' }, limited(text));
}

/** A name from outside: its own direction of writing turns nothing else around. */
export function nameElement(name: string): Element {
  return tag('bdi', {}, limited(name));
}

export function namesOf(names: readonly string[], none = 'none'): Content {
  if (names.length === 0) return none;
  const shown = names.slice(0, MOST_NAMES);
  const more = names.length - shown.length;
  return [
    shown.map((name, at) => [at === 0 ? '' : ', ', nameElement(name)]),
    more > 0 ? ` and ${more} more` : '',
  ];
}

const MOST_NAMES = 20;

export function severityMark(severity: Severity): Element {
  return tag('span', { class: `${severity} tight` }, severity);
}

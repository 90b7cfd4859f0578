/**
 * The text of a page: a tree of elements becomes text here and nowhere else, and `escaped` is the only way on which a
 * text gets into it. So nothing that a member or a client of the DCS wrote can become an element or an attribute.
 */
import { visible } from '../text.js';

export type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** A text stands for itself, whatever is in it; null for nothing. */
export type Content = string | number | null | Element | readonly Content[];

export interface Element {
  name: string;
  attributes: Attributes;
  content: Content;
}

export function tag(name: string, attributes: Attributes, ...content: Content[]): Element {
  return { name, attributes, content };
}

/** HTML has no end tag for them. */
const VOID = new Set(['br', 'col', 'input', 'meta']);

const NAME = /^[a-zA-Z][a-zA-Z0-9:_-]*$/;

/** Attributes: true is the name alone, false and null are left out. Throws for a name that is none. */
export function htmlOf(content: Content): string {
  if (content === null) return '';
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  if (isList(content)) return content.map(htmlOf).join('');
  const { name, attributes } = content;
  const pairs = Object.entries(attributes).map(([key, value]) => {
    if (value === null || value === false) return '';
    return value === true ? ` ${named(key)}` : ` ${named(key)}="${escaped(String(value))}"`;
  });
  const start = `<${named(name)}${pairs.join('')}>`;
  return VOID.has(name) ? start : `${start}${htmlOf(content.content)}</${name}>`;
}

function isList(content: readonly Content[] | Element): content is readonly Content[] {
  return Array.isArray(content);
}

function named(name: string): string {
  if (!NAME.test(name)) throw new Error(`not a name of markup: ${JSON.stringify(name)}`);
  return name;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What is hidden or turns text around is written out (\u202e), as everywhere in patctl. */
function escaped(text: string): string {
  return visible(text)
    .replace(/[\ud800-\udfff]/gu, '\ufffd')
    .replace(/[&<>"']/g, (found) => ENTITIES[found] ?? '');
}

/** The text of an element whose content the browser takes as it is: our own script and style, never data. */
export function verbatim(name: 'script' | 'style', code: string): string {
  if (/<[/!]/.test(code)) throw new Error(`a ${name} must not hold a tag`);
  return `<${name}>${code}</${name}>`;
}

/**
 * What Observable Plot asks of a browser's document while it draws: it makes elements, sets attributes and appends.
 * The picture becomes elements of our own (markup.ts), so that its text is written, and escaped, in one place.
 */
import type { Content, Element } from './markup.js';

const HTML = 'http://www.w3.org/1999/xhtml';

class TextNode {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

class ElementNode {
  readonly tagName: string;
  readonly namespaceURI: string;
  readonly attributes = new Map<string, string>();
  readonly style = {
    setProperty: (name: string, value: string) => void this.attributes.set(name, value),
  };
  childNodes: (ElementNode | TextNode)[] = [];
  parentNode: ElementNode | null = null;
  constructor(namespaceURI: string, tagName: string) {
    this.namespaceURI = namespaceURI;
    this.tagName = tagName;
  }
  get ownerDocument(): typeof plotDocument {
    return plotDocument;
  }
  get firstChild(): ElementNode | TextNode | null {
    return this.childNodes[0] ?? null;
  }
  set textContent(text: unknown) {
    this.childNodes = [new TextNode(String(text))];
  }
  setAttribute(name: string, value: unknown): void {
    this.attributes.set(name, String(value));
  }
  setAttributeNS(_: string, name: string, value: unknown): void {
    this.setAttribute(name, value);
  }
  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null;
  }
  hasAttribute(name: string): boolean {
    return this.attributes.has(name);
  }
  removeAttribute(name: string): void {
    this.attributes.delete(name);
  }
  appendChild<Node extends ElementNode | TextNode>(child: Node): Node {
    return this.insertBefore(child, null);
  }
  append(...children: (ElementNode | TextNode | string)[]): void {
    for (const child of children) {
      this.appendChild(typeof child === 'string' ? new TextNode(child) : child);
    }
  }
  insertBefore<Node extends ElementNode | TextNode>(
    child: Node,
    before: ElementNode | TextNode | null,
  ): Node {
    const at = before === null ? -1 : this.childNodes.indexOf(before);
    this.childNodes.splice(at === -1 ? this.childNodes.length : at, 0, child);
    if (child instanceof ElementNode) child.parentNode = this;
    return child;
  }
}

const plotDocument = {
  documentElement: null as ElementNode | null,
  createElement: (name: string) => new ElementNode(HTML, name),
  createElementNS: (namespace: string, name: string) => new ElementNode(namespace, name),
  createTextNode: (text: string) => new TextNode(text),
};
plotDocument.documentElement = new ElementNode(HTML, 'html');

/** For Plot's option `document`. */
export const DOCUMENT: object = plotDocument;

/** What Plot returned, as an element of ours; its style element is left out (page-style.ts has what is needed). */
export function elementOf(drawn: unknown): Element {
  if (!(drawn instanceof ElementNode)) throw new Error('Plot drew something other than an element');
  return {
    name: drawn.tagName,
    attributes: Object.fromEntries(drawn.attributes),
    content: drawn.childNodes.flatMap((child): Content[] => {
      if (child instanceof TextNode) return [child.text];
      return child.tagName === 'style' ? [] : [elementOf(child)];
    }),
  };
}

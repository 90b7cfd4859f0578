/** A dynamic configuration on its way from the DCS through an edit and back. */
import { isTooDeep, MOST_NESTED } from '../../cluster/model/json-nesting.js';
import type { Branch, Node } from '../../cluster/configuration/config-edit.js';
import type { Cluster, JsonObject } from '../../cluster/model/model.js';
import type { Tree } from '../../config/tree.js';
import { ToolError } from '../../errors.js';
import { exactJson, jsonDump } from '../../output/json.js';
import {
  pyFloat,
  pythonText,
  sortedEntries,
  isList,
  isPyFloat,
  type Value,
} from '../../output/value.js';
import { yamlDump } from '../../output/write-yaml.js';

export type Document = Branch<Value>;

/** What the DCS holds. */
export interface Current {
  document: Document;
  /** As it is shown and edited. */
  text: string;
}

/** The configuration of a cluster; one that is not JSON is empty, and its text is what stands there. */
export function currentOf({ config }: Cluster): Current | null {
  if (!config) return null;
  const document = documentOf(config.text ?? '');
  return {
    document: document ?? new Map(),
    text: document ? documentText(document) : (config.text ?? ''),
  };
}

/** The document in JSON text; null when there is none in it. */
export function documentOf(json: string): Document | null {
  const value = exactJson(json);
  return value instanceof Map ? (value as Document) : null;
}

/** YAML as patronictl shows it. */
export function documentText(document: Document): string {
  return yamlDump(document);
}

/** JSON as patronictl writes it into the DCS. */
export function documentJson(document: Document): string {
  return jsonDump(document, { comma: ',', colon: ':' });
}

/** For looking into, where 1.0 and 1 are the same. */
export function plainObject(document: Document): JsonObject {
  const json = documentJson(document);
  if (!isTooDeep(json)) return JSON.parse(json) as JsonObject;
  throw new ToolError('error', `the configuration is nested more than ${MOST_NESTED} deep`, {
    code: 'bad_configuration',
    hint: 'Patroni cannot read it, and would not see the cluster any more',
  });
}

/** Equal in the sense of Patroni's patches: they look the same. */
export function looksSame(a: Node<Value>, b: Node<Value>): boolean {
  return pythonText(a) === pythonText(b);
}

/** The same configuration, in whatever order its keys are. */
export function isEqual(a: Document, b: Document): boolean {
  return jsonDump(sorted(a)) === jsonDump(sorted(b));
}

/** Whole floats are the numbers they equal. */
function sorted(value: Value): Value {
  if (value === null || typeof value !== 'object') return value;
  if (isPyFloat(value)) return Number.isInteger(value.float) ? value.float : value;
  if (isList(value)) return value.map(sorted);
  return new Map(sortedEntries(value).map(([key, item]) => [key, sorted(item)]));
}

/** Any YAML value, read as Patroni reads it. Errors name the place and quote nothing. */
export async function readYaml(text: string, label: string): Promise<Value> {
  const { parseYamlValue } = await import('../../config/parse-yaml.js');
  const tree = await parseYamlValue(text, label, []);
  return valueOf(tree, { left: REPEATED_BYTES + MOST_OF_TEXT * text.length });
}

/** What aliases may repeat: aliases of aliases make more of a few lines than any memory holds. */
const REPEATED_BYTES = 1024 * 1024;
/** A value costs this beside its text, and has two characters at least where no alias stands for it. */
const VALUE_BYTES = 16;
const MOST_OF_TEXT = VALUE_BYTES;

interface Budget {
  left: number;
}

/** A YAML mapping. */
export async function readDocument(text: string, label: string): Promise<Document> {
  const value = await readYaml(text, label);
  if (value instanceof Map) return value as Document;
  throw new ToolError('error', `${label} is not a mapping of keys to values`, {
    code: 'bad_configuration',
  });
}

function valueOf(tree: Tree, budget: Budget): Value {
  budget.left -= VALUE_BYTES + (tree.kind === 'scalar' ? tree.text.length : 0);
  if (budget.left < 0) {
    throw new ToolError('error', `${tree.from}: the aliases repeat more than 1 MiB`, {
      code: 'bad_configuration',
    });
  }
  if (tree.kind === 'list') return tree.items.map((item) => valueOf(item, budget));
  if (tree.kind === 'map') {
    return new Map([...tree.entries].map(([key, item]) => [key, valueOf(item, budget)]));
  }
  const { type, text, from } = tree;
  switch (type) {
    case 'null':
      return null;
    case 'bool':
      return text === 'True';
    case 'int':
      return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
    case 'float':
      if (Number.isFinite(Number(text))) return pyFloat(Number(text));
      throw new ToolError('error', `${from}: ${text} cannot be written as JSON`, {
        code: 'bad_configuration',
      });
    case 'text':
      return text;
  }
}

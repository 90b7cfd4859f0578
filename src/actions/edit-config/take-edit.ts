/** The requested configuration: from files and pairs, or from an editor. */
import { patched, readPair, rebased, withValue } from '../../cluster/configuration/config-edit.js';
import { ToolError } from '../../errors.js';
import { oneLine } from '../../output/text.js';
import type { Value } from '../../output/value.js';
import type { Context } from '../../context.js';
import {
  documentJson,
  documentOf,
  documentText,
  isEqual,
  looksSame,
  readDocument,
  readYaml,
  type Current,
  type Document,
} from './document.js';
import type { EditRequest, NamedText } from './edit-request.js';
import { threeWayEvidence } from './three-way.js';

export interface Edit {
  document: Document;
  /** What the difference shows: an editor's text as it was typed. */
  text: string;
  /** The file of the editor's text; null without an editor. */
  file: string | null;
  discard: () => Promise<void>;
}

/** The requested configuration: from files and pairs, otherwise from an editor. */
export async function takeEdit(
  context: Context,
  request: EditRequest,
  current: Current,
): Promise<Edit> {
  const { apply, replace, pairs, checkOnly } = request;
  let document: Document | null = checkOnly ? current.document : null;
  if (replace !== null) {
    document = patched<Value>(new Map(), await fileDocument(replace), looksSame);
  }
  if (apply !== null) {
    const patch = await fileDocument(apply);
    document = patched(document ?? current.document, patch, looksSame);
  }
  for (const pair of pairs) {
    document = await withPair(document ?? current.document, pair);
  }
  if (document) {
    return { document, text: documentText(document), file: null, discard: () => Promise.resolve() };
  }
  return inEditor(context, request, current);
}

async function withPair(document: Document, pair: string): Promise<Document> {
  const read = readPair(pair);
  if (!read) {
    throw new ToolError('usage', 'Invalid parameter setting: expected KEY=VALUE', {
      code: 'bad_pair',
    });
  }
  const label = `the value of ${oneLine(read.path.join('.'))}`;
  return withValue(document, read.path, await readYaml(read.value, label));
}

async function fileDocument({ label, read }: NamedText): Promise<Document> {
  return readDocument(await read(), label);
}

async function inEditor(context: Context, request: EditRequest, current: Current): Promise<Edit> {
  const { scope, resume } = request;
  const { edit, discardEdit, resumeHint } = await import('./editor.js');
  const base = documentJson(current.document);
  const text = resume === null ? current.text : await resumedText(resume, current);
  const edited = await edit(context, scope, { text, base });
  if (resume !== null && resume !== edited.path) await discardEdit(resume);
  try {
    const document = await readDocument(edited.text, edited.path);
    return { document, text: edited.text, file: edited.path, discard: edited.discard };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const broken = new ToolError('error', error.message, {
      code: 'broken_edit',
      hint: resumeHint(edited.path),
    });
    const { wantsToEditAgain } = await import('./edit-again.js');
    if (await wantsToEditAgain(context, broken, request.force)) {
      return inEditor(context, { ...request, resume: edited.path }, current);
    }
    throw broken;
  }
}

/** A kept edit on top of what the configuration has become since. */
async function resumedText(file: string, current: Current): Promise<string> {
  const { keptEdit } = await import('./editor.js');
  const { text, base } = await keptEdit(file);
  const then = documentOf(base);
  if (!then || isEqual(then, current.document)) return text;
  const mine = await readDocument(text, file).catch(() => null);
  const merged = mine && rebased(then, current.document, mine, looksSame);
  if (merged) return documentText(merged);
  throw new ToolError('error', 'the configuration has changed since this edit began', {
    code: 'concurrent_change',
    hint: `${file} is kept; start again with edit-config`,
    evidence: mine ? threeWayEvidence(then, current.document, mine) : [],
  });
}

/** The failure, with where the editor's text is kept. */
export async function kept(error: unknown, file: string): Promise<unknown> {
  if (!(error instanceof ToolError)) return error;
  const { resumeHint } = await import('./editor.js');
  const { ending, message, code, evidence, hint } = error;
  const both = [hint, resumeHint(file)].filter((line) => line !== undefined).join('\n');
  return new ToolError(ending, message, { code, evidence, hint: both, cause: error });
}

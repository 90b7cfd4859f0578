/**
 * The rooms of src: which files import which, where the arrows go up, where they go in a circle, and which names
 * stand for two things. The linter asks it (rooms-lint.mjs); `npm run rooms` prints it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';

/** From top to bottom: each room may import from the rooms below it. docs/architecture.md says what they are for. */
export const ROOMS = [
  'run.ts',
  'main.ts',
  'program.ts',
  'commands',
  'cli',
  'actions',
  'observe',
  'context.ts',
  'dcs',
  'patroni',
  'postgres',
  'config',
  'output',
  'clock.ts',
  'build-info.ts',
  'errors.ts',
  'cluster',
];

/** The room of a file, which is named from src: `commands/list.ts` is in `commands`. */
export function roomOf(file) {
  return file.split('/')[0];
}

/** Whether the file may import the other one, by their rooms alone. */
export function goesDown(from, to) {
  const [here, there] = [from, to].map((file) => ROOMS.indexOf(roomOf(file)));
  return here !== -1 && there !== -1 && here <= there;
}

const IMPORTED = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.\.?\/[^'"]+)['"]/g;

/** The files that a text of `file` imports, types and lazy imports too, named from src. */
export function importsIn(file, text) {
  return [...text.matchAll(IMPORTED)].map(([, path]) =>
    normalize(join(dirname(file), path))
      .replaceAll(sep, '/')
      .replace(/\.js$/, '.ts'),
  );
}

/** Every file of a folder, and what it imports. */
export function readGraph(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
  return new Map(
    files.sort().map((file) => [file, importsIn(file, readFileSync(join(folder, file), 'utf8'))]),
  );
}

/** Imports that go to a room above, as [file, imported file]. */
export function upwardArrows(graph) {
  return [...graph].flatMap(([file, imports]) =>
    imports.filter((to) => !goesDown(file, to)).map((to) => [file, to]),
  );
}

/** Groups of files that import each other in a circle (strongly connected components, by Tarjan's algorithm). */
export function circles(graph) {
  const found = [];
  const order = new Map();
  const lowest = new Map();
  const open = [];
  const visit = (file) => {
    order.set(file, order.size);
    lowest.set(file, order.get(file));
    open.push(file);
    for (const to of graph.get(file) ?? []) {
      if (!order.has(to)) visit(to);
      if (open.includes(to)) lowest.set(file, Math.min(lowest.get(file), lowest.get(to)));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = open.splice(open.indexOf(file));
    if (group.length > 1 || graph.get(file)?.includes(file)) found.push(group.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)/gm;

/** Exported names that stand for two things, each with its files; re-exports count where they are declared. */
export function doubledNames(texts) {
  const found = new Map();
  for (const [file, text] of texts) {
    for (const [, name] of text.matchAll(EXPORTED)) {
      // Overloads of one function, and a type beside the constant of the same name, are one thing in one file.
      found.set(name, (found.get(name) ?? new Set()).add(file));
    }
  }
  return doubled(found);
}

/** File names that stand in two folders, each with its paths. */
export function doubledFiles(files) {
  const found = new Map();
  for (const file of files) {
    const name = file.replace(/^.*\//, '');
    found.set(name, (found.get(name) ?? new Set()).add(file));
  }
  return doubled(found);
}

function doubled(found) {
  return [...found]
    .filter(([, files]) => files.size > 1)
    .map(([name, files]) => [name, [...files].sort()])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Files of `actions` that write to stdout or stderr. */
export function printersIn(texts) {
  return [...texts]
    .filter(([file, text]) => roomOf(file) === 'actions' && /\bio\.(?:out|err)\b/.test(text))
    .map(([file]) => file);
}

/** The text of every file of a folder. */
export function readTexts(folder) {
  return new Map(
    [...readGraph(folder).keys()].map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
}

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
  'version.ts',
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

const IMPORTED = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g;

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

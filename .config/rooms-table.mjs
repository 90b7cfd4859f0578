// `npm run rooms [FOLDER]`: how src, or the src of another checkout, is arranged, as a table to compare.
import { join } from 'node:path';
import ts from 'typescript';
import {
  circles,
  doubledFiles,
  doubledNames,
  readGraph,
  readTexts,
  upwardArrows,
} from './rooms.mjs';

const LONGEST = 5;
const root = process.argv[2] ?? join(import.meta.dirname, '..');
const folder = join(root, 'src');
const graph = readGraph(folder);
const texts = readTexts(folder);
const lines = [...texts.values()].map((text) => text.split('\n').length - 1);
const functions = [...texts]
  .flatMap(([file, text]) => functionsIn(file, text))
  .sort((a, b) => b.lines - a.lines);
const names = doubledNames(texts);
const files = doubledFiles(graph.keys());
const rings = circles(graph);
const arrows = upwardArrows(graph);

const rows = [
  ['files', graph.size],
  ['lines', lines.reduce((sum, count) => sum + count, 0)],
  ['longest file, lines', Math.max(...lines)],
  ['circles of imports', rings.length],
  ['files in circles', rings.flat().length],
  ['arrows upwards', arrows.length],
  ['doubled exported names', names.length],
  ['doubled file names', files.length],
  ['functions', functions.length],
  ['median function, lines', functions[Math.floor(functions.length / 2)]?.lines ?? 0],
  ['functions over 50 lines', functions.filter((one) => one.lines > 50).length],
];
console.log('| measure | value |\n|---|---|');
for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
for (const one of functions.slice(0, LONGEST)) {
  console.log(`| ${one.name} (${one.file}) | ${one.lines} lines |`);
}
for (const [name, where] of [...names, ...files])
  console.log(`doubled: ${name}: ${where.join(', ')}`);
for (const ring of rings) console.log(`circle: ${ring.join(', ')}`);
for (const [from, to] of arrows) console.log(`upwards: ${from} -> ${to}`);

/** Functions with a name, and the lines from the first of them to the last. */
function functionsIn(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isFunctionDeclaration(node) && node.name && node.body) {
      const [first, last] = [node.getStart(), node.end].map(
        (position) => source.getLineAndCharacterOfPosition(position).line,
      );
      found.push({ file, name: node.name.text, lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

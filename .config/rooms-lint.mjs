/** The linter's rule about rooms: an import goes down or stays in its room, and no imports go in a circle. */
import { join, relative, sep } from 'node:path';
import { circles, goesDown, importsIn, readGraph, roomOf } from './rooms.mjs';

const SOURCES = join(import.meta.dirname, '../src');

let found;
/** The circles of src, read once in a run of the linter. */
const circlesOf = () => (found ??= circles(readGraph(SOURCES)));

const arrows = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = relative(SOURCES, context.filename).replaceAll(sep, '/');
    if (file.startsWith('..')) return {};
    const check = (node, source) => {
      if (typeof source?.value !== 'string' || !source.value.startsWith('.')) return;
      const [to] = importsIn(file, `from '${source.value}'`);
      if (!goesDown(file, to)) {
        context.report({
          node,
          message: `${roomOf(file)} may not import from ${roomOf(to)}: it is a room above (docs/architecture.md).`,
        });
        return;
      }
      const circle = circlesOf().find((files) => files.includes(file) && files.includes(to));
      if (circle) context.report({ node, message: `Imports in a circle: ${circle.join(', ')}.` });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source),
      ExportNamedDeclaration: (node) => check(node, node.source),
      ExportAllDeclaration: (node) => check(node, node.source),
      ImportExpression: (node) => check(node, node.source),
      TSImportType: (node) => check(node, node.source ?? node.argument?.literal),
    };
  },
};

export default { rules: { arrows } };

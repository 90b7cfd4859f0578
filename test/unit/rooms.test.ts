import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error a script of the repository, without types
import * as rooms from '../../.config/rooms.mjs';

interface Rooms {
  readGraph: (folder: string) => Map<string, string[]>;
  upwardArrows: (graph: Map<string, string[]>) => [string, string][];
  circles: (graph: Map<string, string[]>) => string[][];
  importsIn: (file: string, text: string) => string[];
}
const { circles, importsIn, readGraph, upwardArrows } = rooms as unknown as Rooms;

describe('the rooms of src', () => {
  it('have no import to a room above, and none in a circle', () => {
    const graph = readGraph(join(import.meta.dirname, '../../src'));
    expect(graph.size).toBeGreaterThan(200);
    expect(upwardArrows(graph)).toEqual([]);
    expect(circles(graph)).toEqual([]);
  });

  it('count an import of types, a lazy one and one of a file in a room that is not listed', () => {
    const text = `import type { A } from '../commands/list.js';\nconst b = await import('./b.js');`;
    expect(importsIn('observe/a.ts', text)).toEqual(['commands/list.ts', 'observe/b.ts']);
    const graph = new Map([
      ['observe/a.ts', ['commands/list.ts', 'observe/b.ts', 'cluster/model/model.ts']],
      ['attic/c.ts', ['errors.ts']],
    ]);
    expect(upwardArrows(graph)).toEqual([
      ['observe/a.ts', 'commands/list.ts'],
      ['attic/c.ts', 'errors.ts'],
    ]);
  });

  it('show a circle with every file that is in it', () => {
    const graph = new Map([
      ['a.ts', ['b.ts']],
      ['b.ts', ['c.ts', 'd.ts']],
      ['c.ts', ['a.ts']],
      ['d.ts', ['d.ts']],
      ['e.ts', ['a.ts']],
    ]);
    expect(circles(graph)).toEqual([['d.ts'], ['a.ts', 'b.ts', 'c.ts']]);
  });
});

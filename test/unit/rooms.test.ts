import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error a script of the repository, without types
import * as rooms from '../../.config/rooms.mjs';

interface Rooms {
  readGraph: (folder: string) => Map<string, string[]>;
  upwardArrows: (graph: Map<string, string[]>) => [string, string][];
  circles: (graph: Map<string, string[]>) => string[][];
  doubledNames: (texts: Map<string, string>) => [string, string[]][];
  doubledFiles: (files: Iterable<string>) => [string, string[]][];
  printersIn: (texts: Map<string, string>) => string[];
  readTexts: (folder: string) => Map<string, string>;
  importsIn: (file: string, text: string) => string[];
}
const {
  circles,
  doubledFiles,
  doubledNames,
  importsIn,
  printersIn,
  readGraph,
  readTexts,
  upwardArrows,
} = rooms as unknown as Rooms;

const SOURCES = join(import.meta.dirname, '../../src');

describe('the rooms of src', () => {
  it('have no import to a room above, and none in a circle', () => {
    const graph = readGraph(SOURCES);
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

  it('use no exported name and no file name for two things', () => {
    const texts = readTexts(SOURCES);
    expect(doubledNames(texts)).toEqual([]);
    expect(doubledFiles(texts.keys())).toEqual([]);
  });

  it('print what an action says in its printers alone', () => {
    expect(printersIn(readTexts(SOURCES))).toEqual([
      'actions/kit/action-document.ts',
      'actions/kit/print-action.ts',
      'actions/switchover/print-change.ts',
    ]);
  });

  it('notice an action that prints by itself', () => {
    const texts = new Map([
      ['actions/a/a.ts', 'const { io } = context;\nio.err(text);'],
      ['actions/a/b.ts', 'const print = context.io.out;'],
      ['actions/a/c.ts', 'studio.out(text); const { columns } = io;'],
      ['output/d.ts', 'io.out(text);'],
    ]);
    expect(printersIn(texts)).toEqual(['actions/a/a.ts', 'actions/a/b.ts']);
  });

  it('notice a name that two files export, whatever it is', () => {
    const texts = new Map([
      ['a.ts', 'export interface Row {}\nexport async function look() {}\nexport const ONE = 1;'],
      ['b/a.ts', 'export type Row = string;\nexport const look = 1;\nconst ONE = 2;'],
    ]);
    expect(doubledNames(texts).map(([name]) => name)).toEqual(['Row', 'look']);
    expect(doubledFiles(texts.keys())).toEqual([['a.ts', ['a.ts', 'b/a.ts']]]);
  });
});

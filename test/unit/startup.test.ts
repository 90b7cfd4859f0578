/** What a run loads before it knows what it is asked for: the build's own account of it. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Meta {
  /** Of patctl.cjs alone: heavy packages are files of their own beside it. */
  main: { inputs: Record<string, { imports: { path: string; kind: string }[] }> };
  /** Everything that is in any of the files. */
  packages: string[];
}

let meta: Meta;

beforeAll(() => {
  execFileSync(process.execPath, ['.config/build.mjs'], { cwd: ROOT });
  meta = JSON.parse(readFileSync(`${ROOT}/dist/meta.json`, 'utf8')) as Meta;
});

/** Every input that is reached from `from` without passing an import(). */
function eager(from: string): Set<string> {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { path, kind } of meta.main.inputs[file]?.imports ?? []) {
      if (kind === 'import-statement' || kind === 'require-call') visit(path);
    }
  };
  visit(from);
  return seen;
}

function packagesIn(files: Set<string>): string[] {
  const names = [...files].map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

test('start-up loads commander and nothing else that is not ours', () => {
  expect(packagesIn(eager('src/run.ts'))).toEqual(['commander']);
});

/** Files of the bundle that are loaded with it. */
function eagerFiles(from: string): string[] {
  return [...eager(from)].filter((file) => file.endsWith('.cjs')).sort();
}

test('start-up and a one-shot read load no heavy file', () => {
  expect(eagerFiles('src/run.ts')).toEqual([]);
  expect(eagerFiles('src/dcs/open.ts')).toEqual([]);
  expect(eagerFiles('src/patroni/rest.ts')).toEqual([]);
});

test('each heavy file is loaded where it is used', () => {
  expect(eagerFiles('src/dcs/etcd3.ts')).toEqual(['./cockatiel.cjs', './etcd3.cjs']);
});

test.each(['etcd3', 'pg', 'inquirer', 'yaml', 'cli-table3', 'chalk'])('%s is shipped', (name) => {
  expect(meta.packages).toContain(name);
});

test('Node modules that cost start-up are not loaded at start-up', () => {
  const files = [...eager('src/run.ts')];
  const external = files.flatMap((file) =>
    (meta.main.inputs[file]?.imports ?? [])
      .filter(({ kind, path }) => kind === 'import-statement' && path.startsWith('node:'))
      .map(({ path }) => path),
  );
  expect(external).not.toContain('node:https');
  expect(external).not.toContain('node:tls');
});

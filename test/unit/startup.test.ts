/** What a run loads before it knows what it is asked for: the build's own account of it. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Meta {
  inputs: Record<string, { imports: { path: string; kind: string }[] }>;
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
    for (const { path, kind } of meta.inputs[file]?.imports ?? []) {
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

test('a one-shot read loads neither etcd3 nor its gRPC', () => {
  const loaded = packagesIn(eager('src/dcs/open.ts'));
  expect(loaded).toEqual([]);
});

test.each(['etcd3', 'pg', 'inquirer', 'yaml', 'cli-table3', 'chalk'])(
  '%s is in the bundle all the same',
  (name) => {
    const bundled = new Set(Object.keys(meta.inputs));
    expect(packagesIn(bundled)).toContain(name);
  },
);

test('Node modules that cost start-up are not loaded at start-up', () => {
  const files = [...eager('src/run.ts')];
  const external = files.flatMap((file) =>
    (meta.inputs[file]?.imports ?? [])
      .filter(({ kind, path }) => kind === 'import-statement' && path.startsWith('node:'))
      .map(({ path }) => path),
  );
  expect(external).not.toContain('node:https');
  expect(external).not.toContain('node:tls');
});

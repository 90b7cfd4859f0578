/** What a run loads before it knows what it is asked for: the build's own account of it. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
  // `npm test` has just built it.
  if (!process.env['PATCTL_BUILT'])
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

test('start-up loads no command and nothing of what commands do', () => {
  const ours = [...eager('src/run.ts')].filter((file) => file.startsWith('src/'));
  expect(ours).toContain('src/commands/registry.ts');
  expect(ours.filter((file) => /^src\/(cluster|dcs|config|patroni|postgres)\//.test(file))).toEqual(
    [],
  );
  expect(ours).not.toContain('src/commands/list.ts');
});

test('a list without witnesses loads no catalogue of findings', () => {
  const files = [...eager('src/commands/list.ts'), ...eager('src/observe/read-snapshot.ts')];
  expect([...files, ...eager('src/output/listing.ts')].filter(isCatalogue)).toEqual([]);
  expect([...eager('src/cluster/findings/find.ts')].filter(isCatalogue)).not.toEqual([]);
});

const isCatalogue = (file: string) => /findings\/catalogue|configuration\/gucs/.test(file);

test('commander brings no child_process', () => {
  const first = readFileSync(`${ROOT}/dist/bundle/patctl.cjs`, 'utf8');
  expect(first).toContain('node:events');
  expect(first).not.toContain('node:child_process');
});

/** Files of the bundle that are loaded with it. */
function eagerFiles(from: string): string[] {
  return [...eager(from)].filter((file) => file.endsWith('.cjs')).sort();
}

test('start-up and a one-shot read load no heavy file', () => {
  expect(eagerFiles('src/run.ts')).toEqual([]);
  expect(eagerFiles('src/dcs/etcd3/open-etcd.ts')).toEqual([]);
  expect(eagerFiles('src/dcs/kubernetes/connect-kubernetes.ts')).toEqual([]);
  expect(eagerFiles('src/patroni/rest.ts')).toEqual([]);
  expect(eagerFiles('src/dcs/rest/connect-rest.ts')).toEqual([]);
});

test('each heavy file is loaded where it is used', () => {
  expect(eagerFiles('src/dcs/etcd3/etcd3.ts')).toEqual(['./cockatiel.cjs', './etcd3.cjs']);
});

test.each(['etcd3', 'pg', 'inquirer', 'yaml', 'cli-table3', 'chalk', '@observablehq/plot'])(
  '%s is shipped',
  (name) => {
    expect(meta.packages).toContain(name);
  },
);

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

test('a read loads no Node module that brings many others with it', () => {
  const files = ['config/load', 'config/read-limited', 'postgres/connect', 'postgres/pgpass'];
  const imported = [...files, 'postgres/session', 'patroni/rest', 'dcs/etcd3/gateway']
    .flatMap((file) => meta.main.inputs[`src/${file}.ts`]?.imports ?? [])
    .map(({ path }) => path);
  expect(imported).toContain('node:fs');
  for (const heavy of ['util', 'fs/promises', 'perf_hooks']) {
    expect(imported).not.toContain(`node:${heavy}`);
  }
  const pg = readFileSync(`${ROOT}/dist/bundle/pg.cjs`, 'utf8');
  // The stand-ins of the build load them when they are used.
  for (const rare of ['util', 'dns']) expect(pg.includes(`:require("node:${rare}")[`)).toBe(true);
});

describe('the code cache of bin/patctl.cjs', () => {
  let home: string;
  const folder = () => join(home, 'patctl');
  const help = (...args: string[]) =>
    execFileSync(process.execPath, ['bin/patctl.cjs', ...args, '--help'], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '', XDG_CACHE_HOME: home },
      encoding: 'utf8',
    });
  const cached = () => readdirSync(folder()).map((name) => name.replace(/^.*-/, ''));

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'patctl-cache-'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  test('is of its own for each command, for this user alone', () => {
    help();
    help('list');
    expect(cached().sort()).toEqual(['list.patctl.cjs', 'list.read.cjs', 'none.patctl.cjs']);
    for (const name of readdirSync(folder())) {
      expect(statSync(join(folder(), name)).mode & 0o777).toBe(0o600);
    }
    expect(help('list')).toContain('patctl list');
  });

  test('in a folder that others may write is not read and not written', () => {
    mkdirSync(folder());
    chmodSync(folder(), 0o777);
    expect(help()).toContain('Exit codes:');
    expect(cached()).toEqual([]);
  });

  test('that is broken is ignored and replaced', () => {
    help();
    const [file = ''] = readdirSync(folder());
    writeFileSync(join(folder(), file), 'nonsense', { mode: 0o600 });
    expect(help()).toContain('Exit codes:');
    expect(readFileSync(join(folder(), file)).length).toBeGreaterThan(10_000);
  });

  test('of a run that failed is not kept', () => {
    expect(() =>
      execFileSync(process.execPath, ['bin/patctl.cjs', 'nonsense'], {
        cwd: ROOT,
        env: { XDG_CACHE_HOME: home },
        stdio: 'ignore',
      }),
    ).toThrow();
    expect(cached()).toEqual([]);
  });
});

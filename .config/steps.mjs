// Plain Node, nothing installed: what `npm test` and `npm run demo` begin with on a fresh machine.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

export const root = path.join(import.meta.dirname, '..');

/** Runs a step and ends the whole run with its exit code when it fails. */
export function step(name, command, args, env = {}) {
  const started = Date.now();
  console.log(`\n== ${name}`);
  const { status, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...cleanEnvironment(), ...env },
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (status !== 0) {
    console.error(`== ${name}: failed after ${seconds} s (${signal ?? `exit ${status}`})`);
    process.exit(status ?? 1);
  }
  console.log(`== ${name}: ${seconds} s`);
}

/**
 * Runs steps [name, command, args] side by side, as many as there are cores, and prints each one's output when it is
 * over. When one fails the others go on to their end, so that all that is wrong is seen; then the whole run ends.
 */
export async function sideBySide(steps) {
  const left = [...steps];
  const failures = [];
  const worker = async () => {
    for (let one = left.shift(); one; one = left.shift()) {
      const [name, command, args] = one;
      const started = Date.now();
      const { status, output } = await quietly(command, args);
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      const failed = status === 0 ? '' : `failed (exit ${status}) after `;
      console.log(`${output}== ${name}: ${failed}${seconds} s`);
      if (status !== 0) failures.push(name);
    }
  };
  console.log(`\n== side by side: ${steps.map(([name]) => name).join(', ')}`);
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  if (failures.length === 0) return;
  console.error(`== failed: ${failures.join(', ')}`);
  process.exit(1);
}

function quietly(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: cleanEnvironment() });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ status: 1, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ status: code ?? 1, output }));
  });
}

/** Where a tool keeps what it need not work out again; npm ci takes it away. */
export function cache(name) {
  return path.join(root, 'node_modules/.cache', name);
}

/** A program of a package: node_modules/.bin/NAME. */
export function bin(name) {
  return path.join(root, 'node_modules/.bin', name);
}

/** `npm ci`, unless what is installed is as new as the lock file. */
export function installPackages() {
  const lock = path.join(root, 'package-lock.json');
  const mark = path.join(root, 'node_modules/.package-lock.json');
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return;
  // NODE_EXTRA_CA_CERTS may be what the registry needs: here the environment stays as it is.
  step('npm ci', 'npm', ['ci', '--no-audit', '--no-fund'], process.env);
}

/** Without what would slow Node down or lead local traffic through a proxy. */
function cleanEnvironment() {
  const unwanted = /^(NODE_EXTRA_CA_CERTS|(https?|all)_proxy)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !unwanted.test(name)));
}

// Plain Node, nothing installed: what `npm test` and `npm run demo` begin with on a fresh machine.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
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

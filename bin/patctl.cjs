#!/usr/bin/env node
'use strict';
// Starts the built program. V8's compiled code is kept between runs, which halves the start-up; whatever
// is wrong with that cache (another owner, another build, unreadable), the program starts without it.
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const bundle = path.join(__dirname, '..', 'dist', 'bundle');

/** A folder that only this user may write: cached code is executed. Null when there is none. */
function privateFolder() {
  const base = process.env.XDG_CACHE_HOME || (process.env.HOME && `${process.env.HOME}/.cache`);
  if (!base || !path.isAbsolute(base) || !process.getuid) return null;
  const folder = path.join(base, 'patctl');
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stat = fs.lstatSync(folder);
    const ours = stat.isDirectory() && stat.uid === process.getuid() && (stat.mode & 0o077) === 0;
    return ours ? folder : null;
  } catch {
    return null;
  }
}

/** Names the build and the Node that a cache is for. */
function cacheKey() {
  const build = fs.readFileSync(path.join(bundle, 'build-id'), 'utf8').slice(0, 16);
  return `${build}-${process.version}-${process.arch}`;
}

function readCache(file) {
  try {
    const stat = fs.lstatSync(file);
    const ours = stat.isFile() && stat.uid === process.getuid() && (stat.mode & 0o077) === 0;
    return ours ? fs.readFileSync(file) : undefined;
  } catch {
    return undefined;
  }
}

function writeCache(folder, key, name, script) {
  try {
    for (const old of fs.readdirSync(folder)) {
      if (old.startsWith('code-') && !old.includes(key)) fs.unlinkSync(path.join(folder, old));
    }
    const temporary = path.join(folder, `code-${key}-${name}.${process.pid}`);
    fs.writeFileSync(temporary, script.createCachedData(), { mode: 0o600, flag: 'wx' });
    fs.renameSync(temporary, path.join(folder, `code-${key}-${name}`));
  } catch {
    // A cache that cannot be written costs speed, nothing else.
  }
}

/** Compiles all of a file at once when its code will be kept: what a first run skips, a later one needs. */
function compile(source, options, keep) {
  if (!keep) return new vm.Script(source, options);
  const v8 = require('node:v8');
  v8.setFlagsFromString('--no-lazy');
  try {
    return new vm.Script(source, options);
  } finally {
    v8.setFlagsFromString('--lazy');
  }
}

const folder = privateFolder();
const key = folder && cacheKey();
const loaded = new Map();

/** require() of the bundle's own files, with their code cache. */
function load(name) {
  const before = loaded.get(name);
  if (before) return before.exports;
  const filename = path.join(bundle, name);
  const source = fs.readFileSync(filename, 'latin1');
  const cachedData = folder ? readCache(path.join(folder, `code-${key}-${name}`)) : undefined;
  const script = compile(
    `(function (exports, require, module, __filename, __dirname) {${source}\n})`,
    { filename, cachedData },
    folder && cachedData === undefined,
  );
  if (folder && (cachedData === undefined || script.cachedDataRejected)) {
    writeCache(folder, key, name, script);
  }
  const module = { exports: {} };
  loaded.set(name, module);
  const requireFrom = (id) => (id.startsWith('./') ? load(id.slice(2)) : require(id));
  script.runInThisContext()(module.exports, requireFrom, module, filename, bundle);
  return module.exports;
}

load('patctl.cjs');

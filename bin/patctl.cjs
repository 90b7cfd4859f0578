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
    // Not recursive: a home that does not exist is not ours to make.
    for (const each of [base, folder]) {
      if (!fs.existsSync(each)) fs.mkdirSync(each, { mode: 0o700 });
    }
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

function writeCache(file, script) {
  try {
    for (const old of fs.readdirSync(folder)) {
      if (old.startsWith('code-') && !old.includes(key)) fs.unlinkSync(path.join(folder, old));
    }
    const temporary = `${file}.${process.pid}`;
    fs.writeFileSync(temporary, script.createCachedData(), { mode: 0o600, flag: 'wx' });
    fs.renameSync(temporary, file);
  } catch {
    // A cache that cannot be written costs speed, nothing else.
  }
}

/**
 * The word that is probably the command. Each command has its own cache of our own code: V8 keeps what a run
 * has compiled, and what other commands need would only have to be read in vain.
 */
function commandWord() {
  const words = process.argv.slice(2).filter((word) => /^[a-z][a-z-]{1,19}$/.test(word));
  return words[0] ?? 'none';
}

const folder = privateFolder();
const key = folder && cacheKey();
const loaded = new Map();

const OURS = ['patctl.cjs', 'read.cjs', 'witnesses.cjs', 'commands.cjs'];

/** require() of the bundle's own files, with their code cache. */
function load(name) {
  const before = loaded.get(name);
  if (before) return before.exports;
  const filename = path.join(bundle, name);
  const source = fs.readFileSync(filename, 'latin1');
  const cache = OURS.includes(name) ? `${commandWord()}.${name}` : name;
  const file = folder && path.join(folder, `code-${key}-${cache}`);
  const cachedData = file ? readCache(file) : undefined;
  const script = new vm.Script(
    `(function (exports, require, module, __filename, __dirname) {${source}\n})`,
    { filename, cachedData },
  );
  if (file && (cachedData === undefined || script.cachedDataRejected)) {
    // After the run, when all it needs is compiled; a run that failed is no example for others.
    process.once('exit', (code) => {
      if (code === 0) writeCache(file, script);
    });
  }
  const module = { exports: {} };
  loaded.set(name, module);
  const requireFrom = (id) => (id.startsWith('./') ? load(id.slice(2)) : require(id));
  script.runInThisContext()(module.exports, requireFrom, module, filename, bundle);
  return module.exports;
}

load('patctl.cjs');

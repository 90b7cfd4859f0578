#!/usr/bin/env node
'use strict';
// Starts the built program. V8's compiled code is kept between runs, which halves the start-up; whatever
// is wrong with that cache (another owner, another version, unreadable), the program starts without it.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const bundle = path.join(__dirname, '..', 'dist', 'bundle', 'patctl.cjs');

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

function readCache(file) {
  try {
    const stat = fs.lstatSync(file);
    const ours = stat.isFile() && stat.uid === process.getuid() && (stat.mode & 0o077) === 0;
    return ours ? fs.readFileSync(file) : undefined;
  } catch {
    return undefined;
  }
}

function writeCache(folder, file, script) {
  const temporary = `${file}.${process.pid}`;
  try {
    for (const old of fs.readdirSync(folder)) {
      if (old.startsWith('code-')) fs.unlinkSync(path.join(folder, old));
    }
    fs.writeFileSync(temporary, script.createCachedData(), { mode: 0o600, flag: 'wx' });
    fs.renameSync(temporary, file);
  } catch {
    // A cache that cannot be written costs speed, nothing else.
  }
}

function start() {
  const source = fs.readFileSync(bundle, 'utf8');
  const folder = privateFolder();
  const key = crypto.createHash('sha1').update(source).update(process.version + process.arch);
  const file = folder && path.join(folder, `code-${key.digest('hex')}`);
  const cachedData = file ? readCache(file) : undefined;
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: bundle,
    cachedData,
  });
  if (file && (cachedData === undefined || script.cachedDataRejected)) {
    process.once('exit', () => writeCache(folder, file, script));
  }
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, bundle, path.dirname(bundle));
}

start();

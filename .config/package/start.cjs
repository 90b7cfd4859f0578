'use strict';
// The main script of the single executable. The bundle's files are assets, and so is the compiled code of each
// that the build recorded: nothing is read from the disk, and nothing is written to it.
const { getRawAsset } = require('node:sea');
const vm = require('node:vm');

/** Names of the assets that hold compiled code; the build writes them here. */
const COMPILED = new Set([]);

/** The word that is probably the command, as in bin/patctl.cjs. */
const word = process.argv.slice(2).find((one) => /^[a-z][a-z-]{1,19}$/.test(one)) ?? 'none';

/** What this command has compiled of the file, else what another has; a package has the same for all. */
function compiledFor(name) {
  const found = [`${word}.${name}`, `other.${name}`, name].find((one) => COMPILED.has(one));
  return found && Buffer.from(getRawAsset(`compiled/${found}`));
}

const loaded = new Map();

/** require() of the bundle's own files. */
function load(name) {
  const before = loaded.get(name);
  if (before) return before.exports;
  const source = Buffer.from(getRawAsset(name)).latin1Slice();
  const script = new vm.Script(
    `(function (exports, require, module, __filename, __dirname) {${source}\n})`,
    { filename: name, cachedData: compiledFor(name) },
  );
  const module = { exports: {} };
  loaded.set(name, module);
  const requireFrom = (id) => (id.startsWith('./') ? load(id.slice(2)) : require(id));
  script.runInThisContext()(module.exports, requireFrom, module, name, '/');
  return module.exports;
}

load('patctl.cjs');

#!/usr/bin/env node
// Starts the bundled command with V8's compiled code from an earlier run, which saves a third of the start-up time.
// The code cache is made by the build for the builder's Node.js; another version makes its own on its first run, in the
// user's cache folder. A cache that V8 does not accept is only slow, never wrong: V8 checks version, flags and source.
'use strict';
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { homedir } = require('node:os');
const { join } = require('node:path');
const { Script } = require('node:vm');

const filename = join(__dirname, 'bundle.cjs');
const source = readFileSync(filename, 'utf8');

function userCache() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(base, 'vedette', `code-${process.version}.cache`);
}

function compile(file) {
  let cachedData;
  try {
    cachedData = readFileSync(file);
  } catch {
    return null;
  }
  const script = new Script(wrapped, { filename, cachedData });
  return script.cachedDataRejected ? null : script;
}

function save(script, file, dir) {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, script.createCachedData(), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    // A cache that cannot be kept costs only time.
  }
}

const wrapped = `(function (require, __dirname) {${source}\n})`;
const built = join(__dirname, `code-${process.version}.cache`);
const making = process.env.VEDETTE_MAKE_CODE_CACHE === built;
let script = making ? null : (compile(built) ?? compile(userCache()));
if (script === null) {
  script = new Script(wrapped, { filename });
  const fresh = script;
  // When the run is over, the cache holds the functions that were really used.
  process.on('exit', (status) => {
    if (making) save(fresh, built, __dirname);
    else if (status === 0) save(fresh, userCache(), join(userCache(), '..'));
  });
}
script.runInThisContext()(require, __dirname);

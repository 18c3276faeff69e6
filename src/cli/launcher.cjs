// Starts the bundled kernel or command with V8's compiled code from an earlier run, which saves a third of the start-up time.
// The code cache is made by the build for the builder's Node.js; another version makes its own on its first run, in the
// user's cache folder. A cache that does not fit is only slow, never wrong.
'use strict';
const fs = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

const { env } = process;
// What launcher.sh kept from Node.js is the guest's again.
if (env.VEDETTE_CA_CERTS !== undefined) {
  env.NODE_EXTRA_CA_CERTS = env.VEDETTE_CA_CERTS;
  delete env.VEDETTE_CA_CERTS;
}

/** Moments of the start, when somebody wants to know: see docs/architecture.md. */
const times = env.VEDETTE_STARTUP_TIMES ? [] : null;
const mark = (step) => times?.push([step, process.hrtime()]);
if (times !== null) {
  globalThis[Symbol.for('vedette.startup')] = times;
  // Opened now: at the end the kernel may open nothing to write (runtime/lockdown).
  const fd = fs.openSync(env.VEDETTE_STARTUP_TIMES, 'a');
  process.on('exit', () => {
    mark('exit handlers');
    const [sec, nsec] = process.hrtime();
    const now = performance.now();
    const ms = ([s, ns]) => now - (sec - s) * 1e3 - (nsec - ns) / 1e6;
    const line = ([step, at]) => `${JSON.stringify({ step, ms: Number(ms(at).toFixed(3)) })}\n`;
    fs.writeSync(fd, times.map(line).join(''));
  });
}
mark('node');

/**
 * Stamp of the build that the caches belong to: the modification time of its cache files, in seconds. V8 compares its
 * own version and flags, and the length of the source; not the source, and nothing tells it that a file was damaged.
 */
const BUILD = 0;
/** Flags of V8 are part of a cache's name: code belongs to those that it was compiled with. */
const flags = process.execArgv
  .join('')
  .replace(/[^\w=.-]/g, '_')
  .slice(0, 100);

/** A cache in the user's folder; null when the user has no home. */
function userCache(name) {
  try {
    return join(env.XDG_CACHE_HOME || join(require('node:os').homedir(), '.cache'), 'vedette', name);
  } catch {
    return null;
  }
}

/**
 * Where all files are read: sources become strings, and V8 is done with a cache when it has compiled the script. It gives
 * its memory back at once when it shrinks to nothing, which another buffer would do with the next collection.
 */
const buffer = new ArrayBuffer(0, { maxByteLength: 2 ** 24 });

/** The content of an open file of `size` bytes, until the next one is read; undefined when it has less. */
function read(fd, size) {
  if (buffer.byteLength < size) buffer.resize(size);
  const bytes = Buffer.from(buffer, 0, size);
  return fs.readSync(fd, bytes) === size ? bytes : undefined;
}

/** What is in a cache file, or undefined when it is another build's or somebody has written to it. */
function readCache(file) {
  let fd = -1;
  try {
    fd = fs.openSync(file);
    const { mtimeMs, size } = fs.fstatSync(fd);
    if (mtimeMs !== BUILD * 1000) return undefined;
    return read(fd, size);
  } catch {
    return undefined;
  } finally {
    if (fd >= 0) fs.closeSync(fd);
  }
}

/**
 * An empty file for the compiled code, opened before the kernel gives up opening files; -1 where there can be none, which
 * costs only time. It counts once it carries the build's stamp. Of several who make one at once, the last has its name.
 */
function place(file) {
  try {
    // Step by step: where the host says ENOENT, as in /proc, `recursive` tries for ever.
    for (const dir of [join(file, '../..'), join(file, '..')])
      if (!fs.existsSync(dir)) fs.mkdirSync(dir, { mode: 0o700 });
    fs.rmSync(file, { force: true });
    return fs.openSync(file, 'wx', 0o644);
  } catch {
    return -1;
  }
}

/** Keeps the compiled code. */
function save(script, fd) {
  try {
    fs.writeFileSync(fd, script.createCachedData());
    fs.fsyncSync(fd);
    fs.futimesSync(fd, BUILD, BUILD);
  } catch {}
}

const making = env.VEDETTE_MAKE_CODE_CACHE === __dirname;

/** Compiles and runs a bundle, and returns what it exports. */
function load(bundle) {
  const filename = join(__dirname, `${bundle}.cjs`);
  const fd = fs.openSync(filename);
  // The bundles are plain ASCII, for which this is the fastest way in.
  const source = read(fd, fs.fstatSync(fd).size).latin1Slice();
  fs.closeSync(fd);
  const compile = (file) => {
    const cachedData = file === null ? undefined : readCache(file);
    if (cachedData === undefined) return null;
    mark('files read');
    const script = new Script(source, { filename, cachedData });
    return script.cachedDataRejected ? null : script;
  };
  const name = `${bundle}-${process.version}${flags}.cache`;
  const built = join(__dirname, name);
  let script = making ? null : (compile(built) ?? compile(userCache(name)));
  if (script === null) {
    script = new Script(source, { filename });
    const file = making ? built : userCache(name);
    const cacheFd = file === null ? -1 : place(file);
    // When the run is over, the cache holds the functions that were really used.
    process.on('exit', (status) => {
      if (cacheFd >= 0 && (making || status === 0)) save(script, cacheFd);
    });
  }
  buffer.resize(0);
  mark('bundle compiled');
  const module = { exports: {} };
  script.runInThisContext()(require, filename, module, kernel);
  return module.exports;
}

let loaded = null;
/** What the kernel's bundle exports. */
function kernel() {
  loaded ??= load('kernel');
  return loaded;
}

/** Runs a plain command line; false when it is not one. */
function runPlain() {
  try {
    return kernel().runPlain();
  } catch {
    return false; // The host refuses what the kernel needs to be loaded: the command finds that too, and says so.
  }
}

// Most starts are plain: the kernel reads the command line itself. The rest, and all complaints, is the command's.
const words = process.argv.slice(2);
const [major] = process.versions.node.split('.');
const fits = process.platform === 'linux' && process.arch === 'x64' && major >= 20;
// A container's own process, which `create` has started (cli/oci).
if (fits && words[0] === 'boot' && /^\d+$/.test(words[1])) kernel().runBoot(Number(words[1]));
else if (!fits || words[0] !== 'do' || !words.includes('--') || !runPlain()) load('command');

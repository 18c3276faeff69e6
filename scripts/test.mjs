// Builds, lints and runs every test of the build: node scripts/test.mjs [--long] [--no-lint] [--fsgsbase=WHEN] [--times] [NAME...]
// --long adds the files *.long.test.js. --fsgsbase=on|off|auto is the stub's shape for everything that starts a sandbox. --times
// says in the end what each file took. A NAME keeps the test files whose path contains it; when none does, it is a pattern
// for test names. VEDETTE_OUT names the output folder. The last line counts skipped tests by reason.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, relative } from 'node:path';

// Many tests wait: with a file more than there are cpus, these are busy. Where others use them too, more files get the suite its
// part; with more than that, tests that ask how soon something happens ask too much.
const cpus = availableParallelism();
const FILES_AT_ONCE = cpus + 1 + Math.min(1, Math.round(loadavg()[0] / cpus));

const out = process.env.VEDETTE_OUT ?? 'dist';
const options = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const unknown = options.find((option) => !/^--(long|no-lint|times|fsgsbase=(on|off|auto))$/.test(option));
if (unknown !== undefined) {
  console.error(`unknown option ${unknown}`);
  process.exit(2);
}
const long = options.includes('--long');
const fsgsbase = options.findLast((option) => option.startsWith('--fsgsbase='));

/** What runs now, and ends with us. */
const running = new Set();
const giveUp = (status, signal) => {
  for (const child of running) child.kill(signal);
  process.exit(status);
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => giveUp(1, signal));

/** Runs a command that has to succeed. */
const must = (command, args) =>
  new Promise((done) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    running.add(child);
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      giveUp(1, 'SIGTERM');
    });
    child.on('exit', (status) => {
      running.delete(child);
      if (status === 0) done();
      else giveUp(status ?? 1, 'SIGTERM');
    });
  });
const lint = async () => {
  await must('node_modules/.bin/biome', ['check', '.']);
  await must(process.execPath, ['scripts/layers.mjs']);
  await must(process.execPath, ['scripts/guidelines.mjs']);
};
await Promise.all([
  must(process.execPath, ['scripts/build.mjs']),
  options.includes('--no-lint') ? undefined : lint(),
]);

const testFiles = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith('.test.js') && (long || !entry.name.endsWith('.long.test.js')) ? [path] : [];
  });

const all = testFiles(out).sort();
const patterns = names.filter((name) => !all.some((file) => file.includes(name)));
const paths = names.filter((name) => !patterns.includes(name));
const files = paths.length === 0 ? all : all.filter((file) => paths.some((name) => file.includes(name)));
if (files.length === 0) {
  console.error(`no test file under ${out}`);
  process.exit(1);
}

/**
 * What a file says of itself in a line `// suite: WORD, ...`: `30 s`, about how long it takes, so that none that is long
 * comes late; `alone`, that nothing may run beside it.
 */
function saidBy(file) {
  const source = relative(out, file).replace(/\.js$/, '.ts');
  const words = /^\/\/ suite: (.*)$/m.exec(readFileSync(source, 'utf8'))?.[1].split(', ') ?? [];
  const said = { file, source, seconds: 1, alone: false };
  for (const word of words) {
    if (word === 'alone') said.alone = true;
    else if (/^\d+ s$/.test(word)) said.seconds = Number.parseInt(word, 10);
    else throw new Error(`${source}: suite: ${word}`);
  }
  return said;
}

const folder = mkdtempSync(join(tmpdir(), 'vedette-results-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const env = { ...process.env };
// Node.js reads that file in each process that a test starts, for up to 50 ms.
delete env.NODE_EXTRA_CA_CERTS;
if (long) env.VEDETTE_LONG = '1';
if (fsgsbase !== undefined) {
  env.VEDETTE_FSGSBASE = fsgsbase.split('=')[1];
  env.VEDETTE_FLAGS = `${process.env.VEDETTE_FLAGS ?? ''} ${fsgsbase}`.trim();
}

/** Runs a test file by itself: what it printed, its results, how it ended. */
function runFile({ file, source }) {
  const results = join(folder, source.replaceAll('/', ':'));
  const args = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./scripts/results_reporter.mjs',
    `--test-reporter-destination=${results}`,
    ...patterns.map((name) => `--test-name-pattern=${name}`),
    file,
  ];
  return new Promise((done) => {
    const begun = Date.now();
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
    child.on('close', (status, signal) => {
      running.delete(child);
      let found = null;
      try {
        found = JSON.parse(readFileSync(results, 'utf8'));
      } catch {
        // It ended before it could say.
      }
      const ended = status === 0 && found !== null ? '' : ` (ended with ${signal ?? status})`;
      done({ source, text, found, ended, seconds: (Date.now() - begun) / 1000 });
    });
  });
}

const ended = [];

/** Runs files, the longest first, so many at a time. */
async function runAll(some, atOnce) {
  const queue = some.toSorted((a, b) => b.seconds - a.seconds);
  const lane = async () => {
    for (let said = queue.shift(); said !== undefined; said = queue.shift()) {
      const result = await runFile(said);
      process.stdout.write(`${result.source}: ${result.seconds.toFixed(1)} s${result.ended}\n${result.text}`);
      ended.push(result);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

// The platform's own tests come first: with hundreds of threads that compute, or with signals without end, they take all cpus from
// whatever runs beside them, and some ask how soon a hostile guest's thread is given up.
const said = files.map(saidBy);
const begun = Date.now();
await runAll(
  said.filter(({ alone }) => alone),
  1,
);
await runAll(
  said.filter(({ alone }) => !alone),
  FILES_AT_ONCE,
);

if (options.includes('--times'))
  for (const { source, seconds, found } of ended.toSorted((a, b) => b.seconds - a.seconds))
    console.log(
      `${seconds.toFixed(1).padStart(7)} s, ${(found?.cpuSeconds ?? 0).toFixed(1).padStart(6)} s of cpu ${source}`,
    );
const skipped = new Map();
let passed = 0;
let failures = 0;
for (const { source, found, ended: how } of ended.toSorted((a, b) => (a.source < b.source ? -1 : 1))) {
  passed += found?.passed ?? 0;
  for (const [reason, n] of Object.entries(found?.skipped ?? {}))
    skipped.set(reason, (skipped.get(reason) ?? 0) + n);
  const failed = found?.failed ?? [];
  failures += failed.length;
  if (how !== '' || failed.length > 0) console.log(`FAILED ${source}${how}: ${failed.join('; ')}`);
}
const failedFiles = ended.filter(({ found, ended: how }) => how !== '' || found.failed.length > 0).length;
const seconds = Math.round((Date.now() - begun) / 1000);
console.log(
  `${passed} passed, ${failures} failed, in ${ended.length} files, ${failedFiles} of them failed, ${seconds} s`,
);
const lines = [...skipped].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
if (lines.length > 0) console.log(lines.map(([reason, n]) => `${n} skipped: ${reason}`).join('; '));
process.exitCode = failedFiles === 0 ? 0 : 1;

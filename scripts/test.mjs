// Builds, lints and runs every test of the build: node scripts/test.mjs [--long] [--no-lint] [--fsgsbase=WHEN] [NAME...]
// --long adds the files *.long.test.js. --fsgsbase=on|off|auto is the stub's shape for everything that starts a sandbox. A
// NAME keeps the test files whose path contains it; when none does, it is a pattern for test names. VEDETTE_OUT names the
// output folder. The last line counts skipped tests by reason.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

// Many tests wait, and Node's own choice is one file less at a time than there are cpus: on two, a single one. With three
// a host whose cpus others use too gives the suite its part. Tests of the
// platforms come first and alone: with hundreds of threads that compute, or with signals without end, they take both cpus
// from whatever runs beside them, and some ask how soon a hostile guest's thread is given up.
const isAlone = (file) => file.includes('/sentry/platform/');
const FILES_AT_ONCE = Math.max(3, availableParallelism() - 1);

const out = process.env.VEDETTE_OUT ?? 'dist';
const options = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const unknown = options.find((option) => !/^--(long|no-lint|fsgsbase=(on|off|auto))$/.test(option));
if (unknown !== undefined) {
  console.error(`unknown option ${unknown}`);
  process.exit(2);
}
const long = options.includes('--long');
const fsgsbase = options.findLast((option) => option.startsWith('--fsgsbase='));

const run = (command, args, env = {}) => {
  const result = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  if (result.error !== undefined) console.error(`${command}: ${result.error.message}`);
  return result.status ?? 1;
};
const must = (command, args) => {
  const status = run(command, args);
  if (status !== 0) process.exit(status);
};

must(process.execPath, ['scripts/build.mjs']);
if (!options.includes('--no-lint')) {
  must('node_modules/.bin/biome', ['check', '.']);
  must(process.execPath, ['scripts/layers.mjs']);
  must(process.execPath, ['scripts/guidelines.mjs']);
}

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

// Node's own exit status and closing lines stay as they are; our line comes from a second reporter, through a file, since
// two reporters that write to one stream mix.
const folder = mkdtempSync(join(tmpdir(), 'vedette-skips-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const skips = join(folder, 'skips');
const env = {};
if (long) env.VEDETTE_LONG = '1';
if (fsgsbase !== undefined) {
  env.VEDETTE_FSGSBASE = fsgsbase.split('=')[1];
  env.VEDETTE_FLAGS = `${process.env.VEDETTE_FLAGS ?? ''} ${fsgsbase}`.trim();
}

/** Runs test files, so many at a time; the exit status. */
const test = (some, atOnce) => {
  if (some.length === 0) return 0;
  const status = run(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${atOnce}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=./scripts/skips_reporter.mjs',
      `--test-reporter-destination=${skips}`,
      ...patterns.map((name) => `--test-name-pattern=${name}`),
      ...some,
    ],
    env,
  );
  process.stdout.write(readFileSync(skips, 'utf8'));
  return status;
};
const alone = test(files.filter(isAlone), 1);
const beside = test(
  files.filter((file) => !isAlone(file)),
  FILES_AT_ONCE,
);
process.exit(alone || beside);

// Builds, lints and runs every test of the build: node scripts/test.mjs [--long] [--no-lint] [NAME...]
// --long adds the files *.long.test.js. A NAME keeps the test files whose path contains it; when none does, it is a
// pattern for test names. VEDETTE_OUT names the output folder.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const out = process.env.VEDETTE_OUT ?? 'dist';
const options = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const unknown = options.find((option) => !['--long', '--no-lint'].includes(option));
if (unknown !== undefined) {
  console.error(`unknown option ${unknown}`);
  process.exit(2);
}
const long = options.includes('--long');

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
const args = [
  '--test',
  '--test-reporter=spec',
  ...patterns.map((name) => `--test-name-pattern=${name}`),
  ...files,
];
process.exit(run(process.execPath, args, long ? { VEDETTE_LONG: '1' } : {}));

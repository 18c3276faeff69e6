// The launcher: what it does with caches that are missing, damaged or of another build, and the marks of the start.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const built = join(import.meta.dirname, '../..');
const repo = join(built, '..');
const dir = mkdtempSync(join(tmpdir(), 'vedette-launcher-'));
after(() => rmSync(dir, { recursive: true, force: true }));

// A copy of the command without the cache that the build made.
mkdirSync(join(dir, 'dist'));
for (const name of ['vedette.cjs', 'kernel.cjs', 'command.cjs'])
  copyFileSync(join(built, name), join(dir, 'dist', name));
copyFileSync(join(repo, 'package.json'), join(dir, 'package.json'));
symlinkSync(join(repo, 'node_modules'), join(dir, 'node_modules'));
const command = join(dir, 'dist/vedette.cjs');
const cache = join(dir, 'cache');
const cacheFile = join(cache, 'vedette', `command-${process.version}.cache`);

function run(args: string[], env: NodeJS.ProcessEnv = {}, program = process.execPath) {
  const words = program === process.execPath ? [command, ...args] : args;
  return spawnSync(program, words, {
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, XDG_CACHE_HOME: cache, ...env },
  });
}

function version(env: NodeJS.ProcessEnv = {}): string {
  const r = run(['--version'], env);
  assert.deepEqual([r.status, r.stderr], [0, '']);
  return r.stdout;
}

describe('launcher', () => {
  const { version: expected } = JSON.parse(readFileSync(join(repo, 'package.json'), 'utf8'));

  test('makes a code cache where there is none', () => {
    assert.equal(version(), `${expected}\n`);
    assert.deepEqual(readdirSync(join(cache, 'vedette')), [`command-${process.version}.cache`]);
    const { mtimeMs } = statSync(cacheFile);
    const made = readFileSync(cacheFile);
    assert.equal(version(), `${expected}\n`);
    assert.equal(statSync(cacheFile).mtimeMs, mtimeMs, 'it is used, not made again');
    assert.ok(made.length > 100_000);
  });

  test('damaged caches, and those of other builds and versions, are made anew', () => {
    const good = readFileSync(cacheFile);
    const { mtime } = statSync(cacheFile);
    const damaged = Buffer.from(good);
    damaged.fill(0, 4096, 65_536);
    const other = new Date(mtime.getTime() - 1000);
    const foreign = Buffer.from(good);
    foreign.fill(0x5a, 0, 16);
    const cases: [string, Uint8Array, Date | null][] = [
      ['zeroed in the middle', damaged, null],
      ['cut off', good.subarray(0, good.length >> 1), null],
      ['empty', new Uint8Array(0), null],
      ['of another build', good, other],
      ['of another version of V8', foreign, mtime],
    ];
    for (const [what, bytes, time] of cases) {
      writeFileSync(cacheFile, bytes);
      if (time !== null) utimesSync(cacheFile, time, time);
      assert.equal(version(), `${expected}\n`, what);
      assert.equal(statSync(cacheFile).mtimeMs, mtime.getTime(), what);
    }
  });

  test('works where nothing can be written', () => {
    for (const nowhere of ['/dev/null', '/proc/none'])
      assert.equal(version({ XDG_CACHE_HOME: nowhere }), `${expected}\n`, nowhere);
  });

  test('works with options for Node.js', () => {
    assert.equal(version({ NODE_OPTIONS: '--max-old-space-size=1000' }), `${expected}\n`);
    const r = run(['do', '--', 'sh', '-c', 'exit 3'], { NODE_OPTIONS: '--no-warnings' });
    assert.equal(r.status, 3);
  });

  test('starts by itself through a link, and hands on what it kept from Node.js', () => {
    const link = join(dir, 'vedette');
    symlinkSync(command, link);
    const env = { NODE_EXTRA_CA_CERTS: '/no/such file' };
    const r = run(['do', '--', 'env'], env, link);
    const seen = r.stdout.split('\n').filter((line) => /^(NODE_EXTRA|VEDETTE)_CA_CERTS=/.test(line));
    assert.deepEqual([r.status, seen], [0, ['NODE_EXTRA_CA_CERTS=/no/such file']]);
  });

  test('marks of the start come in order', () => {
    const file = join(dir, 'times');
    assert.equal(run(['do', '--', 'true'], { VEDETTE_STARTUP_TIMES: file }).status, 0);
    const marks = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line): { step: string; ms: number } => JSON.parse(line));
    for (let i = 1; i < marks.length; i++) assert.ok(marks[i]!.ms >= marks[i - 1]!.ms, JSON.stringify(marks));
    const steps = marks.map((m) => m.step);
    const wanted = ['node', 'bundle compiled', 'modules loaded', 'memory file', 'first program', 'shutdown'];
    assert.deepEqual(
      steps.filter((s) => wanted.includes(s)),
      wanted,
    );
  });
});

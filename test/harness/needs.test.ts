import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { distDir, repoDir } from './guest.ts';
import { needs } from './needs.ts';

test('what is there skips nothing, what is missing is named', () => {
  assert.deepEqual(needs(), { skip: false });
  assert.deepEqual(needs('sh', '/bin/sh'), { skip: false });
  assert.deepEqual(needs('sh', 'no-such-program', '/no/such/file'), {
    skip: 'no-such-program is not installed',
  });
  assert.deepEqual(needs('/no/such/file'), { skip: 'no /no/such/file' });
  assert.throws(() => needs('too cpus'), /no condition "too cpus"/);
  assert.equal(needs('root').skip, process.getuid!() === 0 ? false : 'not root');
});

const SOME = `
import { describe, test } from 'node:test';
import { needs } from ${JSON.stringify(join(distDir, 'test/harness/needs.js'))};
test('runs', needs('sh'), () => {});
test('a', needs('no-such-program'), () => {});
test('b', { skip: 'no FSGSBASE' }, () => {});
describe('suite', { skip: 'no FSGSBASE' }, () => { test('within', () => {}); });
test('outer', async (t) => { await t.test('inner', (t) => t.skip('no FSGSBASE')); });
test('without a reason', { skip: true }, () => {});
`;

interface Results {
  passed: number;
  failed: string[];
  skipped: Record<string, number>;
}

/** Runs one file of tests as scripts/test.mjs does, with its second reporter; status and what that wrote. */
function results(dir: string, text: string, ...options: string[]): [number | null, Results] {
  const file = join(dir, 'some.test.mjs');
  writeFileSync(file, text);
  const reporter = join(repoDir, 'scripts/results_reporter.mjs');
  const env: NodeJS.ProcessEnv = { ...process.env };
  // Otherwise node takes us for the runner of that file.
  delete env.NODE_TEST_CONTEXT;
  const args = [`--test-reporter=${reporter}`, '--test-reporter-destination=stdout', ...options];
  const r = spawnSync(process.execPath, [...args, file], { encoding: 'utf8', env });
  const { cpuSeconds, ...all } = JSON.parse(r.stdout) as Results & { cpuSeconds: number };
  assert.ok(cpuSeconds > 0);
  return [r.status, all];
}

test('skipped tests are counted by reason, and the status stays', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-needs-'));
  try {
    const skipped = { 'no FSGSBASE': 3, 'no reason given': 1, 'no-such-program is not installed': 1 };
    assert.deepEqual(results(dir, SOME), [0, { passed: 2, failed: [], skipped }]);
    const failing = `${SOME}describe('suite', () => test('fails', () => { throw new Error('no'); }));`;
    assert.deepEqual(results(dir, failing), [1, { passed: 2, failed: ['fails'], skipped }]);
    // Tests that a name on the command line leaves out are not skipped for a reason of the host.
    const [status, some] = results(dir, SOME, '--test-name-pattern=^runs$');
    assert.deepEqual([status, some], [0, { passed: 1, failed: [], skipped: {} }]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

// docs/syscalls.md says what the system-call table says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { distDir, repoDir } from './harness/guest.ts';

test('the page of system calls is up to date', () => {
  const script = join(repoDir, 'scripts/compat.mjs');
  const env = { ...process.env, VEDETTE_OUT: distDir };
  const run = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8', env });
  assert.equal(run.status, 0, run.stderr);
});

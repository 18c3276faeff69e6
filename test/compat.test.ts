// Pages that are generated from a build say what it says: docs/syscalls.md, docs/host-calls.md.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { distDir, repoDir } from './harness/guest.ts';

for (const [page, name] of [
  ['system calls', 'compat.mjs'],
  ['calls of the kernel process', 'host_calls.mjs'],
] as const)
  test(`the page of ${page} is up to date`, () => {
    const script = join(repoDir, 'scripts', name);
    const env = { ...process.env, VEDETTE_OUT: distDir };
    const run = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8', env });
    assert.equal(run.status, 0, run.stderr);
  });

// What a guest gives back is uncounted: /proc/meminfo shows the account book of the kernel's memory (Slab) and that of pages
// of files (Shmem), and neither grows with what comes and goes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { repoDir, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

/** The vectors of the kernel's own tables may be cut to size a little later. */
const SLACK_KIB = 64;

test('what comes and goes leaves nothing counted', needs('gcc', 'inside'), async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-leaks-'));
  try {
    const binary = join(dir, 'rows');
    const source = join(repoDir, 'test/limits/rows.c');
    const made = await runNative(['gcc', '-O1', '-w', '-pthread', source, '-o', binary, '-lrt']);
    assert.equal(made.status, 0, made.stderr);
    const r = await runNative([...vedette, '--', binary, 'churn', '60'], { timeoutMs: 120_000 });
    const m = /Slab (\d+) KiB then ([+-]\d+), Shmem ([+-]\d+)/.exec(r.stdout);
    assert.ok(m !== null, r.stdout + r.stderr);
    assert.ok(Number(m[1]) > 0, 'nothing is counted');
    assert.ok(Math.abs(Number(m[2])) <= SLACK_KIB && Math.abs(Number(m[3])) <= SLACK_KIB, r.stdout);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

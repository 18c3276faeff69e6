// What a guest gives back is uncounted: /proc/meminfo shows the account book of the kernel's memory (Slab) and that of pages
// of files (Shmem), and neither grows with what comes and goes.
// suite: 15 s
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { HOSTILE } from '../fuzz/harness.ts';
import { compileC, repoDir, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

/** The vectors of the kernel's own tables may be cut to size a little later. */
const SLACK_KIB = 64;

/** Bytes of the sandbox that are not pages of guests come and go with what the host's processes need. */
const FREE_SLACK_KIB = 1024;

/** What `rows NAME COUNT` says inside. */
async function says(name: string, count: number, timeoutMs: number): Promise<string> {
  const binary = await compileC(join(repoDir, 'test/limits/rows.c'), HOSTILE);
  const r = await runNative([...vedette, '--', binary, name, String(count)], { timeoutMs });
  return r.stdout + r.stderr;
}

test('what comes and goes leaves nothing counted', needs('gcc', 'inside'), async () => {
  const text = await says('churn', 60, 120_000);
  const m = /Slab (\d+) KiB then ([+-]\d+), Shmem ([+-]\d+)/.exec(text);
  assert.ok(m !== null, text);
  assert.ok(Number(m[1]) > 0, 'nothing is counted');
  assert.ok(Math.abs(Number(m[2])) <= SLACK_KIB && Math.abs(Number(m[3])) <= SLACK_KIB, text);
});

test('who is killed in the middle of a long call leaves nothing', needs('gcc', 'inside'), async () => {
  const text = await says('cuts', 25, 180_000);
  const m = /Slab (\d+) KiB then ([+-]\d+), Shmem ([+-]\d+), MemFree ([+-]\d+)/.exec(text);
  assert.ok(m !== null, text);
  assert.ok(Math.abs(Number(m[2])) <= SLACK_KIB && Math.abs(Number(m[3])) <= SLACK_KIB, text);
  assert.ok(Math.abs(Number(m[4])) <= FREE_SLACK_KIB, text);
});

// Servers and their clients, as others wrote them: each script natively and inside, where it must print the same.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { difference, repoDir, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const folder = join(repoDir, 'test/peers');
const NEEDS = /^# needs: (.*)$/m;

describe('services', needs('long', 'root', 'inside', 'unshare', 'ip', 'ss'), () => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const wanted = name.endsWith('.sh') ? NEEDS.exec(readFileSync(path, 'utf8')) : null;
    if (wanted === null) continue;
    test(name, needs(...wanted[1]!.split(' ')), async () => {
      // All that it starts ends with it.
      const alone = ['unshare', '-npf', '--mount-proc', '--kill-child'];
      const up = ['sh', '-c', 'ip link set lo up; exec sh "$0"', path];
      const native = await runNative([...alone, ...up], { timeoutMs: 300_000 });
      assert.equal(native.status, 0, native.stderr);
      const ours = await runNative([...vedette, '--', 'sh', path], { timeoutMs: 1_200_000 });
      assert.equal(difference(native, ours), '');
    });
  }
});

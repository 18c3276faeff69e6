// No call holds the kernel for long: whatever a guest asks of one call, others have their turn in between. Measured in cpu
// time of the kernel's thread, as --profile reports it, so that other load does not count. V8's own work does (compiling,
// collecting garbage), wherever it falls: a case that is over the limit has to be so in every one of its runs.
// suite: 40 s

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileC, repoDir, runInside } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const LIMIT_US = 5000;
/**
 * What the first touch of a page costs where that limit holds, in ns. On machines whose own memory comes by faults of
 * their hypervisor's it costs more, which no slicing helps, and the limit grows with it.
 */
const TOUCH_NS = 1200;
const RUNS = 4;
const CASES = [
  ...['get_random', 'populate', 'populate_shared', 'lock_memory', 'unmap', 'not_needed', 'exit_with_memory'],
  ...['read_and_write', 'zeros', 'copies', 'remote_memory', 'resident', 'semaphore_sets', 'record_locks'],
  ...['many_mappings', 'filters', 'large_folder', 'forks', 'fork_mappings', 'protect', 'move', 'replace'],
  ...['allocate', 'shrink', 'arguments', 'mounts'],
];

describe('the longest stretch of one call', { concurrency: false, ...needs('inside', 'gcc') }, () => {
  let dir = '';
  let program = '';
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-long-'));
    program = await compileC(join(repoDir, 'test/long/long_calls.c'), ['-O1']);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('the cases are those of the program', () => {
    const named = spawnSync(program, [], { encoding: 'utf8' }).stdout.trim().split('\n');
    assert.deepEqual(named, CASES);
  });

  for (const name of CASES)
    test(name, async () => {
      const profile = join(dir, 'profile');
      const longest = new Map<string, number>();
      let limitUs = LIMIT_US;
      for (let run = 0; run < RUNS; run++) {
        const r = await runInside([program, name], {
          flags: ['--memory=2G', `--profile=${profile}`],
          timeoutMs: 120_000,
        });
        assert.equal(r.status, 0, r.stderr);
        const touchNs = Number(spawnSync(program, ['touch'], { encoding: 'utf8' }).stdout);
        limitUs = Math.max(limitUs, LIMIT_US * (touchNs / TOUCH_NS));
        const seen = stretches(readFileSync(profile, 'utf8'));
        for (const [call, us] of seen) longest.set(call, Math.min(us, longest.get(call) ?? us));
        if ([...longest.values()].every((us) => us <= limitUs)) return;
      }
      const over = [...longest].filter(([, us]) => us > limitUs);
      assert.deepEqual(over, [], `us of cpu time, in each of the runs, over ${limitUs.toFixed(0)}`);
    });
});

/** By call: its longest stretch in us. What belongs to no call of the program is left out. */
function stretches(profile: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of profile.split('\n')) {
    const row = /^ *[\d.]+ +[\d.]+ +[\d.]+ +\d+ +[\d.]+ +(\d+) {2}([a-z_0-9]+)$/.exec(line);
    if (row !== null) found.set(row[2]!, Number(row[1]));
  }
  return found;
}

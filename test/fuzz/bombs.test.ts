// Programs that take all they can get, in a sandbox with little memory: they are refused or killed, the kernel lives on
// and stays small. With VEDETTE_LONG=1 also those that take long.
// suite: 25 s
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { compileFuzz, survive } from './harness.ts';

const MEMORY = ['--memory', '256m', '--user', '0'];
/** Guest memory, the kernel's least budget, and what V8 takes above it. */
const MAX_PEAK_MIB = 900;
const LIMIT_MS = 400_000;

/** Bombs that take a few seconds at most. */
const short = [
  'touch_memory',
  'touch_in_children',
  'populate',
  'shared_memory',
  'fallocated',
  'big_file',
  'sparse',
  'deep',
  'full_pipes',
  'full_streams',
  'full_datagrams',
  'ttys',
  'watches',
  'rights_many',
  'signal_queue',
  'posix_timers',
  'fast_timers',
  'vmas',
  'sparse_touch',
  'sparse_read',
  'segments',
  'touched_segments',
  'extended_attributes',
  'binds',
  'shared_binds',
  'long_arguments',
  'robust_circle',
  'listeners',
  'uids',
  'filters',
  'process_names',
];
/** Bombs that are slow natively too, or meant to take minutes. */
const skipped = new Map([
  ['mounts', 'a path over n stacked mounts takes n steps in Linux as well'],
  ['locks', 'a list of n locks is walked for each in Linux as well'],
]);

describe('programs that take all they can get', { concurrency: 2 }, () => {
  let bombs = '';
  before(async () => {
    bombs = await compileFuzz('bombs');
  });

  const run = async (name: string, flags: readonly string[] = MEMORY): Promise<string> => {
    const r = await survive(bombs, flags, [bombs, name], LIMIT_MS);
    assert.ok(r.status === 0 || r.status === 137, `status ${r.status}\n${r.stdout}${r.stderr}`);
    assert.ok(r.peakMiB < MAX_PEAK_MIB, `the Sentry took ${Math.round(r.peakMiB)} MiB\n${r.stdout}`);
    return `${r.status === 137 ? 'killed' : r.stdout.trim().split('\n').at(-1)}, ${Math.round(r.peakMiB)} MiB, ${r.elapsedMs} ms`;
  };

  for (const name of short) {
    test(name, async (t) => t.diagnostic(await run(name)));
  }

  test('those that take longer', needs('long'), async (t) => {
    const list = await survive(bombs, [], [bombs], 60_000);
    for (const name of list.stdout.trim().split('\n')) {
      if (short.includes(name)) continue;
      await t.test(name, { skip: skipped.get(name) ?? false }, async (t) => t.diagnostic(await run(name)));
    }
  });

  test('a fork bomb of an ordinary user', needs('long'), async (t) => {
    t.diagnostic(await run('fork_bomb', ['--memory', '256m', '--user', '1000']));
    t.diagnostic(await run('fork_tree', ['--memory', '256m', '--user', '1000']));
  });
});

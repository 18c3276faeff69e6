import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { processTree, run, start } from './children.ts';

test('output, status and reason of a program', async () => {
  assert.deepEqual(await run(['sh', '-c', 'echo a; echo b >&2'], 10_000), {
    status: 0,
    stdout: 'a\n',
    stderr: 'b\n',
    reason: '',
    timedOut: false,
  });
  const failed = await run(['sh', '-c', 'echo first >&2; echo why >&2; exit 3'], 10_000);
  assert.equal(failed.status, 3);
  assert.equal(failed.reason, 'why');
  assert.match((await run(['/no/such/program'], 10_000)).reason, /ENOENT/);
});

test('a time limit ends the program and all that it started', async () => {
  const child = start(['sh', '-c', 'setsid sleep 60 & echo ready; wait'], 700);
  assert.equal(await child.printed('ready'), true);
  const tree = processTree(child.pid!);
  assert.equal(tree.length, 2);
  const { timedOut, reason } = await child.done;
  assert.equal(timedOut, true);
  assert.match(reason, /not finished after 0.7 s/);
  for (const pid of tree) assert.equal(existsSync(`/proc/${pid}/fd/0`), false);
});

test('a program that ends without the text is noticed', async () => {
  assert.equal(await start(['true'], 10_000).printed('never'), false);
});

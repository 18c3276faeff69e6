import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repoDir } from '../../test/harness/guest.ts';
import { makeProgram } from '../cli/program.ts';
import { flagWords, KINDS, NODE_FLAGS } from './flags.ts';
import { run } from './index.ts';

describe('run()', { concurrency: 2 }, () => {
  test('options are the flags of vedette do, all of them', () => {
    const command = makeProgram(async () => {}).commands.find((c) => c.name() === 'do')!;
    const flags = command.options.filter((o) => !o.hidden);
    assert.deepEqual(flags.map((o) => o.attributeName()).sort(), Object.keys(KINDS).sort());
    for (const option of flags) {
      const kind = KINDS[option.attributeName() as keyof typeof KINDS];
      const expected = option.negate
        ? 'not'
        : Array.isArray(option.defaultValue)
          ? 'list'
          : option.optional
            ? 'file'
            : option.required
              ? 'text'
              : 'switch';
      assert.equal(kind, expected, option.flags);
    }
    const words = flagWords({
      env: { A: 'b c' },
      strace: true,
      patchCalls: false,
      cpus: 2,
      mount: ['/a:/b'],
    });
    assert.deepEqual(words, ['--env=A=b c', '--mount=/a:/b', '--no-patch-calls', '--strace', '--cpus=2']);
    assert.deepEqual(flagWords({ strace: false, clearEnv: false, patchCalls: true, env: ['X'] }), [
      '--env=X',
    ]);
  });

  test('Node.js gets the flags that the launcher gives it', () => {
    const launcher = readFileSync(join(repoDir, 'src/cli/launcher.sh'), 'utf8');
    assert.ok(launcher.includes(`exec node ${NODE_FLAGS.join(' ')} "$0"`));
  });

  test('output, input, status, and where things are', async () => {
    const options = { env: { A: 'x y' }, input: 'in\n', cwd: '/usr' };
    const r = await run(['sh', '-c', 'echo "$A"; cat; pwd; echo no >&2; exit 3'], options);
    const expected = { status: 3, signal: null, stdout: 'x y\nin\n/usr\n', stderr: 'no\n', timedOut: false };
    assert.deepEqual(r, expected);
    const bytes = await run(['printf', '\\377'], { encoding: 'buffer' });
    assert.deepEqual(bytes.stdout, Buffer.from([255]));
    assert.deepEqual(await run(['true'], { stdio: 'ignore' }), { status: 0, signal: null, timedOut: false });
    assert.equal((await run(['no-such-program'])).status, 127);
  });

  test('a time limit, an AbortSignal and too much output end it', async () => {
    // However slow the host is: what was written before the end is there, and no more.
    const late = await run(['sh', '-c', 'trap "" TERM; echo begun; sleep 60'], { timeout: 2500 });
    assert.deepEqual([late.timedOut, late.status, late.signal], [true, null, 'SIGKILL']);
    assert.match(late.stdout!, /^(begun\n)?$/);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    await assert.rejects(run(['sleep', '60'], { signal: controller.signal }), { name: 'AbortError' });
    await assert.rejects(run(['true'], { signal: controller.signal }), { name: 'AbortError' });
    await assert.rejects(run(['yes'], { maxBuffer: 10_000 }), { code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' });
  });

  test('what cannot be a command is told before anything starts', async () => {
    await assert.rejects(run('ls -l' as unknown as string[]), /list of words.*fix: /);
    await assert.rejects(run([]), /list of words/);
    await assert.rejects(run(['a\0b']), /NUL/);
    await assert.rejects(run(['true'], { killSignal: 'SIGNONE' as NodeJS.Signals }), /no such signal/);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doOptions } from './do_options.ts';
import { parsePlain } from './plain.ts';
import { makeProgram } from './program.ts';

/** The options that commander and doOptions make of `words`. */
async function parsed(words: string[]): Promise<unknown> {
  let options: unknown;
  const program = makeProgram(async (command, flags) => {
    options = doOptions(command, flags);
  });
  await program.parseAsync(words, { from: 'user' });
  return options;
}

test('plain command lines mean what they mean to commander', async () => {
  const lines = [
    ['do', '--', 'true'],
    ['do', '--', 'sh', '-c', 'exit 3', '--', '--platform=x', 'do'],
    ['do', '--platform=ptrace', '--', 'ls', '-l'],
    ['do', '--platform=ptrace', '--', '--odd-name'],
    ['do', '--cwd=/tmp', '--hostname=a=b', '--memory=512m', '--rootfs=/usr', '--user=1:2', '--', 'id', ''],
  ];
  for (const words of lines) {
    const plain = parsePlain(words);
    assert.ok(plain !== null, words.join(' '));
    assert.deepEqual(doOptions(plain.command, plain.flags), await parsed(words), words.join(' '));
  }
});

test('what is not plain is left to commander', () => {
  const lines = [
    [],
    ['do'],
    ['do', '--'],
    ['do', 'true'],
    ['do', '--help', '--', 'true'],
    ['do', '--platform', 'ptrace', '--', 'true'],
    ['do', '--platform=', '--', 'true'],
    ['do', '--cpus=2', '--', 'true'],
    ['do', '--platform=ptrace', '--platform=systrap', '--', 'true'],
    ['do', '--strace=f', '--', 'true'],
    ['do', '-e', 'A=b', '--', 'true'],
    ['do', 'ls', '--', '--platform=x'],
    ['doctor', '--', 'true'],
    ['do', '--=x', '--', 'true'],
  ];
  for (const words of lines) assert.equal(parsePlain(words), null, words.join(' '));
});

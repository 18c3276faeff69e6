import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EACCES, ENOEXEC } from '../../abi/errno.ts';
import { BINPRM_BUF_SIZE } from './binprm.ts';
import { parseScript } from './script.ts';

function parse(text: string): ReturnType<typeof parseScript> {
  const buf = new Uint8Array(BINPRM_BUF_SIZE);
  buf.set(Buffer.from(text, 'latin1').subarray(0, BINPRM_BUF_SIZE));
  return parseScript(buf);
}

test('a file without #! is no script', () => {
  assert.equal(parse(''), null);
  assert.equal(parse('# !/bin/sh\n'), null);
  assert.equal(parse('\x7fELF'), null);
});

test('interpreter and one argument, blanks trimmed', () => {
  assert.deepEqual(parse('#!/bin/sh\n'), { interpreter: '/bin/sh', argument: null });
  assert.deepEqual(parse('#! \t/bin/sh \t\nrest'), { interpreter: '/bin/sh', argument: null });
  assert.deepEqual(parse('#!/usr/bin/env  -S python3 -x \n'), {
    interpreter: '/usr/bin/env',
    argument: '-S python3 -x',
  });
});

test('the end of the file ends the line', () => {
  assert.deepEqual(parse('#!/bin/sh'), { interpreter: '/bin/sh', argument: null });
  assert.deepEqual(parse('#!/bin/sh -e'), { interpreter: '/bin/sh', argument: '-e' });
});

test('no interpreter is -ENOEXEC, an empty name -EACCES', () => {
  assert.equal(parse('#!'), -EACCES, 'Linux opens the empty name');
  assert.equal(parse('#!\n'), -ENOEXEC);
  assert.equal(parse('#!  \t \n/bin/sh'), -ENOEXEC);
  assert.equal(parse(`#!${' '.repeat(400)}/bin/sh\n`), -ENOEXEC);
});

test('a name that the buffer cuts off is refused, an argument is cut', () => {
  assert.equal(parse(`#!/${'a'.repeat(300)}\n`), -ENOEXEC);
  const r = parse(`#!/bin/sh ${'b'.repeat(300)}\n`);
  assert.ok(r !== null && typeof r !== 'number');
  assert.equal(r.interpreter, '/bin/sh');
  assert.equal(r.argument!.length, BINPRM_BUF_SIZE - 1 - '#!/bin/sh '.length);
});

test('a NUL ends the name or the argument', () => {
  assert.deepEqual(parse('#!/bin/sh\0 -e\n'), { interpreter: '/bin/sh', argument: null });
  assert.deepEqual(parse('#!/bin/sh a\0b\n'), { interpreter: '/bin/sh', argument: 'a' });
});

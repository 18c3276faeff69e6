import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromText, hostPath, toText } from './bytes.ts';

test('text keeps every byte', () => {
  const pieces = fc.constantFrom(
    'a',
    '\xc3',
    '\xa4',
    '\xf0\x9f\x92\x80',
    '\xef\xbf\xbd',
    '\xed\xb2\x80',
    '\xff',
    '\xe2\x82',
  );
  const strings = fc.oneof(
    fc.array(pieces).map((parts) => parts.join('')),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  fc.assert(fc.property(strings, (bytes) => assert.equal(fromText(toText(bytes)), bytes)));
});

test('UTF-8 is text as anywhere, and other bytes are lone surrogates', () => {
  assert.equal(toText('a\xc3\xa4\xf0\x9f\x92\x80'), 'aä💀');
  assert.equal(fromText('a\u00e4💀'), 'a\xc3\xa4\xf0\x9f\x92\x80');
  assert.equal(toText('\xff\xc3\xa4'), '\udcffä');
  assert.equal(hostPath('/d/ä'), '/d/ä');
  assert.deepEqual(hostPath('/d\udcff/ä'), Buffer.from('/d\xff/\xc3\xa4', 'latin1'));
});

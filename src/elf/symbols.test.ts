import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostVdsoAddr, hostVdsoBytes } from '../host/auxv.ts';
import { SIZEOF_EHDR } from './constants.ts';
import { writeSharedObject } from './shared.ts';
import { dynamicSymbol, sizeOfObject } from './symbols.ts';

const object = writeSharedObject({
  soname: 'x.so.1',
  version: 'X_1',
  textVaddr: 0x1000,
  text: new Uint8Array(64).fill(0xc3),
  symbols: [
    { name: '__vdso_clock', offset: 16, size: 8 },
    { name: '__vdso_clock_gettime', offset: 32, size: 8 },
    { name: 'clock_gettime', offset: 32, size: 8, binding: 'weak' },
  ],
});
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

test('symbols of an object of ours', () => {
  const view = viewOf(object);
  assert.equal(sizeOfObject(view), object.length);
  assert.equal(dynamicSymbol(view, '__vdso_clock_gettime'), 0x1020);
  assert.equal(dynamicSymbol(view, '__vdso_clock'), 0x1010);
  assert.equal(dynamicSymbol(view, '__vdso_clock_get'), 0);
  assert.equal(dynamicSymbol(view, ''), 0);
});

test('no object, and one that is cut off', () => {
  assert.equal(sizeOfObject(viewOf(new Uint8Array(64))), 0);
  assert.equal(sizeOfObject(viewOf(object.subarray(0, 32))), 0);
  for (let n = 0; n < object.length; n += 7)
    assert.equal(dynamicSymbol(viewOf(object.subarray(0, n)), '__vdso_clock'), 0);
});

test('damaged bytes are never read beyond the end', () => {
  for (let at = 40; at < 64; at++) {
    const damaged = object.slice();
    damaged[at]! ^= 0xff;
    dynamicSymbol(viewOf(damaged), '__vdso_clock_gettime');
  }
  const tables = sizeOfObject(viewOf(object)) - 64;
  for (let at = tables - 64 * 8; at < object.length; at++) {
    const damaged = object.slice();
    damaged[at]! ^= 0xff;
    dynamicSymbol(viewOf(damaged), '__vdso_clock_gettime');
  }
});

test("the host's vDSO", { skip: hostVdsoAddr() === 0 ? 'this host has none' : false }, () => {
  const size = sizeOfObject(hostVdsoBytes(SIZEOF_EHDR));
  assert.ok(size > SIZEOF_EHDR);
  const gettime = dynamicSymbol(hostVdsoBytes(size), '__vdso_clock_gettime');
  assert.ok(gettime >= SIZEOF_EHDR && gettime < size, `${gettime} of ${size}`);
});

// SipHash-2-4 against the vectors of its authors' paper, appendix A, and of their reference program.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipHash } from './siphash.ts';

test('SipHash-2-4 of 0, 8 and 32 bytes', () => {
  const key = new DataView(Uint8Array.from({ length: 16 }, (_, i) => i).buffer);
  const bytes = new DataView(Uint8Array.from({ length: 64 }, (_, i) => i).buffer);
  const h = new SipHash();
  for (const [size, high, low] of [
    [0, 0x726fdb47, 0xdd0e0e31],
    [8, 0x93f5f579, 0x9a932462],
    [16, 0x3f2acc7f, 0x57c29bdb],
    [32, 0x7127512f, 0x72f27cce],
  ] as const) {
    h.hash(bytes, size, key, 0);
    assert.deepEqual([h.high >>> 0, h.low >>> 0], [high, low], `${size} bytes`);
  }
});

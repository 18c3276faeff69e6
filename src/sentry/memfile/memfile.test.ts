import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryFile } from './memfile.ts';

const PAGE = 4096;
const MIB = 2 ** 20;

describe('memory file', () => {
  for (const how of ['alloc', 'allocToOverwrite'] as const)
    test(`${how}: every frame is visible, also through views taken before`, () => {
      const m = MemoryFile.create(256 * MIB) as MemoryFile;
      assert.ok(m.alloc(2 ** 18 + 1) < 0);
      const first = m.alloc(1);
      const early = m.u8(first);
      const at = m.byteOffset(first);
      const frames = Array.from({ length: 12 }, () => m[how]((4 * MIB) / PAGE));
      for (const [i, frame] of frames.entries()) {
        const last = frame + (4 * MIB) / PAGE - 1;
        m.u8(last)[m.byteOffset(last) + PAGE - 1] = i + 1;
        assert.equal(m.i32(last)[(m.byteOffset(last) + PAGE) / 4 - 1]! >>> 24, i + 1);
      }
      early[at] = 7;
      assert.equal(m.u8(first)[at], 7);
    });
});

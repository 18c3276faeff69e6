// HostBuffer: memory with a fixed address that host calls read and write, seen through typed views.

import { bootMemory, viewMemory } from './ffi.ts';

const ARENA = 1 << 20;
let arenaAddr = 0;
let arenaLeft = 0;

export class HostBuffer {
  readonly addr: number;
  readonly size: number;
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly view: DataView;

  private constructor(addr: number, size: number) {
    this.addr = addr;
    this.size = size;
    this.buffer = viewMemory(addr, size);
    this.u8 = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
  }

  /** `size` zeroed bytes, 64-byte aligned, for the life of the process. */
  static alloc(size: number): HostBuffer {
    const rounded = Math.ceil(size / 64) * 64;
    if (rounded > ARENA / 4) return new HostBuffer(bootMemory(Math.ceil(rounded / 4096) * 4096), size);
    if (rounded > arenaLeft) {
      arenaAddr = bootMemory(ARENA);
      arenaLeft = ARENA;
    }
    const b = new HostBuffer(arenaAddr, size);
    arenaAddr += rounded;
    arenaLeft -= rounded;
    return b;
  }

  /** Writes a NUL-terminated byte string (one char per byte) at `off`; returns its host address. */
  putString(s: string, off = 0): number {
    const n = Buffer.from(this.buffer, off, this.size - off).write(s, 'latin1');
    this.u8[off + n] = 0;
    return this.addr + off;
  }
}

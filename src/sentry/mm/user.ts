// Access of the kernel to guest memory: page by page through the Tlb, faulting pages in as the guest itself would.

import { EFAULT, ENAMETOOLONG, ENOMEM } from '../../abi/errno.ts';
import { PROT_WRITE } from '../../abi/memory/mman.ts';
import { SIGKILL, SIGSEGV } from '../../abi/signal/signal.ts';
import { bytesToString } from '../base/bytes.ts';
import { CHUNK_SHIFT } from '../memfile/memfile.ts';
import { GUEST_TOP } from '../platform/platform.ts';
import { directFile } from './direct.ts';
import { resolve } from './fault.ts';
import type { MemoryManager } from './mm.ts';
import { bringIn } from './pages.ts';
import { PTE_WRITE } from './pagetable.ts';
import { growStack } from './stack.ts';

const PAGE = 4096;
const PER_PAGE = 1 / 4096;
const TOP_PAGE = GUEST_TOP / PAGE;
/** Below this many bytes a loop is cheaper than a subarray and set(). */
const LOOP_MAX = 64;

/** Frame of page `pn`, readable by the guest; -EFAULT. */
export function readFrame(mm: MemoryManager, pn: number): number {
  const f = mm.tlb.read(pn);
  return f >= 0 ? f : lookUp(mm, pn, false);
}

/** Frame of page `pn`, writable by the guest and not shared with a fork; -EFAULT. */
export function writeFrame(mm: MemoryManager, pn: number): number {
  const f = mm.tlb.write(pn);
  return f >= 0 ? f : lookUp(mm, pn, true);
}

function lookUp(mm: MemoryManager, pn: number, write: boolean): number {
  // What the access would have died of, had the guest made it: the kernel's loop looks for SIGKILL.
  mm.faultSig = SIGSEGV;
  if (!(pn >= 0 && pn < TOP_PAGE)) return -EFAULT;
  mm.boundHostMappings();
  const addr = pn * PAGE;
  const vma = mm.vmas.find(addr) ?? growStack(mm, addr);
  if (vma === null || vma.prot === 0) return -EFAULT;
  if (write && (vma.prot & PROT_WRITE) === 0) return -EFAULT;
  // What the stub has, or will have, from the host's file needs no order for the kernel's sake.
  const r = !write && directFile(mm, vma) !== null ? bringIn(mm, vma, pn) : resolve(mm, vma, addr, write);
  if (r < 0) {
    if (r === -ENOMEM) mm.faultSig = SIGKILL;
    return -EFAULT;
  }
  const leaf = mm.pt.find(pn)!;
  const i = pn & 511;
  const frame = leaf.frames[i]!;
  mm.tlb.fill(pn, frame, (leaf.flags[i]! & PTE_WRITE) !== 0);
  return frame;
}

/** Moves n bytes between two arrays, which may be the same. */
function move(dst: Uint8Array, to: number, src: Uint8Array, from: number, n: number): void {
  if (n <= LOOP_MAX) for (let i = 0; i < n; i++) dst[to + i] = src[from + i]!;
  else if (dst === src) dst.copyWithin(to, from, from + n);
  else dst.set(src.subarray(from, from + n), to);
}

export function copyIn(mm: MemoryManager, addr: number, dst: Uint8Array, off: number, len: number): number {
  const memfile = mm.memfile;
  let done = 0;
  while (done < len) {
    const a = addr + done;
    let pn = Math.floor(a * PER_PAGE);
    const frame = readFrame(mm, pn);
    if (frame < 0) break;
    const at = memfile.byteOffset(frame) + (a - pn * PAGE);
    let n = (pn + 1) * PAGE - a;
    // Pages of one window have consecutive frames: one copy for all of them.
    for (let f = frame + 1; done + n < len && readFrame(mm, ++pn) === f; f++) {
      if (f >>> CHUNK_SHIFT !== frame >>> CHUNK_SHIFT) break;
      n += PAGE;
    }
    if (n > len - done) n = len - done;
    move(dst, off + done, memfile.u8(frame), at, n);
    done += n;
  }
  return done > 0 || len <= 0 ? done : -EFAULT;
}

export function copyOut(mm: MemoryManager, addr: number, src: Uint8Array, off: number, len: number): number {
  const memfile = mm.memfile;
  let done = 0;
  while (done < len) {
    const a = addr + done;
    let pn = Math.floor(a * PER_PAGE);
    const frame = writeFrame(mm, pn);
    if (frame < 0) break;
    const at = memfile.byteOffset(frame) + (a - pn * PAGE);
    let n = (pn + 1) * PAGE - a;
    for (let f = frame + 1; done + n < len && writeFrame(mm, ++pn) === f; f++) {
      if (f >>> CHUNK_SHIFT !== frame >>> CHUNK_SHIFT) break;
      n += PAGE;
    }
    if (n > len - done) n = len - done;
    move(memfile.u8(frame), at, src, off + done, n);
    done += n;
  }
  return done > 0 || len <= 0 ? done : -EFAULT;
}

export function copyInExact(
  mm: MemoryManager,
  addr: number,
  dst: Uint8Array,
  off: number,
  len: number,
): number {
  return copyIn(mm, addr, dst, off, len) === len ? 0 : -EFAULT;
}

export function copyOutExact(
  mm: MemoryManager,
  addr: number,
  src: Uint8Array,
  off: number,
  len: number,
): number {
  return copyOut(mm, addr, src, off, len) === len ? 0 : -EFAULT;
}

export function zeroOut(mm: MemoryManager, addr: number, len: number): number {
  let done = 0;
  while (done < len) {
    const a = addr + done;
    const pn = Math.floor(a * PER_PAGE);
    const frame = writeFrame(mm, pn);
    if (frame < 0) break;
    const n = Math.min((pn + 1) * PAGE - a, len - done);
    mm.memfile.zero(frame, a - pn * PAGE, n);
    done += n;
  }
  return done > 0 || len <= 0 ? done : -EFAULT;
}

export function copyInString(mm: MemoryManager, addr: number, max: number): string | number {
  let text = '';
  let done = 0;
  while (done < max) {
    const a = addr + done;
    const pn = Math.floor(a * PER_PAGE);
    const frame = readFrame(mm, pn);
    if (frame < 0) return -EFAULT;
    const bytes = mm.memfile.u8(frame);
    const at = mm.memfile.byteOffset(frame) + (a - pn * PAGE);
    const n = Math.min((pn + 1) * PAGE - a, max - done);
    let i = 0;
    while (i < n && bytes[at + i] !== 0) i++;
    text += bytesToString(bytes, at, i);
    if (i < n) return text;
    done += n;
  }
  return -ENAMETOOLONG;
}

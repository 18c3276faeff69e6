// What /proc asks of an address space, in one place.

import { PROT_EXEC } from '../../../abi/memory/mman.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { TASK_DEAD } from '../../kernel/states.ts';
import type { Task } from '../../kernel/task/task.ts';
import { isDirect } from '../../mm/direct.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { LEAF_PAGES, PTE_ANON } from '../../mm/pagetable.ts';
import type { Vma } from '../../mm/vma.ts';

/** The address space of a task; null once it is dead. */
export function mmOf(t: Task): MemoryManager | null {
  return t.state === TASK_DEAD ? null : t.mm;
}

/** The mappings in order of their addresses; they may change between two of them. */
export function* vmasOf(mm: MemoryManager): Iterable<Vma> {
  for (let i = 0; i < mm.vmas.length; ) {
    const v = mm.vmas.at(i);
    const { end } = v;
    yield v;
    i = mm.vmas.indexAbove(end);
  }
}

export function eachVma(mm: MemoryManager, visit: (v: Vma) => void): void {
  for (let i = 0; i < mm.vmas.length; i++) visit(mm.vmas.at(i));
}

/** Sizes in pages, zero without an address space. */
export interface Memory {
  readonly present: boolean;
  readonly vmPages: number;
  readonly peakVmPages: number;
  readonly rssPages: number;
  readonly peakRssPages: number;
  readonly rssFilePages: number;
  readonly dataPages: number;
  readonly stackPages: number;
  readonly lockedPages: number;
  /** Executable file mappings; those of the program itself. */
  readonly textPages: number;
  readonly exePages: number;
}

const NO_MEMORY: Memory = {
  present: false,
  vmPages: 0,
  peakVmPages: 0,
  rssPages: 0,
  peakRssPages: 0,
  rssFilePages: 0,
  dataPages: 0,
  stackPages: 0,
  lockedPages: 0,
  textPages: 0,
  exePages: 0,
};

export function memoryOf(t: Task): Memory {
  const mm = mmOf(t);
  if (mm === null) return NO_MEMORY;
  const exe = t.group.exeFile;
  let textPages = 0;
  let exePages = 0;
  eachVma(mm, (v) => {
    if ((v.prot & PROT_EXEC) === 0 || v.file === null) return;
    textPages += v.pages;
    if (exe !== null && (v.file as { inode?: unknown }).inode === exe.inode) exePages += v.pages;
  });
  return {
    present: true,
    vmPages: mm.totalPages,
    peakVmPages: mm.peakTotalPages,
    rssPages: mm.rssPages,
    peakRssPages: mm.peakRssPages,
    rssFilePages: mm.rssFilePages,
    dataPages: mm.dataPages,
    stackPages: mm.stackPages,
    lockedPages: mm.lockedPages,
    textPages,
    exePages,
  };
}

/** Places that exec laid out. */
export interface Layout {
  readonly startCode: number;
  readonly endCode: number;
  readonly startData: number;
  readonly endData: number;
  readonly startBrk: number;
  readonly startStack: number;
  readonly argStart: number;
  readonly argEnd: number;
  readonly envStart: number;
  readonly envEnd: number;
  readonly auxv: Uint8Array;
}

const NO_LAYOUT: Layout = {
  startCode: 0,
  endCode: 0,
  startData: 0,
  endData: 0,
  startBrk: 0,
  startStack: 0,
  argStart: 0,
  argEnd: 0,
  envStart: 0,
  envEnd: 0,
  auxv: new Uint8Array(0),
};

export function layoutOf(t: Task): Layout {
  const mm = mmOf(t);
  return mm === null ? NO_LAYOUT : mm;
}

/** Resident pages of a mapping, as smaps counts them. */
export class Resident {
  pages = 0;
  anonymous = 0;
  dirty = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  locked = 0;
  /** Each page counted by one over its sharers. */
  proportional = 0;

  add(o: Resident): void {
    this.pages += o.pages;
    this.anonymous += o.anonymous;
    this.dirty += o.dirty;
    this.sharedClean += o.sharedClean;
    this.sharedDirty += o.sharedDirty;
    this.privateClean += o.privateClean;
    this.privateDirty += o.privateDirty;
    this.locked += o.locked;
    this.proportional += o.proportional;
  }
}

export function residentOf(mm: MemoryManager, v: Vma): Resident {
  const r = new Resident();
  const first = v.start / PAGE_SIZE;
  const end = v.end / PAGE_SIZE;
  // From the host's file: clean, and of nobody in particular.
  r.pages = r.privateClean = r.proportional = v.directTo - v.directFrom;
  for (const key of mm.pt.keys(first, end)) {
    const leaf = mm.pt.leaves.get(key)!;
    const base = key * LEAF_PAGES;
    const to = Math.min(LEAF_PAGES, end - base);
    for (let i = Math.max(0, first - base); i < to; i++) {
      if (leaf.flags[i] === 0) continue;
      const anonymous = (leaf.flags[i]! & PTE_ANON) !== 0;
      if (!anonymous && isDirect(v, base + i)) continue;
      // A file's page is held by its cache as well as by each mapping.
      const sharers = Math.max(1, mm.memfile.refs(leaf.frames[i]!) - (anonymous ? 0 : 1));
      r.pages++;
      r.proportional += 1 / sharers;
      if (anonymous) {
        r.anonymous++;
        r.dirty += 1 / sharers;
        if (sharers > 1) r.sharedDirty++;
        else r.privateDirty++;
      } else if (sharers > 1) {
        r.sharedClean++;
      } else {
        r.privateClean++;
      }
    }
  }
  return r;
}

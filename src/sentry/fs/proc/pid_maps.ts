// /proc/PID/maps, smaps and smaps_rollup: proc_pid_maps(5), proc_pid_smaps(5).

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import type { Task } from '../../kernel/task/task.ts';
import {
  VM_DONTDUMP,
  VM_DONTFORK,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_LOCKED,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  type Vma,
} from '../../mm/vma.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { pathString } from '../../vfs/dpath.ts';
import type { File } from '../../vfs/file.ts';
import { devMajor, devMinor } from '../../vfs/filesystem.ts';
import { escapeOctal, hex, kb } from './format.ts';
import { mmOf, Resident, residentOf, vmasOf } from './mm_view.ts';

/** Column at which the name starts, when there is room. */
const NAME_COLUMN = 73;

function protText(v: Vma): string {
  const r = (v.prot & PROT_READ) !== 0 ? 'r' : '-';
  const w = (v.prot & PROT_WRITE) !== 0 ? 'w' : '-';
  const x = (v.prot & PROT_EXEC) !== 0 ? 'x' : '-';
  return `${r}${w}${x}${v.shared ? 's' : 'p'}`;
}

/** The name of a mapping: its file's path, or what the kernel calls it. */
function nameOf(v: Vma, ctx: VfsContext): string {
  const file = v.file as File | null;
  if (file !== null) {
    const text = file.path === null ? file.describe() : pathString(file.path, ctx.fs.root);
    return escapeOctal(text, '\n');
  }
  if (v.name !== '') return v.name;
  return v.source !== null && v.shared ? '/dev/zero (deleted)' : '';
}

export function mapsLine(v: Vma, ctx: VfsContext): string {
  const file = v.file as File | null;
  const dev = file === null ? (v.source !== null && v.shared ? 1 : 0) : file.inode.dev;
  const ino = file === null ? 0 : file.inode.ino;
  const offset = v.source === null ? 0 : v.pgoff * 4096;
  const where = `${hex(v.start, 8)}-${hex(v.end, 8)} ${protText(v)} ${hex(offset, 8)}`;
  const head = `${where} ${hex(devMajor(dev), 2)}:${hex(devMinor(dev), 2)} ${ino} `;
  const name = nameOf(v, ctx);
  return name === '' ? `${head}\n` : `${head.padEnd(NAME_COLUMN)}${name}\n`;
}

export function* mapsText(t: Task, ctx: VfsContext): Iterable<string> {
  const mm = mmOf(t);
  if (mm !== null) for (const v of vmasOf(mm)) yield mapsLine(v, ctx);
}

const VM_FLAGS: readonly (readonly [number, string])[] = [
  [VM_GROWSDOWN, 'gd'],
  [VM_LOCKED, 'lo'],
  [VM_SEQ_READ, 'sr'],
  [VM_RAND_READ, 'rr'],
  [VM_DONTFORK, 'dc'],
  [VM_NORESERVE, 'nr'],
  [VM_WIPEONFORK, 'wf'],
  [VM_DONTDUMP, 'dd'],
  [VM_HUGEPAGE, 'hg'],
  [VM_NOHUGEPAGE, 'nh'],
];

function flagsText(v: Vma): string {
  let s = 'VmFlags:';
  if ((v.prot & PROT_READ) !== 0) s += ' rd';
  if ((v.prot & PROT_WRITE) !== 0) s += ' wr';
  if ((v.prot & PROT_EXEC) !== 0) s += ' ex';
  if ((v.flags & VM_SHARED) !== 0) s += ' sh';
  if ((v.maxProt & PROT_READ) !== 0) s += ' mr';
  if ((v.maxProt & PROT_WRITE) !== 0) s += ' mw';
  if ((v.maxProt & PROT_EXEC) !== 0) s += ' me';
  if ((v.flags & VM_SHARED) !== 0) s += ' ms';
  for (const [bit, text] of VM_FLAGS) if ((v.flags & bit) !== 0) s += ` ${text}`;
  return `${s} \n`;
}

const line = (name: string, kib: number): string => kb(`${name}:`.padEnd(16), kib, 8);

/** The counters that smaps and smaps_rollup share. */
function counters(r: Resident, rollup: boolean): string {
  const kib = (pages: number): number => pages * 4;
  let out = line('Rss', kib(r.pages)) + line('Pss', kib(r.proportional)) + line('Pss_Dirty', kib(r.dirty));
  if (rollup) {
    out +=
      line('Pss_Anon', kib(r.anonymous)) +
      line('Pss_File', kib(r.pages - r.anonymous)) +
      line('Pss_Shmem', 0);
  }
  out += line('Shared_Clean', kib(r.sharedClean)) + line('Shared_Dirty', kib(r.sharedDirty));
  out += line('Private_Clean', kib(r.privateClean)) + line('Private_Dirty', kib(r.privateDirty));
  out += line('Referenced', kib(r.pages)) + line('Anonymous', kib(r.anonymous));
  for (const name of ['KSM', 'LazyFree', 'AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped'])
    out += line(name, 0);
  out += line('Shared_Hugetlb', 0) + line('Private_Hugetlb', 0) + line('Swap', 0) + line('SwapPss', 0);
  return out + line('Locked', kib(r.locked));
}

export function* smapsText(t: Task, ctx: VfsContext): Iterable<string> {
  const mm = mmOf(t);
  if (mm === null) return;
  for (const v of vmasOf(mm)) {
    const sizes = line('Size', v.pages * 4) + line('KernelPageSize', 4) + line('MMUPageSize', 4);
    const counted = counters(residentOf(mm, v), false);
    yield `${mapsLine(v, ctx)}${sizes}${counted}THPeligible:           0\n${flagsText(v)}`;
  }
}

export function* smapsRollupText(t: Task): Iterable<string> {
  const mm = mmOf(t);
  if (mm === null || mm.vmas.length === 0) return;
  const { start } = mm.vmas.at(0);
  const total = new Resident();
  let end = 0;
  for (const v of vmasOf(mm)) {
    total.add(residentOf(mm, v));
    end = v.end;
    yield '';
  }
  const range = `${hex(start, 8)}-${hex(end, 8)} ---p 00000000 00:00 0 `;
  yield `${range.padEnd(NAME_COLUMN)}[rollup]\n${counters(total, true)}`;
}

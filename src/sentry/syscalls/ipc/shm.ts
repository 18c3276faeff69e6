// shmget(2), shmat(2), shmdt(2), shmctl(2).

import { EEXIST, EFAULT, EINVAL, ENOMEM, EPERM } from '../../../abi/errno.ts';
import {
  decodeIpc64Perm,
  encodeShmInfo,
  encodeShmid64Ds,
  encodeShminfo64,
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_EXEC,
  SHM_HUGETLB,
  SHM_INFO,
  SHM_LOCK,
  SHM_RDONLY,
  SHM_REMAP,
  SHM_RND,
  SHM_STAT,
  SHM_STAT_ANY,
  SHM_UNLOCK,
  SHMMIN,
  SHMMNI,
  SHMSEG,
  SIZEOF_IPC64_PERM,
  SIZEOF_SHM_INFO,
  SIZEOF_SHMID64_DS,
  SIZEOF_SHMINFO64,
} from '../../../abi/ipc/ipc.ts';
import {
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../../abi/memory/mman.ts';
import { CAP_IPC_LOCK } from '../../../abi/process/capability.ts';
import { SYS_shmat, SYS_shmctl, SYS_shmdt, SYS_shmget } from '../../../abi/syscall.ts';
import { fileMemory } from '../../base/charge.ts';
import { countUnsupported } from '../../base/log.ts';
import { PAGE_SIZE, pageDown, pageOffset, pageUp } from '../../base/page.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { SHM_LOCKED } from '../../kernel/ipc/namespace.ts';
import { ShmSegment } from '../../kernel/ipc/shm.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { Vma } from '../../mm/vma.ts';
import { ADDR, HEX, INT, ONE_OF, SIZE, STRUCT } from '../kinds.ts';
import { bringInQuietly } from '../memory/bring_in.ts';
import { sys } from '../row.ts';

const READ = 0o444;
/** kernel.shmmax and shmall, the latter in pages: Linux's defaults. */
const SHMMAX = 2 ** 64 - 2 ** 24;
const SHMALL = 2 ** 52 - 2 ** 12;

/** Implements shmget(2). */
function shmget(t: Task, key: number, size: number, flags: number): number {
  const table = t.ipc.shm;
  return table.open(
    t.cred,
    key,
    flags,
    (o) => (size > o.size || size < 0 ? -EINVAL : 0),
    () => {
      if (size < SHMMIN) return -EINVAL;
      if ((flags & SHM_HUGETLB) !== 0) {
        countUnsupported('SHM_HUGETLB');
        return -EINVAL;
      }
      if (size > t.kernel.totalMemBytes || !fileMemory.fits(size)) return -ENOMEM;
      return new ShmSegment(t, table, key, flags, t.cred, size);
    },
  );
}

/** Implements shmat(2). */
function shmat(t: Task, id: number, addrArg: number, flags: number): number {
  if (t.call.active) return bringInQuietly(t, 0);
  if (id < 0) return -EINVAL;
  let addr = addrArg;
  if (addr !== 0) {
    if (addr < 0) return -EINVAL;
    if (pageOffset(addr) !== 0) {
      if ((flags & SHM_RND) === 0) return -EINVAL;
      addr = pageDown(addr);
      if (addr === 0 && (flags & SHM_REMAP) !== 0) return -EINVAL;
    }
  } else if ((flags & SHM_REMAP) !== 0) return -EINVAL;
  const seg = t.ipc.shm.get(id);
  if (seg === null) return -EINVAL;
  const readOnly = (flags & SHM_RDONLY) !== 0;
  const exec = (flags & SHM_EXEC) !== 0;
  const denied = seg.checkAccess(t.cred, (readOnly ? 0o444 : 0o666) | (exec ? 0o111 : 0));
  if (denied !== 0) return denied;
  const prot = PROT_READ | (readOnly ? 0 : PROT_WRITE) | (exec ? PROT_EXEC : 0);
  const fixed = addr === 0 ? 0 : (flags & SHM_REMAP) !== 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  const maxProt = PROT_READ | PROT_EXEC | (readOnly ? 0 : PROT_WRITE);
  const len = pageUp(seg.size);
  const at = t.mm.mmap(addr, len, prot, MAP_SHARED | fixed, seg.file, seg.cache, 0, '', maxProt);
  if (at < 0) return at === -EEXIST ? -EINVAL : at;
  seg.lpid = t.tgid;
  seg.atimeSec = t.kernel.time.realtimeSec();
  return bringInQuietly(t, at);
}

/** Implements shmdt(2): unmaps what is left of the attachment that began at `addr`. */
function shmdt(t: Task, addr: number): number {
  if (addr < 0 || pageOffset(addr) !== 0) return -EINVAL;
  let seg: ShmSegment | null = null;
  const parts: Vma[] = [];
  for (const vma of t.mm.vmas.list) {
    const o = segmentOf(t, vma);
    if (o === null || vma.start - vma.pgoff * PAGE_SIZE !== addr) continue;
    if (seg === null) seg = o;
    if (o === seg) parts.push(vma);
  }
  if (seg === null) return -EINVAL;
  seg.lpid = t.tgid;
  seg.dtimeSec = t.kernel.time.realtimeSec();
  for (const range of parts.map((v) => [v.start, v.end] as const)) t.mm.munmap(range[0], range[1] - range[0]);
  return 0;
}

/** The segment that a mapping shows; also one that is marked for removal, or of another namespace. */
function segmentOf(_t: Task, vma: Vma): ShmSegment | null {
  const file = vma.file as { segment?: unknown } | null;
  return file !== null && file.segment instanceof ShmSegment ? file.segment : null;
}

function info(t: Task, cmd: number, addr: number): number {
  let size = SIZEOF_SHMINFO64;
  if (cmd === IPC_INFO) {
    encodeShminfo64(scratchView, 0, {
      shmmax: SHMMAX,
      shmmin: SHMMIN,
      shmmni: SHMMNI,
      shmseg: SHMSEG,
      shmall: SHMALL,
    });
  } else {
    let total = 0;
    let resident = 0;
    for (const s of t.ipc.shm.all()) {
      total += pageUp(s.size) / PAGE_SIZE;
      resident += s.cache.pages;
    }
    size = SIZEOF_SHM_INFO;
    encodeShmInfo(scratchView, 0, {
      usedIds: t.ipc.shm.used,
      shmTot: total,
      shmRss: resident,
      shmSwp: 0,
      swapAttempts: 0,
      swapSuccesses: 0,
    });
  }
  return t.mm.copyOutExact(addr, scratch, 0, size) !== 0 ? -EFAULT : t.ipc.shm.maxIndex;
}

function stat(t: Task, id: number, cmd: number, addr: number): number {
  const s = cmd === IPC_STAT ? t.ipc.shm.get(id) : t.ipc.shm.at(id);
  if (s === null) return -EINVAL;
  if (cmd !== SHM_STAT_ANY) {
    const denied = s.checkAccess(t.cred, READ);
    if (denied !== 0) return denied;
  }
  encodeShmid64Ds(scratchView, 0, {
    perm: s.perm(),
    segsz: s.size,
    atimeSec: s.atimeSec,
    dtimeSec: s.dtimeSec,
    ctimeSec: s.ctimeSec,
    cpid: s.cpid,
    lpid: s.lpid,
    nattch: s.attached,
  });
  if (t.mm.copyOutExact(addr, scratch, 0, SIZEOF_SHMID64_DS) !== 0) return -EFAULT;
  return cmd === IPC_STAT ? 0 : s.id;
}

/** Implements shmctl(2). */
function shmctl(t: Task, id: number, cmd: number, addr: number): number {
  if (id < 0 || cmd < 0) return -EINVAL;
  switch (cmd) {
    case IPC_INFO:
    case SHM_INFO:
      return info(t, cmd, addr);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
      return stat(t, id, cmd, addr);
    default:
      break;
  }
  if (cmd === IPC_SET && t.mm.copyInExact(addr, scratch, 0, SIZEOF_IPC64_PERM) !== 0) return -EFAULT;
  const s = t.ipc.shm.get(id);
  if (s === null) return -EINVAL;
  switch (cmd) {
    case IPC_SET: {
      const denied = s.checkOwner(t.cred);
      if (denied !== 0) return denied;
      const err = s.setPerm(decodeIpc64Perm(scratchView, 0));
      s.ctimeSec = t.kernel.time.realtimeSec();
      return err;
    }
    case IPC_RMID: {
      const denied = s.checkOwner(t.cred);
      if (denied !== 0) return denied;
      s.destroyLater();
      return 0;
    }
    case SHM_LOCK:
    case SHM_UNLOCK: {
      const owner = s.uid === t.cred.euid || s.cuid === t.cred.euid;
      if (!owner && !t.cred.capable(CAP_IPC_LOCK)) return -EPERM;
      // Pages of the memory file are never swapped: only the flag changes.
      s.mode = cmd === SHM_LOCK ? s.mode | SHM_LOCKED : s.mode & ~SHM_LOCKED;
      return 0;
    }
    default:
      return -EINVAL;
  }
}

const CMD = ONE_OF('cmd', [
  ['IPC_RMID', IPC_RMID],
  ['IPC_SET', IPC_SET],
  ['IPC_STAT', IPC_STAT],
  ['SHM_LOCK', SHM_LOCK],
  ['SHM_UNLOCK', SHM_UNLOCK],
]);

export const rows = [
  sys(SYS_shmget, [INT, SIZE, HEX], shmget, 'no huge pages'),
  sys(SYS_shmat, [INT, ADDR, HEX], shmat),
  sys(SYS_shmdt, [ADDR], shmdt),
  sys(SYS_shmctl, [INT, CMD, STRUCT('shmid_ds', true)], shmctl),
];

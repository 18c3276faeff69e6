// semget(2), semop(2), semtimedop(2), semctl(2).

import { E2BIG, EAGAIN, EFAULT, EFBIG, EIDRM, EINTR, EINVAL, ENOMEM, ERANGE } from '../../../abi/errno.ts';
import {
  decodeIpc64Perm,
  decodeSembuf,
  encodeSemid64Ds,
  encodeSeminfo,
  GETALL,
  GETNCNT,
  GETPID,
  GETVAL,
  GETZCNT,
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SEM_INFO,
  SEM_STAT,
  SEM_STAT_ANY,
  SEM_UNDO,
  SEMAEM,
  SEMMAP,
  SEMMNI,
  SEMMNS,
  SEMMNU,
  SEMMSL,
  SEMOPM,
  SEMUME,
  SEMUSZ,
  SEMVMX,
  SETALL,
  SETVAL,
  type Sembuf,
  SIZEOF_IPC64_PERM,
  SIZEOF_SEMBUF,
  SIZEOF_SEMID64_DS,
  SIZEOF_SEMINFO,
} from '../../../abi/ipc/ipc.ts';
import { SYS_semctl, SYS_semget, SYS_semop, SYS_semtimedop } from '../../../abi/syscall.ts';
import { kernelMemory } from '../../base/charge.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import { OBJECT_BYTES } from '../../kernel/ipc/object.ts';
import { SEM_BYTES, SEM_WAIT, SemSet, SemUndo, SemWait } from '../../kernel/ipc/sem.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, HEX, INT, ONE_OF, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { BAD_TIME, readTimespecNs } from '../user_time.ts';

const READ = 0o444;
const WRITE = 0o222;

/** Implements semget(2). */
function semget(t: Task, key: number, count: number, flags: number): number {
  if (count < 0 || count > SEMMSL) return -EINVAL;
  const table = t.ipc.sem;
  return table.open(
    t.cred,
    key,
    flags,
    (o) => (count > o.values.length ? -EINVAL : 0),
    () => {
      if (count === 0) return -EINVAL;
      if (!kernelMemory.fits(OBJECT_BYTES + count * SEM_BYTES)) return -ENOMEM;
      return new SemSet(key, flags, t.cred, count, t.kernel.time.realtimeSec());
    },
  );
}

/** Implements semop(2). */
function semop(t: Task, id: number, ops: number, count: number): number {
  return semtimedop(t, id, ops, count, 0);
}

/** Implements semtimedop(2). */
function semtimedop(t: Task, id: number, opsAddr: number, count: number, timeout: number): number {
  const call = t.call;
  let wait: SemWait;
  if (call.active) wait = call.state as SemWait;
  else {
    if (count < 1) return -EINVAL;
    if (count > SEMOPM) return -E2BIG;
    if (timeout !== 0) {
      const ns = readTimespecNs(t, timeout);
      if (ns < 0) return ns === BAD_TIME ? -EINVAL : ns;
      t.deadline(t.kernel.time.monotonicNs() + ns);
    }
    if (t.mm.copyInExact(opsAddr, scratch, 0, count * SIZEOF_SEMBUF) !== 0) return -EFAULT;
    const ops: Sembuf[] = [];
    for (let i = 0; i < count; i++) ops.push(decodeSembuf(scratchView, i * SIZEOF_SEMBUF));
    const set = t.ipc.sem.get(id);
    if (set === null) return -EINVAL;
    if (ops.some((op) => op.num >= set.values.length)) return -EFBIG;
    const alters = ops.some((op) => op.op !== 0);
    const denied = set.checkAccess(t.cred, alters ? WRITE : READ);
    if (denied !== 0) return denied;
    wait = new SemWait(set, ops);
  }
  return operate(t, wait);
}

function operate(t: Task, wait: SemWait): number {
  const { set, ops } = wait;
  if (set.removed) return -EIDRM;
  if (ops.some((op) => (op.flg & SEM_UNDO) !== 0)) {
    t.semUndo ??= new SemUndo();
    if (!t.semUndo.fits(set)) return -ENOMEM;
  }
  const r = set.apply(ops, t.semUndo, t.tgid);
  if (r === 0) {
    set.otimeSec = t.kernel.time.realtimeSec();
    if (ops.some((op) => op.op !== 0)) set.waiters.wake(1);
    return 0;
  }
  if (r !== SEM_WAIT) return r;
  wait.blockedOn = set.blockedOn;
  if (!wait.mayWait) return -EAGAIN;
  t.watch(set.waiters, 1);
  const p = t.park();
  if (p === BLOCKED) {
    t.call.state = wait;
    return BLOCKED;
  }
  return p === TIMED_OUT ? -EAGAIN : -EINTR;
}

function putSeminfo(t: Task, addr: number, usz: number, aem: number): number {
  encodeSeminfo(scratchView, 0, {
    semmap: SEMMAP,
    semmni: SEMMNI,
    semmns: SEMMNS,
    semmnu: SEMMNU,
    semmsl: SEMMSL,
    semopm: SEMOPM,
    semume: SEMUME,
    semusz: usz,
    semvmx: SEMVMX,
    semaem: aem,
  });
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_SEMINFO) !== 0 ? -EFAULT : t.ipc.sem.maxIndex;
}

function info(t: Task, cmd: number, addr: number): number {
  if (cmd === IPC_INFO) return putSeminfo(t, addr, SEMUSZ, SEMAEM);
  return putSeminfo(t, addr, t.ipc.sem.used, t.ipc.sem.units);
}

function stat(t: Task, id: number, cmd: number, addr: number): number {
  const set = cmd === IPC_STAT ? t.ipc.sem.get(id) : t.ipc.sem.at(id);
  if (set === null) return -EINVAL;
  if (cmd !== SEM_STAT_ANY) {
    const denied = set.checkAccess(t.cred, READ);
    if (denied !== 0) return denied;
  }
  encodeSemid64Ds(scratchView, 0, {
    perm: set.perm(),
    otimeSec: set.otimeSec,
    ctimeSec: set.ctimeSec,
    nsems: set.values.length,
  });
  if (t.mm.copyOutExact(addr, scratch, 0, SIZEOF_SEMID64_DS) !== 0) return -EFAULT;
  return cmd === IPC_STAT ? 0 : set.id;
}

function getAll(t: Task, set: SemSet, addr: number): number {
  const denied = set.checkAccess(t.cred, READ);
  if (denied !== 0) return denied;
  const n = set.values.length;
  for (let i = 0; i < n; i++) scratchView.setUint16(i * 2, set.values[i]!, true);
  return t.mm.copyOutExact(addr, scratch, 0, n * 2) !== 0 ? -EFAULT : 0;
}

function setAll(t: Task, set: SemSet, addr: number): number {
  const denied = set.checkAccess(t.cred, WRITE);
  if (denied !== 0) return denied;
  const n = set.values.length;
  if (t.mm.copyInExact(addr, scratch, 0, n * 2) !== 0) return -EFAULT;
  for (let i = 0; i < n; i++) if (scratchView.getUint16(i * 2, true) > SEMVMX) return -ERANGE;
  for (let i = 0; i < n; i++) {
    set.values[i] = scratchView.getUint16(i * 2, true);
    set.pids[i] = t.tgid;
    set.forgetUndo(i);
  }
  return changed(t, set);
}

function setVal(t: Task, set: SemSet, num: number, value: number): number {
  if (value < 0 || value > SEMVMX) return -ERANGE;
  if (num < 0 || num >= set.values.length) return -EINVAL;
  const denied = set.checkAccess(t.cred, WRITE);
  if (denied !== 0) return denied;
  set.values[num] = value;
  set.pids[num] = t.tgid;
  set.forgetUndo(num);
  return changed(t, set);
}

function changed(t: Task, set: SemSet): number {
  set.ctimeSec = t.kernel.time.realtimeSec();
  set.waiters.wake(1);
  return 0;
}

/** GETVAL and its like. */
function getOne(t: Task, set: SemSet, num: number, cmd: number): number {
  const denied = set.checkAccess(t.cred, READ);
  if (denied !== 0) return denied;
  if (num < 0 || num >= set.values.length) return -EINVAL;
  switch (cmd) {
    case GETVAL:
      return set.values[num]!;
    case GETPID:
      return set.pids[num]!;
    default:
      return set.countWaiters(num, cmd === GETZCNT);
  }
}

function change(t: Task, set: SemSet, cmd: number, addr: number): number {
  if (cmd === IPC_SET && t.mm.copyInExact(addr, scratch, 0, SIZEOF_IPC64_PERM) !== 0) return -EFAULT;
  const denied = set.checkOwner(t.cred);
  if (denied !== 0) return denied;
  if (cmd === IPC_SET) {
    const err = set.setPerm(decodeIpc64Perm(scratchView, 0));
    set.ctimeSec = t.kernel.time.realtimeSec();
    return err;
  }
  t.ipc.sem.remove(set);
  for (const u of set.undos) u.forgetSet(set);
  set.undos.clear();
  set.waiters.wake(1);
  return 0;
}

/** Implements semctl(2). */
function semctl(t: Task, id: number, num: number, cmd: number, arg: number): number {
  if (id < 0) return -EINVAL;
  switch (cmd) {
    case IPC_INFO:
    case SEM_INFO:
      return info(t, cmd, arg);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
      return stat(t, id, cmd, arg);
    default:
      break;
  }
  const set = t.ipc.sem.get(id);
  if (set === null) return -EINVAL;
  switch (cmd) {
    case GETALL:
      return getAll(t, set, arg);
    case SETALL:
      return setAll(t, set, arg);
    case SETVAL:
      return setVal(t, set, num, arg | 0);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
      return getOne(t, set, num, cmd);
    case IPC_SET:
    case IPC_RMID:
      return change(t, set, cmd, arg);
    default:
      return -EINVAL;
  }
}

const CMD = ONE_OF('cmd', [
  ['IPC_RMID', IPC_RMID],
  ['IPC_SET', IPC_SET],
  ['IPC_STAT', IPC_STAT],
  ['GETPID', GETPID],
  ['GETVAL', GETVAL],
  ['GETALL', GETALL],
  ['GETNCNT', GETNCNT],
  ['GETZCNT', GETZCNT],
  ['SETVAL', SETVAL],
  ['SETALL', SETALL],
]);

export const rows = [
  sys(SYS_semget, [INT, INT, HEX], semget),
  sys(SYS_semop, [INT, STRUCT('sembuf'), SIZE], semop),
  sys(SYS_semtimedop, [INT, STRUCT('sembuf'), SIZE, STRUCT('timespec')], semtimedop),
  sys(SYS_semctl, [INT, INT, CMD, ADDR], semctl),
];

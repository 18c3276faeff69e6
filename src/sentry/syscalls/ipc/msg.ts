// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

import {
  E2BIG,
  EAGAIN,
  EFAULT,
  EIDRM,
  EINVAL,
  ENOMEM,
  ENOMSG,
  EPERM,
  ERESTARTNOHAND,
} from '../../../abi/errno.ts';
import {
  decodeIpc64Perm,
  encodeMsginfo,
  encodeMsqid64Ds,
  IPC_INFO,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  MSG_COPY,
  MSG_EXCEPT,
  MSG_INFO,
  MSG_NOERROR,
  MSG_STAT,
  MSG_STAT_ANY,
  MSGMAP,
  MSGMAX,
  MSGMNB,
  MSGMNI,
  MSGPOOL,
  MSGSEG,
  MSGSSZ,
  MSGTQL,
  MSQID64_DS_MSG_QBYTES,
  SIZEOF_MSGINFO,
  SIZEOF_MSQID64_DS,
} from '../../../abi/ipc/ipc.ts';
import { CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import { SYS_msgctl, SYS_msgget, SYS_msgrcv, SYS_msgsnd } from '../../../abi/syscall.ts';
import { getI64, getU64, putU64 } from '../../../abi/u64.ts';
import { kernelMemory } from '../../base/charge.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED } from '../../kernel/block.ts';
import { MESSAGE_BYTES, Message, MessageQueue } from '../../kernel/ipc/msg.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, HEX, INT, LONG, ONE_OF, SIZE } from '../kinds.ts';
import { sys } from '../row.ts';

const READ = 0o444;
const WRITE = 0o222;
/** Bytes that all queues of a namespace may hold: what MSGMNI queues could take is too much for one sandbox. */
const MAX_BYTES = 64 << 20;
const TYPE_SIZE = 8;

/** Implements msgget(2). */
function msgget(t: Task, key: number, flags: number): number {
  const make = () => new MessageQueue(key, flags, t.cred, t.kernel.time.realtimeSec());
  return t.ipc.msg.open(t.cred, key, flags, () => 0, make);
}

/** The queue of a call: the one that a parked call waits for, or the one of `id`. */
function queueOf(t: Task, id: number): MessageQueue | number {
  if (t.call.active) {
    const q = t.call.state as MessageQueue;
    return q.removed ? -EIDRM : q;
  }
  return t.ipc.msg.get(id) ?? -EINVAL;
}

/** Implements msgsnd(2). */
function msgsnd(t: Task, id: number, addr: number, size: number, flags: number): number {
  if (size < 0 || size > MSGMAX || id < 0) return -EINVAL;
  if (t.mm.copyInExact(addr, scratch, 0, TYPE_SIZE) !== 0) return -EFAULT;
  const type = getI64(scratchView, 0);
  if (type < 1) return -EINVAL;
  if (t.mm.copyInExact(addr + TYPE_SIZE, scratch, 0, size) !== 0) return -EFAULT;
  const q = queueOf(t, id);
  if (typeof q === 'number') return q;
  const denied = q.checkAccess(t.cred, WRITE);
  if (denied !== 0) return denied;
  if (!q.fits(size)) {
    if ((flags & IPC_NOWAIT) !== 0) return -EAGAIN;
    t.watch(q.senders, 1);
    const r = t.park();
    if (r !== BLOCKED) return -ERESTARTNOHAND;
    t.call.state = q;
    return BLOCKED;
  }
  if (!kernelMemory.fits(MESSAGE_BYTES + size)) return -ENOMEM;
  q.lspid = t.tgid;
  q.stimeSec = t.kernel.time.realtimeSec();
  q.put(new Message(type, scratch.slice(0, size)));
  return 0;
}

/** Implements msgrcv(2). */
function msgrcv(t: Task, id: number, addr: number, size: number, type: number, flags: number): number {
  if (id < 0 || size < 0) return -EINVAL;
  const copy = (flags & MSG_COPY) !== 0;
  if (copy && ((flags & MSG_EXCEPT) !== 0 || (flags & IPC_NOWAIT) === 0)) return -EINVAL;
  const q = queueOf(t, id);
  if (typeof q === 'number') return q;
  const denied = q.checkAccess(t.cred, READ);
  if (denied !== 0) return denied;
  const index = copy ? (type >= 0 && type < q.messages.length ? type : -1) : q.select(type, flags);
  if (index < 0) {
    if ((flags & IPC_NOWAIT) !== 0) return -ENOMSG;
    t.watch(q.receivers, 1);
    const r = t.park();
    if (r !== BLOCKED) return -ERESTARTNOHAND;
    t.call.state = q;
    return BLOCKED;
  }
  const m = q.messages[index]!;
  if (m.text.length > size && (flags & MSG_NOERROR) === 0) return -E2BIG;
  if (!copy) {
    q.take(index);
    q.lrpid = t.tgid;
    q.rtimeSec = t.kernel.time.realtimeSec();
  }
  const n = Math.min(size, m.text.length);
  putU64(scratchView, 0, m.type);
  scratch.set(m.text.subarray(0, n), TYPE_SIZE);
  return t.mm.copyOutExact(addr, scratch, 0, TYPE_SIZE + n) !== 0 ? -EFAULT : n;
}

function info(t: Task, cmd: number, addr: number): number {
  let bytes = 0;
  let count = 0;
  for (const q of t.ipc.msg.all()) {
    bytes += q.cbytes;
    count += q.messages.length;
  }
  const use = cmd === MSG_INFO;
  encodeMsginfo(scratchView, 0, {
    msgpool: use ? t.ipc.msg.used : MSGPOOL,
    msgmap: use ? count : MSGMAP,
    msgmax: MSGMAX,
    msgmnb: MSGMNB,
    msgmni: MSGMNI,
    msgssz: MSGSSZ,
    msgtql: use ? bytes : MSGTQL,
    msgseg: MSGSEG,
  });
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_MSGINFO) !== 0 ? -EFAULT : t.ipc.msg.maxIndex;
}

function stat(t: Task, id: number, cmd: number, addr: number): number {
  const q = cmd === IPC_STAT ? t.ipc.msg.get(id) : t.ipc.msg.at(id);
  if (q === null) return -EINVAL;
  if (cmd !== MSG_STAT_ANY) {
    const denied = q.checkAccess(t.cred, READ);
    if (denied !== 0) return denied;
  }
  encodeMsqid64Ds(scratchView, 0, {
    perm: q.perm(),
    stimeSec: q.stimeSec,
    rtimeSec: q.rtimeSec,
    ctimeSec: q.ctimeSec,
    cbytes: q.cbytes,
    qnum: q.messages.length,
    qbytes: q.qbytes,
    lspid: q.lspid,
    lrpid: q.lrpid,
  });
  if (t.mm.copyOutExact(addr, scratch, 0, SIZEOF_MSQID64_DS) !== 0) return -EFAULT;
  return cmd === IPC_STAT ? 0 : q.id;
}

function set(t: Task, q: MessageQueue, addr: number): number {
  if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_MSQID64_DS) !== 0) return -EFAULT;
  const denied = q.checkOwner(t.cred);
  if (denied !== 0) return denied;
  const qbytes = getU64(scratchView, MSQID64_DS_MSG_QBYTES);
  if (qbytes > MSGMNB && !t.cred.capable(CAP_SYS_RESOURCE)) return -EPERM;
  const err = q.setPerm(decodeIpc64Perm(scratchView, 0));
  if (err !== 0) return err;
  q.qbytes = Math.min(qbytes, MAX_BYTES);
  q.ctimeSec = t.kernel.time.realtimeSec();
  q.senders.wake(1);
  return 0;
}

/** Implements msgctl(2). */
function msgctl(t: Task, id: number, cmd: number, addr: number): number {
  if (id < 0) return -EINVAL;
  switch (cmd) {
    case IPC_INFO:
    case MSG_INFO:
      return info(t, cmd, addr);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
      return stat(t, id, cmd, addr);
    default:
      break;
  }
  const q = t.ipc.msg.get(id);
  if (q === null) return -EINVAL;
  if (cmd === IPC_SET) return set(t, q, addr);
  if (cmd !== IPC_RMID) return -EINVAL;
  const denied = q.checkOwner(t.cred);
  if (denied !== 0) return denied;
  t.ipc.msg.remove(q);
  q.senders.wake(1);
  q.receivers.wake(1);
  return 0;
}

const CMD = ONE_OF('cmd', [
  ['IPC_RMID', IPC_RMID],
  ['IPC_SET', IPC_SET],
  ['IPC_STAT', IPC_STAT],
]);

export const rows = [
  sys(SYS_msgget, [INT, HEX], msgget),
  sys(SYS_msgsnd, [INT, ADDR, SIZE, HEX], msgsnd),
  sys(SYS_msgrcv, [INT, ADDR, SIZE, LONG, HEX], msgrcv),
  sys(SYS_msgctl, [INT, CMD, ADDR], msgctl),
];

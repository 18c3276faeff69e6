// POSIX message queues: mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2).

import {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMFILE,
  EMSGSIZE,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ERESTARTSYS,
  ETIMEDOUT,
} from '../../../abi/errno.ts';
import { O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { decodeMqAttr, encodeMqAttr, MQ_PRIO_MAX, SIZEOF_MQ_ATTR } from '../../../abi/ipc/mqueue.ts';
import { NAME_MAX, PATH_MAX } from '../../../abi/limits.ts';
import { CAP_SYS_RESOURCE } from '../../../abi/process/capability.ts';
import { RLIMIT_MSGQUEUE } from '../../../abi/process/resource.ts';
import {
  decodeSigevent,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIZEOF_SIGEVENT,
} from '../../../abi/signal/signal.ts';
import {
  SYS_mq_getsetattr,
  SYS_mq_notify,
  SYS_mq_open,
  SYS_mq_timedreceive,
  SYS_mq_timedsend,
  SYS_mq_unlink,
} from '../../../abi/syscall.ts';
import { kernelMemory } from '../../base/charge.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { WaitQueue } from '../../base/wait.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import {
  MqFile,
  MqNotification,
  PosixQueue,
  QUEUED_BYTES,
  QueuedMessage,
  queueCost,
} from '../../kernel/ipc/mqueue.ts';
import { unlinkQueue } from '../../kernel/ipc/mqueue_fs.ts';
import { MQ_LIMITS } from '../../kernel/ipc/namespace.ts';
import type { Task } from '../../kernel/task/task.ts';
import { genericPermission, MAY_READ, MAY_WRITE } from '../../vfs/permission.ts';
import { installNew } from '../install.ts';
import { ADDR, FD, FLAGS, IN_BUF, MODE, PATH, SIZE, STRUCT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';
import { BAD_TIME, readRealtimeDeadline } from '../user_time.ts';

/** Bytes that all queues of a namespace may hold, whatever the limits of privileged users: they are the Sentry's. */
const MAX_BYTES = 64 << 20;

/** A queue's name, which the C library has taken the slash off, or -errno. */
function readName(t: Task, addr: number): string | number {
  const name = t.mm.copyInString(addr, PATH_MAX);
  if (typeof name === 'number') return name;
  if (name === '') return -ENOENT;
  if (name === '.' || name === '..' || name.includes('/')) return -EACCES;
  return name.length > NAME_MAX ? -ENAMETOOLONG : name;
}

interface QueueShape {
  maxmsg: number;
  msgsize: number;
}

/** 0 when the caller may make a queue of this shape. */
function checkShape(t: Task, { maxmsg, msgsize }: QueueShape): number {
  const l = MQ_LIMITS;
  if (maxmsg <= 0 || msgsize <= 0) return -EINVAL;
  const privileged = t.cred.capable(CAP_SYS_RESOURCE);
  if (maxmsg > (privileged ? l.hardMsgMax : l.msgMax)) return -EINVAL;
  if (msgsize > (privileged ? l.hardMsgSizeMax : l.msgSizeMax)) return -EINVAL;
  return t.user.msgqueueBytes + queueCost(maxmsg, msgsize) > t.rlimit(RLIMIT_MSGQUEUE) ? -EMFILE : 0;
}

function create(t: Task, name: string, mode: number, attr: QueueShape | null): PosixQueue | number {
  const l = MQ_LIMITS;
  const queues = t.ipc.mqueues;
  if (queues.size >= l.queuesMax && !t.cred.capable(CAP_SYS_RESOURCE)) return -ENOSPC;
  const shape = attr ?? { maxmsg: l.msgDefault, msgsize: l.msgSizeDefault };
  const bad = checkShape(t, shape);
  if (bad !== 0) return bad;
  const q = new PosixQueue(t, name, mode & 0o7777 & ~t.fs.umask, shape.maxmsg, shape.msgsize);
  queues.set(name, q);
  return q;
}

/** 0 when the caller may open a queue that exists with these flags. */
function checkOpen(t: Task, q: PosixQueue, flags: number): number {
  if ((flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)) return -EEXIST;
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      return genericPermission(t.cred, q, MAY_READ);
    case O_WRONLY:
      return genericPermission(t.cred, q, MAY_WRITE);
    case O_RDWR:
      return genericPermission(t.cred, q, MAY_READ | MAY_WRITE);
  }
  return -EINVAL;
}

/** Implements mq_open(2): a descriptor, always close-on-exec. */
function mq_open(t: Task, namePtr: number, flags: number, mode: number, attrPtr: number): number {
  let attr: QueueShape | null = null;
  if (attrPtr !== 0) {
    if (t.mm.copyInExact(attrPtr, scratch, 0, SIZEOF_MQ_ATTR) !== 0) return -EFAULT;
    attr = decodeMqAttr(scratchView, 0);
  }
  const name = readName(t, namePtr);
  if (typeof name === 'number') return name;
  let q: PosixQueue | number | undefined = t.ipc.mqueues.get(name);
  if (q === undefined) {
    if ((flags & O_CREAT) === 0) return -ENOENT;
    if ((flags & O_ACCMODE) === 3) return -EINVAL;
    q = create(t, name, mode, attr);
    if (typeof q === 'number') return q;
  } else {
    const r = checkOpen(t, q, flags);
    if (r !== 0) return r;
  }
  return installNew(t, new MqFile(q, flags & (O_ACCMODE | O_NONBLOCK)), true);
}

/** Implements mq_unlink(2). */
function mq_unlink(t: Task, namePtr: number): number {
  const name = readName(t, namePtr);
  if (typeof name === 'number') return name;
  return unlinkQueue(t, t.ipc.mqueues, name);
}

/** The queue behind a descriptor that was opened for sending or receiving. */
function descriptor(t: Task, fd: number, access: number): MqFile | null {
  const f = t.file(fd);
  if (!(f instanceof MqFile)) return null;
  return (access === O_WRONLY ? f.writable : f.readable) ? f : null;
}

/** Sets the call's deadline from an absolute CLOCK_REALTIME time at its first run. */
function setDeadline(t: Task, timeout: number): number {
  if (timeout === 0 || t.call.active) return 0;
  const at = readRealtimeDeadline(t, timeout);
  if (at < 0) return at === BAD_TIME ? -EINVAL : at;
  // A time that is over ends the wait, not the call: 0 would be no deadline at all.
  t.deadline(Math.max(1, at));
  return 0;
}

function wait(t: Task, fd: number, f: MqFile, queue: WaitQueue): number {
  if (f.nonblocking) return -EAGAIN;
  t.pin(fd, f);
  t.watch(queue, -1);
  const r = t.park();
  if (r === BLOCKED) return BLOCKED;
  return r === TIMED_OUT ? -ETIMEDOUT : -ERESTARTSYS;
}

/** Implements mq_timedsend(2). */
function mq_timedsend(
  t: Task,
  fd: number,
  addr: number,
  len: number,
  priority: number,
  timeout: number,
): number {
  const bad = setDeadline(t, timeout);
  if (bad !== 0) return bad;
  if (priority >>> 0 >= MQ_PRIO_MAX) return -EINVAL;
  const f = descriptor(t, fd, O_WRONLY);
  if (f === null) return -EBADF;
  const q = f.queueOf;
  if (len < 0 || len > q.messageSize) return -EMSGSIZE;
  if (len > MAX_BYTES) return -ENOMEM;
  if (q.full) {
    // The message is read first: a bad address is an error even when nothing can be sent.
    if (len > 0 && t.mm.copyIn(addr, scratch, 0, Math.min(len, scratch.length)) < 0) return -EFAULT;
    return wait(t, fd, f, q.senders);
  }
  if (!kernelMemory.fits(QUEUED_BYTES + len)) return -ENOMEM;
  const text = new Uint8Array(len);
  if (len > 0 && t.mm.copyInExact(addr, text, 0, len) !== 0) return -EFAULT;
  q.put(t, new QueuedMessage(priority >>> 0, text));
  return 0;
}

/** Implements mq_timedreceive(2): bytes of the message. */
function mq_timedreceive(
  t: Task,
  fd: number,
  addr: number,
  len: number,
  priorityPtr: number,
  timeout: number,
): number {
  const bad = setDeadline(t, timeout);
  if (bad !== 0) return bad;
  const f = descriptor(t, fd, O_RDONLY);
  if (f === null) return -EBADF;
  const q = f.queueOf;
  if (len >= 0 && len < q.messageSize) return -EMSGSIZE;
  if (q.messages.length === 0) return wait(t, fd, f, q.receivers);
  // As in Linux, a message that cannot be stored is lost.
  const m = q.take();
  if (priorityPtr !== 0) {
    scratchView.setUint32(0, m.priority, true);
    if (t.mm.copyOutExact(priorityPtr, scratch, 0, 4) !== 0) return -EFAULT;
  }
  if (m.text.length > 0 && t.mm.copyOutExact(addr, m.text, 0, m.text.length) !== 0) return -EFAULT;
  return m.text.length;
}

/** Implements mq_notify(2). */
function mq_notify(t: Task, fd: number, sevp: number): number {
  let wanted: MqNotification | null = null;
  if (sevp !== 0) {
    if (t.mm.copyInExact(sevp, scratch, 0, SIZEOF_SIGEVENT) !== 0) return -EFAULT;
    const e = decodeSigevent(scratchView, 0);
    if (e.notify !== SIGEV_NONE && e.notify !== SIGEV_SIGNAL && e.notify !== SIGEV_THREAD) return -EINVAL;
    if (e.notify === SIGEV_SIGNAL && (e.signo < 0 || e.signo > 64)) return -EINVAL;
    if (e.notify === SIGEV_THREAD) {
      // The signal number is a netlink socket in this case.
      countUnsupported('mq_notify SIGEV_THREAD');
      return t.fds.get(e.signo) === null ? -EBADF : -EINVAL;
    }
    wanted = new MqNotification(t.group, e.notify, e.signo, e.valueLo, e.valueHi);
  }
  const f = t.file(fd);
  if (!(f instanceof MqFile)) return -EBADF;
  const q = f.queueOf;
  if (wanted === null) {
    if (q.notification !== null && q.notification.group === t.group) q.notification = null;
    return 0;
  }
  if (q.notification !== null) return -EBUSY;
  q.notification = wanted;
  return 0;
}

/** Implements mq_getsetattr(2): only O_NONBLOCK can be changed. */
function mq_getsetattr(t: Task, fd: number, newPtr: number, oldPtr: number): number {
  let flags = -1;
  if (newPtr !== 0) {
    if (t.mm.copyInExact(newPtr, scratch, 0, SIZEOF_MQ_ATTR) !== 0) return -EFAULT;
    flags = decodeMqAttr(scratchView, 0).flags;
    if (flags !== 0 && flags !== O_NONBLOCK) return -EINVAL;
  }
  const f = t.file(fd);
  if (!(f instanceof MqFile)) return -EBADF;
  const q = f.queueOf;
  const old = f.flags & O_NONBLOCK;
  if (flags >= 0) f.flags = (f.flags & ~O_NONBLOCK) | flags;
  if (oldPtr === 0) return 0;
  encodeMqAttr(scratchView, 0, {
    flags: old,
    maxmsg: q.maxMessages,
    msgsize: q.messageSize,
    curmsgs: q.messages.length,
  });
  return t.mm.copyOutExact(oldPtr, scratch, 0, SIZEOF_MQ_ATTR) !== 0 ? -EFAULT : 0;
}

const OPEN_FLAGS = FLAGS('oflag', [
  ['O_RDWR', O_RDWR],
  ['O_WRONLY', O_WRONLY],
  ['O_CREAT', O_CREAT],
  ['O_EXCL', O_EXCL],
  ['O_NONBLOCK', O_NONBLOCK],
]);
const ATTR = STRUCT('mq_attr');

export const rows = [
  sys(SYS_mq_open, [PATH, OPEN_FLAGS, MODE, ATTR], mq_open),
  sys(SYS_mq_unlink, [PATH], mq_unlink),
  sys(SYS_mq_timedsend, [FD, IN_BUF, SIZE, UINT, STRUCT('timespec')], mq_timedsend),
  sys(SYS_mq_timedreceive, [FD, ADDR, SIZE, ADDR, STRUCT('timespec')], mq_timedreceive),
  sys(SYS_mq_notify, [FD, STRUCT('sigevent')], mq_notify, 'no SIGEV_THREAD'),
  sys(SYS_mq_getsetattr, [FD, ATTR, STRUCT('mq_attr', true)], mq_getsetattr),
];

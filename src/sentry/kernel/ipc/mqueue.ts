// POSIX message queues: mq_overview(7). A queue is an inode of a file system that is mounted nowhere; its IPC namespace
// keeps the names. Messages stand in the order in which they are received: by priority, then by age.

import { EINVAL } from '../../../abi/errno.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import { O_ACCMODE, O_NONBLOCK } from '../../../abi/fs/fcntl.ts';
import { MQUEUE_MAGIC } from '../../../abi/fs/magic.ts';
import { S_IFREG } from '../../../abi/fs/stat.ts';
import { MQ_PRIO_MAX } from '../../../abi/ipc/mqueue.ts';
import { SI_MESGQ, SIGEV_SIGNAL } from '../../../abi/signal/signal.ts';
import { stringToBytes } from '../../base/bytes.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import { WaitQueue } from '../../base/wait.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import { SIL_RT, SigInfo } from '../signal/siginfo.ts';
import type { Task } from '../task/task.ts';
import type { ThreadGroup } from '../task/threadgroup.ts';
import type { UserCount } from '../task/users.ts';

/** Size that fstat(2) shows (FILENT_SIZE). */
const FILE_SIZE = 80;
/** Bytes of Linux's struct msg_msg and struct posix_msg_tree_node: what RLIMIT_MSGQUEUE counts per message. */
const MESSAGE_OVERHEAD = 48;
const TREE_OVERHEAD = 48;

export const mqueueFs: AnonFs = new AnonFs('mqueue', MQUEUE_MAGIC);

/** A message of ours without its text. */
export const QUEUED_BYTES = 256;

export class QueuedMessage {
  readonly priority: number;
  readonly text: Uint8Array;
  private readonly payer: Account;

  constructor(priority: number, text: Uint8Array) {
    this.priority = priority;
    this.text = text;
    this.payer = kernelMemory.take(QUEUED_BYTES + text.length);
  }

  /** It was received, or its queue is gone. */
  drop(): void {
    kernelMemory.give(this.payer, QUEUED_BYTES + this.text.length);
  }
}

/** Who is to hear of the next message that comes to the empty queue: mq_notify(3). */
export class MqNotification {
  readonly group: ThreadGroup;
  /** SIGEV_SIGNAL, or SIGEV_NONE. */
  readonly how: number;
  readonly signo: number;
  readonly valueLo: number;
  readonly valueHi: number;

  constructor(group: ThreadGroup, how: number, signo: number, valueLo: number, valueHi: number) {
    this.group = group;
    this.how = how;
    this.signo = signo;
    this.valueLo = valueLo;
    this.valueHi = valueHi;
  }
}

/** What RLIMIT_MSGQUEUE counts for a queue. */
export function queueCost(maxMessages: number, messageSize: number): number {
  const tree = Math.min(maxMessages, MQ_PRIO_MAX) * TREE_OVERHEAD;
  return maxMessages * (messageSize + MESSAGE_OVERHEAD) + tree;
}

export class PosixQueue extends AnonInode {
  readonly name: string;
  readonly maxMessages: number;
  readonly messageSize: number;
  readonly messages: QueuedMessage[] = [];
  /** Bytes of all messages. */
  bytes = 0;
  notification: MqNotification | null = null;
  /** Parked in mq_timedreceive and mq_timedsend; poll(2) and epoll. */
  readonly receivers: WaitQueue = new WaitQueue();
  readonly senders: WaitQueue = new WaitQueue();
  readonly waiters: WaitQueue = new WaitQueue();
  private readonly user: UserCount;

  constructor(t: Task, name: string, mode: number, maxMessages: number, messageSize: number) {
    super(mqueueFs, S_IFREG | mode, t);
    this.name = name;
    this.size = FILE_SIZE;
    this.maxMessages = maxMessages;
    this.messageSize = messageSize;
    this.user = t.user;
    this.user.msgqueueBytes += queueCost(maxMessages, messageSize);
  }

  get full(): boolean {
    return this.messages.length >= this.maxMessages;
  }

  /** Enters a message, and tells those who wait for it. */
  put(sender: Task, m: QueuedMessage): void {
    const list = this.messages;
    let lo = 0;
    let hi = list.length;
    while (lo < hi) {
      const mid = (lo + hi) >>> 1;
      if (list[mid]!.priority >= m.priority) lo = mid + 1;
      else hi = mid;
    }
    list.splice(lo, 0, m);
    this.bytes += m.text.length;
    // A receiver that waits takes the message: nobody else is told.
    if (!this.receivers.empty) this.receivers.wake(POLLIN);
    else if (list.length === 1) this.notify(sender);
    this.waiters.wake(POLLIN | POLLRDNORM);
  }

  /** Takes the next message; the queue is not empty. */
  take(): QueuedMessage {
    const m = this.messages.shift()!;
    this.bytes -= m.text.length;
    m.drop();
    this.senders.wake(POLLOUT);
    this.waiters.wake(POLLOUT | POLLWRNORM);
    return m;
  }

  /** A registration counts once. */
  private notify(sender: Task): void {
    const n = this.notification;
    if (n === null) return;
    this.notification = null;
    if (n.how !== SIGEV_SIGNAL || n.signo === 0 || n.group.dead) return;
    const info = new SigInfo(n.signo, SI_MESGQ, SIL_RT);
    info.pid = sender.tgid;
    info.uid = sender.cred.uid;
    info.valueLo = n.valueLo;
    info.valueHi = n.valueHi;
    sender.kernel.signals.sendToGroup(n.group, info);
  }

  /** By its name where the queues are mounted. */
  override open(_ctx: VfsContext, flags: number): File {
    return new MqFile(this, flags & (O_ACCMODE | O_NONBLOCK));
  }

  /** mq_unlink(2): the name is gone; the queue goes with its last user. */
  removeName(): void {
    this.nlink = 0;
    if (this.users === 0) this.evict();
  }

  override evict(): void {
    for (const m of this.messages) m.drop();
    this.messages.length = 0;
    this.bytes = 0;
    this.user.msgqueueBytes -= queueCost(this.maxMessages, this.messageSize);
  }
}

/** A message queue descriptor. */
export class MqFile extends File {
  get queueOf(): PosixQueue {
    return this.inode as PosixQueue;
  }

  override get seekable(): boolean {
    return true;
  }

  override queue(): WaitQueue {
    return this.queueOf.waiters;
  }

  override poll(): number {
    const q = this.queueOf;
    return (q.messages.length > 0 ? POLLIN | POLLRDNORM : 0) | (q.full ? 0 : POLLOUT | POLLWRNORM);
  }

  /** The queue's state as text: mq_overview(7), "Mounting the message queue filesystem". */
  override pread(_ctx: VfsContext, io: Io, off: number): number {
    const q = this.queueOf;
    const n = q.notification;
    const signo = n !== null && n.how === SIGEV_SIGNAL ? n.signo : 0;
    const fields: readonly (readonly [string, number, number])[] = [
      ['QSIZE', q.bytes, 10],
      ['NOTIFY', n === null ? 0 : n.how, 5],
      ['SIGNO', signo, 5],
      ['NOTIFY_PID', n === null ? 0 : n.group.tgid, 6],
    ];
    const text = `${fields.map(([name, value, width]) => `${name}:${String(value).padEnd(width)}`).join(' ')}\n`;
    const bytes = stringToBytes(text);
    return off >= bytes.length ? 0 : io.put(bytes, off, bytes.length - off);
  }

  override pwrite(): number {
    return -EINVAL;
  }

  /** A process that closes any descriptor of the queue ends its registration. */
  override flush(ctx: VfsContext): number {
    const q = this.queueOf;
    if (q.notification !== null && q.notification.group.tgid === ctx.tgid) q.notification = null;
    return super.flush(ctx);
  }

  override describe(): string {
    return this.inode.nlink === 0 ? `/${this.queueOf.name} (deleted)` : `/${this.queueOf.name}`;
  }
}

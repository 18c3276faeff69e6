// UnixStream: SOCK_STREAM. Bytes lie in the receiver's ring; what travels beside them (descriptors, credentials) is kept
// as marks on ranges of the stream.
//
//   stream position:  consumed ........ start [ mark ) end ........ consumed + rx.size

import { EINVAL, EISCONN, ENOBUFS, ENOMEM, ENOTCONN, EOPNOTSUPP, EPIPE } from '../../../abi/errno.ts';
import { MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, SOCK_STREAM } from '../../../abi/net/socket.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import type { Io } from '../../base/io.ts';
import { countUnsupported } from '../../base/log.ts';
import { ByteRing } from '../../base/ring.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { Message } from '../message.ts';
import { READ_EVENTS, WRITE_EVENTS } from '../socket.ts';
import { ConnectedSocket } from './connection.ts';
import type { UnixNamespace } from './namespace.ts';
import { deliver, parseControl, Scm } from './scm.ts';
import { SS_CONNECTED } from './unix.ts';

/** The bytes [start, end) of the stream came with `scm`. */
class Mark {
  readonly start: number;
  end: number;
  readonly scm: Scm;
  constructor(start: number, end: number, scm: Scm) {
    this.start = start;
    this.end = end;
    this.scm = scm;
  }
}

export class UnixStream extends ConnectedSocket {
  /** Received bytes. Its bound is the sender's SO_SNDBUF, which send checks. */
  private readonly rx: ByteRing = new ByteRing(Number.MAX_SAFE_INTEGER);
  /** Position in the stream of the first byte of `rx`. */
  private consumed = 0;
  private marks: Mark[] = [];

  constructor(ctx: VfsContext, ns: UnixNamespace, flags: number) {
    super(ctx, ns, SOCK_STREAM, flags);
  }

  override get streaming(): boolean {
    return true;
  }

  protected override spawn(ctx: VfsContext): UnixStream {
    return new UnixStream(ctx, this.ns, 0);
  }

  override queuedScms(): Scm[] {
    return this.marks.map((m) => m.scm);
  }

  protected override inqBytes(): number {
    return this.rx.size;
  }

  protected override hasData(): boolean {
    return this.rx.size > 0 || super.hasData();
  }

  protected override dropQueue(): boolean {
    const unread = this.rx.size > 0;
    this.rx.clear();
    const marks = this.marks;
    this.marks = [];
    for (const m of marks) m.scm.discard();
    return unread;
  }

  override sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if ((flags & MSG_OOB) !== 0) {
      countUnsupported('unix MSG_OOB');
      return -EOPNOTSUPP;
    }
    let scm: Scm | null = null;
    if (msg.controlLen > 0) {
      const parsed = parseControl(ctx, msg);
      if (typeof parsed === 'number') return parsed;
      scm = parsed;
    }
    const r = this.send(ctx, io, msg, flags, scm);
    // What was not queued with bytes is not sent.
    if (scm !== null && r <= 0) scm.discard();
    return r;
  }

  private send(ctx: VfsContext, io: Io, msg: Message, flags: number, explicit: Scm | null): number {
    if (msg.addr.len > 0) return this.state === SS_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    const other = this.peer as UnixStream | null;
    if (other === null) return -ENOTCONN;
    if (this.sndShutdown || other.dead || other.rcvShutdown) {
      if ((flags & MSG_NOSIGNAL) === 0) ctx.raise(SIGPIPE);
      return -EPIPE;
    }
    if (io.remaining === 0) return 0;
    const room = this.options.sndbuf - this.sentBytes;
    if (room <= 0) return this.again(this.waiters, WRITE_EVENTS);
    let scm = explicit;
    if (this.passcred || other.passcred) (scm ??= new Scm()).setSender(ctx);
    if (scm !== null) {
      const r = scm.enterFlight(ctx, this.ns);
      if (r < 0) return r;
    }
    const n = other.rx.fill(io, room);
    if (n <= 0) return n === -ENOMEM ? -ENOBUFS : n;
    this.sentBytes += n;
    if (scm !== null) other.mark(n, scm);
    other.waiters.wake(READ_EVENTS);
    return n;
  }

  /** The last `n` bytes of the ring came with `scm`. */
  private mark(n: number, scm: Scm): void {
    const end = this.consumed + this.rx.size;
    const last = this.marks.length > 0 ? this.marks[this.marks.length - 1]! : null;
    if (
      last !== null &&
      last.end === end - n &&
      last.scm.files === null &&
      scm.files === null &&
      last.scm.sameCred(scm)
    )
      last.end = end;
    else this.marks.push(new Mark(end - n, end, scm));
  }

  override recvmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if (this.state !== SS_CONNECTED) return -EINVAL;
    if ((flags & MSG_OOB) !== 0) return -EINVAL;
    const peek = (flags & MSG_PEEK) !== 0;
    const skip = peek && this.peekOff > 0 ? this.peekOff : 0;
    if (this.rx.size <= skip) {
      if (this.error !== 0) return -this.takeError();
      if (this.rcvShutdown) return 0;
      return this.again(this.waiters, READ_EVENTS);
    }
    if (this.marks.length === 0 && !this.passcred) return this.takePlain(io, msg, peek, skip);
    return this.takeMarked(ctx, io, msg, flags, skip);
  }

  /** The common case: bytes alone. */
  private takePlain(io: Io, msg: Message, peek: boolean, skip: number): number {
    this.putSender(msg.addr, this.peer!);
    const n = this.rx.copyTo(io, io.remaining, skip);
    this.settle(n, peek);
    return n;
  }

  /** Bytes up to where credentials change, or past the first that came with descriptors. */
  private takeMarked(ctx: VfsContext, io: Io, msg: Message, flags: number, skip: number): number {
    const peek = (flags & MSG_PEEK) !== 0;
    let at = skip;
    let from: Scm | null = null;
    let files: File[] | null = null;
    let first = true;
    let done = 0;
    let index = 0;
    while (io.remaining > 0 && at < this.rx.size && files === null) {
      const position = this.consumed + at;
      while (index < this.marks.length && this.marks[index]!.end <= position) index++;
      const next = index < this.marks.length ? this.marks[index]! : null;
      const mark = next !== null && next.start <= position ? next : null;
      const scm = mark === null ? null : mark.scm;
      if (this.passcred) {
        if (first) from = scm?.hasCred ? scm : null;
        else if (scm?.hasCred ? !scm.sameCred(from) : from !== null) break;
      }
      first = false;
      const end = next === null ? this.rx.size : (mark === null ? next.start : next.end) - this.consumed;
      const n = this.rx.copyTo(io, end - at, at);
      if (n < 0 && done === 0) return n;
      if (n <= 0) break;
      if (scm !== null && scm.files !== null)
        files = peek ? scm.files.map((f) => f.ref()) : scm.leaveFlight();
      at += n;
      done += n;
    }
    this.putSender(msg.addr, this.peer!);
    deliver(ctx, msg, this.passcred, from, files, flags);
    this.settle(done, peek);
    return done;
  }

  /** `n` bytes were taken, or looked at. */
  private settle(n: number, peek: boolean): void {
    if (n <= 0) return;
    if (peek) {
      if (this.peekOff >= 0) this.peekOff += n;
      return;
    }
    if (this.peekOff > 0) this.peekOff = Math.max(0, this.peekOff - n);
    this.rx.drop(n);
    this.consumed += n;
    let gone = 0;
    while (gone < this.marks.length && this.marks[gone]!.end <= this.consumed) gone++;
    if (gone > 0) this.marks.splice(0, gone);
    this.peer!.uncharge(n);
  }
}

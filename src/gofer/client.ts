// GoferClient: calls on trees of the host, made by the gofer (host/tree_calls.ts). One request at a time, for which this process waits.
// Directories and references are the gofer's; of a regular file comes a descriptor, beside which the gofer keeps a reference.

import { EMFILE, ENAMETOOLONG } from '../abi/errno.ts';
import { SYS_close, SYS_fstat, SYS_fstatfs } from '../abi/syscall.ts';
import type { HostBuffer } from '../host/buffer.ts';
import { LocalTrees } from '../host/local_trees.ts';
import { PacketSocket } from '../host/packet_socket.ts';
import { hostCall } from '../host/syscall.ts';
import { STAT_SIZE, THREAD_FILES, type ThreadFile, TIMES_SIZE, type TreeCalls } from '../host/tree_calls.ts';
import * as P from './protocol.ts';

/** Handles that are no descriptors of this process begin here. */
const HANDLES_FROM = 2 ** 30;
/** References to directories that wait to be let go. */
const MOST_LET_GO = 16;

export class GoferClient implements TreeCalls {
  readonly socket: PacketSocket;
  /** The gofer's handle of a file that we have a descriptor of. */
  private readonly handles: Map<number, number> = new Map();
  private readonly letGo: number[] = [];
  /** The gofer is gone, and with it all files: does not return. */
  private readonly gone: () => never;
  private size = 0;
  /** Until the gofer is sealed this process can look at its own descriptors itself. */
  private own: LocalTrees | null = new LocalTrees();

  constructor(fd: number, gone: () => never) {
    this.socket = new PacketSocket(fd, Math.max(P.REQUEST_MAX, P.ANSWER_MAX));
    this.gone = gone;
  }

  /** Begins a request about `h`, a descriptor or a handle, and `text`. */
  private begin(op: number, h: number, text = ''): void {
    const { u8, view } = this.socket.buffer;
    u8.fill(0, 0, P.Q_TEXT);
    view.setUint32(P.Q_OP, op, true);
    view.setUint32(P.Q_HANDLE, this.handleOf(h), true);
    view.setUint32(P.Q_LET_GO, this.letGo.pop() ?? 0, true);
    this.size = P.Q_TEXT;
    if (text === '') return;
    // What is too long is told by the gofer.
    const cut = text.length > P.TEXT_MAX ? text.slice(0, P.TEXT_MAX) : text;
    view.setUint32(P.Q_TEXT_SIZE, cut.length, true);
    this.socket.buffer.putString(cut, this.size);
    this.size += cut.length;
  }

  private handleOf(h: number): number {
    if (h >= HANDLES_FROM) return h - HANDLES_FROM;
    return h < 0 ? 0 : (this.handles.get(h) ?? 0);
  }

  private put(at: number, value: number): void {
    this.socket.buffer.view.setUint32(at, value, true);
  }

  private data(text: string): void {
    this.put(P.Q_DATA_SIZE, text.length);
    this.socket.buffer.putString(text, this.size);
    this.size += text.length;
  }

  /** Sends what was begun, with a descriptor unless that is -1, and waits: the result. */
  private ask(fd = -1): number {
    const sent = this.socket.send(this.size, fd);
    const r = sent < 0 ? sent : this.socket.receive();
    if (r < P.A_DATA) this.gone();
    return this.socket.buffer.view.getInt32(P.A_RESULT, true);
  }

  /** The same; what comes as data goes to `out`, its bytes when all is well. */
  private askFor(out: HostBuffer): number {
    const r = this.ask();
    if (r < 0) return r;
    const size = Math.min(this.socket.buffer.view.getUint32(P.A_DATA_SIZE, true), out.size);
    out.u8.set(this.socket.buffer.u8.subarray(P.A_DATA, P.A_DATA + size));
    return r;
  }

  private takeStat(out: HostBuffer): void {
    out.u8.set(this.socket.buffer.u8.subarray(P.A_STAT, P.A_STAT + STAT_SIZE));
  }

  /** Asks for what is an object afterwards: the descriptor that came, or a handle; -errno. */
  private askToOpen(stat: HostBuffer | null): number {
    const r = this.ask();
    if (r < 0) return r;
    if (stat !== null) this.takeStat(stat);
    const { received, lost } = this.socket;
    if (received >= 0) {
      this.handles.set(received, r);
      return received;
    }
    if (!lost) return HANDLES_FROM + r;
    this.letGo.push(r);
    return -EMFILE;
  }

  attach(path: string, writes: boolean, only: string): number {
    if (path.length >= P.TEXT_MAX) return -ENAMETOOLONG;
    this.begin(P.OP_ATTACH, -1, path);
    this.put(P.Q_A, writes ? 1 : 0);
    this.data(only);
    return this.askToOpen(null);
  }

  protect(dir: number): void {
    this.begin(P.OP_PROTECT, dir);
    this.ask();
  }

  open(dir: number, name: string, flags: number, stat: HostBuffer): number {
    this.begin(P.OP_OPEN, dir, name);
    this.put(P.Q_A, flags);
    return this.askToOpen(stat);
  }

  create(dir: number, name: string, mode: number): number {
    this.begin(P.OP_CREATE, dir, name);
    this.put(P.Q_A, mode);
    return this.askToOpen(null);
  }

  reopen(fd: number, flags: number): number {
    if (this.handles.has(fd)) {
      this.begin(P.OP_REOPEN, fd);
      this.put(P.Q_A, flags);
      return this.askToOpen(null);
    }
    if (this.own !== null) return this.own.reopen(fd, flags);
    this.begin(P.OP_REOPEN_GIVEN, -1);
    this.put(P.Q_A, flags);
    return this.askForDescriptor(fd);
  }

  /** Asks for a descriptor that the gofer then knows nothing of. */
  private askForDescriptor(fd = -1): number {
    const r = this.ask(fd);
    if (r < 0) return r;
    return this.socket.received >= 0 ? this.socket.received : -EMFILE;
  }

  close(h: number): void {
    if (h >= HANDLES_FROM) {
      this.letGo.push(h - HANDLES_FROM);
      if (this.letGo.length >= MOST_LET_GO) this.sendLetGo();
      return;
    }
    const handle = this.handles.get(h);
    hostCall(SYS_close, h);
    if (handle === undefined) return;
    this.handles.delete(h);
    this.letGo.push(handle);
    // A file without a name takes room on the disk for as long as anybody refers to it.
    this.sendLetGo();
  }

  private sendLetGo(): void {
    const { view } = this.socket.buffer;
    this.begin(P.OP_CLOSE, -1);
    for (let n = this.letGo.pop(); n !== undefined; n = this.letGo.pop()) {
      view.setUint32(this.size, n, true);
      this.size += 4;
    }
    this.put(P.Q_DATA_SIZE, this.size - P.Q_TEXT);
    if (this.socket.send(this.size) < 0) this.gone();
  }

  stat(h: number, out: HostBuffer): number {
    if (h < HANDLES_FROM) return hostCall(SYS_fstat, h, out.addr);
    this.begin(P.OP_STAT, h);
    const r = this.ask();
    if (r === 0) this.takeStat(out);
    return r;
  }

  statAt(dir: number, name: string, out: HostBuffer): number {
    this.begin(P.OP_STAT_AT, dir, name);
    const r = this.ask();
    if (r === 0) this.takeStat(out);
    return r;
  }

  statfs(h: number, out: HostBuffer): number {
    if (h < HANDLES_FROM) return hostCall(SYS_fstatfs, h, out.addr);
    this.begin(P.OP_STATFS, h);
    return this.askFor(out);
  }

  list(dir: number, first: boolean, out: HostBuffer): number {
    this.begin(P.OP_LIST, dir);
    this.put(P.Q_A, first ? 1 : 0);
    this.put(P.Q_B, out.size);
    return this.askFor(out);
  }

  readlink(dir: number, name: string, out: HostBuffer): number {
    this.begin(P.OP_READLINK, dir, name);
    return this.askFor(out);
  }

  mkdir(dir: number, name: string, mode: number): number {
    this.begin(P.OP_MKDIR, dir, name);
    this.put(P.Q_A, mode);
    return this.ask();
  }

  mknod(dir: number, name: string, mode: number): number {
    this.begin(P.OP_MKNOD, dir, name);
    this.put(P.Q_A, mode);
    return this.ask();
  }

  symlink(target: string, dir: number, name: string): number {
    this.begin(P.OP_SYMLINK, dir, name);
    this.data(target);
    return this.ask();
  }

  link(from: number, name: string, dir: number, newName: string): number {
    return this.two(P.OP_LINK, from, name, dir, newName, 0);
  }

  rename(from: number, name: string, to: number, newName: string, flags: number): number {
    return this.two(P.OP_RENAME, from, name, to, newName, flags);
  }

  private two(op: number, from: number, name: string, to: number, newName: string, flags: number): number {
    this.begin(op, from, name);
    this.put(P.Q_SECOND, this.handleOf(to));
    this.put(P.Q_A, flags);
    this.data(newName);
    return this.ask();
  }

  linkOpen(fd: number, dir: number, name: string): number {
    this.begin(P.OP_LINK_OPEN, fd, name);
    this.put(P.Q_SECOND, this.handleOf(dir));
    return this.ask();
  }

  unlink(dir: number, name: string, flags: number): number {
    this.begin(P.OP_UNLINK, dir, name);
    this.put(P.Q_A, flags);
    return this.ask();
  }

  chown(h: number, uid: number, gid: number): number {
    this.begin(P.OP_CHOWN, h);
    this.put(P.Q_A, uid);
    this.put(P.Q_B, gid);
    return this.ask();
  }

  chmod(h: number, mode: number): number {
    this.begin(P.OP_CHMOD, h);
    this.put(P.Q_A, mode);
    return this.ask();
  }

  utimens(h: number, times: HostBuffer): number {
    this.begin(P.OP_UTIMENS, h);
    this.socket.buffer.u8.set(times.u8.subarray(0, TIMES_SIZE), P.Q_TIMES);
    return this.ask();
  }

  getxattr(h: number, name: string, attribute: string, out: HostBuffer): number {
    this.begin(P.OP_GETXATTR, h, name);
    this.data(attribute);
    this.put(P.Q_A, out.size);
    return this.askFor(out);
  }

  setxattr(h: number, attribute: string, value: HostBuffer, size: number, flags: number): number {
    this.begin(P.OP_SETXATTR, h, attribute);
    this.put(P.Q_A, flags);
    this.put(P.Q_DATA_SIZE, size);
    this.socket.buffer.u8.set(value.u8.subarray(0, size), this.size);
    this.size += size;
    return this.ask();
  }

  removexattr(h: number, attribute: string): number {
    this.begin(P.OP_REMOVEXATTR, h, attribute);
    return this.ask();
  }

  listxattr(h: number, out: HostBuffer): number {
    this.begin(P.OP_LISTXATTR, h);
    return this.askFor(out);
  }

  fsync(dir: number): number {
    this.begin(P.OP_FSYNC, dir);
    return this.ask();
  }

  syncfs(h: number): number {
    this.begin(P.OP_SYNCFS, h);
    return this.ask();
  }

  linkText(fd: number, out: HostBuffer): number {
    if (this.own !== null) return this.own.linkText(fd, out);
    this.begin(P.OP_LINK_TEXT, -1);
    const r = this.ask(fd);
    if (r > 0) out.u8.set(this.socket.buffer.u8.subarray(P.A_DATA, P.A_DATA + Math.min(r, out.size)));
    return Math.min(r, out.size);
  }

  threadFile(pid: number, tid: number, file: ThreadFile): number {
    if (this.own !== null) return this.own.threadFile(pid, tid, file);
    this.begin(P.OP_THREAD_FILE, -1);
    this.put(P.Q_A, pid);
    this.put(P.Q_B, tid);
    this.put(P.Q_C, THREAD_FILES.indexOf(file));
    return this.askForDescriptor();
  }

  /** The file of a descriptor may be opened anew when the gofer is sealed. */
  allowGiven(fd: number): void {
    this.begin(P.OP_ALLOW_GIVEN, -1);
    this.ask(fd);
  }

  /**
   * No more is attached: the gofer gives up what it does not need for its trees, or, when `forced`, for opening anew what others own.
   * What it said about it, a line each.
   */
  seal(forced: boolean): string[] {
    this.own = null;
    this.begin(P.OP_SEAL, -1);
    this.put(P.Q_A, forced ? 1 : 0);
    const r = this.ask();
    const said = Buffer.from(this.socket.buffer.u8.subarray(P.A_DATA, P.A_DATA + Math.max(r, 0)));
    return said
      .toString('latin1')
      .split('\n')
      .filter((line) => line !== '');
  }
}

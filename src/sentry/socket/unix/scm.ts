// Scm: descriptors and credentials in a message (SCM_RIGHTS, SCM_CREDENTIALS): unix(7).

import { EBADF, EINVAL, EPERM, ETOOMANYREFS } from '../../../abi/errno.ts';
import {
  CMSGHDR_CMSG_LEVEL,
  CMSGHDR_CMSG_TYPE,
  cmsgSpace,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  SCM_CREDENTIALS,
  SCM_RIGHTS,
  SIZEOF_CMSGHDR,
  SIZEOF_UCRED,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { RLIMIT_NOFILE } from '../../../abi/process/resource.ts';
import { getU64 } from '../../../abi/u64.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { Message } from '../message.ts';
import type { UnixNamespace } from './namespace.ts';
import { UnixSocket } from './unix.ts';

/** SCM_MAX_FD: descriptors in one message. */
const SCM_MAX_FD = 253;
/** overflowuid: how an unknown user is shown. */
const OVERFLOW_ID = 65534;

export class Scm {
  /** Files in flight, each with a reference; null for none. */
  files: File[] | null = null;
  hasCred = false;
  pid = 0;
  uid = OVERFLOW_ID;
  gid = OVERFLOW_ID;
  /** Who is charged for `files` while they are queued; null while they are not. */
  private ns: UnixNamespace | null = null;
  private chargedUid = 0;

  sameCred(o: Scm | null): boolean {
    if (o === null) return !this.hasCred;
    return this.pid === o.pid && this.uid === o.uid && this.gid === o.gid;
  }

  /** Fills in the sender's credentials unless the message names some. */
  setSender(ctx: VfsContext): void {
    if (this.hasCred) return;
    this.hasCred = true;
    this.pid = ctx.tgid;
    this.uid = ctx.cred.uid;
    this.gid = ctx.cred.gid;
  }

  /** The message is queued: its files count as in flight. -ETOOMANYREFS when the sender has too many there. */
  enterFlight(ctx: VfsContext, ns: UnixNamespace): number {
    if (this.files === null) return 0;
    if (!ns.maySend(ctx, this.files.length)) return -ETOOMANYREFS;
    this.ns = ns;
    this.chargedUid = ctx.cred.uid;
    ns.addInflight(this.chargedUid, this.files.length);
    for (const f of this.files)
      if (f instanceof UnixSocket) {
        if (f.inflight++ === 0) ns.inflightSockets.add(f);
      }
    return 0;
  }

  /** The files are no longer in flight; the caller of this takes their references. */
  leaveFlight(): File[] {
    const files = this.files ?? [];
    const ns = this.ns;
    this.files = null;
    this.ns = null;
    if (ns === null) return files;
    ns.addInflight(this.chargedUid, -files.length);
    for (const f of files) if (f instanceof UnixSocket && --f.inflight === 0) ns.inflightSockets.delete(f);
    return files;
  }

  /** The message is thrown away. */
  discard(): void {
    release(this.leaveFlight());
  }
}

const doomed: File[] = [];
let releasing = false;

/**
 * Drops references that were in flight. The last one of a socket throws away what that socket holds: a chain of sockets
 * in sockets may be as long as a program likes, so it is taken apart in a loop.
 */
function release(files: readonly File[]): void {
  for (const f of files) doomed.push(f);
  if (releasing) return;
  releasing = true;
  for (let f = doomed.pop(); f !== undefined; f = doomed.pop()) f.unref();
  releasing = false;
}

/**
 * Reads the control messages of sendmsg(2): an Scm that holds references to the files, null when there is nothing, or
 * -EINVAL, -EBADF, -EPERM (credentials that the caller may not claim).
 */
export function parseControl(ctx: VfsContext, msg: Message): Scm | null | number {
  let scm: Scm | null = null;
  let at = 0;
  while (msg.controlLen - at >= SIZEOF_CMSGHDR) {
    const len = getU64(msg.view, at);
    if (len < SIZEOF_CMSGHDR || len > msg.controlLen - at) {
      scm?.discard();
      return -EINVAL;
    }
    if (msg.view.getInt32(at + CMSGHDR_CMSG_LEVEL, true) === SOL_SOCKET) {
      scm ??= new Scm();
      const type = msg.view.getInt32(at + CMSGHDR_CMSG_TYPE, true);
      const r = parseOne(ctx, scm, msg.view, type, at + SIZEOF_CMSGHDR, len - SIZEOF_CMSGHDR);
      if (r < 0) {
        scm.discard();
        return r;
      }
    }
    at += cmsgSpace(len - SIZEOF_CMSGHDR);
  }
  return scm;
}

function parseOne(ctx: VfsContext, scm: Scm, view: DataView, type: number, at: number, len: number): number {
  switch (type) {
    case SCM_RIGHTS: {
      const count = Math.floor(len / 4);
      if (count === 0) return 0;
      const files = (scm.files ??= []);
      if (files.length + count > SCM_MAX_FD) return -EINVAL;
      for (let i = 0; i < count; i++) {
        const f = ctx.fds.get(view.getInt32(at + 4 * i, true));
        if (f === null) return -EBADF;
        files.push(f.ref());
      }
      return 0;
    }
    case SCM_CREDENTIALS: {
      if (len !== SIZEOF_UCRED) return -EINVAL;
      const pid = view.getInt32(at, true);
      const uid = view.getUint32(at + 4, true);
      const gid = view.getUint32(at + 8, true);
      if (!mayClaim(ctx, pid, uid, gid)) return -EPERM;
      scm.hasCred = true;
      scm.pid = pid;
      scm.uid = uid;
      scm.gid = gid;
      return 0;
    }
  }
  return -EINVAL;
}

/** scm_check_creds of Linux. */
function mayClaim(ctx: VfsContext, pid: number, uid: number, gid: number): boolean {
  const c = ctx.cred;
  if (pid !== ctx.tgid && !c.capable(CAP_SYS_ADMIN)) return false;
  if (uid !== c.uid && uid !== c.euid && uid !== c.suid && !c.capable(CAP_SETUID)) return false;
  return gid === c.gid || gid === c.egid || gid === c.sgid || c.capable(CAP_SETGID);
}

const cred = new Uint8Array(SIZEOF_UCRED);
const credView = new DataView(cred.buffer);
const fdBytes = new Uint8Array(4 * SCM_MAX_FD);
const fdView = new DataView(fdBytes.buffer);

/**
 * Gives a received message's credentials and files to the caller as control messages (scm_recv in Linux). The references
 * of `files` are consumed: those that do not fit are closed.
 */
export function deliver(
  ctx: VfsContext,
  msg: Message,
  passcred: boolean,
  from: Scm | null,
  files: File[] | null,
  flags: number,
): void {
  if (passcred) {
    credView.setInt32(0, from === null ? 0 : from.pid, true);
    credView.setUint32(4, from === null ? OVERFLOW_ID : from.uid, true);
    credView.setUint32(8, from === null ? OVERFLOW_ID : from.gid, true);
    msg.putControl(SOL_SOCKET, SCM_CREDENTIALS, cred);
  }
  if (files === null || files.length === 0) return;
  const fit = Math.min(files.length, Math.floor(Math.max(0, msg.controlRoom) / 4));
  const limit = ctx.rlimit(RLIMIT_NOFILE);
  let n = 0;
  while (n < fit) {
    const fd = ctx.fds.install(files[n]!, (flags & MSG_CMSG_CLOEXEC) !== 0, limit);
    if (fd < 0) break;
    fdView.setInt32(4 * n, fd, true);
    n++;
  }
  if (n < files.length) msg.flags |= MSG_CTRUNC;
  for (let i = n; i < files.length; i++) files[i]!.unref();
  if (n > 0) msg.putControl(SOL_SOCKET, SCM_RIGHTS, fdBytes, 4 * n);
}

// ioctl_tty(2): the requests of job control, which mean the same on every terminal, and what requests move ints with.

import { EINVAL, EIO, ENOIOCTLCMD, ENOTTY, EPERM, ESRCH } from '../../../abi/errno.ts';
import * as C from '../../../abi/ioctl.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { SIGTTOU } from '../../../abi/signal/signal.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Terminal } from './terminal.ts';

/** Copies an int out; 0 or -EFAULT. */
export function putInt(ctx: VfsContext, arg: number, value: number): number {
  scratchView.setInt32(0, value, true);
  return ctx.mem.copyOutExact(arg, scratch, 0, 4);
}

/** Copies an int in; its value is then in scratch. 0 or -EFAULT. */
export function getInt(ctx: VfsContext, arg: number): number {
  return ctx.mem.copyInExact(arg, scratch, 0, 4);
}

/** The requests of job control on a terminal; -ENOIOCTLCMD for all others. */
export function jobIoctl(tty: Terminal, ctx: VfsContext, cmd: number, arg: number): number {
  switch (cmd) {
    case C.TIOCSCTTY:
      return setControlling(tty, ctx, arg);
    case C.TIOCNOTTY: {
      const process = tty.host.processOf(ctx);
      if (process.tty !== tty) return -ENOTTY;
      if (tty.host.isSessionLeader(ctx)) tty.disassociate(false);
      process.tty = null;
      return 0;
    }
    case C.TIOCGPGRP:
      return tty.host.processOf(ctx).tty !== tty ? -ENOTTY : putInt(ctx, arg, tty.foregroundSeen());
    case C.TIOCGSID:
      return tty.host.processOf(ctx).tty !== tty ? -ENOTTY : sessionId(tty, ctx, arg);
    case C.TIOCSPGRP:
      return setForeground(tty, ctx, arg);
    case C.TIOCEXCL:
      tty.exclusive = true;
      return 0;
    case C.TIOCNXCL:
      tty.exclusive = false;
      return 0;
    case C.TIOCGEXCL:
      return putInt(ctx, arg, tty.exclusive ? 1 : 0);
    case C.TIOCGDEV:
      return putInt(ctx, arg, tty.rdev);
    default:
      return -ENOIOCTLCMD;
  }
}

/** TIOCGSID for whoever may ask. */
export function sessionId(tty: Terminal, ctx: VfsContext, arg: number): number {
  return tty.session === null ? -ENOTTY : putInt(ctx, arg, tty.session.sid);
}

/** TIOCSCTTY: `arg` 1 lets root steal the terminal of another session. */
function setControlling(tty: Terminal, ctx: VfsContext, arg: number): number {
  const host = tty.host;
  const process = host.processOf(ctx);
  const session = host.sessionOf(ctx);
  if (host.isSessionLeader(ctx) && tty.session === session) return 0;
  if (!tty.adoptable || !host.isSessionLeader(ctx) || process.tty !== null) return -EPERM;
  if (tty.session !== null) {
    if (arg !== 1 || !ctx.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
    host.clearTty(tty.session, tty);
  }
  tty.adopt(ctx);
  return 0;
}

/** TIOCSPGRP: tcsetpgrp(3). */
export function setForeground(tty: Terminal, ctx: VfsContext, arg: number): number {
  const access = tty.checkAccess(ctx, SIGTTOU);
  if (access === -EIO) return -ENOTTY;
  if (access !== 0) return access;
  const owned = tty.ownedBy(ctx);
  if (owned !== 0) return owned;
  const outside = tty.checkOutside(ctx);
  if (outside !== 0) return outside === -EIO ? -ENOTTY : outside;
  const r = getInt(ctx, arg);
  if (r !== 0) return r;
  const pgrp = scratchView.getInt32(0, true);
  if (pgrp < 0) return -EINVAL;
  const session = tty.host.sessionOfPgrp(pgrp);
  if (session === null) return -ESRCH;
  if (session !== tty.session) return -EPERM;
  tty.foreground = pgrp;
  return 0;
}

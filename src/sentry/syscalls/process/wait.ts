// wait4(2), waitid(2).

import { EAGAIN, EBADF, ECHILD, EFAULT, EINVAL, ESRCH } from '../../../abi/errno.ts';
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  WUNTRACED,
} from '../../../abi/process/wait.ts';
import { SIGCHLD } from '../../../abi/signal/signal.ts';
import { SYS_wait4, SYS_waitid } from '../../../abi/syscall.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { encodeSigInfo, SIL_CHLD, SigInfo } from '../../kernel/signal/siginfo.ts';
import { PidFile } from '../../kernel/task/pidfd.ts';
import type { Task } from '../../kernel/task/task.ts';
import { WaitRequest, waitForChild } from '../../kernel/task/wait.ts';
import { FLAGS, ONE_OF, PID, STRUCT, WAIT_STATUS } from '../kinds.ts';
import { sys } from '../row.ts';
import { writeRusage } from './user_usage.ts';

const INT_MIN = -0x8000_0000;
const request = new WaitRequest();

function reset(options: number): WaitRequest {
  request.any = false;
  request.pid = 0;
  request.pgid = 0;
  request.options = options;
  return request;
}

/** Implements wait4(2). */
function wait4(t: Task, pid: number, statusAddr: number, options: number, rusage: number): number {
  if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)) !== 0) return -EINVAL;
  if (pid === INT_MIN) return -ESRCH;
  const req = reset(options | WEXITED);
  if (pid === -1) req.any = true;
  else if (pid < 0) req.pgid = -pid;
  else if (pid === 0) req.pgid = t.group.pgrp.id;
  else req.pid = pid;
  const r = waitForChild(t, req);
  if (r <= 0) return r;
  if (statusAddr !== 0) {
    scratchView.setInt32(0, req.status, true);
    if (t.mm.copyOutExact(statusAddr, scratch, 0, 4) !== 0) return -EFAULT;
  }
  if (rusage !== 0 && writeRusage(t, rusage, req.usage) !== 0) return -EFAULT;
  return r;
}

/** Implements waitid(2). */
function waitid(t: Task, type: number, id: number, infop: number, options: number, rusage: number): number {
  const known = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
  if ((options & ~known) !== 0 || (options & (WEXITED | WSTOPPED | WCONTINUED)) === 0) return -EINVAL;
  const req = reset(options);
  let nonblocking = false;
  switch (type) {
    case P_ALL:
      req.any = true;
      break;
    case P_PID:
      if (id <= 0) return -EINVAL;
      req.pid = id;
      break;
    case P_PGID:
      if (id < 0) return -EINVAL;
      req.pgid = id === 0 ? t.group.pgrp.id : id;
      break;
    case P_PIDFD: {
      if (id < 0) return -EINVAL;
      const file = t.file(id);
      if (!(file instanceof PidFile)) return -EBADF;
      t.pin(id, file);
      req.pid = file.group.tgid;
      if (file.group.reaped) return -ECHILD;
      if (file.nonblocking && (options & WNOHANG) === 0) {
        nonblocking = true;
        req.options |= WNOHANG;
      }
      break;
    }
    default:
      return -EINVAL;
  }
  const r = waitForChild(t, req);
  if (r < 0) return r;
  if (r === 0 && nonblocking) return -EAGAIN;
  if (r > 0 && rusage !== 0 && writeRusage(t, rusage, req.usage) !== 0) return -EFAULT;
  if (infop === 0) return 0;
  // With nothing to report, signo and pid read 0: how WNOHANG tells.
  const info = new SigInfo(r > 0 ? SIGCHLD : 0, r > 0 ? req.code : 0, SIL_CHLD);
  if (r > 0) {
    info.pid = req.foundPid;
    info.uid = req.foundUid;
    info.status = req.codeStatus;
  }
  encodeSigInfo(scratch, scratchView, 0, info);
  // Linux writes the named fields only, up to si_status.
  return t.mm.copyOutExact(infop, scratch, 0, 28) !== 0 ? -EFAULT : 0;
}

const WAIT_FLAGS = FLAGS('options', [
  ['WNOHANG', WNOHANG],
  ['WUNTRACED', WUNTRACED],
  ['WEXITED', WEXITED],
  ['WCONTINUED', WCONTINUED],
  ['WNOWAIT', WNOWAIT],
  ['__WNOTHREAD', __WNOTHREAD],
  ['__WALL', __WALL],
  ['__WCLONE', __WCLONE],
]);
const ID_TYPE = ONE_OF('idtype', [
  ['P_ALL', P_ALL],
  ['P_PID', P_PID],
  ['P_PGID', P_PGID],
  ['P_PIDFD', P_PIDFD],
]);

export const rows = [
  sys(SYS_wait4, [PID, WAIT_STATUS, WAIT_FLAGS, STRUCT('rusage', true)], wait4),
  sys(SYS_waitid, [ID_TYPE, PID, STRUCT('siginfo_t', true), WAIT_FLAGS, STRUCT('rusage', true)], waitid),
];

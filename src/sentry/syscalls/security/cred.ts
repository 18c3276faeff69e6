// User and group ids: credentials(7). Ids are unsigned; (uid_t)-1 means "leave alone" where Linux says so.

import { EFAULT, EINVAL, EPERM } from '../../../abi/errno.ts';
import { NGROUPS_MAX } from '../../../abi/limits.ts';
import { CAP_SETGID, CAP_SETUID } from '../../../abi/process/capability.ts';
import {
  SYS_getegid,
  SYS_geteuid,
  SYS_getgid,
  SYS_getgroups,
  SYS_getresgid,
  SYS_getresuid,
  SYS_getuid,
  SYS_setfsgid,
  SYS_setfsuid,
  SYS_setgid,
  SYS_setgroups,
  SYS_setregid,
  SYS_setresgid,
  SYS_setresuid,
  SYS_setreuid,
  SYS_setuid,
} from '../../../abi/syscall.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { commitCred, fixupFsuid, fixupSetxuid } from '../../kernel/task/cred.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, INT, UINT } from '../kinds.ts';
import { sys } from '../row.ts';

const NO_ID = -1;
/** Ids copied at a time. */
const CHUNK = 4096;

/** Implements getuid(2). */
function getuid(t: Task): number {
  return t.cred.uid;
}

/** Implements geteuid(2). */
function geteuid(t: Task): number {
  return t.cred.euid;
}

/** Implements getgid(2). */
function getgid(t: Task): number {
  return t.cred.gid;
}

/** Implements getegid(2). */
function getegid(t: Task): number {
  return t.cred.egid;
}

/** Implements setuid(2). */
function setuid(t: Task, id: number): number {
  if (id === NO_ID) return -EINVAL;
  const uid = id >>> 0;
  const old = t.cred;
  const c = old.clone();
  if (old.capable(CAP_SETUID)) c.uid = c.suid = uid;
  else if (uid !== old.uid && uid !== old.suid) return -EPERM;
  c.euid = c.fsuid = uid;
  fixupSetxuid(old, c);
  commitCred(t, c);
  return 0;
}

/** Implements setreuid(2). */
function setreuid(t: Task, ruid: number, euid: number): number {
  const old = t.cred;
  const cap = old.capable(CAP_SETUID);
  const c = old.clone();
  if (ruid !== NO_ID) {
    c.uid = ruid >>> 0;
    if (!cap && c.uid !== old.uid && c.uid !== old.euid) return -EPERM;
  }
  if (euid !== NO_ID) {
    c.euid = euid >>> 0;
    if (!cap && c.euid !== old.uid && c.euid !== old.euid && c.euid !== old.suid) return -EPERM;
  }
  if (ruid !== NO_ID || (euid !== NO_ID && c.euid !== old.uid)) c.suid = c.euid;
  c.fsuid = c.euid;
  fixupSetxuid(old, c);
  commitCred(t, c);
  return 0;
}

/** Implements setresuid(2). */
function setresuid(t: Task, ruid: number, euid: number, suid: number): number {
  const old = t.cred;
  if (!old.capable(CAP_SETUID)) {
    for (const id of [ruid, euid, suid]) {
      const uid = id >>> 0;
      if (id !== NO_ID && uid !== old.uid && uid !== old.euid && uid !== old.suid) return -EPERM;
    }
  }
  const c = old.clone();
  if (ruid !== NO_ID) c.uid = ruid >>> 0;
  if (euid !== NO_ID) c.euid = euid >>> 0;
  if (suid !== NO_ID) c.suid = suid >>> 0;
  c.fsuid = c.euid;
  fixupSetxuid(old, c);
  commitCred(t, c);
  return 0;
}

/** Implements setfsuid(2): returns the old id, whether it changed or not. */
function setfsuid(t: Task, id: number): number {
  const old = t.cred;
  const uid = id >>> 0;
  const allowed = uid === old.uid || uid === old.euid || uid === old.suid || uid === old.fsuid;
  if (id === NO_ID || !(allowed || old.capable(CAP_SETUID)) || uid === old.fsuid) return old.fsuid;
  const c = old.clone();
  c.fsuid = uid;
  fixupFsuid(old, c);
  commitCred(t, c);
  return old.fsuid;
}

/** Implements setgid(2). */
function setgid(t: Task, id: number): number {
  if (id === NO_ID) return -EINVAL;
  const gid = id >>> 0;
  const old = t.cred;
  const c = old.clone();
  if (old.capable(CAP_SETGID)) c.gid = c.sgid = gid;
  else if (gid !== old.gid && gid !== old.sgid) return -EPERM;
  c.egid = c.fsgid = gid;
  commitCred(t, c);
  return 0;
}

/** Implements setregid(2). */
function setregid(t: Task, rgid: number, egid: number): number {
  const old = t.cred;
  const cap = old.capable(CAP_SETGID);
  const c = old.clone();
  if (rgid !== NO_ID) {
    c.gid = rgid >>> 0;
    if (!cap && c.gid !== old.gid && c.gid !== old.egid) return -EPERM;
  }
  if (egid !== NO_ID) {
    c.egid = egid >>> 0;
    if (!cap && c.egid !== old.gid && c.egid !== old.egid && c.egid !== old.sgid) return -EPERM;
  }
  if (rgid !== NO_ID || (egid !== NO_ID && c.egid !== old.gid)) c.sgid = c.egid;
  c.fsgid = c.egid;
  commitCred(t, c);
  return 0;
}

/** Implements setresgid(2). */
function setresgid(t: Task, rgid: number, egid: number, sgid: number): number {
  const old = t.cred;
  if (!old.capable(CAP_SETGID)) {
    for (const id of [rgid, egid, sgid]) {
      const gid = id >>> 0;
      if (id !== NO_ID && gid !== old.gid && gid !== old.egid && gid !== old.sgid) return -EPERM;
    }
  }
  const c = old.clone();
  if (rgid !== NO_ID) c.gid = rgid >>> 0;
  if (egid !== NO_ID) c.egid = egid >>> 0;
  if (sgid !== NO_ID) c.sgid = sgid >>> 0;
  c.fsgid = c.egid;
  commitCred(t, c);
  return 0;
}

/** Implements setfsgid(2). */
function setfsgid(t: Task, id: number): number {
  const old = t.cred;
  const gid = id >>> 0;
  const allowed = gid === old.gid || gid === old.egid || gid === old.sgid || gid === old.fsgid;
  if (id === NO_ID || !(allowed || old.capable(CAP_SETGID)) || gid === old.fsgid) return old.fsgid;
  const c = old.clone();
  c.fsgid = gid;
  commitCred(t, c);
  return old.fsgid;
}

function putIds(t: Task, addrs: readonly number[], ids: readonly number[]): number {
  for (let i = 0; i < addrs.length; i++) {
    scratchView.setUint32(0, ids[i]!, true);
    if (t.mm.copyOutExact(addrs[i]!, scratch, 0, 4) !== 0) return -EFAULT;
  }
  return 0;
}

/** Implements getresuid(2). */
function getresuid(t: Task, ruid: number, euid: number, suid: number): number {
  const c = t.cred;
  return putIds(t, [ruid, euid, suid], [c.uid, c.euid, c.suid]);
}

/** Implements getresgid(2). */
function getresgid(t: Task, rgid: number, egid: number, sgid: number): number {
  const c = t.cred;
  return putIds(t, [rgid, egid, sgid], [c.gid, c.egid, c.sgid]);
}

/** Implements getgroups(2). */
function getgroups(t: Task, size: number, addr: number): number {
  const groups = t.cred.groups;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) return -EINVAL;
  for (let from = 0; from < groups.length; from += CHUNK) {
    const n = Math.min(CHUNK, groups.length - from);
    for (let i = 0; i < n; i++) scratchView.setUint32(i * 4, groups[from + i]!, true);
    if (t.mm.copyOutExact(addr + from * 4, scratch, 0, n * 4) !== 0) return -EFAULT;
  }
  return groups.length;
}

/** Implements setgroups(2). */
function setgroups(t: Task, size: number, addr: number): number {
  if (!t.cred.capable(CAP_SETGID)) return -EPERM;
  if (size < 0 || size > NGROUPS_MAX) return -EINVAL;
  const groups: number[] = [];
  for (let from = 0; from < size; from += CHUNK) {
    const n = Math.min(CHUNK, size - from);
    if (t.mm.copyInExact(addr + from * 4, scratch, 0, n * 4) !== 0) return -EFAULT;
    for (let i = 0; i < n; i++) {
      const gid = scratchView.getUint32(i * 4, true);
      if (gid === 0xffffffff) return -EINVAL;
      groups.push(gid);
    }
  }
  const c = t.cred.clone();
  c.groups = groups.sort((a, b) => a - b);
  commitCred(t, c);
  return 0;
}

export const rows = [
  sys(SYS_getuid, [], getuid),
  sys(SYS_geteuid, [], geteuid),
  sys(SYS_getgid, [], getgid),
  sys(SYS_getegid, [], getegid),
  sys(SYS_setuid, [UINT], setuid),
  sys(SYS_setreuid, [INT, INT], setreuid),
  sys(SYS_setresuid, [INT, INT, INT], setresuid),
  sys(SYS_setfsuid, [UINT], setfsuid),
  sys(SYS_setgid, [UINT], setgid),
  sys(SYS_setregid, [INT, INT], setregid),
  sys(SYS_setresgid, [INT, INT, INT], setresgid),
  sys(SYS_setfsgid, [UINT], setfsgid),
  sys(SYS_getresuid, [ADDR, ADDR, ADDR], getresuid),
  sys(SYS_getresgid, [ADDR, ADDR, ADDR], getresgid),
  sys(SYS_getgroups, [INT, ADDR], getgroups),
  sys(SYS_setgroups, [INT, ADDR], setgroups),
];

// Credentials after execve(2): set-user-ID and set-group-ID programs, file capabilities, the root rules and ambient
// capabilities of capabilities(7).

import { EPERM } from '../../../abi/errno.ts';
import { S_ISGID, S_ISUID, S_IXGRP } from '../../../abi/fs/stat.ts';
import { CAP_SETUID } from '../../../abi/process/capability.ts';
import { SECBIT_KEEP_CAPS, SECBIT_NOROOT } from '../../../abi/process/securebits.ts';
import { CapSet, type Cred } from '../../base/cred.ts';
import type { FileCaps } from './file_caps.ts';

/** What decides about a program's rights: its inode. */
export interface ProgramFile {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ExecCred {
  cred: Cred;
  /** AT_SECURE. */
  secure: boolean;
  /** The program runs with other ids than its caller: personality bits that weaken it are cleared. */
  setid: boolean;
}

function and(a: CapSet, b: CapSet): CapSet {
  return new CapSet(a.lo & b.lo, a.hi & b.hi);
}

function or(a: CapSet, b: CapSet): CapSet {
  return new CapSet(a.lo | b.lo, a.hi | b.hi);
}

/** Has `to` what `from` has not? */
export function grew(to: CapSet, from: CapSet): boolean {
  return ((to.lo & ~from.lo) | (to.hi & ~from.hi)) !== 0;
}

/**
 * The credentials that a program runs with. `nosuid`: its mount has MS_NOSUID. `caps`: its security.capability
 * attribute, or null. `shared`: somebody outside shares the caller's root and working directory (LSM_UNSAFE_SHARE).
 * -EPERM when the program would lack capabilities that its file forces.
 */
export function credForExec(
  old: Cred,
  file: ProgramFile,
  nosuid: boolean,
  caps: FileCaps | null,
  shared: boolean,
): ExecCred | number {
  const c = old.clone();
  const privileged = !nosuid && !old.noNewPrivs;
  if (privileged) {
    if ((file.mode & S_ISUID) !== 0) c.euid = file.uid;
    if ((file.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP)) c.egid = file.gid;
  }
  const fileCaps = nosuid ? null : caps;
  const setid = c.euid !== old.uid || c.egid !== old.gid;

  let effective = false;
  c.permitted = new CapSet();
  if (fileCaps !== null) {
    c.permitted = or(and(c.bounding, fileCaps.permitted), and(c.inheritable, fileCaps.inheritable));
    effective = fileCaps.effective;
    // A program that knows nothing of capabilities would not notice what it lacks.
    if (effective && grew(fileCaps.permitted, c.permitted)) return -EPERM;
  }
  // root has everything, unless SECBIT_NOROOT, or a set-user-ID-root program says with file capabilities what it needs.
  const rootRule =
    (old.securebits & SECBIT_NOROOT) === 0 && !(fileCaps !== null && c.uid !== 0 && c.euid === 0);
  if (rootRule && (c.euid === 0 || c.uid === 0)) {
    c.permitted = or(old.bounding, old.inheritable);
    if (c.euid === 0) effective = true;
  }
  // cap_bprm_creds_from_file(): no more than the caller had. Whoever may set any uid keeps the program's.
  if ((setid || grew(c.permitted, old.permitted)) && (old.noNewPrivs || shared)) {
    if (old.noNewPrivs || !old.capable(CAP_SETUID)) {
      c.euid = c.uid;
      c.egid = c.gid;
    }
    c.permitted = and(c.permitted, old.permitted);
  }
  c.suid = c.fsuid = c.euid;
  c.sgid = c.fsgid = c.egid;
  if (fileCaps !== null || setid) c.ambient = new CapSet();
  c.permitted = or(c.permitted, c.ambient);
  c.effective = effective ? c.permitted.clone() : c.ambient.clone();
  c.securebits &= ~SECBIT_KEEP_CAPS;
  const secure = setid || (c.uid !== 0 && (effective || grew(c.permitted, c.ambient)));
  return { cred: c, secure, setid };
}

// Installing changed credentials on a thread: commit_creds of Linux, and the capability rules of set*id calls
// (capabilities(7), "Effect of user ID changes on capabilities").

import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_LINUX_IMMUTABLE,
  CAP_MAC_OVERRIDE,
  CAP_MKNOD,
} from '../../../abi/process/capability.ts';
import { SECBIT_KEEP_CAPS, SECBIT_NO_SETUID_FIXUP } from '../../../abi/process/securebits.ts';
import { CapSet, type Cred } from '../../base/cred.ts';
import type { Task } from './task.ts';

/** Capabilities that come and go with fsuid 0. */
const FS_CAPS = capSet([
  CAP_CHOWN,
  CAP_MKNOD,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MAC_OVERRIDE,
  CAP_LINUX_IMMUTABLE,
]);

function capSet(caps: readonly number[]): CapSet {
  const s = new CapSet();
  for (const c of caps) setCap(s, c, true);
  return s;
}

/** Raises or lowers one capability. */
export function setCap(s: CapSet, cap: number, on: boolean): void {
  const bit = 1 << (cap & 31);
  if (cap < 32) s.lo = (on ? s.lo | bit : s.lo & ~bit) >>> 0;
  else s.hi = (on ? s.hi | bit : s.hi & ~bit) >>> 0;
}

/** True when every capability of `a` is in `b`. */
export function capSubset(a: CapSet, b: CapSet): boolean {
  return ((a.lo & ~b.lo) | (a.hi & ~b.hi)) === 0;
}

/** Makes `c` the thread's credentials. */
export function commitCred(t: Task, c: Cred): void {
  const old = t.cred;
  const changed =
    old.euid !== c.euid ||
    old.egid !== c.egid ||
    old.fsuid !== c.fsuid ||
    old.fsgid !== c.fsgid ||
    !capSubset(c.permitted, old.permitted);
  if (changed) {
    t.group.dumpable = 0;
    t.pdeathSignal = 0;
  }
  if (old.uid !== c.uid) t.kernel.users.changeUser(t, c.uid);
  t.cred = c;
}

/** Applies the capability rules to `c`, whose real, effective or saved uid has just changed from `old`'s. */
export function fixupSetxuid(old: Cred, c: Cred): void {
  if ((c.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return;
  const hadRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const hasRoot = c.uid === 0 || c.euid === 0 || c.suid === 0;
  if (hadRoot && !hasRoot) {
    if ((c.securebits & SECBIT_KEEP_CAPS) === 0) {
      c.permitted = new CapSet();
      c.effective = new CapSet();
    }
    c.ambient = new CapSet();
  }
  if (old.euid === 0 && c.euid !== 0) c.effective = new CapSet();
  if (old.euid !== 0 && c.euid === 0) c.effective = c.permitted.clone();
}

/** Applies the capability rules to `c`, whose fsuid alone has just changed from `old`'s. */
export function fixupFsuid(old: Cred, c: Cred): void {
  if ((c.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return;
  const e = c.effective;
  if (old.fsuid === 0 && c.fsuid !== 0) c.effective = new CapSet(e.lo & ~FS_CAPS.lo, e.hi & ~FS_CAPS.hi);
  if (old.fsuid !== 0 && c.fsuid === 0) {
    c.effective = new CapSet(e.lo | (FS_CAPS.lo & c.permitted.lo), e.hi | (FS_CAPS.hi & c.permitted.hi));
  }
}

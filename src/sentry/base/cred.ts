// Credentials of a task: credentials(7), capabilities(7). A Cred is immutable once installed on a task or file: to
// change one, clone() it, edit the clone, and install that (commit_creds in Linux), so that holders keep what they saw.

/** A capability set as two 32-bit words. */
export class CapSet {
  lo: number;
  hi: number;
  constructor(lo = 0, hi = 0) {
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
  }
  has(cap: number): boolean {
    return cap < 32 ? ((this.lo >>> cap) & 1) === 1 : ((this.hi >>> (cap - 32)) & 1) === 1;
  }
  clone(): CapSet {
    return new CapSet(this.lo, this.hi);
  }
}

/** Every capability that Linux 6.x knows (0 .. CAP_CHECKPOINT_RESTORE = 40). */
export function fullCapSet(): CapSet {
  return new CapSet(0xffffffff, 0x1ff);
}

export class Cred {
  uid = 0;
  euid = 0;
  suid = 0;
  fsuid = 0;
  gid = 0;
  egid = 0;
  sgid = 0;
  fsgid = 0;
  groups: number[] = [];
  inheritable: CapSet = new CapSet();
  permitted: CapSet = new CapSet();
  effective: CapSet = new CapSet();
  bounding: CapSet = fullCapSet();
  ambient: CapSet = new CapSet();
  securebits = 0;
  noNewPrivs = false;

  clone(): Cred {
    const c = new Cred();
    c.uid = this.uid;
    c.euid = this.euid;
    c.suid = this.suid;
    c.fsuid = this.fsuid;
    c.gid = this.gid;
    c.egid = this.egid;
    c.sgid = this.sgid;
    c.fsgid = this.fsgid;
    c.groups = this.groups.slice();
    c.inheritable = this.inheritable.clone();
    c.permitted = this.permitted.clone();
    c.effective = this.effective.clone();
    c.bounding = this.bounding.clone();
    c.ambient = this.ambient.clone();
    c.securebits = this.securebits;
    c.noNewPrivs = this.noNewPrivs;
    return c;
  }

  /** True when the capability is effective (capable() in Linux). */
  capable(cap: number): boolean {
    return this.effective.has(cap);
  }

  /** True when `gid` is the fs group or a supplementary group. */
  inGroup(gid: number): boolean {
    return this.fsgid === gid || this.groups.includes(gid);
  }
}

/** Credentials of an ordinary user, or of root with every capability when uid is 0. */
export function credFor(uid: number, gid: number, groups: number[] = []): Cred {
  const c = new Cred();
  c.uid = c.euid = c.suid = c.fsuid = uid;
  c.gid = c.egid = c.sgid = c.fsgid = gid;
  c.groups = groups.slice();
  if (uid === 0) {
    c.permitted = fullCapSet();
    c.effective = fullCapSet();
  }
  return c;
}

// What the kernel counts per real user id (struct ucounts): RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE.

export class UserCount {
  readonly uid: number;
  tasks = 0;
  sigpending = 0;
  msgqueueBytes = 0;
  constructor(uid: number) {
    this.uid = uid;
  }
}

export class UserTable {
  private readonly users: Map<number, UserCount> = new Map();

  /** The counts of a user, made on first use. One small object per uid that ever ran: bounded by what setuid allows. */
  get(uid: number): UserCount {
    let u = this.users.get(uid);
    if (u === undefined) {
      this.sweep();
      u = new UserCount(uid);
      this.users.set(uid, u);
    }
    return u;
  }

  /** Forgets users without tasks, so that a guest that runs through all uids costs nothing. */
  private sweep(): void {
    if (this.users.size < 1024) return;
    for (const [uid, u] of this.users) {
      if (u.tasks === 0 && u.sigpending === 0 && u.msgqueueBytes === 0) this.users.delete(uid);
    }
  }
}

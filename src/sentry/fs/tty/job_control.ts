// Job control as terminals see it: credentials(7), setsid(2), tcsetpgrp(3), tty_ioctl(4). Sessions and process groups
// belong to the kernel, which implements these interfaces (kernel/tty_adapter.ts); terminals know no more than this.
//
// The kernel's duties:
// - ThreadGroup has a field `tty: ControllingTty | null`; fork copies it, setsid(2) sets it to null;
// - when a session leader exits, it calls sessionLeaderExits() (kernel/tty_adapter.ts);
// - /proc/PID/stat shows `rdev` (tty_nr) and `foreground` (tpgid).

import type { VfsContext } from '../../vfs/context.ts';

/** A session, compared by identity. */
export interface TtySession {
  /** Session id: the process id of its leader. */
  readonly sid: number;
}

/** A terminal that is the controlling terminal of a session; fs/tty/terminal.ts implements it. */
export interface ControllingTty {
  /** Device number as st_rdev has it. */
  readonly rdev: number;
  /** Process-group id in the foreground; 0 when none. */
  readonly foreground: number;
  /** The session leader exits: hangs the terminal up for the session (disassociate_ctty in Linux). */
  leaderExited(): void;
}

/** The terminal's side of a process; the kernel's ThreadGroup. */
export interface TtyProcess {
  /** Controlling terminal, or null. */
  tty: ControllingTty | null;
}

/** What terminals ask of the kernel. Process groups are named by id; signals come from the kernel (SI_KERNEL). */
export interface TtyHost {
  /** The calling process. */
  processOf(ctx: VfsContext): TtyProcess;
  sessionOf(ctx: VfsContext): TtySession;
  pgrpOf(ctx: VfsContext): number;
  isSessionLeader(ctx: VfsContext): boolean;
  /** The session of a process group; null when there is no such group. */
  sessionOfPgrp(pgrp: number): TtySession | null;
  /** True when the caller's process group is orphaned: no member has a parent in the session outside the group. */
  isOrphaned(ctx: VfsContext): boolean;
  /** True when the calling thread blocks or ignores the signal. */
  blocksOrIgnores(ctx: VfsContext, sig: number): boolean;
  /** Sends a signal to every member of a process group, if it still belongs to `session`. */
  signalPgrp(session: TtySession, pgrp: number, sig: number): void;
  /** Sends a signal to the session's leader. */
  signalLeader(session: TtySession, sig: number): void;
  /** A hang-up took the session's terminal: its foreground group gets SIGHUP and SIGCONT when the leader exits. */
  keepForeground(session: TtySession, pgrp: number): void;
  /** Sets `tty` to null in every process of the session that has `tty` as its controlling terminal. */
  clearTty(session: TtySession, tty: ControllingTty): void;
}

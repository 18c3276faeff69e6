/** pidfd_open(2) flags: <linux/pidfd.h>. */

export const PIDFD_NONBLOCK = 0o4000;

export const PIDFD_THREAD = 0o200;
export const PIDFD_SIGNAL_THREAD = 0x1;
export const PIDFD_SIGNAL_THREAD_GROUP = 0x2;
export const PIDFD_SIGNAL_PROCESS_GROUP = 0x4;
export const PIDFD_SELF_THREAD = -10000;
export const PIDFD_SELF_THREAD_GROUP = -10001;

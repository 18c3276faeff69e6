/** seccomp(2) modes, actions and notification: <linux/seccomp.h>, <sys/ioctl.h>. */

export const SECCOMP_MODE_DISABLED = 0;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;
export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_GET_NOTIF_SIZES = 3;
export const SECCOMP_FILTER_FLAG_TSYNC = 0x1;
export const SECCOMP_FILTER_FLAG_LOG = 0x2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 0x4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0x0;
export const SECCOMP_RET_KILL = 0x0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
export const SECCOMP_RET_ACTION_FULL = 0xffff0000;
export const SECCOMP_RET_ACTION = 0x7fff0000;
export const SECCOMP_RET_DATA = 0xffff;
export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 0x1;
export const SECCOMP_ADDFD_FLAG_SETFD = 0x1;
export const SECCOMP_ADDFD_FLAG_SEND = 0x2;
export const SECCOMP_IOC_MAGIC = 33;

export const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
export const SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103;
export const SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104;
export const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 0x1;

/** Layout of struct seccomp_data. */
export const SIZEOF_SECCOMP_DATA = 64;
export const SECCOMP_DATA_NR = 0;
export const SECCOMP_DATA_ARCH = 4;
export const SECCOMP_DATA_INSTRUCTION_POINTER = 8;
export const SECCOMP_DATA_ARGS = 16;

/** Layout of struct seccomp_notif. */
export const SIZEOF_SECCOMP_NOTIF = 80;
export const SECCOMP_NOTIF_ID = 0;
export const SECCOMP_NOTIF_PID = 8;
export const SECCOMP_NOTIF_FLAGS = 12;
export const SECCOMP_NOTIF_DATA = 16;

/** Layout of struct seccomp_notif_resp. */
export const SIZEOF_SECCOMP_NOTIF_RESP = 24;
export const SECCOMP_NOTIF_RESP_ID = 0;
export const SECCOMP_NOTIF_RESP_VAL = 8;
export const SECCOMP_NOTIF_RESP_ERROR = 16;
export const SECCOMP_NOTIF_RESP_FLAGS = 20;

/** Layout of struct seccomp_notif_sizes. */
export const SIZEOF_SECCOMP_NOTIF_SIZES = 6;
export const SECCOMP_NOTIF_SIZES_SECCOMP_NOTIF = 0;
export const SECCOMP_NOTIF_SIZES_SECCOMP_NOTIF_RESP = 2;
export const SECCOMP_NOTIF_SIZES_SECCOMP_DATA = 4;

/** Layout of struct seccomp_notif_addfd. */
export const SIZEOF_SECCOMP_NOTIF_ADDFD = 24;
export const SECCOMP_NOTIF_ADDFD_ID = 0;
export const SECCOMP_NOTIF_ADDFD_FLAGS = 8;
export const SECCOMP_NOTIF_ADDFD_SRCFD = 12;
export const SECCOMP_NOTIF_ADDFD_NEWFD = 16;
export const SECCOMP_NOTIF_ADDFD_NEWFD_FLAGS = 20;

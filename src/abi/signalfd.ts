/** signalfd4(2) flags: <linux/signalfd.h>. */

export const SFD_CLOEXEC = 0o2000000;
export const SFD_NONBLOCK = 0o4000;

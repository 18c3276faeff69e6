/** timerfd_create(2) flags: <linux/timerfd.h>. */

export const TFD_TIMER_ABSTIME = 0x1;
export const TFD_TIMER_CANCEL_ON_SET = 0x2;
export const TFD_CLOEXEC = 0o2000000;
export const TFD_NONBLOCK = 0o4000;
export const TFD_IOC_SET_TICKS = 0x40085400;

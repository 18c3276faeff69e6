/** I/O priorities: <linux/ioprio.h>. */

export const IOPRIO_CLASS_SHIFT = 13;
export const IOPRIO_CLASS_MASK = 0x7;
export const IOPRIO_PRIO_MASK = 0x1fff;
export const IOPRIO_CLASS_NONE = 0;
export const IOPRIO_CLASS_RT = 1;
export const IOPRIO_CLASS_BE = 2;
export const IOPRIO_CLASS_IDLE = 3;
export const IOPRIO_NR_LEVELS = 8;
export const IOPRIO_BE_NR = 8;
export const IOPRIO_WHO_PROCESS = 1;
export const IOPRIO_WHO_PGRP = 2;
export const IOPRIO_WHO_USER = 3;
export const IOPRIO_NORM = 4;
export const IOPRIO_BE_NORM = 4;

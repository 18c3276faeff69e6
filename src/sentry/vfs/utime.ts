// Special nanoseconds of utimensat(2): <sys/stat.h>.

/** The current time. */
export const UTIME_NOW: number = (1 << 30) - 1;
/** The time stays. */
export const UTIME_OMIT: number = (1 << 30) - 2;

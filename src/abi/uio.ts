/** readv(2) and writev(2) limits: <linux/uio.h>. */

export const UIO_FASTIOV = 8;
export const UIO_MAXIOV = 1024;

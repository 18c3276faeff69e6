/** Unix-domain sockets: <linux/un.h>. */

export const UNIX_PATH_MAX = 108;

/** Layout of struct sockaddr_un. */
export const SIZEOF_SOCKADDR_UN = 110;
export const SOCKADDR_UN_SUN_FAMILY = 0;
export const SOCKADDR_UN_SUN_PATH = 2;

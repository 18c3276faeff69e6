// What the kernel and its gofer say to each other: one message asks, one answers, over a socket pair that keeps messages apart.
//
//   request  0 op  4 handle  8 second handle  12 number  16 number  20 number  24 bytes of text  28 bytes of data  32 handle let go
//           64 struct timespec[2]  96 text, which is a name or a path; then data: a second name, an attribute's value
//   answer   0 result or -errno  4 bytes of data  8 struct stat  152 data
//
// A handle is a number that the gofer gave; 0 is none. With the answer to OPEN, CREATE and REOPEN comes a descriptor when a
// regular file was opened. All numbers are little endian and have 32 bits.

import { PATH_MAX, XATTR_SIZE_MAX } from '../abi/limits.ts';

export const OP_ATTACH = 1;
export const OP_PROTECT = 2;
export const OP_OPEN = 3;
export const OP_CREATE = 4;
export const OP_REOPEN = 5;
/** Nothing but handles are let go; no answer. */
export const OP_CLOSE = 6;
export const OP_STAT = 7;
export const OP_STAT_AT = 8;
export const OP_STATFS = 9;
export const OP_LIST = 10;
export const OP_READLINK = 11;
export const OP_MKDIR = 12;
export const OP_MKNOD = 13;
export const OP_SYMLINK = 14;
export const OP_LINK = 15;
export const OP_LINK_OPEN = 16;
export const OP_UNLINK = 17;
export const OP_RENAME = 18;
export const OP_CHOWN = 19;
export const OP_CHMOD = 20;
export const OP_UTIMENS = 21;
export const OP_GETXATTR = 22;
export const OP_SETXATTR = 23;
export const OP_REMOVEXATTR = 24;
export const OP_LISTXATTR = 25;
export const OP_FSYNC = 26;
export const OP_SYNCFS = 27;
/** The descriptor comes with the request. */
export const OP_LINK_TEXT = 28;
export const OP_REOPEN_GIVEN = 29;
export const OP_THREAD_FILE = 30;
/** No more directories are attached; the gofer gives up what it does not need. The data of the answer says what, as text. */
export const OP_SEAL = 31;
/** Before that: the file of the descriptor that comes along may be opened anew. */
export const OP_ALLOW_GIVEN = 32;

/** Offsets of a request. */
export const Q_OP = 0;
export const Q_HANDLE = 4;
export const Q_SECOND = 8;
export const Q_A = 12;
export const Q_B = 16;
export const Q_C = 20;
export const Q_TEXT_SIZE = 24;
export const Q_DATA_SIZE = 28;
export const Q_LET_GO = 32;
export const Q_TIMES = 64;
export const Q_TEXT = 96;
/** Offsets of an answer. */
export const A_RESULT = 0;
export const A_DATA_SIZE = 4;
export const A_STAT = 8;
export const A_DATA = 152;

export const TEXT_MAX = PATH_MAX;
export const DATA_MAX = XATTR_SIZE_MAX;
export const REQUEST_MAX = Q_TEXT + TEXT_MAX + DATA_MAX;
export const ANSWER_MAX = A_DATA + DATA_MAX;

/** How a line of the answer to SEAL begins that tells of something that the host refused. */
export const REFUSED = 'refused: ';

/** The descriptor of the gofer's end. */
export const SOCKET_FD = 3;

/**
 * System V IPC: common, shared memory, semaphores and messages: <linux/ipc.h>, <linux/shm.h>, <linux/sem.h>,
 * <linux/msg.h>, <asm/ipcbuf.h>, <asm/shmbuf.h>, <asm/sembuf.h>, <asm/msgbuf.h>.
 */

import { zeroFill } from '../bytes.ts';
import { putU64 } from '../u64.ts';

export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;
export const IPC_DIPC = 0o10000;
export const IPC_OWN = 0o20000;
export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
export const IPC_INFO = 3;
export const IPC_OLD = 0;
export const IPC_64 = 0x100;

export const SEMOP = 1;
export const SEMGET = 2;
export const SEMCTL = 3;
export const SEMTIMEDOP = 4;
export const MSGSND = 11;
export const MSGRCV = 12;
export const MSGGET = 13;
export const MSGCTL = 14;
export const SHMAT = 21;
export const SHMDT = 22;
export const SHMGET = 23;
export const SHMCTL = 24;
export const SHMMIN = 1;
export const SHMMNI = 4096;
export const SHMSEG = 4096;

export const SHM_R = 0o400;
export const SHM_W = 0o200;
export const SHM_HUGETLB = 0o4000;
export const SHM_NORESERVE = 0o10000;
export const SHM_HUGE_SHIFT = 26;
export const SHM_HUGE_MASK = 0x3f;
export const SHM_HUGE_64KB = 0x40000000;
export const SHM_HUGE_512KB = 0x4c000000;
export const SHM_HUGE_1MB = 0x50000000;
export const SHM_HUGE_2MB = 0x54000000;
export const SHM_HUGE_8MB = 0x5c000000;
export const SHM_HUGE_16MB = 0x60000000;
export const SHM_HUGE_32MB = 0x64000000;
export const SHM_HUGE_256MB = 0x70000000;
export const SHM_HUGE_512MB = 0x74000000;
export const SHM_HUGE_1GB = 0x78000000;
export const SHM_HUGE_2GB = 0x7c000000;
export const SHM_HUGE_16GB = 0x88000000;
export const SHM_RDONLY = 0o10000;
export const SHM_RND = 0o20000;
export const SHM_REMAP = 0o40000;
export const SHM_EXEC = 0o100000;
export const SHM_LOCK = 11;
export const SHM_UNLOCK = 12;
export const SHM_STAT = 13;
export const SHM_INFO = 14;
export const SHM_STAT_ANY = 15;

export const SEM_UNDO = 0x1000;

export const GETPID = 11;
export const GETVAL = 12;
export const GETALL = 13;
export const GETNCNT = 14;
export const GETZCNT = 15;
export const SETVAL = 16;
export const SETALL = 17;

export const SEM_STAT = 18;
export const SEM_INFO = 19;
export const SEM_STAT_ANY = 20;

export const SEMMNI = 32000;
export const SEMMSL = 32000;
export const SEMMNS = 1024000000;
export const SEMOPM = 500;
export const SEMVMX = 32767;
export const SEMAEM = 32767;
export const SEMUME = 500;
export const SEMMNU = 1024000000;
export const SEMMAP = 1024000000;
export const SEMUSZ = 20;

export const MSG_STAT = 11;
export const MSG_INFO = 12;
export const MSG_STAT_ANY = 13;
export const MSG_NOERROR = 0o10000;
export const MSG_EXCEPT = 0o20000;
export const MSG_COPY = 0o40000;

export const MSGMNI = 32000;
export const MSGMAX = 8192;
export const MSGMNB = 16384;
export const MSGPOOL = 512000;
export const MSGTQL = 16384;
export const MSGMAP = 16384;
export const MSGSSZ = 16;
export const MSGSEG = 0xffff;

/** Layout of struct ipc64_perm. */
export const SIZEOF_IPC64_PERM = 48;
export const IPC64_PERM_KEY = 0;
export const IPC64_PERM_UID = 4;
export const IPC64_PERM_GID = 8;
export const IPC64_PERM_CUID = 12;
export const IPC64_PERM_CGID = 16;
export const IPC64_PERM_MODE = 20;
export const IPC64_PERM_SEQ = 24;

/** Owner and mode of a System V IPC object. */
export type Ipc64Perm = {
  key: number;
  uid: number;
  gid: number;
  cuid: number;
  cgid: number;
  mode: number;
  seq: number;
};

export function encodeIpc64Perm(view: DataView, off: number, s: Ipc64Perm): void {
  view.setInt32(off + IPC64_PERM_KEY, s.key, true);
  view.setUint32(off + IPC64_PERM_UID, s.uid, true);
  view.setUint32(off + IPC64_PERM_GID, s.gid, true);
  view.setUint32(off + IPC64_PERM_CUID, s.cuid, true);
  view.setUint32(off + IPC64_PERM_CGID, s.cgid, true);
  view.setUint32(off + IPC64_PERM_MODE, s.mode, true);
  view.setUint16(off + IPC64_PERM_SEQ, s.seq, true);
  zeroFill(view, off + 26, 22); // padding
}

export function decodeIpc64Perm(view: DataView, off: number): Ipc64Perm {
  return {
    key: view.getInt32(off + IPC64_PERM_KEY, true),
    uid: view.getUint32(off + IPC64_PERM_UID, true),
    gid: view.getUint32(off + IPC64_PERM_GID, true),
    cuid: view.getUint32(off + IPC64_PERM_CUID, true),
    cgid: view.getUint32(off + IPC64_PERM_CGID, true),
    mode: view.getUint32(off + IPC64_PERM_MODE, true),
    seq: view.getUint16(off + IPC64_PERM_SEQ, true),
  };
}

/** Layout of struct shmid64_ds. */
export const SIZEOF_SHMID64_DS = 112;
export const SHMID64_DS_SHM_SEGSZ = 48;
export const SHMID64_DS_SHM_ATIME = 56;
export const SHMID64_DS_SHM_DTIME = 64;
export const SHMID64_DS_SHM_CTIME = 72;
export const SHMID64_DS_SHM_CPID = 80;
export const SHMID64_DS_SHM_LPID = 84;
export const SHMID64_DS_SHM_NATTCH = 88;

/** shmctl(2) IPC_STAT. */
export type Shmid64Ds = {
  perm: Ipc64Perm;
  segsz: number;
  atimeSec: number;
  dtimeSec: number;
  ctimeSec: number;
  cpid: number;
  lpid: number;
  nattch: number;
};

export function encodeShmid64Ds(view: DataView, off: number, s: Shmid64Ds): void {
  encodeIpc64Perm(view, off, s.perm);
  putU64(view, off + SHMID64_DS_SHM_SEGSZ, s.segsz);
  putU64(view, off + SHMID64_DS_SHM_ATIME, s.atimeSec);
  putU64(view, off + SHMID64_DS_SHM_DTIME, s.dtimeSec);
  putU64(view, off + SHMID64_DS_SHM_CTIME, s.ctimeSec);
  view.setInt32(off + SHMID64_DS_SHM_CPID, s.cpid, true);
  view.setInt32(off + SHMID64_DS_SHM_LPID, s.lpid, true);
  putU64(view, off + SHMID64_DS_SHM_NATTCH, s.nattch);
  zeroFill(view, off + 96, 16); // padding
}

/** Layout of struct semid64_ds. */
export const SIZEOF_SEMID64_DS = 104;
export const SEMID64_DS_SEM_OTIME = 48;
export const SEMID64_DS_SEM_CTIME = 64;
export const SEMID64_DS_SEM_NSEMS = 80;

/** semctl(2) IPC_STAT. */
export type Semid64Ds = {
  perm: Ipc64Perm;
  otimeSec: number;
  ctimeSec: number;
  nsems: number;
};

export function encodeSemid64Ds(view: DataView, off: number, s: Semid64Ds): void {
  encodeIpc64Perm(view, off, s.perm);
  putU64(view, off + SEMID64_DS_SEM_OTIME, s.otimeSec);
  view.setUint32(off + 56, 0, true); // padding
  view.setUint32(off + 60, 0, true); // padding
  putU64(view, off + SEMID64_DS_SEM_CTIME, s.ctimeSec);
  view.setUint32(off + 72, 0, true); // padding
  view.setUint32(off + 76, 0, true); // padding
  putU64(view, off + SEMID64_DS_SEM_NSEMS, s.nsems);
  zeroFill(view, off + 88, 16); // padding
}

/** Layout of struct msqid64_ds. */
export const SIZEOF_MSQID64_DS = 120;
export const MSQID64_DS_MSG_STIME = 48;
export const MSQID64_DS_MSG_RTIME = 56;
export const MSQID64_DS_MSG_CTIME = 64;
export const MSQID64_DS_MSG_CBYTES = 72;
export const MSQID64_DS_MSG_QNUM = 80;
export const MSQID64_DS_MSG_QBYTES = 88;
export const MSQID64_DS_MSG_LSPID = 96;
export const MSQID64_DS_MSG_LRPID = 100;

/** msgctl(2) IPC_STAT. */
export type Msqid64Ds = {
  perm: Ipc64Perm;
  stimeSec: number;
  rtimeSec: number;
  ctimeSec: number;
  cbytes: number;
  qnum: number;
  qbytes: number;
  lspid: number;
  lrpid: number;
};

export function encodeMsqid64Ds(view: DataView, off: number, s: Msqid64Ds): void {
  encodeIpc64Perm(view, off, s.perm);
  putU64(view, off + MSQID64_DS_MSG_STIME, s.stimeSec);
  putU64(view, off + MSQID64_DS_MSG_RTIME, s.rtimeSec);
  putU64(view, off + MSQID64_DS_MSG_CTIME, s.ctimeSec);
  putU64(view, off + MSQID64_DS_MSG_CBYTES, s.cbytes);
  putU64(view, off + MSQID64_DS_MSG_QNUM, s.qnum);
  putU64(view, off + MSQID64_DS_MSG_QBYTES, s.qbytes);
  view.setInt32(off + MSQID64_DS_MSG_LSPID, s.lspid, true);
  view.setInt32(off + MSQID64_DS_MSG_LRPID, s.lrpid, true);
  zeroFill(view, off + 104, 16); // padding
}

/** Layout of struct sembuf. */
export const SIZEOF_SEMBUF = 6;
export const SEMBUF_SEM_NUM = 0;
export const SEMBUF_SEM_OP = 2;
export const SEMBUF_SEM_FLG = 4;

/** semop(2). */
export type Sembuf = {
  num: number;
  op: number;
  flg: number;
};

export function decodeSembuf(view: DataView, off: number): Sembuf {
  return {
    num: view.getUint16(off + SEMBUF_SEM_NUM, true),
    op: view.getInt16(off + SEMBUF_SEM_OP, true),
    flg: view.getInt16(off + SEMBUF_SEM_FLG, true),
  };
}

/** Layout of struct shminfo64. */
export const SIZEOF_SHMINFO64 = 72;
export const SHMINFO64_SHMMAX = 0;
export const SHMINFO64_SHMMIN = 8;
export const SHMINFO64_SHMMNI = 16;
export const SHMINFO64_SHMSEG = 24;
export const SHMINFO64_SHMALL = 32;

/** shmctl(2) IPC_INFO. */
export type Shminfo64 = {
  shmmax: number;
  shmmin: number;
  shmmni: number;
  shmseg: number;
  shmall: number;
};

export function encodeShminfo64(view: DataView, off: number, s: Shminfo64): void {
  putU64(view, off + SHMINFO64_SHMMAX, s.shmmax);
  putU64(view, off + SHMINFO64_SHMMIN, s.shmmin);
  putU64(view, off + SHMINFO64_SHMMNI, s.shmmni);
  putU64(view, off + SHMINFO64_SHMSEG, s.shmseg);
  putU64(view, off + SHMINFO64_SHMALL, s.shmall);
  zeroFill(view, off + 40, 32); // padding
}

/** Layout of struct shm_info. */
export const SIZEOF_SHM_INFO = 48;
export const SHM_INFO_USED_IDS = 0;
export const SHM_INFO_SHM_TOT = 8;
export const SHM_INFO_SHM_RSS = 16;
export const SHM_INFO_SHM_SWP = 24;
export const SHM_INFO_SWAP_ATTEMPTS = 32;
export const SHM_INFO_SWAP_SUCCESSES = 40;

/** shmctl(2) SHM_INFO. */
export type ShmInfo = {
  usedIds: number;
  shmTot: number;
  shmRss: number;
  shmSwp: number;
  swapAttempts: number;
  swapSuccesses: number;
};

export function encodeShmInfo(view: DataView, off: number, s: ShmInfo): void {
  view.setInt32(off + SHM_INFO_USED_IDS, s.usedIds, true);
  view.setUint32(off + 4, 0, true); // padding
  putU64(view, off + SHM_INFO_SHM_TOT, s.shmTot);
  putU64(view, off + SHM_INFO_SHM_RSS, s.shmRss);
  putU64(view, off + SHM_INFO_SHM_SWP, s.shmSwp);
  putU64(view, off + SHM_INFO_SWAP_ATTEMPTS, s.swapAttempts);
  putU64(view, off + SHM_INFO_SWAP_SUCCESSES, s.swapSuccesses);
}

/** Layout of struct seminfo. */
export const SIZEOF_SEMINFO = 40;
export const SEMINFO_SEMMAP = 0;
export const SEMINFO_SEMMNI = 4;
export const SEMINFO_SEMMNS = 8;
export const SEMINFO_SEMMNU = 12;
export const SEMINFO_SEMMSL = 16;
export const SEMINFO_SEMOPM = 20;
export const SEMINFO_SEMUME = 24;
export const SEMINFO_SEMUSZ = 28;
export const SEMINFO_SEMVMX = 32;
export const SEMINFO_SEMAEM = 36;

/** semctl(2) IPC_INFO. */
export type Seminfo = {
  semmap: number;
  semmni: number;
  semmns: number;
  semmnu: number;
  semmsl: number;
  semopm: number;
  semume: number;
  semusz: number;
  semvmx: number;
  semaem: number;
};

export function encodeSeminfo(view: DataView, off: number, s: Seminfo): void {
  view.setInt32(off + SEMINFO_SEMMAP, s.semmap, true);
  view.setInt32(off + SEMINFO_SEMMNI, s.semmni, true);
  view.setInt32(off + SEMINFO_SEMMNS, s.semmns, true);
  view.setInt32(off + SEMINFO_SEMMNU, s.semmnu, true);
  view.setInt32(off + SEMINFO_SEMMSL, s.semmsl, true);
  view.setInt32(off + SEMINFO_SEMOPM, s.semopm, true);
  view.setInt32(off + SEMINFO_SEMUME, s.semume, true);
  view.setInt32(off + SEMINFO_SEMUSZ, s.semusz, true);
  view.setInt32(off + SEMINFO_SEMVMX, s.semvmx, true);
  view.setInt32(off + SEMINFO_SEMAEM, s.semaem, true);
}

/** Layout of struct msginfo. */
export const SIZEOF_MSGINFO = 32;
export const MSGINFO_MSGPOOL = 0;
export const MSGINFO_MSGMAP = 4;
export const MSGINFO_MSGMAX = 8;
export const MSGINFO_MSGMNB = 12;
export const MSGINFO_MSGMNI = 16;
export const MSGINFO_MSGSSZ = 20;
export const MSGINFO_MSGTQL = 24;
export const MSGINFO_MSGSEG = 28;

/** msgctl(2) IPC_INFO. */
export type Msginfo = {
  msgpool: number;
  msgmap: number;
  msgmax: number;
  msgmnb: number;
  msgmni: number;
  msgssz: number;
  msgtql: number;
  msgseg: number;
};

export function encodeMsginfo(view: DataView, off: number, s: Msginfo): void {
  view.setInt32(off + MSGINFO_MSGPOOL, s.msgpool, true);
  view.setInt32(off + MSGINFO_MSGMAP, s.msgmap, true);
  view.setInt32(off + MSGINFO_MSGMAX, s.msgmax, true);
  view.setInt32(off + MSGINFO_MSGMNB, s.msgmnb, true);
  view.setInt32(off + MSGINFO_MSGMNI, s.msgmni, true);
  view.setInt32(off + MSGINFO_MSGSSZ, s.msgssz, true);
  view.setInt32(off + MSGINFO_MSGTQL, s.msgtql, true);
  view.setUint16(off + MSGINFO_MSGSEG, s.msgseg, true);
  view.setUint16(off + 30, 0, true); // padding
}

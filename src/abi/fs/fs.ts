/** File attributes, clone, seek and block ioctls: <linux/fs.h>. */

import { getI64, getU64 } from '../u64.ts';

export const FS_IOC_SET_ENCRYPTION_POLICY = 0x800c6613;
export const FS_IOC_GET_ENCRYPTION_PWSALT = 0x40106614;
export const FS_IOC_GET_ENCRYPTION_POLICY = 0x400c6615;
export const FS_IOC_GET_ENCRYPTION_POLICY_EX = 0xc0096616;
export const FS_IOC_ADD_ENCRYPTION_KEY = 0xc0506617;
export const FS_IOC_REMOVE_ENCRYPTION_KEY = 0xc0406618;
export const FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS = 0xc0406619;
export const FS_IOC_GET_ENCRYPTION_KEY_STATUS = 0xc080661a;
export const FS_IOC_GET_ENCRYPTION_NONCE = 0x8010661b;
export const FS_KEY_DESCRIPTOR_SIZE = 8;
export const FS_POLICY_FLAGS_PAD_4 = 0x0;
export const FS_POLICY_FLAGS_PAD_8 = 0x1;
export const FS_POLICY_FLAGS_PAD_16 = 0x2;
export const FS_POLICY_FLAGS_PAD_32 = 0x3;
export const FS_POLICY_FLAGS_PAD_MASK = 0x3;
export const FS_POLICY_FLAG_DIRECT_KEY = 0x4;
export const FS_POLICY_FLAGS_VALID = 0x7;
export const FS_ENCRYPTION_MODE_INVALID = 0;
export const FS_ENCRYPTION_MODE_AES_256_XTS = 1;
export const FS_ENCRYPTION_MODE_AES_256_GCM = 2;
export const FS_ENCRYPTION_MODE_AES_256_CBC = 3;
export const FS_ENCRYPTION_MODE_AES_256_CTS = 4;
export const FS_ENCRYPTION_MODE_AES_128_CBC = 5;
export const FS_ENCRYPTION_MODE_AES_128_CTS = 6;
export const FS_ENCRYPTION_MODE_SPECK128_256_XTS = 7;
export const FS_ENCRYPTION_MODE_SPECK128_256_CTS = 8;
export const FS_ENCRYPTION_MODE_ADIANTUM = 9;
export const FS_KEY_DESC_PREFIX_SIZE = 8;
export const FS_MAX_KEY_SIZE = 64;

export const INR_OPEN_CUR = 1024;
export const INR_OPEN_MAX = 4096;
export const BLOCK_SIZE_BITS = 10;
export const BLOCK_SIZE = 0x400;

export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
export const SEEK_MAX = 4;

export const RENAME_NOREPLACE = 0x1;
export const RENAME_EXCHANGE = 0x2;
export const RENAME_WHITEOUT = 0x4;

export const FILE_DEDUPE_RANGE_SAME = 0;
export const FILE_DEDUPE_RANGE_DIFFERS = 1;

export const FS_XFLAG_REALTIME = 0x1;
export const FS_XFLAG_PREALLOC = 0x2;
export const FS_XFLAG_IMMUTABLE = 0x8;
export const FS_XFLAG_APPEND = 0x10;
export const FS_XFLAG_SYNC = 0x20;
export const FS_XFLAG_NOATIME = 0x40;
export const FS_XFLAG_NODUMP = 0x80;
export const FS_XFLAG_RTINHERIT = 0x100;
export const FS_XFLAG_PROJINHERIT = 0x200;
export const FS_XFLAG_NOSYMLINKS = 0x400;
export const FS_XFLAG_EXTSIZE = 0x800;
export const FS_XFLAG_EXTSZINHERIT = 0x1000;
export const FS_XFLAG_NODEFRAG = 0x2000;
export const FS_XFLAG_FILESTREAM = 0x4000;
export const FS_XFLAG_DAX = 0x8000;
export const FS_XFLAG_COWEXTSIZE = 0x10000;
export const FS_XFLAG_HASATTR = 0x80000000;

export const BLKROSET = 0x125d;
export const BLKROGET = 0x125e;
export const BLKRRPART = 0x125f;
export const BLKGETSIZE = 0x1260;
export const BLKFLSBUF = 0x1261;
export const BLKRASET = 0x1262;
export const BLKRAGET = 0x1263;
export const BLKFRASET = 0x1264;
export const BLKFRAGET = 0x1265;
export const BLKSECTSET = 0x1266;
export const BLKSECTGET = 0x1267;
export const BLKSSZGET = 0x1268;
export const BLKBSZGET = 0x80081270;
export const BLKBSZSET = 0x40081271;
export const BLKGETSIZE64 = 0x80081272;
export const BLKTRACESTART = 0x1274;
export const BLKTRACESTOP = 0x1275;
export const BLKTRACETEARDOWN = 0x1276;
export const BLKDISCARD = 0x1277;
export const BLKIOMIN = 0x1278;
export const BLKIOOPT = 0x1279;
export const BLKALIGNOFF = 0x127a;
export const BLKPBSZGET = 0x127b;
export const BLKDISCARDZEROES = 0x127c;
export const BLKSECDISCARD = 0x127d;
export const BLKROTATIONAL = 0x127e;
export const BLKZEROOUT = 0x127f;
export const BLKGETDISKSEQ = 0x80081280;
export const FIBMAP = 0x1;
export const FIGETBSZ = 0x2;
export const FIFREEZE = 0xc0045877;
export const FITHAW = 0xc0045878;
export const FITRIM = 0xc0185879;
export const FICLONE = 0x40049409;
export const FICLONERANGE = 0x4020940d;
export const FIDEDUPERANGE = 0xc0189436;

export const FS_IOC_GETFLAGS = 0x80086601;
export const FS_IOC_SETFLAGS = 0x40086602;
export const FS_IOC_GETVERSION = 0x80087601;
export const FS_IOC_SETVERSION = 0x40087602;
export const FS_IOC32_GETFLAGS = 0x80046601;
export const FS_IOC32_SETFLAGS = 0x40046602;
export const FS_IOC32_GETVERSION = 0x80047601;
export const FS_IOC32_SETVERSION = 0x40047602;
export const FS_IOC_FSGETXATTR = 0x801c581f;
export const FS_IOC_FSSETXATTR = 0x401c5820;
export const FS_IOC_GETFSLABEL = 0x81009431;
export const FS_IOC_SETFSLABEL = 0x41009432;
export const FS_SECRM_FL = 0x1;
export const FS_UNRM_FL = 0x2;
export const FS_COMPR_FL = 0x4;
export const FS_SYNC_FL = 0x8;
export const FS_IMMUTABLE_FL = 0x10;
export const FS_APPEND_FL = 0x20;
export const FS_NODUMP_FL = 0x40;
export const FS_NOATIME_FL = 0x80;
export const FS_DIRTY_FL = 0x100;
export const FS_COMPRBLK_FL = 0x200;
export const FS_NOCOMP_FL = 0x400;
export const FS_ENCRYPT_FL = 0x800;
export const FS_BTREE_FL = 0x1000;
export const FS_INDEX_FL = 0x1000;
export const FS_IMAGIC_FL = 0x2000;
export const FS_JOURNAL_DATA_FL = 0x4000;
export const FS_NOTAIL_FL = 0x8000;
export const FS_DIRSYNC_FL = 0x10000;
export const FS_TOPDIR_FL = 0x20000;
export const FS_HUGE_FILE_FL = 0x40000;
export const FS_EXTENT_FL = 0x80000;
export const FS_VERITY_FL = 0x100000;
export const FS_EA_INODE_FL = 0x200000;
export const FS_EOFBLOCKS_FL = 0x400000;
export const FS_NOCOW_FL = 0x800000;
export const FS_DAX_FL = 0x2000000;
export const FS_INLINE_DATA_FL = 0x10000000;
export const FS_PROJINHERIT_FL = 0x20000000;
export const FS_CASEFOLD_FL = 0x40000000;
export const FS_RESERVED_FL = 0x80000000;
export const FS_FL_USER_VISIBLE = 0x3dfff;
export const FS_FL_USER_MODIFIABLE = 0x380ff;

export const RWF_HIPRI = 0x1;
export const RWF_DSYNC = 0x2;
export const RWF_SYNC = 0x4;
export const RWF_NOWAIT = 0x8;
export const RWF_APPEND = 0x10;
export const RWF_SUPPORTED = 0x1f;

export const RWF_NOAPPEND = 0x20;
export const RWF_ATOMIC = 0x40;
export const RWF_DONTCACHE = 0x80;

/** Layout of struct fsxattr. */
export const SIZEOF_FSXATTR = 28;
export const FSXATTR_FSX_XFLAGS = 0;
export const FSXATTR_FSX_EXTSIZE = 4;
export const FSXATTR_FSX_NEXTENTS = 8;
export const FSXATTR_FSX_PROJID = 12;
export const FSXATTR_FSX_COWEXTSIZE = 16;

/** FS_IOC_FSGETXATTR. */
export type Fsxattr = {
  xflags: number;
  extsize: number;
  nextents: number;
  projid: number;
  cowextsize: number;
};

export function encodeFsxattr(view: DataView, off: number, s: Fsxattr): void {
  view.setUint32(off + FSXATTR_FSX_XFLAGS, s.xflags, true);
  view.setUint32(off + FSXATTR_FSX_EXTSIZE, s.extsize, true);
  view.setUint32(off + FSXATTR_FSX_NEXTENTS, s.nextents, true);
  view.setUint32(off + FSXATTR_FSX_PROJID, s.projid, true);
  view.setUint32(off + FSXATTR_FSX_COWEXTSIZE, s.cowextsize, true);
  view.setUint32(off + 20, 0, true); // padding
  view.setUint32(off + 24, 0, true); // padding
}

export function decodeFsxattr(view: DataView, off: number): Fsxattr {
  return {
    xflags: view.getUint32(off + FSXATTR_FSX_XFLAGS, true),
    extsize: view.getUint32(off + FSXATTR_FSX_EXTSIZE, true),
    nextents: view.getUint32(off + FSXATTR_FSX_NEXTENTS, true),
    projid: view.getUint32(off + FSXATTR_FSX_PROJID, true),
    cowextsize: view.getUint32(off + FSXATTR_FSX_COWEXTSIZE, true),
  };
}

/** Layout of struct file_clone_range. */
export const SIZEOF_FILE_CLONE_RANGE = 32;
export const FILE_CLONE_RANGE_SRC_FD = 0;
export const FILE_CLONE_RANGE_SRC_OFFSET = 8;
export const FILE_CLONE_RANGE_SRC_LENGTH = 16;
export const FILE_CLONE_RANGE_DEST_OFFSET = 24;

/** FICLONERANGE. */
export type FileCloneRange = {
  srcFd: number;
  srcOffset: number;
  srcLength: number;
  destOffset: number;
};

export function decodeFileCloneRange(view: DataView, off: number): FileCloneRange {
  return {
    srcFd: getI64(view, off + FILE_CLONE_RANGE_SRC_FD),
    srcOffset: getU64(view, off + FILE_CLONE_RANGE_SRC_OFFSET),
    srcLength: getU64(view, off + FILE_CLONE_RANGE_SRC_LENGTH),
    destOffset: getU64(view, off + FILE_CLONE_RANGE_DEST_OFFSET),
  };
}

/** Capabilities: <linux/capability.h>. */

export const _LINUX_CAPABILITY_VERSION_1 = 0x19980330;
export const _LINUX_CAPABILITY_U32S_1 = 1;
export const _LINUX_CAPABILITY_VERSION_2 = 0x20071026;
export const _LINUX_CAPABILITY_U32S_2 = 2;
export const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
export const _LINUX_CAPABILITY_U32S_3 = 2;

export const VFS_CAP_REVISION_MASK = 0xff000000;
export const VFS_CAP_REVISION_SHIFT = 24;
export const VFS_CAP_FLAGS_MASK = 0xffffff;
export const VFS_CAP_FLAGS_EFFECTIVE = 0x1;
export const VFS_CAP_REVISION_1 = 0x1000000;
export const VFS_CAP_U32_1 = 1;

export const XATTR_CAPS_SZ_1 = 12;
export const VFS_CAP_REVISION_2 = 0x2000000;
export const VFS_CAP_U32_2 = 2;
export const XATTR_CAPS_SZ_2 = 20;
export const VFS_CAP_REVISION_3 = 0x3000000;
export const VFS_CAP_U32_3 = 2;
export const XATTR_CAPS_SZ_3 = 24;
export const XATTR_CAPS_SZ = 24;
export const VFS_CAP_U32 = 2;
export const VFS_CAP_REVISION = 0x3000000;

export const CAP_CHOWN = 0;
export const CAP_DAC_OVERRIDE = 1;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_FOWNER = 3;
export const CAP_FSETID = 4;
export const CAP_KILL = 5;
export const CAP_SETGID = 6;
export const CAP_SETUID = 7;
export const CAP_SETPCAP = 8;
export const CAP_LINUX_IMMUTABLE = 9;
export const CAP_NET_BIND_SERVICE = 10;
export const CAP_NET_BROADCAST = 11;
export const CAP_NET_ADMIN = 12;
export const CAP_NET_RAW = 13;
export const CAP_IPC_LOCK = 14;
export const CAP_IPC_OWNER = 15;
export const CAP_SYS_MODULE = 16;
export const CAP_SYS_RAWIO = 17;
export const CAP_SYS_CHROOT = 18;
export const CAP_SYS_PTRACE = 19;
export const CAP_SYS_PACCT = 20;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_BOOT = 22;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;
export const CAP_SYS_TIME = 25;
export const CAP_SYS_TTY_CONFIG = 26;
export const CAP_MKNOD = 27;
export const CAP_LEASE = 28;
export const CAP_AUDIT_WRITE = 29;
export const CAP_AUDIT_CONTROL = 30;
export const CAP_SETFCAP = 31;
export const CAP_MAC_OVERRIDE = 32;
export const CAP_MAC_ADMIN = 33;
export const CAP_SYSLOG = 34;
export const CAP_WAKE_ALARM = 35;
export const CAP_BLOCK_SUSPEND = 36;
export const CAP_AUDIT_READ = 37;
export const CAP_PERFMON = 38;
export const CAP_BPF = 39;
export const CAP_CHECKPOINT_RESTORE = 40;
export const CAP_LAST_CAP = 40;

/** Layout of struct __user_cap_header_struct. */
export const SIZEOF_USER_CAP_HEADER = 8;
export const USER_CAP_HEADER_VERSION = 0;
export const USER_CAP_HEADER_PID = 4;

/** capget(2). */
export type UserCapHeader = {
  version: number;
  pid: number;
};

export function encodeUserCapHeader(view: DataView, off: number, s: UserCapHeader): void {
  view.setUint32(off + USER_CAP_HEADER_VERSION, s.version, true);
  view.setInt32(off + USER_CAP_HEADER_PID, s.pid, true);
}

export function decodeUserCapHeader(view: DataView, off: number): UserCapHeader {
  return {
    version: view.getUint32(off + USER_CAP_HEADER_VERSION, true),
    pid: view.getInt32(off + USER_CAP_HEADER_PID, true),
  };
}

/** Layout of struct __user_cap_data_struct. */
export const SIZEOF_USER_CAP_DATA = 12;
export const USER_CAP_DATA_EFFECTIVE = 0;
export const USER_CAP_DATA_PERMITTED = 4;
export const USER_CAP_DATA_INHERITABLE = 8;

/** One 32-bit half of the sets; version 3 has two. */
export type UserCapData = {
  effective: number;
  permitted: number;
  inheritable: number;
};

export function encodeUserCapData(view: DataView, off: number, s: UserCapData): void {
  view.setUint32(off + USER_CAP_DATA_EFFECTIVE, s.effective, true);
  view.setUint32(off + USER_CAP_DATA_PERMITTED, s.permitted, true);
  view.setUint32(off + USER_CAP_DATA_INHERITABLE, s.inheritable, true);
}

export function decodeUserCapData(view: DataView, off: number): UserCapData {
  return {
    effective: view.getUint32(off + USER_CAP_DATA_EFFECTIVE, true),
    permitted: view.getUint32(off + USER_CAP_DATA_PERMITTED, true),
    inheritable: view.getUint32(off + USER_CAP_DATA_INHERITABLE, true),
  };
}

/** Layout of struct vfs_ns_cap_data. */
export const SIZEOF_VFS_NS_CAP_DATA = 24;
export const VFS_NS_CAP_DATA_MAGIC_ETC = 0;
export const VFS_NS_CAP_DATA_DATA_0_PERMITTED = 4; // data[0].permitted
export const VFS_NS_CAP_DATA_DATA_0_INHERITABLE = 8; // data[0].inheritable
export const VFS_NS_CAP_DATA_DATA_1_PERMITTED = 12; // data[1].permitted
export const VFS_NS_CAP_DATA_DATA_1_INHERITABLE = 16; // data[1].inheritable
export const VFS_NS_CAP_DATA_ROOTID = 20;

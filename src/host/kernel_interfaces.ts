// File systems of the host whose content is its kernel's, not files: a guest must not see them through us.

import {
  BPF_FS_MAGIC,
  CGROUP_SUPER_MAGIC,
  CGROUP2_SUPER_MAGIC,
  DEBUGFS_MAGIC,
  DEVPTS_SUPER_MAGIC,
  PROC_SUPER_MAGIC,
  SECURITYFS_MAGIC,
  SYSFS_MAGIC,
  TRACEFS_MAGIC,
} from '../abi/fs/magic.ts';

/** Their f_type of statfs(2). */
export const KERNEL_INTERFACES: ReadonlySet<number> = new Set<number>([
  PROC_SUPER_MAGIC,
  SYSFS_MAGIC,
  CGROUP_SUPER_MAGIC,
  CGROUP2_SUPER_MAGIC,
  DEBUGFS_MAGIC,
  TRACEFS_MAGIC,
  SECURITYFS_MAGIC,
  DEVPTS_SUPER_MAGIC,
  BPF_FS_MAGIC,
]);

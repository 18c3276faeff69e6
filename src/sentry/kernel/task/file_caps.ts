// File capabilities: the value of the security.capability attribute. capabilities(7), "File capability extended attribute
// versioning". There is one user namespace, whose root is uid 0.

import { EINVAL } from '../../../abi/errno.ts';
import {
  SIZEOF_VFS_NS_CAP_DATA,
  VFS_CAP_FLAGS_EFFECTIVE,
  VFS_CAP_REVISION_1,
  VFS_CAP_REVISION_2,
  VFS_CAP_REVISION_3,
  VFS_CAP_REVISION_MASK,
  VFS_NS_CAP_DATA_DATA_0_INHERITABLE,
  VFS_NS_CAP_DATA_DATA_0_PERMITTED,
  VFS_NS_CAP_DATA_DATA_1_INHERITABLE,
  VFS_NS_CAP_DATA_DATA_1_PERMITTED,
  VFS_NS_CAP_DATA_MAGIC_ETC,
  VFS_NS_CAP_DATA_ROOTID,
} from '../../../abi/process/capability.ts';
import { CapSet, fullCapSet } from '../../base/cred.ts';

/** What a program's file gives it. */
export interface FileCaps {
  readonly permitted: CapSet;
  readonly inheritable: CapSet;
  readonly effective: boolean;
}

/** Bytes of the value: one 32-bit half in revision 1, two in 2, and in 3 the user id of the namespace's root. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [VFS_CAP_REVISION_1, 12],
  [VFS_CAP_REVISION_2, 20],
  [VFS_CAP_REVISION_3, SIZEOF_VFS_NS_CAP_DATA],
]);

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.length);
}

/** The revision of a value of the right size, or -EINVAL. */
function revision(view: DataView): number {
  if (view.byteLength < 4) return -EINVAL;
  const rev = (view.getUint32(VFS_NS_CAP_DATA_MAGIC_ETC, true) & VFS_CAP_REVISION_MASK) >>> 0;
  return SIZES.get(rev) === view.byteLength ? rev : -EINVAL;
}

/** get_vfs_caps_from_disk(): null for those of another namespace's root, which count for nothing; -EINVAL. */
export function decodeFileCaps(value: Uint8Array): FileCaps | null | number {
  const view = viewOf(value);
  const rev = revision(view);
  if (rev < 0) return rev;
  if (rev === VFS_CAP_REVISION_3 && view.getUint32(VFS_NS_CAP_DATA_ROOTID, true) !== 0) return null;
  const wide = rev !== VFS_CAP_REVISION_1;
  const set = (low: number, high: number): CapSet =>
    new CapSet(view.getUint32(low, true), wide ? view.getUint32(high, true) & fullCapSet().hi : 0);
  return {
    permitted: set(VFS_NS_CAP_DATA_DATA_0_PERMITTED, VFS_NS_CAP_DATA_DATA_1_PERMITTED),
    inheritable: set(VFS_NS_CAP_DATA_DATA_0_INHERITABLE, VFS_NS_CAP_DATA_DATA_1_INHERITABLE),
    effective: (view.getUint32(VFS_NS_CAP_DATA_MAGIC_ETC, true) & VFS_CAP_FLAGS_EFFECTIVE) !== 0,
  };
}

/** May the value be stored (cap_convert_nscap)? Revision 1 cannot any more. */
export function checkFileCaps(value: Uint8Array): number {
  const view = viewOf(value);
  const rev = revision(view);
  const flags = rev < 0 ? 0 : view.getUint32(VFS_NS_CAP_DATA_MAGIC_ETC, true) & ~VFS_CAP_REVISION_MASK;
  return rev < 0 || rev === VFS_CAP_REVISION_1 || (flags & ~VFS_CAP_FLAGS_EFFECTIVE) !== 0 ? -EINVAL : 0;
}

/** The value as getxattr(2) shows it (cap_inode_getsecurity): of this namespace's root in revision 2; -EINVAL. */
export function shownFileCaps(value: Uint8Array): Uint8Array | number {
  const view = viewOf(value);
  const rev = revision(view);
  if (rev < 0 || rev === VFS_CAP_REVISION_1) return -EINVAL;
  if (rev !== VFS_CAP_REVISION_3 || view.getUint32(VFS_NS_CAP_DATA_ROOTID, true) !== 0) return value;
  const shown = value.slice(0, VFS_NS_CAP_DATA_ROOTID);
  const flags = view.getUint32(VFS_NS_CAP_DATA_MAGIC_ETC, true) & VFS_CAP_FLAGS_EFFECTIVE;
  viewOf(shown).setUint32(VFS_NS_CAP_DATA_MAGIC_ETC, VFS_CAP_REVISION_2 | flags, true);
  return shown;
}

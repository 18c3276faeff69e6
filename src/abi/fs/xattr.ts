/** Extended attributes: <linux/xattr.h>, <linux/posix_acl.h>, <linux/posix_acl_xattr.h>. */

export const XATTR_CREATE = 0x1;
export const XATTR_REPLACE = 0x2;
export const XATTR_OS2_PREFIX_LEN = 4;
export const XATTR_MAC_OSX_PREFIX_LEN = 4;
export const XATTR_BTRFS_PREFIX_LEN = 6;
export const XATTR_HURD_PREFIX_LEN = 4;
export const XATTR_SECURITY_PREFIX_LEN = 9;
export const XATTR_SYSTEM_PREFIX_LEN = 7;
export const XATTR_TRUSTED_PREFIX_LEN = 8;
export const XATTR_USER_PREFIX_LEN = 5;

export const XATTR_SECURITY_PREFIX = 'security.';
export const XATTR_SYSTEM_PREFIX = 'system.';
export const XATTR_TRUSTED_PREFIX = 'trusted.';
export const XATTR_USER_PREFIX = 'user.';
export const XATTR_NAME_CAPS = 'security.capability';
export const XATTR_NAME_POSIX_ACL_ACCESS = 'system.posix_acl_access';
export const XATTR_NAME_POSIX_ACL_DEFAULT = 'system.posix_acl_default';

export const ACL_UNDEFINED_ID = -1;
export const ACL_TYPE_ACCESS = 0x8000;
export const ACL_TYPE_DEFAULT = 0x4000;
export const ACL_USER_OBJ = 0x1;
export const ACL_USER = 0x2;
export const ACL_GROUP_OBJ = 0x4;
export const ACL_GROUP = 0x8;
export const ACL_MASK = 0x10;
export const ACL_OTHER = 0x20;
export const ACL_READ = 0x4;
export const ACL_WRITE = 0x2;
export const ACL_EXECUTE = 0x1;

export const POSIX_ACL_XATTR_VERSION = 0x2;

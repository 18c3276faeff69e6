/** userfaultfd(2): <linux/userfaultfd.h>. */

export const USERFAULTFD_IOC = 0xaa;

export const UFFD_API = 0xaa;
export const UFFD_API_REGISTER_MODES = 0x7;
export const UFFD_API_FEATURES = 0x1fff;
export const UFFD_API_RANGE_IOCTLS = 0xdc;
export const UFFD_API_RANGE_IOCTLS_BASIC = 0xcc;
export const UFFD_EVENT_PAGEFAULT = 0x12;
export const UFFD_EVENT_FORK = 0x13;
export const UFFD_EVENT_REMAP = 0x14;
export const UFFD_EVENT_REMOVE = 0x15;
export const UFFD_EVENT_UNMAP = 0x16;
export const UFFD_PAGEFAULT_FLAG_WRITE = 0x1;
export const UFFD_PAGEFAULT_FLAG_WP = 0x2;
export const UFFD_PAGEFAULT_FLAG_MINOR = 0x4;
export const UFFD_FEATURE_PAGEFAULT_FLAG_WP = 0x1;
export const UFFD_FEATURE_EVENT_FORK = 0x2;
export const UFFD_FEATURE_EVENT_REMAP = 0x4;
export const UFFD_FEATURE_EVENT_REMOVE = 0x8;
export const UFFD_FEATURE_MISSING_HUGETLBFS = 0x10;
export const UFFD_FEATURE_MISSING_SHMEM = 0x20;
export const UFFD_FEATURE_EVENT_UNMAP = 0x40;
export const UFFD_FEATURE_SIGBUS = 0x80;
export const UFFD_FEATURE_THREAD_ID = 0x100;
export const UFFD_FEATURE_MINOR_HUGETLBFS = 0x200;
export const UFFD_FEATURE_MINOR_SHMEM = 0x400;
export const UFFD_FEATURE_EXACT_ADDRESS = 0x800;
export const UFFD_FEATURE_WP_HUGETLBFS_SHMEM = 0x1000;

export const UFFDIO_REGISTER_MODE_MISSING = 0x1;
export const UFFDIO_REGISTER_MODE_WP = 0x2;
export const UFFDIO_REGISTER_MODE_MINOR = 0x4;
export const UFFDIO_COPY_MODE_DONTWAKE = 0x1;
export const UFFDIO_COPY_MODE_WP = 0x2;
export const UFFDIO_ZEROPAGE_MODE_DONTWAKE = 0x1;
export const UFFDIO_WRITEPROTECT_MODE_WP = 0x1;
export const UFFDIO_WRITEPROTECT_MODE_DONTWAKE = 0x2;
export const UFFDIO_CONTINUE_MODE_DONTWAKE = 0x1;

export const UFFD_USER_MODE_ONLY = 1;

/** Audit architecture values seen by seccomp filters: <linux/audit.h>. */

export const AUDIT_ARCH_I386 = 0x40000003;
export const AUDIT_ARCH_X86_64 = 0xc000003e;

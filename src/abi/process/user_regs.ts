/** ptrace(2) register sets: <sys/user.h>. */

/** Layout of struct user_regs_struct. */
export const SIZEOF_USER_REGS_STRUCT = 216;
export const USER_REGS_STRUCT_R15 = 0;
export const USER_REGS_STRUCT_R14 = 8;
export const USER_REGS_STRUCT_R13 = 16;
export const USER_REGS_STRUCT_R12 = 24;
export const USER_REGS_STRUCT_RBP = 32;
export const USER_REGS_STRUCT_RBX = 40;
export const USER_REGS_STRUCT_R11 = 48;
export const USER_REGS_STRUCT_R10 = 56;
export const USER_REGS_STRUCT_R9 = 64;
export const USER_REGS_STRUCT_R8 = 72;
export const USER_REGS_STRUCT_RAX = 80;
export const USER_REGS_STRUCT_RCX = 88;
export const USER_REGS_STRUCT_RDX = 96;
export const USER_REGS_STRUCT_RSI = 104;
export const USER_REGS_STRUCT_RDI = 112;
export const USER_REGS_STRUCT_ORIG_RAX = 120;
export const USER_REGS_STRUCT_RIP = 128;
export const USER_REGS_STRUCT_CS = 136;
export const USER_REGS_STRUCT_EFLAGS = 144;
export const USER_REGS_STRUCT_RSP = 152;
export const USER_REGS_STRUCT_SS = 160;
export const USER_REGS_STRUCT_FS_BASE = 168;
export const USER_REGS_STRUCT_GS_BASE = 176;
export const USER_REGS_STRUCT_DS = 184;
export const USER_REGS_STRUCT_ES = 192;
export const USER_REGS_STRUCT_FS = 200;
export const USER_REGS_STRUCT_GS = 208;

/** Layout of struct user_fpregs_struct. */
export const SIZEOF_USER_FPREGS_STRUCT = 512;
export const USER_FPREGS_STRUCT_CWD = 0;
export const USER_FPREGS_STRUCT_MXCSR = 24;
export const USER_FPREGS_STRUCT_XMM_SPACE = 160;

/** Layout of struct user. */
export const SIZEOF_USER = 912;
export const USER_REGS = 0;
export const USER_I387 = 224;
export const USER_U_DEBUGREG = 848;

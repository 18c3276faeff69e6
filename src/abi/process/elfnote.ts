/** ELF note types for register sets and core files: <linux/elf.h>. */

export const NT_PRSTATUS = 1;
export const NT_PRFPREG = 2;
export const NT_PRPSINFO = 3;
export const NT_TASKSTRUCT = 4;
export const NT_AUXV = 6;
export const NT_SIGINFO = 0x53494749;
export const NT_FILE = 0x46494c45;
export const NT_PRXFPREG = 0x46e62b7f;
export const NT_386_TLS = 0x200;
export const NT_386_IOPERM = 0x201;
export const NT_X86_XSTATE = 0x202;
export const NT_GNU_PROPERTY_TYPE_0 = 5;

export const NT_X86_SHSTK = 0x204;
export const NT_X86_XSAVE_LAYOUT = 0x205;

/**
 * Signal frames: saved registers and floating point state: <asm/signal.h>, <asm/sigcontext.h>,
 * <asm/siginfo.h>, <asm/ucontext.h>.
 */

export const FP_XSTATE_MAGIC1 = 0x46505853;
export const FP_XSTATE_MAGIC2 = 0x46505845;
export const FP_XSTATE_MAGIC2_SIZE = 0x4;

export const X86_FXSR_MAGIC = 0x0;

export const UC_FP_XSTATE = 0x1;
export const UC_SIGCONTEXT_SS = 0x2;
export const UC_STRICT_RESTORE_SS = 0x4;

export const XFEATURE_MASK_FP = 0x1;
export const XFEATURE_MASK_SSE = 0x2;
export const XFEATURE_MASK_YMM = 0x4;

/** Layout of struct sigcontext. */
export const SIZEOF_SIGCONTEXT = 256;
export const SIGCONTEXT_R8 = 0;
export const SIGCONTEXT_R9 = 8;
export const SIGCONTEXT_R10 = 16;
export const SIGCONTEXT_R11 = 24;
export const SIGCONTEXT_R12 = 32;
export const SIGCONTEXT_R13 = 40;
export const SIGCONTEXT_R14 = 48;
export const SIGCONTEXT_R15 = 56;
export const SIGCONTEXT_RDI = 64;
export const SIGCONTEXT_RSI = 72;
export const SIGCONTEXT_RBP = 80;
export const SIGCONTEXT_RBX = 88;
export const SIGCONTEXT_RDX = 96;
export const SIGCONTEXT_RAX = 104;
export const SIGCONTEXT_RCX = 112;
export const SIGCONTEXT_RSP = 120;
export const SIGCONTEXT_RIP = 128;
export const SIGCONTEXT_EFLAGS = 136;
export const SIGCONTEXT_CS = 144;
export const SIGCONTEXT_GS = 146;
export const SIGCONTEXT_FS = 148;
export const SIGCONTEXT_SS = 150;
export const SIGCONTEXT_ERR = 152;
export const SIGCONTEXT_TRAPNO = 160;
export const SIGCONTEXT_OLDMASK = 168;
export const SIGCONTEXT_CR2 = 176;
export const SIGCONTEXT_FPSTATE = 184;

/** Layout of struct ucontext. */
export const SIZEOF_UCONTEXT = 304;
export const UCONTEXT_UC_FLAGS = 0;
export const UCONTEXT_UC_LINK = 8;
export const UCONTEXT_UC_STACK = 16;
export const UCONTEXT_UC_MCONTEXT = 40;
export const UCONTEXT_UC_SIGMASK = 296;

/** Layout of struct _fpstate_64. */
export const SIZEOF_FPSTATE = 512;
export const FPSTATE_CWD = 0;
export const FPSTATE_SWD = 2;
export const FPSTATE_TWD = 4;
export const FPSTATE_FOP = 6;
export const FPSTATE_RIP = 8;
export const FPSTATE_RDP = 16;
export const FPSTATE_MXCSR = 24;
export const FPSTATE_MXCSR_MASK = 28;
export const FPSTATE_ST_SPACE = 32;
export const FPSTATE_XMM_SPACE = 160;
export const FPSTATE_RESERVED2 = 416;
export const FPSTATE_SW_RESERVED = 464;

/** Layout of struct _fpx_sw_bytes. */
export const SIZEOF_FPX_SW_BYTES = 48;
export const FPX_SW_BYTES_MAGIC1 = 0;
export const FPX_SW_BYTES_EXTENDED_SIZE = 4;
export const FPX_SW_BYTES_XFEATURES = 8;
export const FPX_SW_BYTES_XSTATE_SIZE = 16;

/** Layout of struct _xstate. */
export const SIZEOF_XSTATE = 832;
export const XSTATE_XSTATE_HDR_XFEATURES = 512; // xstate_hdr.xfeatures
export const XSTATE_YMMH = 576;

/** Layout of struct _header. */
export const SIZEOF_XSTATE_HEADER = 64;
export const XSTATE_HEADER_XFEATURES = 0;

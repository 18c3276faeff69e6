// Where everything lies in a systrap stub process, and what the words in the shared pages mean. All of it is above
// GUEST_TOP; the guest can read all of it, write only the slots and the ring, and map nothing there.
//
//   STUB_BASE   code: handler, mapper loop, thread start, filters   r-x  from the stub's own image
//   CONTROL     what the Sentry tells all stubs                     r--  memory file, shared by all stubs
//   ORDERS      records of 8 u64 for the mapper                     r--  memory file, this process's own once it has threads
//   RING        numbers of threads that have reported               rw-  memory file, shared by all stubs
//   SITES       code of patched calls                               r-x  memory file, this process's own
//   HOST_VDSO_ADDR  the host's vDSO and its data (../stub/host_vdso.ts) r-x  the host's own
//   SLOTS       one slot per guest thread                           rw-  memory file, this process's own
//
// A slot (16 KiB), grown down from its end by the host's signal frames:
//
//   0x000  the call: state, number, arguments, result; one cache line, all that most calls move between cpus
//   0x040  header: words below            0x140  registers of a patched call (struct sigcontext)
//   0x400  extended state of a patched call, when somebody asks for it or sets it
//   0x1000 ... signal stack ...  0x4000   rt_sigframe: return address, ucontext, siginfo, then the XSAVE area above

import { SIZEOF_UCONTEXT, UCONTEXT_UC_MCONTEXT } from '../../../abi/signal/sigcontext.ts';
import { GUEST_TOP, PATCH_TABLE_ADDR, PATCH_TABLE_SIZE } from '../platform.ts';
import { ORDER_SIZE } from '../stub/orders.ts';

export const STUB_BASE = GUEST_TOP;
export const CODE_SIZE = 0x2000;
export const CONTROL_ADDR: number = STUB_BASE + 0x4000;
export const ORDERS_ADDR: number = STUB_BASE + 0x5000;
export const ORDERS_PAGES = 4;
export const MAX_ORDERS: number = (ORDERS_PAGES * 4096) / ORDER_SIZE;
/** A multiple of 2 ** SLOTS_SHIFT up to the end of the address space: the upper bits of an address tell a slot. */
export const SLOTS_BASE: number = STUB_BASE + 0x800_0000;
export const SLOTS_SHIFT = 27;
/** The first slot: not at a round address, which a stray pointer is likelier to hit. */
export const SLOTS_ADDR: number = SLOTS_BASE + 0x10_0000;
/** The ring of ready threads (ready_ring.ts), near what else guests can write. */
export const RING_ADDR: number = SLOTS_ADDR - 0x1_0000;
export const SLOT_SIZE = 0x4000;
export const SLOT_PAGES: number = SLOT_SIZE / 4096;
/** Slots are mapped this many at a time. */
export const SLOTS_PER_BLOCK = 4;
/** The last block of slots ends below TASK_TOP. */
export const MAX_SLOTS = 8124;
/** Per patched call site: code that loads its number and jumps to the common entry. Read-only to the guest. */
export const SITES_ADDR: number = STUB_BASE + 0x10_0000;
export const SITE_SIZE = 64;
export const MAX_SITES: number = PATCH_TABLE_SIZE / 8;
export const SITES_END: number = SITES_ADDR + MAX_SITES * SITE_SIZE;
/** In a site: its system call instruction for threads without a slot in gs, and the address to return to. */
export const SITE_FALLBACK = 24;
export const SITE_RETURN = 56;
export const TASK_TOP = 0x7fff_ffff_f000;

/** Descriptors in every stub. */
export const MEMFILE_FD = 3;
export const EVENT_FD = 4;
/** Only while the template starts. */
export const IMAGE_FD = 5;
export const REPORT_FD = 6;

/** Extended state that a thread in a patched call saves and loads: XCR0 as signal frames have it. */
export const C_XSTATE = 8;

export const H_SIG = 0x80;
/** Address of the rt_sigframe. */
export const H_FRAME = 0x88;
export const H_FS_BASE = 0x90;
export const H_GS_BASE = 0x98;
/** struct sigcontext of a patched call, and its address as if it were that of an rt_sigframe. */
export const H_PATCHED = 0x140;
/** rflags of a patched call, u64. */
export const H_FLAGS = 0xb8;
/** Where the bases are known (bases.ts): the slot's own address; selectors of fs and gs, u32 each; which bases to set. */
export const H_SELF = 0xc0;
export const H_SELECTORS = 0xc8;
export const H_SET = 0xd0;
export const SET_FS = 1;
export const SET_GS = 2;
/** What is added to gs then in order to find H_SELF: an address that can be read with any base that is 0. */
export const SELF_AT: number = PATCH_TABLE_ADDR;
/** A thread that goes on from a patched call with all registers takes its extended state from the slot too. */
export const H_LOAD = 0xd4;
/** stack_t of the signal stack, for the thread's start. */
export const H_ALTSTACK = 0xa0;
/** Where a patched call's extended state goes, and how much of it can. */
export const XSTATE_AT = 0x400;
export const XSTATE_ROOM = 0xc00;
export const HEADER_SIZE: number = XSTATE_AT + XSTATE_ROOM;

/** H_SIG of a kick that came after the answer, before the thread had gone on: the frame is that of the event before. */
export const SIG_ANSWERED = 0x101;

/** struct rt_sigframe of the host, from its start (H_FRAME). */
export const FRAME_UC = 8;
export const FRAME_GREGS: number = FRAME_UC + UCONTEXT_UC_MCONTEXT;
export const FRAME_INFO: number = FRAME_UC + SIZEOF_UCONTEXT;
export const FRAME_SIZE: number = FRAME_INFO + 128;
export const PATCHED_FRAME: number = H_PATCHED - FRAME_GREGS;

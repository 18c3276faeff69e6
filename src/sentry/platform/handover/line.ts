// The line: the words through which a guest thread and the Sentry hand over to each other. One cache line per thread
// holds the call and its answer, all that most calls move between cpus; a word behind it says that the thread sleeps; one
// page, shared by all, tells threads what to do for the Sentry. How a thread gets there (a signal's handler, a jump from a
// patched call, an exit of a virtual machine) is the platform's.

/** The state, which both sides set. */
export const H_STATE = 0x00;
/** Counts calls that came by the short way. */
export const H_SEQ = 0x04;
/** A call's number, then its result; its arguments. */
export const H_RAX = 0x08;
export const H_RDI = 0x10;
export const H_RSI = 0x18;
export const H_RDX = 0x20;
export const H_R10 = 0x28;
export const H_R8 = 0x30;
export const H_R9 = 0x38;
/** The thread sleeps on H_STATE, or is about to: it must be woken. */
export const H_ASLEEP = 0x40;
/** What the thread puts into the ring (ready_ring.ts). */
export const H_NUMBER = 0x84;

/** H_STATE: the thread's report is odd, the Sentry's answer even. */
export const STATE_NEW = 0;
/** Thread -> Sentry: an event, with all registers. */
export const STATE_EVENT = 1;
/** Thread -> Sentry: a call that came by the short way; number and arguments are in the line. */
export const STATE_CALL = 3;
/** Thread -> Sentry: a call that trapped; number and arguments are in the line too, the rest where an event's is. */
export const STATE_TRAPPED = 5;
/** Sentry -> thread: go on with all registers. */
export const STATE_RUN = 2;
/** Sentry -> thread: the answer takes long; do not spin. */
export const STATE_PARK = 4;
/** Sentry -> thread in a short call: trap, so that there is an event with all registers. */
export const STATE_TRAP = 6;
/** Sentry -> thread in a call: go on with the result in the line, everything else as it was. */
export const STATE_DONE = 8;
/** Sentry -> thread in a short call: save the extended state, and report STATE_CALL once more. */
export const STATE_SAVE = 10;

/** Words of the shared page: what a thread that reports has to do, and how often it may spin for its answer. */
export const C_WANTS = 0;
export const C_SPINS = 4;
/** C_WANTS: the Sentry is asleep, or about to be, and must be woken; it looks into the ring (ready_ring.ts). */
export const WANTS_WAKE = 1;
export const WANTS_RING = 2;

/** Words of the ring; as many others come before them, of which the first counts. */
export const RING_SHIFT = 9;
export const RING_SIZE: number = 2 ** RING_SHIFT;
/** Where in a word of it the lap is. */
export const RING_LAP_SHIFT = 20;

// One small kernel-wide buffer for structs on their way to or from guest memory.
// The kernel is one synchronous thread: whoever fills it consumes it before calling anything else that may use it.

export const SCRATCH_SIZE = 65536;
export const scratch: Uint8Array = new Uint8Array(SCRATCH_SIZE);
export const scratchView: DataView = new DataView(scratch.buffer);

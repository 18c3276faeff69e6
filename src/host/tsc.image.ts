// The machine code of tsc.ts.

import { Assembler, imm, type MachineCode, mem, RAX, RDI, RDX } from '../asm/index.ts';

// long ticks(const u64 *base): rdtsc - *base, ordered after earlier loads.
const code = new Assembler();
code.label('ticks').lfence().rdtsc().shl(RDX, imm(32)).or(RAX, RDX).sub(RAX, mem(RDI, 0)).ret();
export const TSC_CODE: MachineCode = code.image();

import { type Code, expectSize, modRm } from './encode.ts';
import type { Mem, Reg } from './operands.ts';

/** The processor-state instructions; the `64` forms (REX.W) keep 64-bit instruction and data pointers. */
function state(opcode: readonly number[], extension: number, w: boolean, area: Mem): Code {
  return modRm({ w, opcode, reg: extension, rm: area });
}

const GROUP_15 = [0x0f, 0xae] as const;
const GROUP_9 = [0x0f, 0xc7] as const;

/** 0F AE /0 */
export function fxsave(area: Mem): Code {
  return state(GROUP_15, 0, false, area);
}

export function fxsave64(area: Mem): Code {
  return state(GROUP_15, 0, true, area);
}

/** 0F AE /1 */
export function fxrstor(area: Mem): Code {
  return state(GROUP_15, 1, false, area);
}

export function fxrstor64(area: Mem): Code {
  return state(GROUP_15, 1, true, area);
}

/** 0F AE /2 */
export function ldmxcsr(src: Mem): Code {
  return state(GROUP_15, 2, false, src);
}

/** 0F AE /3 */
export function stmxcsr(dst: Mem): Code {
  return state(GROUP_15, 3, false, dst);
}

/** Saves the components selected by edx:eax, standard format.  0F AE /4 */
export function xsave(area: Mem): Code {
  return state(GROUP_15, 4, false, area);
}

export function xsave64(area: Mem): Code {
  return state(GROUP_15, 4, true, area);
}

/** 0F AE /5 */
export function xrstor(area: Mem): Code {
  return state(GROUP_15, 5, false, area);
}

export function xrstor64(area: Mem): Code {
  return state(GROUP_15, 5, true, area);
}

/** Like xsave, but skips components that did not change.  0F AE /6 */
export function xsaveopt(area: Mem): Code {
  return state(GROUP_15, 6, false, area);
}

export function xsaveopt64(area: Mem): Code {
  return state(GROUP_15, 6, true, area);
}

/** Like xsave, in the compacted format.  0F C7 /4 */
export function xsavec(area: Mem): Code {
  return state(GROUP_9, 4, false, area);
}

export function xsavec64(area: Mem): Code {
  return state(GROUP_9, 4, true, area);
}

/** F3 REX.W 0F AE /n with a register operand. */
function segmentBase(extension: number, reg: Reg): Code {
  expectSize(reg, 4, 8);
  return modRm({ prefix: 0xf3, w: reg.size === 8, opcode: GROUP_15, reg: extension, rm: reg });
}

export function rdfsbase(dst: Reg): Code {
  return segmentBase(0, dst);
}

export function rdgsbase(dst: Reg): Code {
  return segmentBase(1, dst);
}

export function wrfsbase(src: Reg): Code {
  return segmentBase(2, src);
}

export function wrgsbase(src: Reg): Code {
  return segmentBase(3, src);
}

import { type Code, expectSize, fixed, modRm } from './encode.ts';
import type { Mem, Reg, RegMem } from './operands.ts';

export function syscall(): Code {
  return fixed(0x0f, 0x05);
}

/** Returns to 64-bit user code at rcx with rflags from r11.  REX.W 0F 07 */
export function sysretq(): Code {
  return fixed(0x48, 0x0f, 0x07);
}

export function iretq(): Code {
  return fixed(0x48, 0xcf);
}

export function swapgs(): Code {
  return fixed(0x0f, 0x01, 0xf8);
}

export function hlt(): Code {
  return fixed(0xf4);
}

export function cli(): Code {
  return fixed(0xfa);
}

export function sti(): Code {
  return fixed(0xfb);
}

export function pushfq(): Code {
  return fixed(0x9c);
}

/** ah = SF ZF 0 AF 0 PF 1 CF */
export function lahf(): Code {
  return fixed(0x9f);
}

export function sahf(): Code {
  return fixed(0x9e);
}

export function popfq(): Code {
  return fixed(0x9d);
}

export function cpuid(): Code {
  return fixed(0x0f, 0xa2);
}

export function rdtsc(): Code {
  return fixed(0x0f, 0x31);
}

export function rdtscp(): Code {
  return fixed(0x0f, 0x01, 0xf9);
}

export function wrmsr(): Code {
  return fixed(0x0f, 0x30);
}

export function rdmsr(): Code {
  return fixed(0x0f, 0x32);
}

export function xgetbv(): Code {
  return fixed(0x0f, 0x01, 0xd0);
}

export function xsetbv(): Code {
  return fixed(0x0f, 0x01, 0xd1);
}

export function vmcall(): Code {
  return fixed(0x0f, 0x01, 0xc1);
}

export function vmmcall(): Code {
  return fixed(0x0f, 0x01, 0xd9);
}

/** 0F 01 /0 */
export function sgdt(dst: Mem): Code {
  return modRm({ opcode: [0x0f, 0x01], reg: 0, rm: dst });
}

/** 0F 01 /1 */
export function sidt(dst: Mem): Code {
  return modRm({ opcode: [0x0f, 0x01], reg: 1, rm: dst });
}

/** 0F 01 /2 */
export function lgdt(src: Mem): Code {
  return modRm({ opcode: [0x0f, 0x01], reg: 2, rm: src });
}

/** 0F 01 /3 */
export function lidt(src: Mem): Code {
  return modRm({ opcode: [0x0f, 0x01], reg: 3, rm: src });
}

/** 0F 01 /7 */
export function invlpg(page: Mem): Code {
  return modRm({ opcode: [0x0f, 0x01], reg: 7, rm: page });
}

/** 0F 00 /3 */
export function ltr(selector: RegMem): Code {
  if (selector.kind === 'reg') expectSize(selector, 2);
  return modRm({ opcode: [0x0f, 0x00], reg: 3, rm: selector });
}

const CONTROL_REGISTERS = [0, 2, 3, 4, 8];

function controlMove(opcode: number, cr: number, reg: Reg): Code {
  if (!CONTROL_REGISTERS.includes(cr)) throw new RangeError(`no control register ${cr}`);
  expectSize(reg, 8);
  // 0F 0010 00d0 /r  d: to the control register; always 64 bits wide in long mode
  return modRm({ opcode: [0x0f, opcode], reg: cr, rm: reg });
}

export function movToCr(cr: number, src: Reg): Code {
  return controlMove(0x22, cr, src);
}

export function movFromCr(dst: Reg, cr: number): Code {
  return controlMove(0x20, cr, dst);
}

/** Segment registers by their number in the encoding. */
const SEGMENTS = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;

export function movToSeg(segment: Exclude<keyof typeof SEGMENTS, 'cs'>, src: Reg): Code {
  expectSize(src, 2, 4, 8);
  // 1000 1110 /r; only 16 bits are read whatever the size
  return modRm({ opcode: [0x8e], reg: SEGMENTS[segment], rm: src });
}

export function movFromSeg(dst: Reg, segment: keyof typeof SEGMENTS): Code {
  expectSize(dst, 4, 8);
  // 1000 1100 /r; the 32-bit form zero-extends as well
  return modRm({ opcode: [0x8c], reg: SEGMENTS[segment], rm: dst });
}

/** Port output from al, ax or eax; the port is an immediate byte, or dx when `null`. */
export function out(port: number | null, src: Reg): Code {
  return portIo(0xe6, port, src);
}

/** Port input, called `inp` because `in` is a keyword. */
export function inp(dst: Reg, port: number | null): Code {
  return portIo(0xe4, port, dst);
}

/** 1110 d1ow  d: port in dx instead of a byte that follows, o: output, w: wider than a byte */
function portIo(opcode: number, port: number | null, reg: Reg): Code {
  if (reg.num !== 0) throw new TypeError(`port data in ${reg.name}: only al, ax or eax can`);
  expectSize(reg, 1, 2, 4);
  if (port !== null && (!Number.isInteger(port) || port < 0 || port > 255))
    throw new RangeError(`port ${port}`);
  const prefix = reg.size === 2 ? [0x66] : [];
  const first = opcode | (port === null ? 8 : 0) | (reg.size === 1 ? 0 : 1);
  return fixed(...prefix, first, ...(port === null ? [] : [port]));
}

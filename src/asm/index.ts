export { Assembler, type AssemblerOptions, type MachineCode } from './assembler.ts';
export { CONDITIONS, type Condition } from './conditions.ts';
export type { Code, Fixup, FixupKind } from './encode.ts';
export * as instructions from './instructions.ts';
export * from './operands.ts';

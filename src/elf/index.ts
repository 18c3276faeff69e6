export * from './constants.ts';
export {
  type ElfHeader,
  type ElfImage,
  type ElfNote,
  type ProgramHeader,
  readElf,
  readElfHeader,
  readElfImage,
  readInterp,
  readNotes,
} from './reader.ts';
export { type SharedObjectOptions, type SharedSymbol, writeSharedObject } from './shared.ts';
export { type ExecutableOptions, type Segment, writeExecutable } from './writer.ts';

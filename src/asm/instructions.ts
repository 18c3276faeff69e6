/** Every encoder and nothing else: each export becomes a method of the Assembler under the same name. */
export * from './arithmetic.ts';
export * from './atomics.ts';
export * from './branches.ts';
export * from './moves.ts';
export * from './sse.ts';
export * from './state.ts';
export * from './strings.ts';
export * from './system.ts';

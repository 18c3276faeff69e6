// `vedette pause` and `vedette resume`.

import { ask, type Context, theId, withContainer } from './context.ts';
import { readFlags } from './flags.ts';

export function pause(ctx: Context, words: readonly string[]): number {
  const id = theId(readFlags(words, {}), 'pause');
  withContainer(ctx, id, (folder) => ask(folder, { method: 'pause' }));
  return 0;
}

export function resume(ctx: Context, words: readonly string[]): number {
  const id = theId(readFlags(words, {}), 'resume');
  withContainer(ctx, id, (folder) => ask(folder, { method: 'resume' }));
  return 0;
}

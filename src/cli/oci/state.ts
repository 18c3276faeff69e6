// `vedette state`: what a container is and does, as JSON.

import { StateFolder } from '../../runtime/oci/state.ts';
import { type Context, stateOf, theId } from './context.ts';
import { readFlags } from './flags.ts';

export function state(ctx: Context, words: readonly string[]): number {
  const folder = new StateFolder(ctx.root, theId(readFlags(words, {}), 'state'));
  const record = folder.read();
  process.stdout.write(`${JSON.stringify(stateOf(record, folder.status(record)), null, 2)}\n`);
  return 0;
}
